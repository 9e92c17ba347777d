//! What becomes of a picture on its way into a set, undistorted: so that pictures from elsewhere can go the same way.

use super::jpeg;
use super::prepared::Prepared;
use crate::augment::{Filter, Plan, Source, resize};
use crate::error::Result;
use image::RgbImage;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// How a set standardizes pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standard {
    /// Side of the stored images in pixels.
    pub size: u32,
    /// Quality of the stored JPEG files, where the format has any.
    pub quality: Option<u8>,
}

impl Standard {
    /// That of a prepared set.
    pub fn of(prepared: &Prepared) -> Self {
        Self { size: prepared.size, quality: prepared.quality }
    }

    /// `picture` as the set would show it; `path` is named in errors.
    pub fn apply(self, picture: RgbImage, path: &Path) -> Result<RgbImage> {
        let image = Source::new(picture, self.size).render(&Plan::default());
        match self.quality {
            Some(quality) => jpeg::decode(&jpeg::encode(&image, quality)?, path),
            None => Ok(image),
        }
    }
}

/// An image of a set as `side` x `side` RGB bytes, row by row; antialiased where that is smaller than what is stored,
/// and as it is stored where it is the same.
pub fn resized(image: RgbImage, side: usize) -> Vec<u8> {
    let side = side as u32;
    if image.dimensions() == (side, side) {
        return image.into_raw();
    }
    resize(&image, side, side, Filter::Triangle).into_raw()
}
