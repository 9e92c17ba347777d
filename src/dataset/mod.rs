//! Stage 1a: annotation files become one typed table, whatever form they came in. One file a source ([`celeba`],
//! [`lfwa`], [`synthetic`]); each gives the same [`Dataset`]. What they share: [`table`] makes and reads the table,
//! `annotation` holds rows on their way there, `text`, `delimited` and `matlab` read one file form each, `layout` finds
//! files and images, `join` puts labels, partition, identities and images together.

use crate::attribute::COUNT;
use crate::error::{Error, Result};
use polars::frame::DataFrame;
use serde::{Deserialize, Serialize};

mod annotation;
pub mod celeba;
mod checksums;
mod delimited;
#[doc(hidden)]
pub mod fuzzing;
mod join;
mod layout;
pub mod lfwa;
mod matlab;
pub mod synthetic;
pub mod table;
mod text;

pub use table::Row;

/// The data sets the suite knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum DatasetName {
    /// CelebA, 202,599 aligned faces (Liu et al. 2015).
    Celeba,
    /// LFW with CelebA's attributes, 13,143 faces (Liu et al. 2015).
    Lfwa,
    /// Faces drawn by this program.
    Synthetic,
}

impl DatasetName {
    /// As the command line and file names spell it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Celeba => "celeba",
            Self::Lfwa => "lfwa",
            Self::Synthetic => "synthetic",
        }
    }

    /// The data set spelled `label`.
    pub fn parse(label: &str) -> Option<Self> {
        [Self::Celeba, Self::Lfwa, Self::Synthetic].into_iter().find(|name| name.label() == label)
    }
}

/// The part of the experiment an image belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// Seen by the optimizer.
    Train,
    /// Held out for choices made during development.
    Val,
    /// Held out for the figures reported.
    Test,
}

impl Split {
    /// Every split, in the order of CelebA's codes 0, 1 and 2.
    pub const ALL: [Self; 3] = [Self::Train, Self::Val, Self::Test];

    /// The value in the `split` column.
    pub fn label(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
        }
    }

    /// The split that a partition file means by `text`: a name, or CelebA's code.
    ///
    /// ```
    /// use gal_bench::dataset::Split;
    /// assert_eq!(Split::parse("test"), Some(Split::Test));
    /// assert_eq!(Split::parse("1"), Some(Split::Val));
    /// assert_eq!(Split::parse("3"), None);
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "train" | "0" => Some(Self::Train),
            "val" | "valid" | "validation" | "1" => Some(Self::Val),
            "test" | "2" => Some(Self::Test),
            _ => None,
        }
    }
}

/// How annotation files are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Keep only the annotated images that exist, and say so in the partition and the notes. Otherwise an annotated
    /// image without a file is an error.
    pub subset: bool,
}

/// Who made the partition into training and test images, which decides what a figure may be compared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// Every image of the official partition is there, where that partition puts it: its digest was recognised.
    pub official: bool,
    /// One sentence for the report.
    pub description: String,
}

/// An annotated data set.
#[derive(Debug)]
pub struct Dataset {
    /// Which one.
    pub name: DatasetName,
    /// One row an image, in the order of the annotation: `source` (String, unique: the image's path below the image
    /// folder with forward slashes), `split` (String: `train`, `val`, `test`), `identity` (String, null where not
    /// known), then the 40 Boolean attribute columns in the order of [`crate::attribute::NAMES`].
    pub table: DataFrame,
    /// Where the pixels come from.
    pub images: Images,
    /// Whose partition it is.
    pub partition: Partition,
    /// What a reader of the report should know of these annotations: checksums recognised, rows left out.
    pub notes: Vec<String>,
}

impl Dataset {
    /// How many images there are.
    pub fn len(&self) -> usize {
        self.table.height()
    }

    /// There is no image at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every row, in the table's order.
    ///
    /// # Errors
    /// The table is not of the form that [`Dataset::table`] promises.
    pub fn rows(&self) -> Result<Vec<Row<'_>>> {
        table::rows(&self.table)
    }

    /// The images' paths below the image folder, in the table's order.
    ///
    /// # Errors
    /// As [`Dataset::rows`].
    pub fn sources(&self) -> Result<Vec<&str>> {
        table::sources(&self.table)
    }

    /// The labels of one row, in the order of [`crate::attribute::NAMES`]; [`Dataset::rows`] is the way to read many.
    ///
    /// # Errors
    /// As [`Dataset::rows`], or there is no such row.
    pub fn labels(&self, row: usize) -> Result<[bool; COUNT]> {
        let one = self.table.slice(row as i64, 1);
        let labels = table::rows(&one)?.first().map(|found| found.labels);
        labels.ok_or_else(|| Error::Internal(format!("row {row} of a table of {} rows", self.len())))
    }

    /// How many images are in train, val and test.
    ///
    /// # Errors
    /// As [`Dataset::rows`].
    pub fn counts(&self) -> Result<[usize; 3]> {
        table::counts(&self.table)
    }
}

/// What the annotation files of a data set say, without a look at its images; as in [`Dataset`].
#[derive(Debug)]
pub struct Annotations {
    /// As [`Dataset::table`].
    pub table: DataFrame,
    /// As [`Dataset::partition`].
    pub partition: Partition,
    /// As [`Dataset::notes`].
    pub notes: Vec<String>,
}

/// Where the pixels of a data set come from.
#[derive(Debug)]
pub enum Images {
    /// JPEG files below a folder, named by the table's `source`.
    Folder(std::path::PathBuf),
    /// Drawn on demand, a pure function of the row.
    Synthetic(crate::synthetic::Renderer),
}
