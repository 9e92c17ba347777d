//! JPEG encoding of stored images.

use crate::error::{Error, Result};
use image::RgbImage;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

/// Encodes an image as baseline JPEG with 4:2:0 chroma subsampling.
pub(super) fn encode(image: &RgbImage, quality: u8) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(64 << 10);
    let mut encoder = Encoder::new(&mut bytes, quality);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder
        .encode(image.as_raw(), image.width() as u16, image.height() as u16, ColorType::Rgb)
        .map_err(|e| Error::Internal(format!("an image cannot be encoded as JPEG: {e}")))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io;
    use std::path::Path;

    #[test]
    fn encoding_and_decoding_changes_an_image_little() {
        let image = RgbImage::from_fn(61, 47, |x, y| image::Rgb([(x * 4) as u8, (y * 5) as u8, 128]));
        let decoded = io::decode_image(&encode(&image, 95).unwrap(), Path::new("a.jpg")).unwrap();
        assert_eq!(decoded.dimensions(), (61, 47));
        let error: u64 = decoded.iter().zip(image.iter()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        assert!(error < 3 * 61 * 47 * 3, "{error}");
    }
}
