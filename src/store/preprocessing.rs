//! The preprocessing of undistorted images, so that `predict` applies it to other images too.

use super::jpeg;
use super::prepared::Prepared;
use crate::augment::{Filter, Plan, Source, resize};
use crate::error::Result;
use crate::io;
use image::RgbImage;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// How a set preprocesses undistorted images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// Side of the stored images in pixels.
    pub size: u32,
    /// Quality of stored JPEG images; `None` if the format stores none.
    pub quality: Option<u8>,
}

impl Preprocessing {
    /// The preprocessing of a prepared set.
    pub fn of(prepared: &Prepared) -> Self {
        Self { size: prepared.size, quality: prepared.quality }
    }

    /// `image` as the set would store it; `path` is named in errors.
    pub fn apply(self, image: RgbImage, path: &Path) -> Result<RgbImage> {
        let image = Source::new(image, self.size).render(&Plan::default());
        match self.quality {
            Some(quality) => io::decode_trusted_jpeg(&jpeg::encode(&image, quality)?, path),
            None => Ok(image),
        }
    }
}

/// A stored image as `side` x `side` RGB bytes, row by row. Reduction is antialiased; an image of that size is not
/// changed.
pub fn resized(image: RgbImage, side: usize) -> Vec<u8> {
    let side = side as u32;
    if image.dimensions() == (side, side) {
        return image.into_raw();
    }
    resize(&image, side, side, Filter::Triangle).into_raw()
}
