//! What the pixels say: pictures that are broken, grey or tiny, files that are no JPEG pictures, and pictures that are
//! there more than once, which in two splits would let a network be tested on what it has seen.

use super::foreign;
use crate::augment::{Filter, resize};
use crate::error::{Error, Result};
use crate::io;
use crate::progress::Progress;
use crate::store::decode_jpeg;
use image::RgbImage;
use rayon::prelude::*;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;

/// A picture with a side below this is called tiny.
pub const TINY: u32 = 64;
/// Bits of the 64 in which the hashes of near duplicates may differ.
pub(super) const BITS: u32 = 4;
/// Mean difference of the grey thumbnails of near duplicates, of 255 levels. The hash alone takes aligned portraits of
/// two people with like light for one picture.
pub(super) const LEVELS: u64 = 6;
/// Side of the thumbnails.
pub(super) const THUMBNAIL: u32 = 16;

/// What there is to know of one picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Not a JPEG picture at all, whatever its name says.
    NotJpeg,
    /// A JPEG picture that does not decode.
    Broken,
    /// Without colour.
    Grey,
    /// With a side below [`TINY`].
    Tiny,
}

impl Fault {
    /// Every fault, in the order of the page.
    pub const ALL: [Self; 4] = [Self::NotJpeg, Self::Broken, Self::Grey, Self::Tiny];

    /// What it is called on the page and in the tables.
    pub fn label(self) -> &'static str {
        match self {
            Self::NotJpeg => "not JPEG",
            Self::Broken => "broken",
            Self::Grey => "grey",
            Self::Tiny => "tiny",
        }
    }
}

/// Something to know of one picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// Its path below the image folder.
    pub source: String,
    /// Of which kind it is.
    pub kind: Fault,
    /// What was found.
    pub words: String,
}

/// Two pictures that are the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Twins {
    /// Whether they lie in one split; those that do not come first.
    pub same_split: bool,
    /// How alike they are.
    pub kind: Likeness,
    /// The rows of the two, the earlier first.
    pub rows: (usize, usize),
}

/// How alike two pictures are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Likeness {
    /// The same file.
    SameBytes,
    /// Other files that decode to the same pixels.
    SamePixels,
    /// Difference hashes at most 4 of 64 bits apart, and 16 x 16 grey thumbnails at most 6 of 255 levels on average.
    Near,
}

/// All that was seen.
#[derive(Debug, Default)]
pub struct Pictures {
    /// Width and height by row; nothing where a file is no picture that decodes.
    pub sizes: Vec<Option<(u32, u32)>>,
    /// In the order of the rows.
    pub flaws: Vec<Flaw>,
    /// Those across splits first.
    pub twins: Vec<Twins>,
}

struct Seen {
    size: (u32, u32),
    grey: bool,
    bytes: blake3::Hash,
    pixels: blake3::Hash,
    hash: u64,
    thumbnail: Vec<u8>,
}

/// Looks at every picture of `sources` below `root` once; `splits` are theirs.
///
/// # Errors
/// A file cannot be read. One that is not a whole JPEG image is a flaw, not an error.
pub fn look<S: PartialEq + Sync>(root: &Path, sources: &[&str], splits: &[S], progress: &Progress) -> Result<Pictures> {
    let bar = progress.bar("look", "images", sources.len());
    let seen: Vec<std::result::Result<Seen, (Fault, String)>> = sources
        .par_iter()
        .map(|source| {
            let bytes = io::read(&root.join(source))?;
            bar.advance(1);
            if let Some(words) = foreign::name(&bytes) {
                return Ok(Err((Fault::NotJpeg, words)));
            }
            // The file is named beside it.
            let words = |e: Error| e.to_string().trim_start_matches("it: ").to_owned();
            let image = decode_jpeg(&bytes, Path::new("it"));
            Ok(image.map(|image| see(&bytes, &image)).map_err(|e| (Fault::Broken, words(e))))
        })
        .collect::<Result<_>>()?;
    bar.finish();
    let mut pictures = Pictures::default();
    for (source, seen) in sources.iter().zip(&seen) {
        let mut flaw = |kind, words: String| pictures.flaws.push(Flaw { source: (*source).to_owned(), kind, words });
        match seen {
            Err((kind, words)) => flaw(*kind, words.clone()),
            Ok(seen) => {
                let (width, height) = seen.size;
                if width.min(height) < TINY {
                    flaw(Fault::Tiny, format!("{width} x {height} pixels"));
                }
                if seen.grey {
                    flaw(Fault::Grey, "red, green and blue are the same everywhere".to_owned());
                }
            }
        }
        pictures.sizes.push(seen.as_ref().ok().map(|seen| seen.size));
    }
    pictures.twins = twins(&seen.iter().map(|seen| seen.as_ref().ok()).collect::<Vec<_>>(), splits);
    Ok(pictures)
}

