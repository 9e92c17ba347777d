//! Files that are whole or absent: written aside in the same folder, synced, renamed into place.

use crate::error::{Error, Result};
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder, RgbImage};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::Path;

/// Writes `content` to `path`, so that a reader, or a run after a crash, finds either all of it or the file before.
pub fn write(path: &Path, content: &[u8]) -> Result<()> {
    write_with(path, |file| file.write_all(content).map_err(Error::io("write", path)))
}

/// As [`write()`], for content that is produced piece by piece; what `fill` gives.
pub fn write_with<T>(path: &Path, fill: impl FnOnce(&mut std::fs::File) -> Result<T>) -> Result<T> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut aside =
        tempfile::Builder::new().prefix(".partial-").tempfile_in(folder).map_err(Error::io("write", path))?;
    let filled = fill(aside.as_file_mut())?;
    aside.as_file().sync_all().map_err(Error::io("write", path))?;
    readable(aside.as_file()).map_err(Error::io("write", path))?;
    aside.persist(path).map_err(|e| Error::io("write", path)(e.error))?;
    Ok(filled)
}

/// Length of [`npy_header`].
pub const NPY_HEADER: usize = 128;

/// What comes before the values of an array in C order in a file as `numpy.lib.format` version 1.0 describes it:
/// `kind` is numpy's name of the type, such as `<f4`.
pub fn npy_header(kind: &str, shape: &[usize]) -> Vec<u8> {
    let shape: Vec<String> = shape.iter().map(ToString::to_string).collect();
    let about = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({}), }}", shape.join(", "));
    let length = NPY_HEADER - 10;
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend((length as u16).to_le_bytes());
    header.extend(format!("{about:<width$}\n", width = length - 1).bytes());
    header
}

/// An image as the bytes of a PNG file.
pub fn png(image: &RgbImage, compression: CompressionType) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    PngEncoder::new_with_quality(&mut bytes, compression, FilterType::Adaptive)
        .write_image(image.as_raw(), image.width(), image.height(), ExtendedColorType::Rgb8)
        .map_err(|e| Error::Internal(format!("an image cannot be encoded as PNG: {e}")))?;
    Ok(bytes)
}

/// Writes an image as PNG.
pub fn write_png(path: &Path, image: &RgbImage, compression: CompressionType) -> Result<()> {
    write(path, &png(image, compression)?)
}

/// Gives a temporary file, which only its owner may read, the permissions that others expect.
#[cfg(unix)]
fn readable(file: &std::fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable(_: &std::fs::File) -> std::io::Result<()> {
    Ok(())
}

/// Refuses a file of a command's `--output` that is there already, unless `force` lets it be replaced.
pub fn spare(path: &Path, force: bool) -> Result<()> {
    if path.exists() && !force {
        return Err(Error::file(path, "is there already: choose another --output, or replace it with --force"));
    }
    Ok(())
}

/// Held while a process works on something that another one must not touch. The system lets go of it when the process
/// ends, however it ends, on one machine and on a shared folder whose locks reach all machines; the file stays, for a
/// lock on a removed file would hold nobody off.
#[derive(Debug)]
pub struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file is not enough while a process that this one is just starting holds a copy of it. Should the
        // system refuse, closing is what is left.
        let _ = self.0.unlock();
    }
}

impl Lock {
    /// Takes the lock that the file at `path` is; or says which process holds it.
    pub fn take(path: &Path) -> Result<std::result::Result<Self, String>> {
        let mut file = Self::open(path)?;
        match file.try_lock() {
            Ok(()) => Self::held(file, path).map(Ok),
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Who holds it is a courtesy: without it the answer is still right.
                let _ = file.read_to_string(&mut holder);
                Ok(Err(holder.trim().to_owned()))
            }
            Err(TryLockError::Error(e)) => Err(Error::io("lock", path)(e)),
        }
    }

    /// As [`Lock::take`], when whoever holds it has let go.
    pub fn wait(path: &Path) -> Result<Self> {
        let file = Self::open(path)?;
        file.lock().map_err(Error::io("lock", path))?;
        Self::held(file, path)
    }

    fn open(path: &Path) -> Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).open(path).map_err(Error::io("write", path))
    }

    /// Notes who holds it.
    fn held(mut file: File, path: &Path) -> Result<Self> {
        let write = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        write.map_err(Error::io("write", path))?;
        Ok(Self(file))
    }
}

/// The whole of a file.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(Error::io("read", path))
}

/// The whole of a UTF-8 text file.
pub fn read_text(path: &Path) -> Result<String> {
    String::from_utf8(read(path)?).map_err(|_| Error::file(path, "is not UTF-8 text"))
}

/// Removes a file, if there is one.
pub fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", path)(e)),
        _ => Ok(()),
    }
}

/// Creates a folder and those above it.
pub fn create_folder(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(Error::io("create the folder", path))
}
