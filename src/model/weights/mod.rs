//! Initial weights of a backbone from other frameworks' files: Caffe's `.caffemodel`, torchvision's `.pth` and
//! safetensors. Imported weights are a safetensors file with this program's names and one metadata entry that says
//! what they are of; values are as their framework keeps them, but for channels turned from BGR to RGB.

mod caffe;
mod names;
mod protobuf;
mod start;
mod torch;

pub use names::{Imported, Match, import};
pub use start::Start;

use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::path::Path;

/// Numbers with their shape, row-major.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Array {
    shape: Vec<usize>,
    values: Vec<f32>,
}

/// Where arrays come from; it decides how names are matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Caffe,
    Torch,
}

/// Every array of a file by the name that it has there.
fn arrays(path: &Path) -> Result<(Source, BTreeMap<String, Array>)> {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
    match &*extension {
        "caffemodel" => Ok((Source::Caffe, caffe::arrays(path)?)),
        "pth" | "pt" => Ok((Source::Torch, torch::pickled(path)?)),
        "safetensors" => Ok((Source::Torch, torch::safetensors(path)?)),
        _ => Err(Error::file(path, "is of no known format: expected .caffemodel, .pth, .pt or .safetensors")),
    }
}
