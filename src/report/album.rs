//! Faces of one run's test images: where its masks look on them, and its most confident errors. Of drawn faces they go
//! among a report's results (`faces.jpg`, a sheet of tiles; `mistakes.csv`; `masks-over-faces.csv`). Those of people stay
//! beside the run and out of any report.

use super::figures::faces;
use super::results::{read_csv, write_csv};
use super::wide_table::WideTable;
use crate::attribute::{COUNT, NAMES, index};
use crate::config::RunSummary;
use crate::error::{Error, Result};
use crate::evaluate::Predictions;
use crate::evaluate::masks::{Maps, Masks};
use crate::io;
use crate::metrics::mistakes::most_confident;
use crate::variant::{REGISTRY, deserialize_name};
use image::codecs::jpeg::JpegEncoder;
use image::{RgbImage, imageops};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Side of a face in pixels.
pub const TILE: u32 = 64;
/// Faces in a row of the sheet.
pub(super) const COLUMNS: u32 = 16;
/// Errors shown of each attribute.
pub(super) const ERRORS: usize = 3;
/// Test images whose own masks are shown, beside the mean's.
const FACES: usize = 5;
/// Quality of the sheet.
const QUALITY: u8 = 85;

const SHEET_FILE: &str = "faces.jpg";
const MISTAKES_FILE: &str = "mistakes.csv";
const MASKS_FILE: &str = "masks-over-faces.csv";

/// What one run's album shows, before its faces are known.
#[derive(Debug, Clone, PartialEq)]
pub struct Album {
    /// Whose album it is.
    summary: RunSummary,
    folder: PathBuf,
    mistakes: Vec<Mistake>,
    /// Of the mean face and the first test images, where the run wrote masks.
    masks: Vec<Maps>,
    /// Names of the test images of the tiles; the first tile is the mean face.
    images: Vec<String>,
}

/// A wrong answer; a row of `mistakes.csv`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Mistake {
    #[serde(deserialize_with = "deserialize_name")]
    variant: String,
    seed: u64,
    attribute: String,
    image: String,
    pub(super) label: bool,
    /// Of the positive label.
    pub(super) probability: f32,
    /// The face's place on the sheet.
    pub(super) tile: usize,
}

/// An album with its faces, as figures draw it.
pub(super) struct Faces {
    /// Sides of the sheet in pixels.
    pub(super) size: (u32, u32),
    /// JPEG.
    pub(super) sheet: Vec<u8>,
    /// Of each attribute its mistakes.
    pub(super) mistakes: Vec<Vec<Mistake>>,
    /// Of the tiles from the first, where there are any.
    pub(super) masks: Vec<Maps>,
    /// The variant and the seed.
    pub(super) run: (String, u64),
}

impl Album {
    /// The album of the finished run in `folder`, by the head it is judged by.
    pub(super) fn new(folder: &Path, summary: &RunSummary, predictions: &Predictions, masks: Option<Masks>) -> Self {
        let shown = masks.as_ref().map_or(0, |masks| masks.images.len().min(FACES));
        let mut album = Self {
            mistakes: Vec::new(),
            masks: masks.map_or_else(Vec::new, |m| std::iter::once(m.mean).chain(m.images).take(1 + shown).collect()),
            images: predictions.images[..shown.min(predictions.images.len())].to_vec(),
            summary: summary.clone(),
            folder: folder.to_path_buf(),
        };
        for mistake in most_confident(&predictions.labels, predictions.primary_head().1, ERRORS) {
            let image = &predictions.images[mistake.image];
            let tile = album.tile(image);
            album.mistakes.push(Mistake {
                variant: album.summary.variant.clone(),
                seed: album.summary.seed,
                attribute: NAMES[mistake.attribute].to_owned(),
                image: image.clone(),
                label: mistake.label,
                probability: mistake.probability,
                tile,
            });
        }
        album
    }

    /// The folder of the run.
    pub fn run(&self) -> &Path {
        &self.folder
    }

    /// The place of an image on the sheet, behind the mean face.
    fn tile(&mut self, image: &str) -> usize {
        let place = self.images.iter().position(|known| known == image).unwrap_or_else(|| {
            self.images.push(image.to_owned());
            self.images.len() - 1
        });
        place + 1
    }

    /// The test images whose faces [`Album::write_results`] and [`Album::write_figures`] want, [`TILE`] pixels wide.
    pub fn images(&self) -> &[String] {
        &self.images
    }

    /// The variant whose album it is.
    pub fn variant(&self) -> &str {
        &self.summary.variant
    }

