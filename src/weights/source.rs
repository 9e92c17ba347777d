//! Reads the arrays of a file in any supported format.

use super::array::Array;
use super::{caffe, numpy, torch};
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::path::Path;

/// The framework that wrote a file. It decides how names are matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Caffe,
    /// Caffe, converted by caffe-tensorflow.
    CaffeTensorflow,
    Torch,
}

/// Reads all arrays of a file with content `bytes`; the extension of `path` names the format.
pub(super) fn read_arrays(path: &Path, bytes: &[u8]) -> Result<(Source, BTreeMap<String, Array>)> {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
    let (source, arrays) = match &*extension {
        "caffemodel" => (Source::Caffe, caffe::arrays(path, bytes)?),
        "npy" => (Source::CaffeTensorflow, numpy::arrays(path, bytes)?),
        "pth" | "pt" => (Source::Torch, torch::pickled(path, bytes)?),
        "safetensors" => (Source::Torch, torch::safetensors(path, bytes)?),
        _ => {
            let message = "is of no known format: expected .caffemodel, .npy, .pth, .pt or .safetensors";
            return Err(Error::file(path, message));
        }
    };
    Ok((source, arrays.by_name))
}
