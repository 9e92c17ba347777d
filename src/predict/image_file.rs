//! Image files outside a data set: found below folders, decoded like the data sets' images, and oriented upright.

use crate::error::{Error, Result};
use crate::{io, store};
use image::codecs::jpeg::JpegDecoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, RgbImage};
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// File name extensions of images in a folder.
const EXTENSIONS: [&str; 3] = ["jpg", "jpeg", "png"];

/// The image files that `paths` name, in their order. A folder stands for all JPEG and PNG files below it, sorted by name.
///
/// # Errors
/// A folder without images, or a missing file.
pub fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            let before = found.len();
            find_below(path, &mut found)?;
            if found.len() == before {
                let message = format!("holds no image: expected files that end in .{}", EXTENSIONS.join(", ."));
                return Err(Error::file(path, message));
            }
            found[before..].sort();
        } else if path.is_file() {
            found.push(path.clone());
        } else if path.exists() {
            return Err(Error::file(path, "is not a file: name JPEG or PNG files, or folders of them"));
        } else {
            return Err(Error::file(path, "does not exist: name JPEG or PNG files, or folders of them"));
        }
    }
    Ok(found)
}

fn find_below(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let path = entry.map_err(Error::io("read", folder))?.path();
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if path.is_dir() {
            find_below(&path, found)?;
        } else if EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(extension)) {
            found.push(path);
        }
    }
    Ok(())
}

/// Reads a JPEG or PNG file with any name. Grayscale becomes RGB, and the EXIF orientation is applied.
///
/// # Errors
/// Another format, a damaged file, or an image with transparent parts.
pub(super) fn read(path: &Path) -> Result<RgbImage> {
    let bytes = io::read(path)?;
    match image::guess_format(&bytes) {
        Ok(ImageFormat::Jpeg) => {
            let mut upright = DynamicImage::ImageRgb8(store::decode_jpeg(&bytes, path)?);
            upright.apply_orientation(orientation(&bytes));
            Ok(upright.into_rgb8())
        }
        Ok(ImageFormat::Png) => {
            let image = image::load_from_memory_with_format(&bytes, ImageFormat::Png)
                .map_err(|e| Error::file(path, format!("is not a complete PNG image: {e}; replace the file")))?;
            if image.color().has_alpha() && image.to_rgba8().pixels().any(|pixel| pixel.0[3] < u8::MAX) {
                let message = "has transparent parts, whose background is unknown: save it without transparency";
                return Err(Error::file(path, message));
            }
            Ok(image.into_rgb8())
        }
        _ => Err(Error::file(path, "is neither a JPEG nor a PNG image: convert it")),
    }
}

/// The EXIF orientation of a JPEG file.
fn orientation(bytes: &[u8]) -> Orientation {
    JpegDecoder::new(Cursor::new(bytes))
        .and_then(|mut decoder| decoder.orientation())
        .unwrap_or(Orientation::NoTransforms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ImageEncoder, Luma, Rgb, Rgba, RgbaImage};

    /// Dark at the top, light at the bottom.
    fn upright() -> RgbImage {
        RgbImage::from_fn(24, 32, |_, y| Rgb([if y < 16 { 20 } else { 230 }; 3]))
    }

    fn written(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        (folder, path)
    }

    fn png(image: &DynamicImage) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    /// A JPEG file with an EXIF orientation, a number of the EXIF standard.
    fn turned(image: &RgbImage, orientation: u8) -> Vec<u8> {
        let exif = [&b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0"[..], &[orientation], &[0; 6]].concat();
        let mut bytes = Vec::new();
        let mut encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 95);
        encoder.set_exif_metadata(exif).unwrap();
        encoder.encode_image(image).unwrap();
        bytes
    }

    #[test]
    fn an_image_on_its_side_is_turned_upright() {
        // 6: the right side of the stored image is its top.
        let (_folder, path) = written("side.jpg", &turned(&upright(), 6));
        let upright = read(&path).unwrap();
        assert_eq!(upright.dimensions(), (32, 24));
        assert!(upright.get_pixel(30, 12).0[0] < 60 && upright.get_pixel(1, 12).0[0] > 190);
    }

    #[test]
    fn grayscale_and_sixteen_bit_pngs_become_rgb() {
        let gray = DynamicImage::ImageLuma16(image::ImageBuffer::from_pixel(5, 4, Luma([77 * 257])));
        let (_folder, path) = written("gray.png", &png(&gray));
        assert!(read(&path).unwrap().pixels().all(|pixel| pixel.0 == [77; 3]));
    }

    #[test]
    fn transparent_parts_are_refused_and_an_opaque_alpha_is_not() {
        let of = |alpha: u8| png(&RgbaImage::from_pixel(4, 4, Rgba([9, 8, 7, alpha])).into());
        let (_folder, path) = written("clear.png", &of(254));
        assert!(read(&path).unwrap_err().to_string().contains("transparent"));
        let (_folder, path) = written("opaque.png", &of(255));
        assert!(read(&path).unwrap().pixels().all(|pixel| pixel.0 == [9, 8, 7]));
    }

    #[test]
    fn a_file_that_is_not_an_image_is_refused_whatever_its_name() {
        let (_folder, path) = written("face.jpg", b"GIF89a and more");
        assert!(read(&path).unwrap_err().to_string().contains("neither a JPEG nor a PNG"));
    }

    #[test]
    fn a_folder_gives_its_images_by_name_and_one_without_any_is_refused() {
        let (folder, first) = written("b.PNG", b"");
        std::fs::create_dir(folder.path().join("a")).unwrap();
        let second = folder.path().join("a/z.jpeg");
        std::fs::write(&second, b"").unwrap();
        std::fs::write(folder.path().join("notes.txt"), b"").unwrap();
        assert_eq!(find(&[folder.path().to_path_buf()]).unwrap(), [second.clone(), first]);
        std::fs::remove_file(second).unwrap();
        assert!(find(&[folder.path().join("a")]).unwrap_err().to_string().contains("holds no image"));
    }
}
