//! Initial weights of a backbone from other frameworks' files: Caffe's `.caffemodel`, what caffe-tensorflow's converter
//! makes of one (`.npy`), torchvision's `.pth` and safetensors. Imported weights are a safetensors file with this
//! program's names and one metadata entry that says what they are of; values are as their framework keeps them, but for
//! channels turned from BGR to RGB and axes in PyTorch's order.

mod caffe;
mod names;
mod numpy;
mod pickle;
mod protobuf;
mod start;
mod torch;
mod unpickle;

pub use names::{Imported, Match, import};
pub use start::Start;

use crate::error::{Error, Result};
use candle_core::{DType, Device, Tensor};
use std::collections::BTreeMap;
use std::path::Path;

/// Numbers with their shape, row-major.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Array {
    shape: Vec<usize>,
    values: Vec<f32>,
}

impl Array {
    /// Raw numbers, the lowest byte of each first.
    fn numbers(bytes: &[u8], dtype: DType) -> std::result::Result<Vec<f32>, String> {
        let count = bytes.len() / dtype.size_in_bytes();
        let wrong = || format!("{} bytes are no numbers of {dtype:?}", bytes.len());
        if count * dtype.size_in_bytes() != bytes.len() {
            return Err(wrong());
        }
        let tensor = Tensor::from_raw_buffer(bytes, dtype, &[count], &Device::Cpu);
        tensor.and_then(|tensor| tensor.to_dtype(DType::F32)?.to_vec1()).map_err(|_| wrong())
    }

    /// Those of `numbers` that lie `strides` apart, from `offset` on; nothing where there are fewer than `shape` asks
    /// for.
    fn strided(shape: Vec<usize>, strides: &[usize], offset: usize, numbers: &[f32]) -> Option<Self> {
        let count = shape.iter().try_fold(1_usize, |count, side| count.checked_mul(*side))?;
        if shape.len() != strides.len() || count > numbers.len() {
            return None;
        }
        let axes: Vec<(usize, usize)> = shape.iter().copied().zip(strides.iter().copied()).collect();
        let last = axes
            .iter()
            .try_fold(offset, |last, (side, stride)| last.checked_add(side.saturating_sub(1).checked_mul(*stride)?))?;
        let mut values = Vec::with_capacity(count);
        if count > 0 && last < numbers.len() {
            let (&(side, stride), outer) = axes.split_last().unwrap_or((&(1, 1), &[]));
            let starts = outer.iter().fold(vec![offset], |starts, &(side, stride)| {
                starts.iter().flat_map(|start| (0..side).map(move |i| start + i * stride)).collect()
            });
            for start in starts {
                values.extend((0..side).map(|i| numbers[start + i * stride]));
            }
        }
        (values.len() == count).then_some(Self { shape, values })
    }
}

/// Where arrays come from; it decides how names are matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Caffe,
    /// Caffe's, by way of caffe-tensorflow's converter.
    CaffeTensorflow,
    Torch,
}

/// Every array of a file by the name that it has there.
fn arrays(path: &Path) -> Result<(Source, BTreeMap<String, Array>)> {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
    match &*extension {
        "caffemodel" => Ok((Source::Caffe, caffe::arrays(path)?)),
        "npy" => Ok((Source::CaffeTensorflow, numpy::arrays(path)?)),
        "pth" | "pt" => Ok((Source::Torch, torch::pickled(path)?)),
        "safetensors" => Ok((Source::Torch, torch::safetensors(path)?)),
        _ => Err(Error::file(path, "is of no known format: expected .caffemodel, .npy, .pth, .pt or .safetensors")),
    }
}
