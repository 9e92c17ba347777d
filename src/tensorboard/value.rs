//! The values that an event logs.

use crate::error::Result;
use crate::io;
use image::RgbImage;
use image::codecs::png::CompressionType;

/// The value of a tag at a step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// A number.
    Scalar(f64),
    /// An image.
    Image {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
        /// A PNG file.
        png: Vec<u8>,
    },
}

impl Value {
    /// Encodes an image as PNG.
    pub(crate) fn image(image: &RgbImage) -> Result<Self> {
        let png = io::encode_png(image, CompressionType::default())?;
        Ok(Self::Image { width: image.width(), height: image.height(), png })
    }
}
