//! Faces drawn by this program, so that the whole suite can be tried, tested and compared without anybody's
//! photographs. `labels` draws CelebA's 40 attributes with CelebA's rates and correlations, `scene` everything
//! that no attribute decides, `portrait` paints the two. `datasets/synthetic/README.md` tells what the labels mean.

mod beard;
mod body;
mod camera;
mod curve;
mod draw;
mod eyes;
mod face;
mod grain;
mod hair;
mod labels;
mod look;
mod mouth;
mod occlusion;
mod portrait;
mod pose;
mod scene;
mod sitter;
mod worn;

use crate::Result;
use crate::attribute::NAMES;
use crate::io;
use image::codecs::png::CompressionType;
use image::{RgbImage, imageops};
use labels::Copula;
use rayon::prelude::*;
use scene::Scene;
use std::path::Path;
use std::sync::Arc;

/// The side of every picture, in pixels.
pub const SIZE: u32 = draw::SIZE as u32;

/// Draws the faces of the synthetic set: a pure function of the seed and the row, the same on every machine, and safe
/// to call from many threads.
#[derive(Debug, Clone)]
pub struct Renderer {
    copula: Arc<Copula>,
    seed: u64,
}

impl Renderer {
    /// The faces of `seed`, as many as one asks for.
    ///
    /// # Errors
    /// Only where the tables built into the program are damaged.
    pub fn new(seed: u64) -> Result<Self> {
        Ok(Self { copula: Arc::new(Copula::built_in()?), seed })
    }

    /// Which faces they are.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The picture at `row`, 256 x 256. It does not depend on how many rows the set has.
    pub fn render(&self, row: usize) -> RgbImage {
        let face = self.copula.face(self.seed, row as u64);
        portrait::portrait(&self.copula.look(&face.strengths), &Scene::new(self.seed, row as u64))
    }

    /// The labels at `row`, in the order of [`NAMES`]. Near the border they may differ from what the picture shows,
    /// as often as annotators disagree (`datasets/synthetic/noise.csv`).
    pub fn labels(&self, row: usize) -> [bool; NAMES.len()] {
        self.copula.face(self.seed, row as u64).labels
    }

    /// The first `columns` x `lines` pictures side by side, each shrunk to `side` pixels.
    pub fn contact_sheet(&self, columns: u32, lines: u32, side: u32) -> RgbImage {
        let mut sheet = RgbImage::new(columns * side, lines * side);
        let shrunk: Vec<RgbImage> = (0..(columns * lines) as usize)
            .into_par_iter()
            .map(|row| imageops::thumbnail(&self.render(row), side, side))
            .collect();
        for (place, picture) in (0..).zip(&shrunk) {
            let (x, y) = (place % columns * side, place / columns * side);
            imageops::replace(&mut sheet, picture, x.into(), y.into());
        }
        sheet
    }
}

/// Correlation of the normal latents that the synthetic faces' labels are cut from, `[40][40]` with `None` on the diagonal:
/// the ground truth for an affinity learned from these faces.
///
/// # Errors
/// Internal error if the tables built into the program are damaged.
pub fn latent_correlation() -> Result<Vec<[Option<f64>; NAMES.len()]>> {
    Ok(Copula::built_in()?.latent_correlation())
}

/// Writes a contact sheet of the first 32 faces of `seed` as PNG to `path`: what `datasets/synthetic/contact-sheet.png`
/// is, for seed 0.
///
/// # Errors
/// The file cannot be written.
pub fn write_preview(path: &Path, seed: u64) -> Result<()> {
    let mut sheet = Renderer::new(seed)?.contact_sheet(8, 4, 112);
    // The camera's noise does not compress; the lowest two bits are not missed in a preview.
    for value in sheet.iter_mut() {
        *value = (*value & !3) | 2;
    }
    io::write_png(path, &sheet, CompressionType::Best)
}
