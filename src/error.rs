//! Errors as sentences for the user, and the exit code of each.

use crate::untrusted::excerpt;
use std::path::{Path, PathBuf};

/// The result type of this library.
pub type Result<T> = std::result::Result<T, Error>;

/// Most bytes of a message about a file.
const MESSAGE_BYTES: usize = 3_000;

/// Each error is one sentence; [`Error::exit_code`] separates invalid input from bugs.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An invalid request: a flag, a configuration, a folder of another data set.
    #[error("{0}")]
    Request(String),
    /// A file with invalid content.
    #[error("{}: {message}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The content found, the content expected, and the remedy.
        message: String,
    },
    /// An invalid line of a text file, or row of a table.
    #[error("{}, line {line}: {message}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line number, from 1.
        line: usize,
        /// The content found and the content expected.
        message: String,
    },
    /// A failed system call: missing file, no permission, disk full.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// The attempted action, as a verb: "read", "write", "create".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A failed tensor operation: a bug in this program, or a fault of the device.
    #[error("tensor operation failed: {}", sentence(.0))]
    Candle(candle_core::Error),
    /// Results that should be equal and are not.
    #[error("{0}")]
    Disagreement(String),
    /// A failed table operation: a bug in this program.
    #[error("table operation failed: {0}")]
    Polars(#[from] polars::error::PolarsError),
    /// Any other bug in this program.
    #[error("internal error: {0}")]
    Internal(String),
}

impl From<candle_core::Error> for Error {
    /// Too little device memory is an invalid request; any other error is a bug or a fault of the device.
    fn from(error: candle_core::Error) -> Self {
        let text = sentence(&error);
        // The names in CUDA and cuBLAS. Candle wraps both in its own error type.
        if ["CUDA_ERROR_OUT_OF_MEMORY", "ALLOC_FAILED"].iter().any(|name| text.contains(name)) {
            return Self::Request(format!(
                "the device has too little free memory ({text}): use a smaller batch (in the profile's [training] \
                 section), stop other programs on it, or use --device cpu"
            ));
        }
        Self::Candle(error)
    }
}

/// A candle error without its stack trace, which it has if `RUST_BACKTRACE` is set.
fn sentence(error: &candle_core::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

impl Error {
    /// A failed system call on `path`; `action` is a verb such as "read".
    pub fn io(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| Self::Io { action, path, source }
    }

    /// An error about a file's content. `message` may quote the file: it is escaped and cut.
    pub fn file(path: impl AsRef<Path>, message: impl Into<String>) -> Self {
        Self::File { path: path.as_ref().to_path_buf(), message: excerpt(&message.into(), MESSAGE_BYTES) }
    }

    /// An error about a line's content; `line` counts from 1. `message` may quote the line: it is escaped and cut.
    pub fn line(path: impl AsRef<Path>, line: usize, message: impl Into<String>) -> Self {
        Self::Line { path: path.as_ref().to_path_buf(), line, message: excerpt(&message.into(), MESSAGE_BYTES) }
    }

    /// The exit code. 2: invalid input or environment. 1: bug in gal-bench.
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
    fn a_message_that_quotes_a_file_is_one_line_of_limited_length() {
        let error = Error::file("a.parquet", format!("attribute `Smil\ning\u{1b}[2J{}`", "x".repeat(10_000)));
        let text = error.to_string();
        assert!(text.starts_with("a.parquet: attribute `Smil ing\\u{1b}[2Jxxx"), "{text}");
        assert!(text.ends_with("xxx...") && text.lines().count() == 1 && text.len() < 3_100, "{text}");
        assert_eq!(Error::line("a.txt", 3, "label `2`").to_string(), "a.txt, line 3: label `2`");
    }

    #[test]
    fn too_little_device_memory_is_an_invalid_request() {
        // The texts of cudarc's errors.
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
    fn the_drivers_error_is_recognized() {
        use candle_core::cuda_backend::{
            CudaError,
            cudarc::driver::{DriverError, sys::CUresult},
        };
        let error = CudaError::from(DriverError(CUresult::CUDA_ERROR_OUT_OF_MEMORY));
        assert_eq!(Error::from(candle_core::Error::from(error)).exit_code(), 2);
    }
}
