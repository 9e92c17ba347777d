//! Arrays of an imported file.

use crate::untrusted;
use candle_core::{DType, Device, Tensor};
use std::collections::BTreeMap;

/// Values with their shape, row-major.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Array {
    pub(super) shape: Vec<usize>,
    pub(super) values: Vec<f32>,
}

impl Array {
    /// Converts raw little-endian numbers to f32.
    pub(super) fn numbers(bytes: &[u8], dtype: DType) -> Result<Vec<f32>, String> {
        let count = bytes.len() / dtype.size_in_bytes();
        let wrong = || format!("{} bytes are no numbers of {dtype:?}", bytes.len());
        if count * dtype.size_in_bytes() != bytes.len() {
            return Err(wrong());
        }
        let tensor = Tensor::from_raw_buffer(bytes, dtype, &[count], &Device::Cpu);
        tensor.and_then(|tensor| tensor.to_dtype(DType::F32)?.to_vec1()).map_err(|_| wrong())
    }

    /// Copies a strided view of `numbers` that starts at `offset`. `None` if the view exceeds them, or has more than `most`
    /// values; strides may repeat values.
    pub(super) fn strided(
        shape: Vec<usize>,
        strides: &[usize],
        offset: usize,
        numbers: &[f32],
        most: usize,
    ) -> Option<Self> {
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

/// The arrays of a file by name. A damaged file may refer to the same numbers many times: numbers and characters of names
/// together must not exceed the file's bytes.
#[derive(Debug)]
pub(super) struct Arrays {
    pub(super) by_name: BTreeMap<String, Array>,
    /// Remaining numbers and characters.
    pub(super) left: usize,
}

impl Arrays {
    pub(super) fn of_file(bytes: &[u8]) -> Self {
        Self { by_name: BTreeMap::new(), left: bytes.len() }
    }

    pub(super) fn insert(&mut self, name: &str, array: Array) -> Result<(), String> {
        let left = self.left.checked_sub(name.len() + array.values.len());
        self.left = left.ok_or("its arrays have more numbers than the file has bytes")?;
        self.by_name.insert(name.to_owned(), array);
        Ok(())
    }
}

/// Text from a file for an error message, of a readable length.
pub(super) fn excerpt(text: &str) -> String {
    untrusted::excerpt(text, 100)
}

#[cfg(test)]
mod tests {
    use super::Array;

    #[test]
    fn a_view_may_repeat_numbers_but_not_exceed_them() {
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
