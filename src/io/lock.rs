//! Lock files between processes.

use super::open::open_lock;
use crate::error::{Error, Result};
use std::fs::{File, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Longest text about a holder that is shown.
const MAX_HOLDER_BYTES: u64 = 200;

/// An exclusive lock between processes, released when it is dropped or its process ends, however it ends. It also
/// works on shared folders whose locks reach all machines. Only users that may write the file can lock it.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Another user may be unable to open the file, so it must not stay. Processes that have opened it meanwhile see that
        // it is gone. If removing or unlocking fails, closing is all that is left.
        if is_at(&self.file, &self.path) {
            let _ = std::fs::remove_file(&self.path);
        }
        // A child process that is just being started still holds a copy of the file: closing it here is not enough.
        let _ = self.file.unlock();
    }
}

impl Lock {
    /// Takes the lock file at `path`, or describes its holder: the process, its user and machine, and since when.
    pub fn take(path: &Path) -> Result<std::result::Result<Self, String>> {
        loop {
            let file = open_lock(path)?;
            match file.try_lock() {
                Ok(()) if is_at(&file, path) => return Self::record_holder(file, path).map(Ok),
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(Err(holder(&file))),
                Err(TryLockError::Error(e)) => return Err(Error::io("lock", path)(e)),
            }
        }
    }

    /// Like [`Lock::take`], but waits until the lock is free.
    pub fn wait(path: &Path) -> Result<Self> {
        loop {
            let file = open_lock(path)?;
            file.lock().map_err(Error::io("lock", path))?;
            if is_at(&file, path) {
                return Self::record_holder(file, path);
            }
        }
    }

    /// Writes this process, its user and its machine into the lock file.
    fn record_holder(mut file: File, path: &Path) -> Result<Self> {
        let user = ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| std::env::var(name).ok());
        let user = user.map_or_else(String::new, |user| format!(" of {user}"));
        let text = format!("{}{user}{}\n", std::process::id(), machine());
        let write = file.set_len(0).and_then(|()| file.write_all(text.as_bytes()));
        write.map_err(Error::io("write", path))?;
        Ok(Self { file, path: path.to_path_buf() })
    }
}

/// The text in a lock file and its age. Both are only for a message.
fn holder(file: &File) -> String {
    let mut text = Vec::new();
    let _ = file.take(MAX_HOLDER_BYTES).read_to_end(&mut text);
    let modified = file.metadata().and_then(|metadata| metadata.modified()).unwrap_or(SystemTime::now());
    let minutes = modified.elapsed().map_or(0, |age| age.as_secs() / 60);
    let since = if minutes > 0 { format!(", for {minutes} min") } else { String::new() };
    format!("{}{since}", String::from_utf8_lossy(&text).trim())
}

/// The machine's name, after a preposition.
#[cfg(unix)]
fn machine() -> String {
    format!(" on {}", rustix::system::uname().nodename().to_string_lossy())
}

#[cfg(not(unix))]
fn machine() -> String {
    String::new()
}

/// True if `file` is still the file at `path`: a process that released the lock may have removed it.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let place = |metadata: &std::fs::Metadata| (metadata.dev(), metadata.ino());
    let opened = file.metadata().as_ref().map(place).ok();
    opened.is_some() && opened == std::fs::symlink_metadata(path).as_ref().map(place).ok()
}

#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> bool {
    path.exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_names_its_holder_and_leaves_no_file() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join(".lock");
        let lock = Lock::take(&path).unwrap().unwrap();
        let holder = Lock::take(&path).unwrap().unwrap_err();
        assert!(holder.starts_with(&std::process::id().to_string()), "{holder}");
        #[cfg(unix)]
        assert!(holder.contains(" on "), "{holder}");
        drop(lock);
        assert!(!path.exists());
        drop(Lock::wait(&path).unwrap());
        assert!(Lock::take(&path).unwrap().is_ok());
    }

    #[test]
    fn one_of_many_threads_has_the_lock_at_any_time() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join(".lock");
        let inside = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let _lock = Lock::wait(&path).unwrap();
                        assert_eq!(inside.fetch_add(1, std::sync::atomic::Ordering::SeqCst), 0);
                        inside.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                    }
                });
            }
        });
    }
}
