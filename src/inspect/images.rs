//! Scans the images: broken, turned, grey and tiny ones, files that are not images, and duplicates. A duplicate across splits
//! tests a network on an image that it was trained on.

use super::file_type;
use crate::augment::{Filter, resize};
use crate::error::{Error, Result};
use crate::io;
use crate::progress::Progress;
use image::RgbImage;
use image::metadata::Orientation;
use rayon::prelude::*;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;

/// Images with a side below this many pixels are reported as tiny.
pub const TINY: u32 = 64;
/// Maximum number of the 64 hash bits in which near duplicates differ.
pub(super) const MAX_HASH_BITS: u32 = 4;
/// Maximum mean difference of the grey thumbnails of near duplicates, of 255 levels. The hash alone would also match
/// aligned portraits of two people in similar light.
pub(super) const MAX_LEVELS: u64 = 6;
/// Side of the thumbnails in pixels.
pub(super) const THUMBNAIL: u32 = 16;

/// The kind of an issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssueKind {
    /// Neither a JPEG nor a PNG file, despite its name.
    NotAnImage,
    /// A JPEG or PNG file that does not decode, or not to a whole image.
    Broken,
    /// An image that its EXIF orientation turns.
    Turned,
    /// An image without colour.
    Grey,
    /// An image with a side below [`TINY`].
    Tiny,
}

impl IssueKind {
    /// Every kind, in the order of the page.
    pub const ALL: [Self; 5] = [Self::NotAnImage, Self::Broken, Self::Turned, Self::Grey, Self::Tiny];

    /// The name on the page and in the tables.
    pub fn label(self) -> &'static str {
        match self {
            Self::NotAnImage => "not an image",
            Self::Broken => "broken",
            Self::Turned => "turned",
            Self::Grey => "grey",
            Self::Tiny => "tiny",
        }
    }
}

/// An issue of one image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageIssue {
    /// Path below the image folder.
    pub source: String,
    /// Kind of the issue.
    pub kind: IssueKind,
    /// One clause on the issue, for people.
    pub description: String,
}

/// Two images that are duplicates.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DuplicatePair {
    /// Both are in one split; pairs across splits sort first.
    pub same_split: bool,
    /// Kind of the duplicate.
    pub kind: DuplicateKind,
    /// Rows of the two images, the lower first.
    pub rows: (usize, usize),
}

/// The kind of a duplicate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DuplicateKind {
    /// Identical files.
    SameBytes,
    /// Different files that decode to the same pixels.
    SamePixels,
    /// Difference hashes at most 4 of 64 bits apart, and 16 x 16 grey thumbnails at most 6 of 255 levels on average.
    Near,
}

impl DuplicateKind {
    /// The name on the page and in the tables.
    pub fn label(self) -> &'static str {
        match self {
            Self::SameBytes => "same bytes",
            Self::SamePixels => "same pixels",
            Self::Near => "near",
        }
    }
}

/// The result of a scan.
#[derive(Debug, Default)]
pub struct ImageScan {
    /// Width and height by row; `None` if a file does not decode.
    pub sizes: Vec<Option<(u32, u32)>>,
    /// Issues in the order of the rows.
    pub issues: Vec<ImageIssue>,
    /// Duplicates; pairs across splits come first.
    pub duplicates: Vec<DuplicatePair>,
}

/// Measures of an image by which duplicates are found.
struct Fingerprint {
    size: (u32, u32),
    orientation: Orientation,
    grey: bool,
    bytes: blake3::Hash,
    pixels: blake3::Hash,
    hash: u64,
    thumbnail: Vec<u8>,
}

/// Scans the images `sources` below `root`; `splits` are their splits.
///
/// # Errors
/// A file cannot be read. A file that is not a valid image is an issue, not an error.
pub fn scan_images<S: PartialEq + Sync>(
    root: &Path,
    sources: &[&str],
    splits: &[S],
    progress: &Progress,
) -> Result<ImageScan> {
    let bar = progress.bar("Scanning", "images", sources.len());
    let fingerprints: Vec<std::result::Result<Fingerprint, (IssueKind, String)>> = sources
        .par_iter()
        .map(|source| {
            let bytes = io::read(&root.join(source))?;
            bar.advance(1);
            if let Some(description) = file_type::describe(&bytes) {
                return Ok(Err((IssueKind::NotAnImage, description)));
            }
            // Tables list the file's name in another column.
            let message = |e: Error| e.to_string().trim_start_matches("it: ").to_owned();
            let image = io::decode_image(&bytes, Path::new("it"));
            Ok(image.map(|image| fingerprint(&bytes, &image)).map_err(|e| (IssueKind::Broken, message(e))))
        })
        .collect::<Result<_>>()?;
    bar.finish();
    let mut scan = ImageScan::default();
    for (source, fingerprint) in sources.iter().zip(&fingerprints) {
        let mut push = |kind, description: String| {
            scan.issues.push(ImageIssue { source: (*source).to_owned(), kind, description });
        };
        match fingerprint {
            Err((kind, description)) => push(*kind, description.clone()),
            Ok(fingerprint) => {
                let (width, height) = fingerprint.size;
                if fingerprint.orientation != Orientation::NoTransforms {
                    let value = fingerprint.orientation.to_exif();
                    push(IssueKind::Turned, format!("EXIF orientation {value}, turned upright"));
                }
                if width.min(height) < TINY {
                    push(IssueKind::Tiny, format!("{width} x {height} pixels"));
                }
                if fingerprint.grey {
                    push(IssueKind::Grey, "red, green and blue are the same everywhere".to_owned());
                }
            }
        }
        scan.sizes.push(fingerprint.as_ref().ok().map(|fingerprint| fingerprint.size));
    }
    scan.duplicates = duplicates(&fingerprints.iter().map(|found| found.as_ref().ok()).collect::<Vec<_>>(), splits);
    Ok(scan)
}

