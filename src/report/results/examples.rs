//! Example faces of one run: masks on test faces, and the most confident errors. `faces.jpg` is a sheet of tiles,
//! `errors.csv` names the errors, `masks-over-faces.csv` holds the masks. Synthetic faces go into a report's results;
//! photographs of people stay in the run's folder.

use super::csv_file;
use super::wide_table::WideTable;
use crate::attribute::{COUNT, NAMES, index};
use crate::config::RunSummary;
use crate::error::{Error, Result};
use crate::evaluate::Predictions;
use crate::evaluate::masks::{Maps, Masks};
use crate::io;
use crate::metrics::mistakes::most_confident;
use crate::untrusted::cell;
use crate::variant::deserialize_name;
use image::codecs::jpeg::JpegEncoder;
use image::{RgbImage, imageops};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Side of a face in pixels.
pub const TILE: u32 = 64;
/// Faces in a row of the sheet.
pub(in crate::report) const COLUMNS: u32 = 16;
/// Errors of each attribute.
pub(in crate::report) const ERRORS: usize = 3;
/// Test images with masks of their own, besides the mean mask.
const FACES: usize = 5;
/// JPEG quality of the sheet.
const QUALITY: u8 = 85;

const SHEET_FILE: &str = "faces.jpg";
/// Name of the table of errors.
pub(in crate::report) const ERRORS_FILE: &str = "errors.csv";
/// Its name in version 0.1.0.
const FORMER_ERRORS_FILE: &str = "mistakes.csv";
const MASKS_FILE: &str = "masks-over-faces.csv";

/// The choice of examples of one run; the prepared set holds their pixels.
#[derive(Debug, Clone, PartialEq)]
pub struct ExampleFaces {
    pub(in crate::report) summary: RunSummary,
    folder: PathBuf,
    pub(in crate::report) errors: Vec<ErrorRow>,
    /// Masks of the mean face and the first test images; empty if the run wrote none.
    masks: Vec<Maps>,
    /// Names of the test images of the tiles after the first, which is the mean face.
    images: Vec<String>,
}

/// A wrong prediction; a row of `errors.csv`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::report) struct ErrorRow {
    #[serde(deserialize_with = "deserialize_name")]
    variant: String,
    seed: u64,
    attribute: String,
    image: String,
    pub(in crate::report) label: bool,
    /// Predicted probability of the positive label.
    pub(in crate::report) probability: f32,
    /// Index of the face's tile on the sheet.
    pub(in crate::report) tile: usize,
}

/// The examples of one run with their pixels.
pub(in crate::report) struct FaceSheet {
    /// Width and height in pixels.
    pub(in crate::report) size: (u32, u32),
    /// The sheet as JPEG.
    pub(in crate::report) jpeg: Vec<u8>,
    /// The errors of each attribute.
    pub(in crate::report) errors: Vec<Vec<ErrorRow>>,
    /// The masks of the first tiles.
    pub(in crate::report) masks: Vec<Maps>,
    pub(in crate::report) variant: String,
    pub(in crate::report) seed: u64,
}

impl ExampleFaces {
    /// Chooses the examples of the finished run in `folder`, by the predictions of its primary head.
    pub(in crate::report) fn new(
        folder: &Path,
        summary: &RunSummary,
        predictions: &Predictions,
        masks: Option<Masks>,
    ) -> Self {
        let shown = masks.as_ref().map_or(0, |masks| masks.images.len().min(FACES));
        let mut examples = Self {
            errors: Vec::new(),
            masks: masks.map_or_else(Vec::new, |m| std::iter::once(m.mean).chain(m.images).take(1 + shown).collect()),
            images: predictions.images.names[..shown.min(predictions.images.names.len())].to_vec(),
            summary: summary.clone(),
            folder: folder.to_path_buf(),
        };
        for error in most_confident(&predictions.labels, predictions.primary_head().1, ERRORS) {
            let image = &predictions.images.names[error.image];
            let tile = examples.tile(image);
            examples.errors.push(ErrorRow {
                variant: examples.summary.variant.clone(),
                seed: examples.summary.seed,
                attribute: NAMES[error.attribute].to_owned(),
                image: cell(image).into_owned(),
                label: error.label,
                probability: error.probability,
                tile,
            });
        }
        examples
    }

    /// The folder of the run.
    pub fn run(&self) -> &Path {
        &self.folder
    }

    /// The tile of an image, which follows the mean face.
    fn tile(&mut self, image: &str) -> usize {
        let known = self.images.iter().position(|known| known == image);
        1 + known.unwrap_or_else(|| {
            self.images.push(image.to_owned());
            self.images.len() - 1
        })
    }

