//! Opens files in folders that others may have filled. A device or a pipe in place of a file could block or never end, a
//! link could lead out of the folder, and a file could be larger than the memory.

use crate::error::{Error, Result};
use std::fs::{File, Metadata, OpenOptions};
use std::io::Read;
use std::path::Path;

/// Largest record, page or image in bytes.
pub const RECORD_BYTES: u64 = 64 << 20;
/// Largest table in bytes: annotations, metrics, events.
pub const TABLE_BYTES: u64 = 1 << 30;
/// Largest network or training state in bytes.
pub const NETWORK_BYTES: u64 = 8 << 30;
/// Length from which a file must be on the disk for the most part. Shorter ones do no harm.
const DENSE_BYTES: u64 = 16 << 20;

/// Opens a regular file for reading. Links are followed: users keep files of data sets elsewhere.
pub fn open(path: &Path) -> Result<File> {
    open_regular(path, OpenOptions::new().read(true), 0, "read")
}

/// Opens a regular file for reading that is itself no link.
pub fn open_unlinked(path: &Path) -> Result<File> {
    open_regular(path, OpenOptions::new().read(true), NO_FOLLOW, "read")
}

/// Opens a file of this program for reading and writing, and creates it if it does not exist. Its content stays. A link,
/// or a file with a second name, is refused: writing would change a file elsewhere.
pub fn open_own(path: &Path) -> Result<File> {
    refuse_other_name(
        open_regular(path, OpenOptions::new().read(true).write(true).create(true), NO_FOLLOW, "write")?,
        path,
    )
}

fn refuse_other_name(file: File, path: &Path) -> Result<File> {
    let metadata = file.metadata().map_err(Error::io("write", path))?;
    if has_other_name(&metadata) {
        let message =
            "is a file with a second name elsewhere (a hard link), which writing would change: remove it here";
        return Err(Error::file(path, message));
    }
    Ok(file)
}

/// Like [`open_own`], for a lock file. Users that may not write in the folder cannot open it, and thus not lock it.
pub(super) fn open_lock(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o660);
    let file =
        open_regular(path, options.read(true).write(true).create(true), NO_FOLLOW, "write").map_err(|e| match e {
            Error::Io { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied && path.exists() => {
                let message = "is the lock of another user's process: wait for it; if it has ended, remove this file";
                Error::file(path, format!("{message}{}", owner(path)))
            }
            e => e,
        })?;
    refuse_other_name(file, path)
}

/// The owner of a file, and its age, in parentheses.
#[cfg(unix)]
fn owner(path: &Path) -> String {
    use std::os::unix::fs::MetadataExt;
    let Ok(metadata) = std::fs::symlink_metadata(path) else { return String::new() };
    let age = metadata.modified().ok().and_then(|modified| modified.elapsed().ok()).unwrap_or_default();
    format!(" (user {}, {} min old)", metadata.uid(), age.as_secs() / 60)
}

#[cfg(not(unix))]
fn owner(_: &Path) -> String {
    String::new()
}

/// Like [`open_own`], for writing at the end.
pub fn append_own(path: &Path) -> Result<File> {
    use std::io::{Seek, SeekFrom};
    let mut file = open_own(path)?;
    file.seek(SeekFrom::End(0)).map_err(Error::io("write", path))?;
    Ok(file)
}

/// BLAKE3 of a file of at most `limit` bytes, in hexadecimal. The file is not held in memory.
pub fn digest(path: &Path, limit: u64) -> Result<String> {
    let failed = || Error::io("read", path);
    let file = open(path)?;
    check_length(&file.metadata().map_err(failed())?, limit).map_err(|message| Error::file(path, message))?;
    let mut hasher = blake3::Hasher::new();
    // The file may be growing.
    hasher.update_reader(file.take(limit + 1)).map_err(failed())?;
    check_read(path, hasher.count(), limit)?;
    Ok(hasher.finalize().to_hex().to_string())
}

/// Reads a whole file of at most `limit` bytes.
pub fn read_up_to(path: &Path, limit: u64) -> Result<Vec<u8>> {
    read_opened(open(path)?, path, limit)
}

/// Like [`read_up_to`], for a file that [`open`] or [`open_unlinked`] opened.
pub fn read_opened(file: File, path: &Path, limit: u64) -> Result<Vec<u8>> {
    let failed = || Error::io("read", path);
    let metadata = file.metadata().map_err(failed())?;
    check_length(&metadata, limit).map_err(|message| Error::file(path, message))?;
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    // The file may be growing.
    let mut file = file.take(limit + 1);
    file.read_to_end(&mut bytes).map_err(failed())?;
    check_read(path, bytes.len() as u64, limit)?;
    Ok(bytes)
}