fn fingerprint(bytes: &[u8], image: &RgbImage) -> Fingerprint {
    let grey = |image: &RgbImage| -> Vec<u8> {
        image.pixels().map(|p| (p.0.iter().map(|value| u16::from(*value)).sum::<u16>() / 3) as u8).collect()
    };
    // The difference hash of N. Krawetz ("Kind of Like That", 2013): which of 9 x 8 grey pixels are darker than their
    // right neighbour.
    let small = grey(&resize(image, 9, 8, Filter::Triangle));
    let darker = small.chunks_exact(9).flat_map(|row| row.windows(2).map(|pair| pair[0] < pair[1]));
    Fingerprint {
        size: image.dimensions(),
        orientation: io::orientation(bytes),
        grey: image.pixels().all(|p| p.0[0] == p.0[1] && p.0[1] == p.0[2]),
        bytes: blake3::hash(bytes),
        pixels: blake3::Hasher::new().update(&image.width().to_le_bytes()).update(image.as_raw()).finalize(),
        hash: darker.fold(0, |hash, bit| hash << 1 | u64::from(bit)),
        thumbnail: grey(&resize(image, THUMBNAIL, THUMBNAIL, Filter::Triangle)),
    }
}

fn duplicate_kind(a: &Fingerprint, b: &Fingerprint) -> Option<DuplicateKind> {
    if a.bytes == b.bytes {
        return Some(DuplicateKind::SameBytes);
    }
    if a.pixels == b.pixels {
        return Some(DuplicateKind::SamePixels);
    }
    if (a.hash ^ b.hash).count_ones() > MAX_HASH_BITS {
        return None;
    }
    let difference: u64 = a.thumbnail.iter().zip(&b.thumbnail).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    (difference <= MAX_LEVELS * u64::from(THUMBNAIL * THUMBNAIL)).then_some(DuplicateKind::Near)
}

