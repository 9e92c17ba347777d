//! Image files, read in one way everywhere: JPEG and PNG by content, whatever the name; complete or refused; turned
//! upright by their EXIF orientation.

mod entropy;
mod exif;
mod flaw;
mod jpeg;
mod png;
mod scans;

pub use exif::orientation;
pub use flaw::{MAX_PIXELS, MAX_SIDE};
pub use jpeg::decode_trusted as decode_trusted_jpeg;

use crate::error::{Error, Result};
use flaw::Flaw;
use image::metadata::Orientation;
use image::{DynamicImage, ImageFormat, RgbImage};
use std::path::Path;

/// Decodes a JPEG or PNG file to RGB, upright; `path` is named in errors.
///
/// # Errors
/// Another format, an incomplete or damaged file, an image that is too large or has transparent parts.
pub fn decode_image(bytes: &[u8], path: &Path) -> Result<RgbImage> {
    let (name, decoded) = match image::guess_format(bytes) {
        Ok(ImageFormat::Jpeg) => ("JPEG", scans::check(bytes).and_then(|()| Ok(jpeg::decode(bytes)?))),
        Ok(ImageFormat::Png) => ("PNG", png::decode(bytes)),
        _ if bytes.is_empty() => return Err(Error::file(path, "is an empty file: replace it")),
        _ => return Err(Error::file(path, "is neither a JPEG nor a PNG image: replace or convert it")),
    };
    let image = decoded.map_err(|flaw| {
        let message = match flaw {
            Flaw::Incomplete(clause) => format!("is not a complete {name} image: {clause}; replace the file"),
            Flaw::TooLarge(width, height) => format!(
                "is too large: {width} x {height} pixels, at most {MAX_SIDE} a side and {} million together; reduce it",
                MAX_PIXELS / 1_000_000
            ),
            Flaw::Transparent => {
                "has transparent parts, whose background is unknown: save it without transparency".to_owned()
            }
        };
        Error::file(path, message)
    })?;
    Ok(upright(image, orientation(bytes)))
}

fn upright(image: RgbImage, orientation: Orientation) -> RgbImage {
    if orientation == Orientation::NoTransforms {
        return image;
    }
    let mut image = DynamicImage::ImageRgb8(image);
    image.apply_orientation(orientation);
    image.into_rgb8()
}

#[cfg(test)]
mod tests;
