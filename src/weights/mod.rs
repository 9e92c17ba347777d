//! Initial weights of a backbone from other frameworks' files: Caffe's `.caffemodel`, what caffe-tensorflow's converter
//! makes of one (`.npy`), torchvision's `.pth` and safetensors. Imported weights are a safetensors file with this
//! program's names and one metadata entry that says what they are of; values are as their framework keeps them, but for
//! channels turned from BGR to RGB and axes in PyTorch's order.

mod caffe;
mod import;
mod numpy;
mod pickle;
mod pretrained;
mod protobuf;
mod torch;
mod unpickle;

pub use import::{Imported, ImportedTensor, import, import_bytes};
pub use pretrained::PretrainedWeights;

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

    /// Those of `numbers` that lie `strides` apart, from `offset` on; nothing where they do not reach so far, or are more
    /// than `most`: numbers may count several times.
    fn strided(shape: Vec<usize>, strides: &[usize], offset: usize, numbers: &[f32], most: usize) -> Option<Self> {
        let count = shape.iter().try_fold(1_usize, |count, side| count.checked_mul(*side))?;
        if shape.len() != strides.len() || count > most {
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

/// The arrays of a file by the name that they have there. A damaged file may name the same numbers again and again:
/// numbers and characters of names together are no more than the file's bytes.
#[derive(Debug)]
struct Arrays {
    by_name: BTreeMap<String, Array>,
    /// Numbers and characters that there may yet be.
    left: usize,
}

impl Arrays {
    fn of_file(bytes: &[u8]) -> Self {
        Self { by_name: BTreeMap::new(), left: bytes.len() }
    }

    fn insert(&mut self, name: &str, array: Array) -> std::result::Result<(), String> {
        let left = self.left.checked_sub(name.len() + array.values.len());
        self.left = left.ok_or("its arrays have more numbers than the file has bytes")?;
        self.by_name.insert(name.to_owned(), array);
        Ok(())
    }
}

/// Text out of a file, for a sentence: without line ends, and not more of it than one reads.
fn shown(text: &str) -> String {
    const MOST: usize = 100;
    let end = if text.chars().nth(MOST).is_some() { "..." } else { "" };
    text.chars().take(MOST).flat_map(char::escape_debug).chain(end.chars()).collect()
}

/// Where arrays come from; it decides how names are matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Caffe,
    /// Caffe's, by way of caffe-tensorflow's converter.
    CaffeTensorflow,
    Torch,
}

/// Every array of a file, whose name says of which format its `bytes` are.
fn arrays(path: &Path, bytes: &[u8]) -> Result<(Source, BTreeMap<String, Array>)> {
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

#[cfg(test)]
mod tests {
    use super::Array;

    #[test]
    fn a_view_may_show_numbers_several_times_but_none_beyond_them() {
        let view = |shape: &[usize], strides: &[usize], offset, most| {
            Array::strided(shape.to_vec(), strides, offset, &[1.0, 2.0, 3.0], most).map(|array| array.values)
        };
        assert_eq!(view(&[2, 2], &[1, 1], 0, 4), Some(vec![1.0, 2.0, 2.0, 3.0]));
        assert_eq!(view(&[4], &[0], 2, 4), Some(vec![3.0; 4]));
        assert_eq!(view(&[2, 2], &[1, 1], 1, 4), None);
        assert_eq!(view(&[4], &[0], 2, 3), None);
        assert_eq!(view(&[2], &[usize::MAX], 0, 4), None);
        assert_eq!(view(&[2, 0], &[1, 1], 9, 4), Some(Vec::new()));
    }
}
