//! JPEG encoding and decoding. Decoding is strict: a damaged file is an error, never an image with a grey half.

use crate::error::{Error, Result};
use image::RgbImage;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use std::path::Path;
use zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions};
use zune_jpeg::JpegDecoder;

/// Decodes a JPEG file to RGB; `path` is named in errors.
///
/// # Errors
/// The bytes are not one complete JPEG image.
pub fn decode(bytes: &[u8], path: &Path) -> Result<RgbImage> {
    let broken = |reason: &str| Error::file(path, format!("is not a complete JPEG image: {reason}; replace the file"));
    if bytes.is_empty() {
        return Err(broken("it is empty"));
    }
    if !bytes.starts_with(&[0xff, 0xd8]) {
        return Err(broken("it does not start like one"));
    }
    if !is_ended(bytes) {
        return Err(broken("its end is missing"));
    }
    let options = DecoderOptions::new_fast().set_strict_mode(true).jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    let pixels = decoder.decode().map_err(|e| broken(&sentence(&format!("{e:?}"))))?;
    let (width, height) = decoder.dimensions().ok_or_else(|| broken("it has no size"))?;
    if width == 0 || height == 0 {
        return Err(broken("it has no pixels"));
    }
    RgbImage::from_raw(width as u32, height as u32, pixels).ok_or_else(|| broken("its colours are not RGB"))
}

/// True if the last scan is followed by the end marker. A scan never contains that marker, and thumbnails precede the
/// scan, so a file truncated anywhere fails this test.
pub(super) fn is_ended(bytes: &[u8]) -> bool {
    let scan = memchr::memmem::rfind(bytes, &[0xff, 0xda]);
    let end = memchr::memmem::rfind(bytes, &[0xff, 0xd9]);
    matches!((scan, end), (Some(scan), Some(end)) if scan < end)
}

/// A decoder's message as one line.
fn sentence(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

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

    fn image() -> RgbImage {
        RgbImage::from_fn(61, 47, |x, y| image::Rgb([(x * 4) as u8, (y * 5) as u8, 128]))
    }

    #[test]
    fn encoding_and_decoding_changes_an_image_little() {
        let decoded = decode(&encode(&image(), 95).unwrap(), Path::new("a.jpg")).unwrap();
        assert_eq!(decoded.dimensions(), (61, 47));
        let error: u64 = decoded.iter().zip(image().iter()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        assert!(error < 3 * 61 * 47 * 3, "{error}");
    }

    #[test]
    fn file_truncated_anywhere_is_refused() {
        let bytes = encode(&image(), 95).unwrap();
        for length in 0..bytes.len() {
            let message = decode(&bytes[..length], Path::new("cut.jpg")).unwrap_err().to_string();
            assert!(message.starts_with("cut.jpg: is not a complete JPEG image: "), "{length}: {message}");
        }
    }

    #[test]
    fn greyscale_becomes_rgb() {
        let mut bytes = Vec::new();
        Encoder::new(&mut bytes, 95).encode(&[77; 16 * 16], 16, 16, ColorType::Luma).unwrap();
        let image = decode(&bytes, Path::new("grey.jpg")).unwrap();
        assert!(image.pixels().all(|pixel| pixel.0 == [77; 3]));
    }
}
