//! Decodes JPEG files. The decoder fills what a scan lacks; [`super::scans`] finds out whether it lacks anything.

use crate::error::{Error, Result};
use image::RgbImage;
use std::path::Path;
use zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions};
use zune_jpeg::JpegDecoder;

/// Decodes a JPEG file to RGB, or returns a clause on why not.
pub(super) fn decode(bytes: &[u8]) -> std::result::Result<RgbImage, String> {
    let options = DecoderOptions::new_fast().set_strict_mode(true).jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    let pixels = decoder.decode().map_err(|e| sentence(&format!("{e:?}")))?;
    let (width, height) = decoder.dimensions().ok_or("it has no size")?;
    RgbImage::from_raw(width as u32, height as u32, pixels).ok_or_else(|| "its colours are not RGB".to_owned())
}

/// Decodes a JPEG file that this program wrote and whose bytes are known to be unchanged; `path` is named in errors.
pub fn decode_trusted(bytes: &[u8], path: &Path) -> Result<RgbImage> {
    decode(bytes).map_err(|clause| Error::file(path, format!("is not a JPEG image of this program: {clause}")))
}

/// A decoder's message as one line.
fn sentence(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}
