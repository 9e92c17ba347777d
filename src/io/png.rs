//! Images as PNG.

use super::files;
use crate::error::{Error, Result};
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder, RgbImage};
use std::path::Path;

/// Encodes an image as a PNG file.
pub fn encode_png(image: &RgbImage, compression: CompressionType) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    PngEncoder::new_with_quality(&mut bytes, compression, FilterType::Adaptive)
        .write_image(image.as_raw(), image.width(), image.height(), ExtendedColorType::Rgb8)
        .map_err(|e| Error::Internal(format!("an image cannot be encoded as PNG: {e}")))?;
    Ok(bytes)
}

/// Writes an image as a PNG file.
pub fn write_png(path: &Path, image: &RgbImage, compression: CompressionType) -> Result<()> {
    files::write(path, &encode_png(image, compression)?)
}
