//! Whole files. A file is complete or absent: it is written under a temporary name in the same folder, synced and
//! renamed.

use super::announced::announce;
use super::file_kind::check_text;
use super::open::{RECORD_BYTES, TABLE_BYTES, open_own, read_up_to};
use crate::error::{Error, Result};
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::time::Duration;

/// Start of the names of files that are being written.
const PARTIAL: &str = ".partial-";

/// True for the name of a file that is being written, or that a process was killed while it wrote.
pub fn is_partial_file(name: &str) -> bool {
    name.starts_with(PARTIAL)
}

/// Removes what killed processes were writing in a folder, if `age` has passed since: none in a folder that this process has
/// locked, and longer than any write in another.
pub fn sweep_partial_files(folder: &Path, age: Duration) -> Result<()> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
    for entry in entries.flatten() {
        let is_old = || {
            let changed = entry.metadata().and_then(|found| found.modified());
            changed.is_ok_and(|changed| changed.elapsed().is_ok_and(|passed| passed >= age))
        };
        if is_partial_file(&entry.file_name().to_string_lossy()) && is_old() {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Writes `content` to `path`. After a crash the file holds either all of it or what it held before. In a folder that a
/// command claimed, the file is listed first.
pub fn write(path: &Path, content: &[u8]) -> Result<()> {
    announce(path, content)?;
    write_with(path, |file| file.write_all(content).map_err(Error::io("write", path)))
}

/// Like [`write()`], for content that `fill` writes piece by piece; returns what `fill` returns.
pub fn write_with<T>(path: &Path, fill: impl FnOnce(&mut File) -> Result<T>) -> Result<T> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut partial = partial_file().tempfile_in(folder).map_err(Error::io("write", path))?;
    let filled = fill(partial.as_file_mut())?;
    partial.as_file().sync_all().map_err(Error::io("write", path))?;
    partial.persist(path).map_err(|e| Error::io("write", path)(e.error))?;
    sync_folder(folder)?;
    Ok(filled)
}

/// Like [`write()`], without syncing, for one of many files that are synced together. A file is whole or absent, except
/// after a power failure.
pub fn write_unsynced(path: &Path, content: &[u8]) -> Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let written = partial_file().tempfile_in(folder).and_then(|mut partial| {
        partial.write_all(content)?;
        partial.persist(path).map_err(|e| e.error)
    });
    written.map(drop).map_err(Error::io("write", path))
}

/// A file of a random name that no other process has, with the permissions of the user's umask.
fn partial_file() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PARTIAL);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder
}

/// Syncs a file of this program that was written to piece by piece; one that does not exist is left out.
pub fn sync(path: &Path) -> Result<()> {
    if !path.exists() {
        return Ok(());
    }
    open_own(path)?.sync_all().map_err(Error::io("sync", path))
}

/// Syncs the names in a folder: a renamed file is found under its name after a power failure.
#[cfg(unix)]
pub fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(Error::io("sync", folder))
}

/// Syncs the names in a folder; other systems do so by themselves.
#[cfg(not(unix))]
pub fn sync_folder(_: &Path) -> Result<()> {
    Ok(())
}

/// True for files that file managers and copies to other systems leave behind.
pub fn is_litter(name: &str) -> bool {
    name.starts_with("._") || [".DS_Store", "Thumbs.db", "desktop.ini"].contains(&name)
}

/// Reads a whole file of at most [`RECORD_BYTES`].
pub fn read(path: &Path) -> Result<Vec<u8>> {
    read_up_to(path, RECORD_BYTES)
}

/// Reads a whole UTF-8 text file.
pub fn read_text(path: &Path) -> Result<String> {
    text(path, read(path)?)
}

/// Reads a table of at most [`TABLE_BYTES`] as UTF-8 text.
pub fn read_table(path: &Path) -> Result<String> {
    text(path, read_up_to(path, TABLE_BYTES)?)
}

/// The content of a text file. An empty one is for the caller to judge: an empty table of TOML, or no lines.
fn text(path: &Path, bytes: Vec<u8>) -> Result<String> {
    if !bytes.is_empty() {
        check_text(path, &bytes)?;
    }
    String::from_utf8(bytes).map_err(|_| Error::file(path, "is not UTF-8 text: save it as UTF-8"))
}

/// Removes a file if it exists.
pub fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(Error::io("remove", path)(e)),
        _ => Ok(()),
    }
}

/// Creates a folder and its parents.
pub fn create_folder(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(Error::io("create the folder", path))
}

/// Creates the folder `below` in `folder`, a relative path. A link in its place is refused: it may lead elsewhere.
pub fn create_folder_below(folder: &Path, below: &str) -> Result<()> {
    let mut path = folder.to_path_buf();
    for part in below.split('/') {
        path.push(part);
        match std::fs::create_dir(&path) {
            Err(e) if e.kind() != ErrorKind::AlreadyExists => return Err(Error::io("create the folder", &path)(e)),
            _ => {}
        }
        if !std::fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_dir()) {
            return Err(Error::file(path, "is a link or a file, expected a folder: remove it"));
        }
    }
    Ok(())
}

/// Removes the files below a folder for whose name `is_own` is true, and the folders that are then empty. Other files
/// stay.
pub fn remove_own(folder: &Path, is_own: &impl Fn(&str) -> bool) -> Result<()> {
    // A link leads to a folder of others.
    if folder.is_symlink() {
        return Ok(());
    }
    let entries = match std::fs::read_dir(folder) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(Error::io("read the folder", folder))?,
    };
    for entry in entries {
        let entry = entry.map_err(Error::io("read the folder", folder))?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_own(&entry.path(), is_own)?;
        } else if is_own(&entry.file_name().to_string_lossy()) {
            remove(&entry.path())?;
        }
    }
    match std::fs::remove_dir(folder) {
        Err(e) if e.kind() != ErrorKind::DirectoryNotEmpty => Err(Error::io("remove", folder)(e)),
        _ => Ok(()),
    }
}