    /// Digest of the data that the run was tested on.
    pub fn data_digest(&self) -> &str {
        &self.summary.data_digest
    }

    /// Puts the album among the results of the report in `folder`: only for faces that were drawn. `mean` is the mean
    /// face, `faces` those of [`Album::images`].
    pub fn write_results(&self, mean: &RgbImage, faces: &[RgbImage], folder: &Path) -> Result<()> {
        if self.summary.dataset != "synthetic" {
            return Err(Error::Internal(format!("faces of {} do not go into a report", self.summary.dataset)));
        }
        let results = folder.join("results");
        io::write(&results.join(SHEET_FILE), &encoded(&sheet(mean, faces))?)?;
        write_csv(&results.join(MISTAKES_FILE), self.mistakes.iter())?;
        if self.masks.is_empty() {
            return io::remove(&results.join(MASKS_FILE));
        }
        let entries = self.masks.iter().enumerate().map(|(tile, maps)| (tile.to_string(), maps));
        WideTable::of_masks(results.join(MASKS_FILE), entries).write()
    }

    /// Draws the album's figures into `folder`, which is to be beside the run.
    pub fn write_figures(&self, mean: &RgbImage, faces: &[RgbImage], folder: &Path) -> Result<()> {
        let sheet = sheet(mean, faces);
        let album = Faces {
            size: sheet.dimensions(),
            sheet: encoded(&sheet)?,
            mistakes: by_attribute(&self.mistakes),
            masks: self.masks.clone(),
            run: (self.summary.variant.clone(), self.summary.seed),
        };
        io::create_folder(folder)?;
        write_csv(&folder.join(MISTAKES_FILE), self.mistakes.iter())?;
        let title = REGISTRY.title(&self.summary.variant);
        for (file, svg) in faces::drawn(&album, title, &format!("{}: of people, not to be published", self.summary.id))
        {
            io::write(&folder.join(file), &svg)?;
        }
        Ok(())
    }
}

/// Takes away the album that an earlier evaluation left among the results of the report in `folder`.
pub(super) fn remove(folder: &Path) -> Result<()> {
    [SHEET_FILE, MISTAKES_FILE, MASKS_FILE].iter().try_for_each(|file| io::remove(&folder.join("results").join(file)))
}

/// Reads the album among the results of the report in `folder`, where there is one.
pub(super) fn read(folder: &Path) -> Result<Option<Faces>> {
    let results = folder.join("results");
    let path = results.join(SHEET_FILE);
    if !path.is_file() {
        return Ok(None);
    }
    let sheet = io::read(&path)?;
    let size = image::ImageReader::with_format(std::io::Cursor::new(&sheet), image::ImageFormat::Jpeg)
        .into_dimensions()
        .map_err(|e| Error::file(&path, format!("is not a JPEG image: {e}; run `gal-bench evaluate` again")))?;
    let mistakes: Vec<Mistake> = read_csv(&results.join(MISTAKES_FILE))?;
    let Some(first) = mistakes.first() else { return Ok(None) };
    let masks = results.join(MASKS_FILE);
    Ok(Some(Faces {
        size,
        run: (first.variant.clone(), first.seed),
        masks: if masks.is_file() { WideTable::read(&masks)?.masks()? } else { Vec::new() },
        mistakes: by_attribute(&mistakes),
        sheet,
    }))
}

fn by_attribute(mistakes: &[Mistake]) -> Vec<Vec<Mistake>> {
    let mut found = vec![Vec::new(); COUNT];
    for mistake in mistakes {
        if let Some(i) = index(&mistake.attribute) {
            found[i].push(mistake.clone());
        }
    }
    found
}

/// All faces on one picture, row by row, the mean face first.
fn sheet(mean: &RgbImage, faces: &[RgbImage]) -> RgbImage {
    let count = faces.len() as u32 + 1;
    let mut sheet = RgbImage::new(COLUMNS.min(count) * TILE, count.div_ceil(COLUMNS) * TILE);
    for (place, face) in (0..).zip(std::iter::once(mean).chain(faces)) {
        let (x, y) = (place % COLUMNS * TILE, place / COLUMNS * TILE);
        imageops::replace(&mut sheet, face, x.into(), y.into());
    }
    sheet
}

fn encoded(sheet: &RgbImage) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, QUALITY)
        .encode_image(sheet)
        .map_err(|e| Error::Internal(format!("a sheet of faces cannot be encoded: {e}")))?;
    Ok(bytes)
}
