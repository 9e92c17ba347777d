//! JPEG in and out. Decoding is strict: a damaged file is an error, never a picture with a grey half.

use crate::error::{Error, Result};
use image::RgbImage;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use std::path::Path;
use zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions};
use zune_jpeg::JpegDecoder;

/// The image in `bytes`, greyscale brought to RGB; `path` is named in errors.
///
/// # Errors
/// The bytes are not one whole JPEG image.
pub fn decode(bytes: &[u8], path: &Path) -> Result<RgbImage> {
    let broken = |reason: &str| Error::file(path, format!("is not a whole JPEG image: {reason}; replace the file"));
    if bytes.is_empty() {
        return Err(broken("it is empty"));
    }
    if !bytes.starts_with(&[0xff, 0xd8]) {
        return Err(broken("it does not begin as one"));
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

/// Whether the last scan is followed by the end marker. Inside a scan 0xff is always followed by something else, and
/// thumbnails lie before the scan, so a file cut anywhere has none.
pub(super) fn is_ended(bytes: &[u8]) -> bool {
    let scan = memchr::memmem::rfind(bytes, &[0xff, 0xda]);
    let end = memchr::memmem::rfind(bytes, &[0xff, 0xd9]);
    matches!((scan, end), (Some(scan), Some(end)) if scan < end)
}

/// A decoder's message on one line.
fn sentence(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `image` as baseline JPEG with halved colour resolution (4:2:0).
pub(super) fn encode(image: &RgbImage, quality: u8) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(64 << 10);
    let mut encoder = Encoder::new(&mut bytes, quality);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder
        .encode(image.as_raw(), image.width() as u16, image.height() as u16, ColorType::Rgb)
        .map_err(|e| Error::Internal(format!("an image could not be encoded: {e}")))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> RgbImage {
        RgbImage::from_fn(61, 47, |x, y| image::Rgb([(x * 4) as u8, (y * 5) as u8, 128]))
    }

    #[test]
    fn encoded_image_comes_back_nearly_the_same() {
        let back = decode(&encode(&picture(), 95).unwrap(), Path::new("a.jpg")).unwrap();
        assert_eq!(back.dimensions(), (61, 47));
        let error: u64 = back.iter().zip(picture().iter()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        assert!(error < 3 * 61 * 47 * 3, "{error}");
    }

    #[test]
    fn file_cut_anywhere_is_refused() {
        let bytes = encode(&picture(), 95).unwrap();
        for length in 0..bytes.len() {
            let message = decode(&bytes[..length], Path::new("cut.jpg")).unwrap_err().to_string();
            assert!(message.starts_with("cut.jpg: is not a whole JPEG image: "), "{length}: {message}");
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