    /// Names of the test images, whose faces must be [`TILE`] pixels wide.
    pub fn images(&self) -> &[String] {
        &self.images
    }

    /// The run's variant.
    pub fn variant(&self) -> &str {
        &self.summary.variant
    }

    /// Digest of the data that the run was tested on.
    pub fn data_digest(&self) -> &str {
        &self.summary.data_digest
    }

    /// Writes the examples into the results of the report in `folder`. `mean` is the mean face, `faces` are those of
    /// [`ExampleFaces::images`].
    ///
    /// # Errors
    /// Faces of people.
    pub fn write_results(&self, mean: &RgbImage, faces: &[RgbImage], folder: &Path) -> Result<()> {
        if self.summary.dataset != "synthetic" {
            return Err(Error::Internal(format!("faces of {} must not go into a report", self.summary.dataset)));
        }
        let results = folder.join("results");
        io::write(&results.join(SHEET_FILE), &jpeg(&sheet(mean, faces))?)?;
        csv_file::write(&results.join(ERRORS_FILE), self.errors.iter())?;
        if self.masks.is_empty() {
            return io::remove(&results.join(MASKS_FILE));
        }
        let entries = self.masks.iter().enumerate().map(|(tile, maps)| (tile.to_string(), maps));
        WideTable::of_masks(results.join(MASKS_FILE), entries).write()
    }

    /// The examples with their pixels.
    pub(in crate::report) fn sheet(&self, mean: &RgbImage, faces: &[RgbImage]) -> Result<FaceSheet> {
        let sheet = sheet(mean, faces);
        Ok(FaceSheet {
            size: sheet.dimensions(),
            jpeg: jpeg(&sheet)?,
            errors: by_attribute(&self.errors),
            masks: self.masks.clone(),
            variant: self.summary.variant.clone(),
            seed: self.summary.seed,
        })
    }
}

/// Removes the examples from the results below `folder`.
pub(in crate::report) fn remove(folder: &Path) -> Result<()> {
    let files = [SHEET_FILE, ERRORS_FILE, FORMER_ERRORS_FILE, MASKS_FILE];
    files.iter().try_for_each(|file| io::remove(&folder.join("results").join(file)))
}

/// Reads the examples from the results below `folder`, if it holds any.
pub(in crate::report) fn read(folder: &Path) -> Result<Option<FaceSheet>> {
    let results = folder.join("results");
    let path = results.join(SHEET_FILE);
    if !path.is_file() {
        return Ok(None);
    }
    let jpeg = io::read(&path)?;
    let size = image::ImageReader::with_format(std::io::Cursor::new(&jpeg), image::ImageFormat::Jpeg)
        .into_dimensions()
        .map_err(|e| Error::file(&path, format!("is not a JPEG image: {e}; run `gal-bench evaluate` again")))?;
    let former = results.join(FORMER_ERRORS_FILE);
    let errors: Vec<ErrorRow> = csv_file::read(&if former.is_file() { former } else { results.join(ERRORS_FILE) })?;
    let Some(first) = errors.first() else { return Ok(None) };
    let masks = results.join(MASKS_FILE);
    Ok(Some(FaceSheet {
        size,
        variant: first.variant.clone(),
        seed: first.seed,
        masks: if masks.is_file() { WideTable::read(&masks)?.masks()? } else { Vec::new() },
        errors: by_attribute(&errors),
        jpeg,
    }))
}

fn by_attribute(errors: &[ErrorRow]) -> Vec<Vec<ErrorRow>> {
    let mut found = vec![Vec::new(); COUNT];
    for error in errors {
        if let Some(i) = index(&error.attribute) {
            found[i].push(error.clone());
        }
    }
    found
}

/// All faces in one image, row by row, the mean face first.
fn sheet(mean: &RgbImage, faces: &[RgbImage]) -> RgbImage {
    let count = faces.len() as u32 + 1;
    let mut sheet = RgbImage::new(COLUMNS.min(count) * TILE, count.div_ceil(COLUMNS) * TILE);
    for (tile, face) in (0..).zip(std::iter::once(mean).chain(faces)) {
        let (x, y) = (tile % COLUMNS * TILE, tile / COLUMNS * TILE);
        imageops::replace(&mut sheet, face, x.into(), y.into());
    }
    sheet
}

fn jpeg(sheet: &RgbImage) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, QUALITY)
        .encode_image(sheet)
        .map_err(|e| Error::Internal(format!("a sheet of faces cannot be encoded: {e}")))?;
    Ok(bytes)
}
