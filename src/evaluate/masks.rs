//! Reads `masks.npy`: the masks in [0, 1] of the paper's position-sensitive excitation, by which each attribute's features
//! are multiplied. They are f32 `[1 + n, 40, side, side]`. Entry 0 is the mean over
//! the test split, the others are the first n test images in the order of the predictions. The form is numpy's own
//! (<https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>).

use crate::attribute::COUNT;
use crate::config::run_dir;
use crate::error::{Error, Result};
use crate::io::npy;
use std::path::Path;

/// The masks of the 40 attributes for one image, or their mean: `[40][side * side]`, row by row.
pub type Maps = Vec<Vec<f32>>;

/// The masks of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Masks {
    /// Side of a mask in cells.
    pub side: usize,
    /// Means over the test split.
    pub mean: Maps,
    /// Those of the first test images.
    pub images: Vec<Maps>,
}

/// By how much the means of earlier versions, which were sums in f32, may exceed 1.
const ROUNDING: f32 = 1e-4;
/// Advice for a damaged file.
const AGAIN: &str = "train the run again with --force to write it anew";

impl Masks {
    /// Reads the masks of the run in `folder`, `None` if it wrote none.
    ///
    /// # Errors
    /// A file that is not as described above.
    pub fn of_run(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(run_dir::MASKS);
        if !path.exists() {
            return Ok(None);
        }
        let wrong = |why: String| Error::file(&path, format!("{why}; {AGAIN}"));
        let bytes = crate::io::read(&path)?;
        let array = npy::Array::parse(&bytes).map_err(|why| wrong(format!("is damaged: {why}")))?;
        let array = array.ok_or_else(|| wrong("is not a NumPy array".to_owned()))?;
        if array.dtype() != Some("<f4") || !array.is_c_order() {
            return Err(wrong(format!("has the header {}, expected <f4 in C order", array.header.trim())));
        }
        let shape = array.shape().unwrap_or_default();
        let side = match shape[..] {
            [entries, COUNT, height, width] if entries > 0 && height == width && width > 0 => width,
            _ => return Err(wrong(format!("has the shape {shape:?}, expected [1 + images, {COUNT}, side, side]"))),
        };
        let area = side * side;
        let expected = shape.iter().try_fold(4_usize, |bytes, n| bytes.checked_mul(*n));
        if expected != Some(array.data.len()) {
            return Err(wrong(format!("holds {} bytes of data, not what the shape {shape:?} needs", array.data.len())));
        }
        let mut values: Vec<f32> =
            array.data.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        if let Some(cell) = values.iter().position(|value| !(0.0..=1.0 + ROUNDING).contains(value)) {
            return Err(wrong(format!("value {cell} is {}, expected a number from 0 to 1", values[cell])));
        }
        for value in &mut values {
            *value = value.min(1.0);
        }
        let mut maps = values
            .chunks_exact(COUNT * area)
            .map(|entry| entry.chunks_exact(area).map(<[f32]>::to_vec).collect::<Maps>());
        let mean = maps.next().ok_or_else(|| wrong("is empty".to_owned()))?;
        Ok(Some(Self { side, mean, images: maps.collect() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `tests/golden/masks.npy` is numpy's: entry e, attribute a, cell c of 2 x 2 is (100 e + a + c / 10) / 200.
    const GOLDEN: &[u8] = include_bytes!("../../tests/golden/masks.npy");

    fn read(bytes: &[u8]) -> Result<Option<Masks>> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(run_dir::MASKS), bytes).unwrap();
        Masks::of_run(folder.path())
    }

    #[test]
    fn masks_are_read_as_numpy_wrote_them() {
        let masks = read(GOLDEN).unwrap().unwrap();
        assert_eq!((masks.side, masks.mean.len(), masks.images.len()), (2, COUNT, 1));
        assert!((masks.mean[7][3] - 7.3 / 200.0).abs() < 1e-6);
        assert!((masks.images[0][39][1] - 139.1 / 200.0).abs() < 1e-6);
    }

    #[test]
    fn a_mean_that_an_earlier_version_rounded_up_is_1() {
        let mut bytes = GOLDEN.to_vec();
        let end = bytes.len();
        bytes[end - 4..].copy_from_slice(&1.000_000_1_f32.to_le_bytes());
        assert_eq!(read(&bytes).unwrap().unwrap().images[0][39][3].to_bits(), 1_f32.to_bits());
    }

    #[test]
    fn a_run_without_masks_has_none() {
        assert_eq!(Masks::of_run(tempfile::tempdir().unwrap().path()).unwrap(), None);
    }

    #[track_caller]
    fn refused(bytes: &[u8], why: &str) {
        let error = read(bytes).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains(why), "{error}");
    }

    #[test]
    fn a_damaged_file_is_refused() {
        refused(&GOLDEN[..GOLDEN.len() - 4], "holds 1276 bytes of data");
        refused(&GOLDEN[1..], "is not a NumPy array");
        let mut above = GOLDEN.to_vec();
        let end = above.len();
        above[end - 4..].copy_from_slice(&2_f32.to_le_bytes());
        refused(&above, "value 319 is 2, expected a number from 0 to 1");
        let header = |from: &str, to: &str| -> Vec<u8> {
            let text: String = GOLDEN.iter().map(|&byte| byte as char).collect();
            assert!(text.contains(from));
            text.replacen(from, to, 1).chars().map(|c| c as u8).collect()
        };
        refused(&header("<f4", "<f8"), "expected <f4 in C order");
        refused(&header("(2, 40, 2, 2)", "(2, 20, 2, 4)"), "has the shape [2, 20, 2, 4]");
    }
}
