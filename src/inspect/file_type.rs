//! Names the type of a file that is neither a JPEG nor a PNG image: a failed download, or another format under a wrong name.

use crate::io;
use image::ImageFormat;

/// Number of bytes shown of an unknown type.
const SHOWN_BYTES: usize = 8;

/// Describes the type of `bytes` by their start; `None` for JPEG and PNG.
pub(super) fn describe(bytes: &[u8]) -> Option<String> {
    let is_text = || {
        let plain = |c: char| !c.is_control() || c.is_whitespace();
        std::str::from_utf8(bytes).is_ok_and(|text| text.chars().all(plain))
    };
    Some(match bytes {
        [0xff, 0xd8, ..] | [0x89, b'P', b'N', b'G', ..] => return None,
        [] => "an empty file".to_owned(),
        _ if bytes.iter().all(|byte| *byte == 0) => "only zero bytes".to_owned(),
        _ if io::is_web_page(bytes) => "a web page".to_owned(),
        _ if is_text() => "text".to_owned(),
        _ => format(bytes).map_or_else(|| unknown(bytes), str::to_owned),
    })
}

/// Recognizes formats of images and archives by their first bytes; the `image` crate covers most of them.
fn format(bytes: &[u8]) -> Option<&'static str> {
    Some(match image::guess_format(bytes) {
        Ok(ImageFormat::Gif) => "a GIF file",
        Ok(ImageFormat::WebP) => "a WebP file",
        Ok(ImageFormat::Tiff) => "a TIFF file",
        Ok(ImageFormat::Bmp) => "a BMP file",
        Ok(ImageFormat::Avif) => "an AVIF file",
        Ok(ImageFormat::Pnm) => "a PNM file",
        _ => match bytes {
            [_, _, _, _, b'f', b't', b'y', b'p', b'h', b'e', ..] => "a HEIC file",
            [0, 0, 0, 12, b'j', b'P', b' ', b' ', ..] | [0xff, 0x4f, 0xff, 0x51, ..] => "a JPEG 2000 file",
            [0, 0, 0, 12, b'J', b'X', b'L', b' ', ..] | [0xff, 0x0a, ..] => "a JPEG XL file",
            _ => return io::archive(bytes),
        },
    })
}

fn unknown(bytes: &[u8]) -> String {
    let start: Vec<String> = bytes.iter().take(SHOWN_BYTES).map(|byte| format!("{byte:02x}")).collect();
    format!("an unknown format; its first bytes are {}", start.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_described_by_their_first_bytes() {
        let cases: [(&[u8], &str); 12] = [
            (b"", "an empty file"),
            (&[0; 600], "only zero bytes"),
            (b"\n<!DOCTYPE html><html>", "a web page"),
            (b"404: Not Found\r\n", "text"),
            (b"GIF89a\x01\0\x01\0", "a GIF file"),
            (b"RIFF\x10\0\0\0WEBPVP8 ", "a WebP file"),
            (b"II*\0\x08\0\0\0", "a TIFF file"),
            (b"BM\x46\0\0\0", "a BMP file"),
            (b"\0\0\0\x18ftypheic", "a HEIC file"),
            (b"\0\0\0\x1cftypavif", "an AVIF file"),
            (b"PK\x03\x04", "a ZIP archive"),
            (b"\x01\x02\xfe", "an unknown format; its first bytes are 01 02 fe"),
        ];
        for (bytes, words) in cases {
            assert_eq!(describe(bytes).as_deref(), Some(words));
        }
        assert_eq!(describe(&[0xff, 0xd8, 0xff, 0xe0]), None);
        assert_eq!(describe(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), None);
    }
}
