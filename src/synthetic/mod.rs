//! Renders synthetic faces, so that the suite can be tested and compared without photographs of people. `labels` samples
//! CelebA's 40 attributes with CelebA's rates and correlations. `scene` samples everything else, such as pose and light.
//! `portrait` paints both. `datasets/synthetic/README.md` documents the labels.

mod accessories;
mod beard;
mod body;
mod camera;
mod canvas;
mod clothes;
mod curve;
mod eyes;
mod face;
mod hair;
mod hat;
mod labels;
mod levels;
mod mouth;
mod noise;
mod nose;
mod occlusion;
mod portrait;
mod pose;
mod scene;
mod subject;

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

/// Side of every image in pixels.
pub const SIZE: u32 = canvas::SIZE as u32;

/// Renders the faces of the synthetic set. An image is a pure function of seed and row, the same on every machine and
/// thread.
#[derive(Debug, Clone)]
pub struct Renderer {
    copula: Arc<Copula>,
    seed: u64,
}

impl Renderer {
    /// A renderer of the faces of `seed`.
    ///
    /// # Errors
    /// Internal error if an embedded table is damaged.
    pub fn new(seed: u64) -> Result<Self> {
        Ok(Self { copula: Arc::new(Copula::built_in()?), seed })
    }

    /// Seed of the faces.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The image at `row`, 256 x 256 pixels. It does not depend on the size of the set.
    pub fn render(&self, row: usize) -> RgbImage {
        let face = self.copula.face(self.seed, row as u64);
        portrait::portrait(&self.copula.levels(&face.strengths), &Scene::new(self.seed, row as u64))
    }

    /// The labels at `row`, in the order of [`NAMES`]. They may differ from the image, at the rates at which annotators
    /// disagree (`datasets/synthetic/noise.csv`).
    pub fn labels(&self, row: usize) -> [bool; NAMES.len()] {
        self.copula.face(self.seed, row as u64).labels
    }

    /// A grid of the first `columns` x `lines` images, each shrunk to `side` pixels.
    pub fn contact_sheet(&self, columns: u32, lines: u32, side: u32) -> RgbImage {
        let mut sheet = RgbImage::new(columns * side, lines * side);
        let shrunk: Vec<RgbImage> = (0..(columns * lines) as usize)
            .into_par_iter()
            .map(|row| imageops::thumbnail(&self.render(row), side, side))
            .collect();
        for (index, image) in (0..).zip(&shrunk) {
            let (x, y) = (index % columns * side, index / columns * side);
            imageops::replace(&mut sheet, image, x.into(), y.into());
        }
        sheet
    }
}

/// Correlation of the normal latents behind the labels, `[40][40]` with `None` on the diagonal. It is the ground truth for
/// an affinity learned from synthetic faces.
///
/// # Errors
/// Internal error if an embedded table is damaged.
pub fn latent_correlation() -> Result<Vec<[Option<f64>; NAMES.len()]>> {
    Ok(Copula::built_in()?.latent_correlation())
}

/// Writes a contact sheet of the first 32 faces of `seed` as PNG to `path`. `datasets/synthetic/contact-sheet.png` is that
/// of seed 0.
///
/// # Errors
/// The file cannot be written.
pub fn write_preview(path: &Path, seed: u64) -> Result<()> {
    let mut sheet = Renderer::new(seed)?.contact_sheet(8, 4, 112);
    // Camera noise does not compress; a preview does not need the lowest two bits.
    for value in sheet.iter_mut() {
        *value = (*value & !3) | 2;
    }
    io::write_png(path, &sheet, CompressionType::Best)
}
