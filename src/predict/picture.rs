//! Pictures from outside any data set: found below folders, decoded as the data sets' are, turned upright.

use crate::error::{Error, Result};
use crate::{io, store};
use image::codecs::jpeg::JpegDecoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, RgbImage};
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// What a picture in a folder ends in.
const EXTENSIONS: [&str; 3] = ["jpg", "jpeg", "png"];

/// The picture files that `paths` name, in their order; of a folder all JPEG and PNG files below it, by name.
///
/// # Errors
/// A folder without any, or a file that is not there.
pub fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            let before = found.len();
            below(path, &mut found)?;
            if found.len() == before {
                let message = format!("holds no picture: expected files that end in .{}", EXTENSIONS.join(", ."));
                return Err(Error::file(path, message));
            }
            found[before..].sort();
        } else if path.is_file() {
            found.push(path.clone());
        } else if path.exists() {
            return Err(Error::file(path, "is no file: name JPEG or PNG files, or folders of them"));
        } else {
            return Err(Error::file(path, "is not there: name JPEG or PNG files, or folders of them"));
        }
    }
    Ok(found)
}

fn below(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let path = entry.map_err(Error::io("read", folder))?.path();
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if path.is_dir() {
            below(&path, found)?;
        } else if EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(extension)) {
            found.push(path);
        }
    }
    Ok(())
}

/// A picture, whatever its file is called: JPEG by the decoder that prepares data sets, or PNG; grey becomes RGB, and a
/// picture that its EXIF data say lies on its side is turned upright.
///
/// # Errors
/// Neither of the two, a damaged file, or a picture with transparent parts.
pub(super) fn read(path: &Path) -> Result<RgbImage> {
    let bytes = io::read(path)?;
    match image::guess_format(&bytes) {
        Ok(ImageFormat::Jpeg) => {
            let picture = store::decode_jpeg(&bytes, path)?;
            let mut upright = DynamicImage::ImageRgb8(picture);
            upright.apply_orientation(orientation(&bytes));
            Ok(upright.into_rgb8())
        }
        Ok(ImageFormat::Png) => {
            let picture = image::load_from_memory_with_format(&bytes, ImageFormat::Png)
                .map_err(|e| Error::file(path, format!("is not a whole PNG image: {e}; replace the file")))?;
            if picture.color().has_alpha() && picture.to_rgba8().pixels().any(|pixel| pixel.0[3] < u8::MAX) {
                let message = "has transparent parts, and what is behind them is not known: save it without them";
                return Err(Error::file(path, message));
            }
            Ok(picture.into_rgb8())
        }
        _ => Err(Error::file(path, "is neither a JPEG nor a PNG image: convert it to one of them")),
    }
}

/// How the EXIF data of a JPEG file say that it is to be turned; not at all where they say nothing.
fn orientation(bytes: &[u8]) -> Orientation {
    JpegDecoder::new(Cursor::new(bytes))
        .and_then(|mut decoder| decoder.orientation())
        .unwrap_or(Orientation::NoTransforms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ImageEncoder, Luma, Rgb, Rgba, RgbaImage};

    /// Dark above, light below.
    fn picture() -> RgbImage {
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

    /// `picture` as a JPEG file whose EXIF data give `orientation`, a number as in the EXIF standard.
    fn turned(picture: &RgbImage, orientation: u8) -> Vec<u8> {
        let exif = [&b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0"[..], &[orientation], &[0; 6]].concat();
        let mut bytes = Vec::new();
        let mut encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 95);
        encoder.set_exif_metadata(exif).unwrap();
        encoder.encode_image(picture).unwrap();
        bytes
    }

    #[test]
    fn a_picture_on_its_side_is_turned_upright() {
        // 6: the camera's right side is the picture's top.
        let (_folder, path) = written("side.jpg", &turned(&picture(), 6));
        let upright = read(&path).unwrap();
        assert_eq!(upright.dimensions(), (32, 24));
        assert!(upright.get_pixel(30, 12).0[0] < 60 && upright.get_pixel(1, 12).0[0] > 190);
    }

    #[test]
    fn grey_and_sixteen_bit_pngs_become_rgb() {
        let grey = DynamicImage::ImageLuma16(image::ImageBuffer::from_pixel(5, 4, Luma([77 * 257])));
        let (_folder, path) = written("grey.png", &png(&grey));
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
    fn what_is_no_picture_is_refused_whatever_its_name() {
        let (_folder, path) = written("face.jpg", b"GIF89a and more");
        assert!(read(&path).unwrap_err().to_string().contains("neither a JPEG nor a PNG"));
    }

    #[test]
    fn a_folder_gives_its_pictures_by_name_and_one_without_any_is_refused() {
        let (folder, first) = written("b.PNG", b"");
        std::fs::create_dir(folder.path().join("a")).unwrap();
        let second = folder.path().join("a/z.jpeg");
        std::fs::write(&second, b"").unwrap();
        std::fs::write(folder.path().join("notes.txt"), b"").unwrap();
        assert_eq!(find(&[folder.path().to_path_buf()]).unwrap(), [second.clone(), first]);
        std::fs::remove_file(second).unwrap();
        assert!(find(&[folder.path().join("a")]).unwrap_err().to_string().contains("holds no picture"));
    }
}
