//! Lock files between processes.

use super::open::open_own;
use crate::error::{Error, Result};
use std::fs::{File, TryLockError};
use std::io::{Read, Write};
use std::path::Path;

/// An exclusive lock between processes, released when it is dropped or its process ends, however it ends. It also
/// works on shared folders whose locks reach all machines. The file stays: a lock on a removed file excludes no one.
#[derive(Debug)]
pub struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // A child process that is just being started still holds a copy of the file: closing it here is not enough.
        // If unlocking fails, closing is all that is left.
        let _ = self.0.unlock();
    }
}

impl Lock {
    /// Takes the lock file at `path`, or returns the id of the process that holds it.
    pub fn take(path: &Path) -> Result<std::result::Result<Self, String>> {
        let mut file = open_own(path)?;
        match file.try_lock() {
            Ok(()) => Self::record_holder(file, path).map(Ok),
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // The id is only for the error message.
                let _ = file.read_to_string(&mut holder);
                Ok(Err(holder.trim().to_owned()))
            }
            Err(TryLockError::Error(e)) => Err(Error::io("lock", path)(e)),
        }
    }

    /// Like [`Lock::take`], but waits until the lock is free.
    pub fn wait(path: &Path) -> Result<Self> {
        let file = open_own(path)?;
        file.lock().map_err(Error::io("lock", path))?;
        Self::record_holder(file, path)
    }

    /// Writes this process's id into the lock file.
    fn record_holder(mut file: File, path: &Path) -> Result<Self> {
        let write = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        write.map_err(Error::io("write", path))?;
        Ok(Self(file))
    }
}