fn see(bytes: &[u8], image: &RgbImage) -> Seen {
    let grey = |image: &RgbImage| -> Vec<u8> {
        image.pixels().map(|p| (p.0.iter().map(|value| u16::from(*value)).sum::<u16>() / 3) as u8).collect()
    };
    // The difference hash of N. Krawetz ("Kind of Like That", 2013): of 9 x 8 grey pixels, which ones are darker than
    // their right neighbour.
    let small = grey(&resize(image, 9, 8, Filter::Triangle));
    let darker = small.chunks_exact(9).flat_map(|row| row.windows(2).map(|pair| pair[0] < pair[1]));
    Seen {
        size: image.dimensions(),
        grey: image.pixels().all(|p| p.0[0] == p.0[1] && p.0[1] == p.0[2]),
        bytes: blake3::hash(bytes),
        pixels: blake3::Hasher::new().update(&image.width().to_le_bytes()).update(image.as_raw()).finalize(),
        hash: darker.fold(0, |hash, bit| hash << 1 | u64::from(bit)),
        thumbnail: grey(&resize(image, THUMBNAIL, THUMBNAIL, Filter::Triangle)),
    }
}

fn likeness(a: &Seen, b: &Seen) -> Option<Likeness> {
    if a.bytes == b.bytes {
        return Some(Likeness::SameBytes);
    }
    if a.pixels == b.pixels {
        return Some(Likeness::SamePixels);
    }
    if (a.hash ^ b.hash).count_ones() > BITS {
        return None;
    }
    let apart: u64 = a.thumbnail.iter().zip(&b.thumbnail).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    (apart <= LEVELS * u64::from(THUMBNAIL * THUMBNAIL)).then_some(Likeness::Near)
}