/// Finds all pairs of duplicates. Hashes that differ in at most four bits agree in at least one of five pieces, so only
/// images with a common piece are compared.
fn duplicates<S: PartialEq>(fingerprints: &[Option<&Fingerprint>], splits: &[S]) -> Vec<DuplicatePair> {
    let bits = 64 / (MAX_HASH_BITS + 1) + 1;
    let mut found = BTreeSet::new();
    for piece in 0..=MAX_HASH_BITS {
        let mut candidates: HashMap<u64, Vec<(usize, &Fingerprint)>> = HashMap::new();
        for (row, fingerprint) in fingerprints.iter().enumerate() {
            let Some(fingerprint) = *fingerprint else { continue };
            let rows = candidates.entry(fingerprint.hash >> (piece * bits) & ((1 << bits) - 1)).or_default();
            for &(other, earlier) in rows.iter() {
                if let Some(kind) = duplicate_kind(fingerprint, earlier) {
                    let same_split = splits[row] == splits[other];
                    found.insert(DuplicatePair { same_split, kind, rows: (other, row) });
                }
            }
            rows.push((row, fingerprint));
        }
    }
    found.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::Renderer;
    use image::{Pixel, imageops};
    use jpeg_encoder::{ColorType, Encoder};

    fn smooth_image(seed: u32) -> RgbImage {
        // Smooth as photographs are: noise would change with the JPEG quality.
        RgbImage::from_fn(96, 80, |x, y| {
            let wave = |a: u32| {
                let (across, down) = (f64::from(seed + a) / 40.0, f64::from(seed) / 60.0);
                (127.5 + 127.5 * (f64::from(x) * across + f64::from(y) * down + f64::from(seed)).sin()) as u8
            };
            image::Rgb([wave(1), wave(2), wave(3)])
        })
    }

    fn jpeg(image: &RgbImage, quality: u8) -> Vec<u8> {
        let mut bytes = Vec::new();
        let (width, height) = (image.width() as u16, image.height() as u16);
        Encoder::new(&mut bytes, quality).encode(image.as_raw(), width, height, ColorType::Rgb).unwrap();
        bytes
    }

    #[test]
    fn copies_are_found_across_splits_first_and_others_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let mut commented = jpeg(&smooth_image(3), 90);
        commented.splice(2..2, [0xff, 0xfe, 0, 4, b'h', b'i']);
        let files = [
            jpeg(&smooth_image(3), 90),
            jpeg(&smooth_image(3), 90),
            jpeg(&smooth_image(3), 60),
            jpeg(&smooth_image(11), 90),
            commented,
        ];
        let names = ["a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"];
        names.iter().zip(&files).for_each(|(name, bytes)| std::fs::write(folder.path().join(name), bytes).unwrap());
        let splits = ["train", "train", "test", "test", "train"];
        let scan = scan_images(folder.path(), &names, &splits, &Progress::new(true)).unwrap();
        let pairs: Vec<_> = scan.duplicates.iter().map(|t| (t.same_split, t.kind, t.rows)).collect();
        assert_eq!(
            pairs,
            [
                (false, DuplicateKind::Near, (0, 2)),
                (false, DuplicateKind::Near, (1, 2)),
                (false, DuplicateKind::Near, (2, 4)),
                (true, DuplicateKind::SameBytes, (0, 1)),
                (true, DuplicateKind::SamePixels, (0, 4)),
                (true, DuplicateKind::SamePixels, (1, 4)),
            ]
        );
        assert_eq!(scan.sizes, [Some((96, 80)); 5]);
    }

    #[test]
    fn broken_grey_tiny_and_other_files_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let whole = jpeg(&smooth_image(5), 90);
        let grey = RgbImage::from_fn(80, 80, |x, _| image::Rgb([x as u8; 3]));
        let files: [(&str, &[u8]); 5] = [
            ("cut.jpg", &whole[..whole.len() / 2]),
            ("empty.jpg", b""),
            ("foreign.jpg", b"GIF89a\x01\x00\x01\x00"),
            ("grey.jpg", &jpeg(&grey, 90)),
            ("tiny.jpg", &jpeg(&resize(&smooth_image(5), 40, 90, Filter::Triangle), 90)),
        ];
        for (name, bytes) in &files {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        let names = files.map(|(name, _)| name);
        let scan = scan_images(folder.path(), &names, &[0; 5], &Progress::new(true)).unwrap();
        let issues: Vec<_> = scan.issues.iter().map(|issue| (issue.source.as_str(), issue.kind)).collect();
        assert_eq!(
            issues,
            [
                ("cut.jpg", IssueKind::Broken),
                ("empty.jpg", IssueKind::NotAnImage),
                ("foreign.jpg", IssueKind::NotAnImage),
                ("grey.jpg", IssueKind::Grey),
                ("tiny.jpg", IssueKind::Tiny)
            ]
        );
        assert_eq!(scan.sizes, [None, None, None, Some((80, 80)), Some((40, 90))]);
        assert!(scan.issues[0].description.contains("its end is missing"), "{}", scan.issues[0].description);
    }

    /// Checks the limits of the rule as the page states them, on synthetic faces.
    #[test]
    fn near_rule_finds_what_was_saved_again_and_not_what_was_moved() {
        let face = Renderer::new(0).unwrap().render(0);
        let original = fingerprint(&[], &face);
        let near = |image: &RgbImage| duplicate_kind(&original, &fingerprint(&[0], image)) == Some(DuplicateKind::Near);
        let saved = io::decode_image(&jpeg(&face, 30), Path::new("it")).unwrap();
        let brighter = RgbImage::from_fn(256, 256, |x, y| face.get_pixel(x, y).map(|value| value.saturating_add(5)));
        let grey = RgbImage::from_fn(256, 256, |x, y| image::Rgb([face.get_pixel(x, y).to_luma().0[0]; 3]));
        let halved = resize(&face, 128, 128, Filter::Triangle);
        let stretched = resize(&face, 178, 218, Filter::Triangle);
        for (change, image) in
            [("saved", saved), ("brighter", brighter), ("grey", grey), ("halved", halved), ("stretched", stretched)]
        {
            assert!(near(&image), "{change}");
        }
        let moved = imageops::crop_imm(&face, 26, 26, 204, 204).to_image();
        let darker = RgbImage::from_fn(256, 256, |x, y| face.get_pixel(x, y).map(|value| value / 2));
        for (change, image) in [
            ("cropped", moved),
            ("mirrored", imageops::flip_horizontal(&face)),
            ("upside down", imageops::rotate180(&face)),
            ("half as bright", darker),
            ("another face", Renderer::new(0).unwrap().render(1)),
        ] {
            assert!(!near(&image), "{change}");
        }
    }
}
