//! Images that tests read and write.

use gal_bench::synthetic::Renderer;
use image::{RgbImage, imageops};
use jpeg_encoder::{ColorType, Encoder};

/// A smooth image; another one for each `row`.
pub(crate) fn gradient(row: u32, width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| image::Rgb([(x * 3 + row * 40) as u8, (y * 2) as u8, (x / 2 + y) as u8]))
}

/// A synthetic face of 178 x 218 pixels, CelebA's size.
pub(crate) fn face(renderer: &Renderer, row: usize) -> RgbImage {
    imageops::resize(&renderer.render(row), 178, 218, imageops::FilterType::Triangle)
}

pub(crate) fn jpeg(image: &RgbImage, quality: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (width, height) = (image.width() as u16, image.height() as u16);
    Encoder::new(&mut bytes, quality).encode(image.as_raw(), width, height, ColorType::Rgb).unwrap();
    bytes
}
