//! What can go wrong, as sentences for the person at the keyboard, and whose mistake it is.

use std::path::{Path, PathBuf};

/// The result of everything in this library.
pub type Result<T> = std::result::Result<T, Error>;

/// One clear sentence a failure; [`Error::exit_code`] says whether the user or the program is to blame.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A request that cannot be carried out as it stands: a flag, a configuration, a folder of another data set.
    #[error("{0}")]
    Request(String),
    /// A file whose content is not what its format asks for.
    #[error("{}: {message}", path.display())]
    File {
        /// The file at fault.
        path: PathBuf,
        /// What was found, what was expected, and what to do.
        message: String,
    },
    /// A line of a text file, or a row of a table, that breaks the format.
    #[error("{}, line {line}: {message}", path.display())]
    Line {
        /// The file at fault.
        path: PathBuf,
        /// The line, counted from 1 as editors do.
        line: usize,
        /// What was found and what was expected.
        message: String,
    },
    /// The operating system refused: missing file, no permission, disk full.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb: "read", "write", "create".
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's own reason.
        source: std::io::Error,
    },
    /// A tensor operation failed: a fault of this program, or of the device.
    #[error("tensor operation failed: {}", sentence(.0))]
    Candle(candle_core::Error),
    /// Results that should agree do not.
    #[error("{0}")]
    Disagreement(String),
    /// A table operation failed: a fault of this program.
    #[error("table operation failed: {0}")]
    Polars(#[from] polars::error::PolarsError),
    /// Anything else that should not have happened.
    #[error("internal error: {0}")]
    Internal(String),
}

impl From<candle_core::Error> for Error {
    /// A device without enough memory is for the user to mend, everything else is a fault.
    fn from(error: candle_core::Error) -> Self {
        let text = sentence(&error);
        // The driver's and cuBLAS's names for it; candle wraps both in a type of its own.
        if ["CUDA_ERROR_OUT_OF_MEMORY", "ALLOC_FAILED"].iter().any(|name| text.contains(name)) {
            return Self::Request(format!(
                "the device has too little free memory ({text}): use a smaller batch (in the profile's [training] \
                 section), stop other programs on it, or use --device cpu"
            ));
        }
        Self::Candle(error)
    }
}

/// A candle error without the stack trace that it carries where `RUST_BACKTRACE` is set.
fn sentence(error: &candle_core::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

impl Error {
    /// A failed system call on `path`; `action` is a verb such as "read".
    pub fn io(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| Self::Io { action, path, source }
    }

    /// A file with the wrong content.
    pub fn file(path: impl AsRef<Path>, message: impl Into<String>) -> Self {
        Self::File { path: path.as_ref().to_path_buf(), message: message.into() }
    }

    /// A line with the wrong content; `line` counts from 1.
    pub fn line(path: impl AsRef<Path>, line: usize, message: impl Into<String>) -> Self {
        Self::Line { path: path.as_ref().to_path_buf(), line, message: message.into() }
    }

    /// The process's exit code: 2 for what the user can mend, 1 for what we must.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Request(_) | Self::File { .. } | Self::Line { .. } | Self::Io { .. } => 2,
            Self::Candle(_) | Self::Polars(_) | Self::Disagreement(_) | Self::Internal(_) => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_without_memory_is_for_the_user_to_mend() {
        // As cudarc words them.
        for text in ["DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")", "CUBLAS_STATUS_ALLOC_FAILED"] {
            let error = Error::from(candle_core::Error::Cuda(text.into()).bt());
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains("smaller batch"), "{error}");
            assert_eq!(error.to_string().lines().count(), 1);
        }
        assert_eq!(Error::from(candle_core::Error::Cuda("CUDA_ERROR_LAUNCH_FAILED".into())).exit_code(), 1);
    }

    #[cfg(feature = "cuda")]
    #[test]
    fn the_drivers_own_error_is_recognized() {
        use candle_core::cuda_backend::{
            CudaError,
            cudarc::driver::{DriverError, sys::CUresult},
        };
        let error = CudaError::from(DriverError(CUresult::CUDA_ERROR_OUT_OF_MEMORY));
        assert_eq!(Error::from(candle_core::Error::from(error)).exit_code(), 2);
    }
}
