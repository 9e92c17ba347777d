//! The EXIF orientation: by how much a camera was turned, and thus its image.

use super::png;
use image::metadata::Orientation;

/// The orientation of a JPEG or PNG file, without decoding it; none if it states none.
pub fn orientation(bytes: &[u8]) -> Orientation {
    let exif = if bytes.starts_with(&[0xff, 0xd8]) { of_jpeg(bytes) } else { of_png(bytes) };
    exif.and_then(Orientation::from_exif_chunk).unwrap_or(Orientation::NoTransforms)
}

/// The EXIF segment of a JPEG file, which precedes the first scan.
fn of_jpeg(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = &bytes[2..];
    loop {
        rest = rest.get(memchr::memchr(0xff, rest)? + 1..)?;
        match rest.first()? {
            0xff => {}
            0 | 0x01 | 0xd0..=0xd8 => rest = &rest[1..],
            0xd9 | 0xda => return None,
            marker => {
                let length = usize::from(u16::from_be_bytes(*rest.get(1..)?.first_chunk::<2>()?));
                let content = rest.get(3..1 + length)?;
                if let (0xe1, Some(exif)) = (marker, content.strip_prefix(b"Exif\0\0")) {
                    return Some(exif);
                }
                rest = &rest[1 + length..];
            }
        }
    }
}

fn of_png(bytes: &[u8]) -> Option<&[u8]> {
    png::chunks(bytes).find(|(name, _)| name == b"eXIf").map(|(_, content)| content)
}
