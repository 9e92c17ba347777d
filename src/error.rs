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
    /// A CUDA device that failed while it computed.
    #[error("{0}")]
    Device(String),
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

/// A fault of a CUDA device.
struct DeviceFault {
    /// Parts of the names of errors in CUDA, cuBLAS and cuRAND. candle wraps them in its own error type.
    names: &'static [&'static str],
    cause: &'static str,
    remedy: &'static str,
    /// The fault may be this program's.
    is_internal: bool,
}

const DEVICE_FAULTS: [DeviceFault; 7] = [
    DeviceFault {
        names: &["CUDA_ERROR_OUT_OF_MEMORY", "ALLOC_FAILED", "ALLOCATION_FAILED"],
        cause: "the device has too little free memory",
        remedy: "use a smaller batch (in the profile's [training] section), stop other programs on it, or use --device cpu",
        is_internal: false,
    },
    DeviceFault {
        names: &["ECC_UNCORRECTABLE", "CUDA_ERROR_CONTAINED"],
        cause: "the device's memory is damaged",
        remedy: "reset the device (`nvidia-smi --gpu-reset`), and replace it if this happens again",
        is_internal: false,
    },
    DeviceFault {
        names: &[
            "NO_BINARY_FOR_GPU",
            "INVALID_PTX",
            "UNSUPPORTED_PTX_VERSION",
            "JIT_COMPILER_NOT_FOUND",
            "INVALID_IMAGE",
        ],
        cause: "this build has no code for the device",
        remedy: "build with the device's compute capability in CUDA_COMPUTE_CAP, and use a driver of branch 580 or newer",
        is_internal: false,
    },
    DeviceFault {
        names: &[
            "DRIVER_MISMATCH",
            "COMPAT_NOT_SUPPORTED",
            "INSUFFICIENT_DRIVER",
            "STUB_LIBRARY",
            "CUDA_ERROR_NOT_FOUND",
        ],
        cause: "the device's driver does not fit",
        remedy: "install a driver of branch 580 or newer, and restart the machine after an update",
        is_internal: false,
    },
    DeviceFault {
        names: &[
            "CUDA_ERROR_NO_DEVICE",
            "CUDA_ERROR_INVALID_DEVICE",
            "DEVICE_UNAVAILABLE",
            "SYSTEM_NOT_READY",
            "CUDA_ERROR_NOT_INITIALIZED",
            "CUDA_ERROR_UNKNOWN",
        ],
        cause: "the device is not there",
        remedy: "see whether `nvidia-smi` lists it and another process has it for itself, or use --device cpu",
        is_internal: false,
    },
    DeviceFault {
        names: &[
            "CUBLAS_STATUS_NOT_INITIALIZED",
            "CUBLAS_STATUS_INTERNAL_ERROR",
            "CURAND_STATUS",
            "CUDNN_STATUS_NOT_INIT",
        ],
        cause: "a library of CUDA cannot be used",
        remedy: "add the folder of libcublas.so.13 and libcurand.so.10 to LD_LIBRARY_PATH",
        is_internal: false,
    },
    DeviceFault {
        names: &[
            "ILLEGAL_ADDRESS",
            "ILLEGAL_INSTRUCTION",
            "MISALIGNED_ADDRESS",
            "CUDA_ERROR_ASSERT",
            "CUDA_ERROR_LAUNCH",
            "HARDWARE_STACK_ERROR",
            "INVALID_PC",
            "EXECUTION_FAILED",
        ],
        cause: "the device stopped computing",
        remedy: "see whether `gal-bench doctor` fails, too, and report it with its doctor.json",
        is_internal: true,
    },
];

impl From<candle_core::Error> for Error {
    /// Faults of a device have a cause and a remedy; any other error is a bug.
    fn from(error: candle_core::Error) -> Self {
        // An operation of this program may return an error of its own through candle.
        let error = match error {
            candle_core::Error::WrappedContext { wrapped, context } => match wrapped.downcast::<Self>() {
                Ok(own) => return *own,
                Err(wrapped) => candle_core::Error::WrappedContext { wrapped, context },
            },
            other => other,
        };
        let text = sentence(&error);
        let is_named = |fault: &&DeviceFault| fault.names.iter().any(|name| text.contains(name));
        let Some(fault) = DEVICE_FAULTS.iter().find(is_named) else { return Self::Candle(error) };
        let message = format!(
            "{} ({text}): {}; start the command again after that, and training goes on from its last checkpoint",
            fault.cause, fault.remedy
        );
        if fault.is_internal { Self::Device(message) } else { Self::Request(message) }
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
            Self::Candle(_) | Self::Device(_) | Self::Polars(_) | Self::Disagreement(_) | Self::Internal(_) => 1,
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
    fn an_error_that_came_through_candle_stays_what_it_was() {
        let own = Error::Request("rank 1 was lost".to_owned());
        let through = candle_core::Error::WrappedContext { wrapped: Box::new(own), context: String::new() };
        let found = Error::from(through);
        assert_eq!((found.to_string().as_str(), found.exit_code()), ("rank 1 was lost", 2));
        let other = candle_core::Error::WrappedContext { wrapped: "text".into(), context: String::new() };
        assert_eq!(Error::from(other).exit_code(), 1);
    }

    #[test]
    fn a_fault_of_the_device_has_a_cause_and_a_remedy() {
        // The texts of cudarc's errors.
        for (text, words, exit_code) in [
            ("DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")", "smaller batch", 2),
            ("CUBLAS_STATUS_ALLOC_FAILED", "smaller batch", 2),
            ("DriverError(CUDA_ERROR_ECC_UNCORRECTABLE, \"...\")", "memory is damaged", 2),
            ("DriverError(CUDA_ERROR_NO_BINARY_FOR_GPU, \"...\")", "CUDA_COMPUTE_CAP", 2),
            ("DriverError(CUDA_ERROR_SYSTEM_DRIVER_MISMATCH, \"...\")", "branch 580 or newer", 2),
            ("DriverError(CUDA_ERROR_DEVICE_UNAVAILABLE, \"...\")", "`nvidia-smi` lists it", 2),
            ("CublasError(CUBLAS_STATUS_NOT_INITIALIZED)", "LD_LIBRARY_PATH", 2),
            ("DriverError(CUDA_ERROR_LAUNCH_FAILED, \"unspecified launch failure\")", "stopped computing", 1),
            ("CublasError(CUBLAS_STATUS_EXECUTION_FAILED)", "stopped computing", 1),
        ] {
            let error = Error::from(candle_core::Error::Cuda(text.into()).bt());
            assert_eq!(error.exit_code(), exit_code, "{error}");
            let sentence = error.to_string();
            assert!(sentence.contains(words) && sentence.contains("last checkpoint"), "{sentence}");
            assert_eq!(sentence.lines().count(), 1);
        }
        let error = Error::from(candle_core::Error::Msg("shape mismatch".to_owned()));
        assert_eq!(error.to_string(), "tensor operation failed: shape mismatch");
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
