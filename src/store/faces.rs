//! Faces of a prepared set at one size, for figures.

use super::Reader;
use crate::dataset::Split;
use crate::error::{Error, Result};
use image::RgbImage;
use rayon::prelude::*;
use std::collections::HashMap;

impl Reader {
    /// Undistorted faces of the images called `names`, resized to `side` pixels.
    pub fn faces(&self, names: &[String], side: u32) -> Result<Vec<RgbImage>> {
        let originals = self.rows.iter().enumerate().filter(|(_, row)| row.copy == 0);
        let rows: HashMap<&str, usize> = originals.map(|(index, row)| (row.source.as_str(), index)).collect();
        let face = |name: &String| {
            let row = rows.get(name.as_str()).copied();
            self.face(row.ok_or_else(|| Error::Internal(format!("{name} is not in the prepared set")))?, side)
        };
        names.par_iter().map(face).collect()
    }

    /// Mean of at most `count` test faces, evenly spaced in the manifest, at `side` pixels.
    pub fn mean_face(&self, count: usize, side: u32) -> Result<RgbImage> {
        let test: Vec<usize> = (0..self.rows.len()).filter(|&i| self.rows[i].split == Split::Test).collect();
        let chosen: Vec<usize> = test.iter().copied().step_by(test.len().div_ceil(count).max(1)).collect();
        let faces = chosen.par_iter().map(|&row| self.face(row, side)).collect::<Result<Vec<RgbImage>>>()?;
        let mut sums = vec![0_usize; (side * side * 3) as usize];
        for face in &faces {
            sums.iter_mut().zip(face.as_raw()).for_each(|(sum, value)| *sum += usize::from(*value));
        }
        let count = faces.len().max(1);
        let pixels = sums.iter().map(|sum| ((sum + count / 2) / count) as u8).collect();
        RgbImage::from_raw(side, side, pixels)
            .ok_or_else(|| Error::Internal("the mean face has the wrong size".to_owned()))
    }

    fn face(&self, row: usize, side: u32) -> Result<RgbImage> {
        let pixels = self.resized(row, side as usize)?;
        RgbImage::from_raw(side, side, pixels).ok_or_else(|| Error::Internal(format!("row {row} has the wrong size")))
    }
}
