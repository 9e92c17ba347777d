//! Decodes PNG files.

use super::flaw::{Flaw, check_size};
use image::codecs::png::PngDecoder;
use image::{DynamicImage, ImageDecoder, RgbImage};
use std::io::Cursor;

const SIGNATURE: usize = 8;

/// Decodes a PNG file to RGB. Grayscale and 16 bits a channel become RGB of 8 bits.
pub(super) fn decode(bytes: &[u8]) -> Result<RgbImage, Flaw> {
    let clause = |e: image::ImageError| e.to_string();
    // The decoder calls a huge size a lack of memory.
    if let Some((width, height)) = size(bytes) {
        check_size(width, height)?;
    }
    let decoder = PngDecoder::new(Cursor::new(bytes)).map_err(clause)?;
    let (width, height) = decoder.dimensions();
    check_size(width, height)?;
    let image = DynamicImage::from_decoder(decoder).map_err(clause)?;
    if !chunks(bytes).any(|(name, _)| name == *b"IEND") {
        return Err("its end is missing".to_owned().into());
    }
    if image.color().has_alpha() && image.to_rgba8().pixels().any(|pixel| pixel.0[3] < u8::MAX) {
        return Err(Flaw::Transparent);
    }
    Ok(image.into_rgb8())
}

/// Width and height in the header.
fn size(bytes: &[u8]) -> Option<(u32, u32)> {
    let (_, header) = chunks(bytes).next().filter(|(name, _)| name == b"IHDR")?;
    let (width, rest) = header.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*width), u32::from_be_bytes(*rest.first_chunk::<4>()?)))
}

/// Name and content of each whole chunk.
pub(super) fn chunks(bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    let mut rest = bytes.get(SIGNATURE..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let (name, after) = after.split_first_chunk::<4>()?;
        let (content, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        // Four bytes of checksum.
        rest = after.get(4..)?;
        Some((*name, content))
    })
}
