//! An annotated data set: a typed table, a source of images, and a description of the partition.
//!
//! The digest of a prepared set covers [`Partition::description`] and [`Dataset::notes`]: another wording of these
//! sentences invalidates every prepared set.

use super::name::DatasetName;
use super::table::{self, Row};
use crate::attribute::ImageLabels;
use crate::error::{Error, Result};
use polars::frame::DataFrame;
use serde::{Deserialize, Serialize};

/// How annotation files are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Leave out images without labels, without a split or without a file. The partition and the notes record it. A
    /// missing identity is unknown. Otherwise each is an error.
    pub allow_missing: bool,
}

/// The origin of the split into train, val and test images; results are comparable only on the same partition.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Partition {
    /// The partition's digest is the official one, and no image is missing.
    pub official: bool,
    /// One sentence for the report.
    pub description: String,
    /// Share of the training half's people that [`Dataset::hold_out`] moved to the validation split; `None` if it moved
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val_split: Option<f64>,
    /// The part of the data set, such as "a subset of 30,000 images of 64 x 64 pixels". `None` if every image is there at
    /// its size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extent: Option<String>,
}

/// An annotated data set.
#[derive(Debug)]
pub struct Dataset {
    /// Name of the data set.
    pub name: DatasetName,
    /// One row per image, in the order of the annotation file. Columns:
    /// - `source` (String, unique): path below the image folder, with forward slashes
    /// - `split` (String): `train`, `val` or `test`
    /// - `identity` (String): the person, null if unknown
    /// - 40 Boolean attributes in the order of [`crate::attribute::NAMES`], null if a label is not known
    pub table: DataFrame,
    /// Source of the pixels.
    pub images: Images,
    /// Origin of the splits.
    pub partition: Partition,
    /// Remarks on the annotations for the report: recognised checksums, rows left out.
    pub notes: Vec<String>,
}

impl Dataset {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.table.height()
    }

    /// Returns whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every row, in the table's order.
    ///
    /// # Errors
    /// The table lacks the columns that [`Dataset::table`] documents.
    pub fn rows(&self) -> Result<Vec<Row<'_>>> {
        table::rows(&self.table)
    }

    /// Paths of the images below the image folder, in the table's order.
    ///
    /// # Errors
    /// As [`Dataset::rows`].
    pub fn sources(&self) -> Result<Vec<&str>> {
        table::sources(&self.table)
    }

    /// Labels of one row, in the order of [`crate::attribute::NAMES`]. Use [`Dataset::rows`] to read many.
    ///
    /// # Errors
    /// As [`Dataset::rows`], or there is no such row.
    pub fn labels(&self, row: usize) -> Result<ImageLabels> {
        let one = self.table.slice(row as i64, 1);
        let labels = table::rows(&one)?.first().map(|found| found.labels);
        labels.ok_or_else(|| Error::Internal(format!("row {row} of a table of {} rows", self.len())))
    }

    /// Numbers of images in train, val and test.
    ///
    /// # Errors
    /// As [`Dataset::rows`].
    pub fn counts(&self) -> Result<[usize; 3]> {
        table::counts(&self.table)
    }
}

/// Annotations without images; fields as in [`Dataset`].
#[derive(Debug)]
pub struct Annotations {
    /// As [`Dataset::table`].
    pub table: DataFrame,
    /// As [`Dataset::partition`].
    pub partition: Partition,
    /// As [`Dataset::notes`].
    pub notes: Vec<String>,
}

/// The source of a data set's pixels.
#[derive(Debug)]
pub enum Images {
    /// JPEG or PNG files below a folder, named by the table's `source`.
    Folder(std::path::PathBuf),
    /// Faces rendered on demand, a pure function of the row.
    Synthetic(crate::synthetic::Renderer),
}