/// Refuses a file that grew beyond `limit` while it was read.
fn check_read(path: &Path, bytes: u64, limit: u64) -> Result<()> {
    if bytes > limit {
        return Err(Error::file(path, format!("holds more than {limit} bytes, expected at most that")));
    }
    Ok(())
}

fn check_length(metadata: &Metadata, limit: u64) -> std::result::Result<(), String> {
    let length = metadata.len();
    if length > limit {
        return Err(format!("holds {length} bytes, expected at most {limit}: it is damaged, or another file"));
    }
    if length > DENSE_BYTES && stored_bytes(metadata) < length / 16 {
        return Err(format!(
            "holds {length} bytes, most of them gaps in a sparse file: it is damaged, or another file"
        ));
    }
    Ok(())
}

fn open_regular(path: &Path, options: &mut OpenOptions, flags: i32, action: &'static str) -> Result<File> {
    let not_regular = || {
        let message = "is not a regular file, but a folder, a pipe or a device: put the file itself there";
        Error::file(path, message)
    };
    // Opening some devices has effects, so the type is checked before, and again after.
    if std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return Err(not_regular());
    }
    set_flags(options, flags);
    let file = options.open(path).map_err(|e| {
        if flags != 0 && std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink()) {
            return Error::file(path, "is a link, which may lead out of the folder: put the file itself there");
        }
        Error::io(action, path)(e)
    })?;
    match file.metadata() {
        Ok(metadata) if metadata.is_file() => Ok(file),
        Ok(_) => Err(not_regular()),
        Err(e) => Err(Error::io(action, path)(e)),
    }
}

/// Opening fails on a link.
#[cfg(unix)]
const NO_FOLLOW: i32 = rustix::fs::OFlags::NOFOLLOW.bits() as i32;
#[cfg(not(unix))]
const NO_FOLLOW: i32 = 0;

/// Opening a pipe does not wait for its other end.
#[cfg(unix)]
fn set_flags(options: &mut OpenOptions, flags: i32) {
    use std::os::unix::fs::OpenOptionsExt;
    options.custom_flags(flags | rustix::fs::OFlags::NONBLOCK.bits() as i32);
}

#[cfg(not(unix))]
fn set_flags(_: &mut OpenOptions, _: i32) {}

#[cfg(unix)]
fn has_other_name(metadata: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    metadata.nlink() > 1
}

#[cfg(not(unix))]
fn has_other_name(_: &Metadata) -> bool {
    false
}

/// Bytes on the disk.
#[cfg(unix)]
fn stored_bytes(metadata: &Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    512 * metadata.blocks()
}

#[cfg(not(unix))]
fn stored_bytes(metadata: &Metadata) -> u64 {
    metadata.len()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn only_regular_files_are_opened() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        std::fs::write(path("file"), b"abc").unwrap();
        symlink(path("file"), path("link")).unwrap();
        symlink("/dev/zero", path("zero")).unwrap();
        std::fs::create_dir(path("folder")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, path("pipe"), rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
            .unwrap();
        assert_eq!(read_up_to(&path("file"), 3).unwrap(), b"abc");
        assert_eq!(read_up_to(&path("link"), 3).unwrap(), b"abc");
        for name in ["zero", "folder", "pipe"] {
            for message in [read_up_to(&path(name), 3).unwrap_err(), open_own(&path(name)).unwrap_err()] {
                assert!(message.to_string().contains("is not a regular file"), "{message}");
            }
        }
        for message in [open_unlinked(&path("link")).unwrap_err(), open_own(&path("link")).unwrap_err()] {
            assert!(message.to_string().contains("is a link"), "{message}");
        }
        std::fs::hard_link(path("file"), path("second")).unwrap();
        assert!(open_own(&path("second")).unwrap_err().to_string().contains("hard link"));
        assert_eq!(std::fs::read(path("file")).unwrap(), b"abc");
    }

    #[test]
    fn a_file_is_no_larger_than_expected() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("file");
        std::fs::write(&path, b"abcd").unwrap();
        assert!(read_up_to(&path, 3).unwrap_err().to_string().contains("holds 4 bytes, expected at most 3"));
        File::create(&path).unwrap().set_len(1 << 30).unwrap();
        assert!(read_up_to(&path, TABLE_BYTES).unwrap_err().to_string().contains("sparse file"));
    }
}