/// Pairs of like pictures. Hashes that differ in at most four bits agree in at least one of five pieces, so that only
/// pictures that share a piece are compared.
fn twins<S: PartialEq>(seen: &[Option<&Seen>], splits: &[S]) -> Vec<Twins> {
    let bits = 64 / (BITS + 1) + 1;
    let mut found = BTreeSet::new();
    for piece in 0..=BITS {
        let mut alike: HashMap<u64, Vec<(usize, &Seen)>> = HashMap::new();
        for (row, seen) in seen.iter().enumerate() {
            let Some(seen) = *seen else { continue };
            let rows = alike.entry(seen.hash >> (piece * bits) & ((1 << bits) - 1)).or_default();
            for &(other, earlier) in rows.iter() {
                if let Some(kind) = likeness(seen, earlier) {
                    let same_split = splits[row] == splits[other];
                    found.insert(Twins { same_split, kind, rows: (other, row) });
                }
            }
            rows.push((row, seen));
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

    fn picture(seed: u32) -> RgbImage {
        // Smooth, as pictures are; noise would change with the quality of the file.
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
        let mut commented = jpeg(&picture(3), 90);
        commented.splice(2..2, [0xff, 0xfe, 0, 4, b'h', b'i']);
        let files =
            [jpeg(&picture(3), 90), jpeg(&picture(3), 90), jpeg(&picture(3), 60), jpeg(&picture(11), 90), commented];
        let names = ["a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"];
        names.iter().zip(&files).for_each(|(name, bytes)| std::fs::write(folder.path().join(name), bytes).unwrap());
        let splits = ["train", "train", "test", "test", "train"];
        let pictures = look(folder.path(), &names, &splits, &Progress::new(true)).unwrap();
        let twins: Vec<_> = pictures.twins.iter().map(|t| (t.same_split, t.kind, t.rows)).collect();
        assert_eq!(
            twins,
            [
                (false, Likeness::Near, (0, 2)),
                (false, Likeness::Near, (1, 2)),
                (false, Likeness::Near, (2, 4)),
                (true, Likeness::SameBytes, (0, 1)),
                (true, Likeness::SamePixels, (0, 4)),
                (true, Likeness::SamePixels, (1, 4)),
            ]
        );
        assert_eq!(pictures.sizes, [Some((96, 80)); 5]);
    }

    #[test]
    fn broken_grey_tiny_and_foreign_files_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let whole = jpeg(&picture(5), 90);
        let grey = RgbImage::from_fn(80, 80, |x, _| image::Rgb([x as u8; 3]));
        let files: [(&str, &[u8]); 5] = [
            ("cut.jpg", &whole[..whole.len() / 2]),
            ("empty.jpg", b""),
            ("foreign.jpg", b"GIF89a\x01\x00\x01\x00"),
            ("grey.jpg", &jpeg(&grey, 90)),
            ("tiny.jpg", &jpeg(&resize(&picture(5), 40, 90, Filter::Triangle), 90)),
        ];
        for (name, bytes) in &files {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        let names = files.map(|(name, _)| name);
        let pictures = look(folder.path(), &names, &[0; 5], &Progress::new(true)).unwrap();
        let flaws: Vec<_> = pictures.flaws.iter().map(|flaw| (flaw.source.as_str(), flaw.kind)).collect();
        assert_eq!(
            flaws,
            [
                ("cut.jpg", Fault::Broken),
                ("empty.jpg", Fault::NotJpeg),
                ("foreign.jpg", Fault::NotJpeg),
                ("grey.jpg", Fault::Grey),
                ("tiny.jpg", Fault::Tiny)
            ]
        );
        assert_eq!(pictures.sizes, [None, None, None, Some((80, 80)), Some((40, 90))]);
        assert!(pictures.flaws[0].words.contains("its end is missing"), "{}", pictures.flaws[0].words);
    }

    /// The page says what the rule can find and what it cannot; the faces are drawn ones.
    #[test]
    fn near_rule_finds_what_was_saved_again_and_not_what_was_moved() {
        let face = Renderer::new(0).unwrap().render(0);
        let original = see(&[], &face);
        let near = |image: &RgbImage| likeness(&original, &see(&[0], image)) == Some(Likeness::Near);
        let saved = decode_jpeg(&jpeg(&face, 30), Path::new("it")).unwrap();
        let brighter = RgbImage::from_fn(256, 256, |x, y| face.get_pixel(x, y).map(|value| value.saturating_add(5)));
        let grey = RgbImage::from_fn(256, 256, |x, y| image::Rgb([face.get_pixel(x, y).to_luma().0[0]; 3]));
        let halved = resize(&face, 128, 128, Filter::Triangle);
        let stretched = resize(&face, 178, 218, Filter::Triangle);
        for (what, image) in
            [("saved", saved), ("brighter", brighter), ("grey", grey), ("halved", halved), ("stretched", stretched)]
        {
            assert!(near(&image), "{what}");
        }
        let moved = imageops::crop_imm(&face, 26, 26, 204, 204).to_image();
        let darker = RgbImage::from_fn(256, 256, |x, y| face.get_pixel(x, y).map(|value| value / 2));
        for (what, image) in [
            ("cropped", moved),
            ("mirrored", imageops::flip_horizontal(&face)),
            ("upside down", imageops::rotate180(&face)),
            ("half as bright", darker),
            ("another face", Renderer::new(0).unwrap().render(1)),
        ] {
            assert!(!near(&image), "{what}");
        }
    }
}
