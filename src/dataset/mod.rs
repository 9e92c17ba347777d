//! Stage 1a: annotation files become one typed table, whatever form they came in. One file a source; each gives the
//! same [`Dataset`].

use polars::frame::DataFrame;
use serde::{Deserialize, Serialize};

/// The data sets the suite knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Name {
    /// CelebA, 202,599 aligned faces (Liu et al. 2015).
    Celeba,
    /// LFW with CelebA's attributes, 13,143 faces (Liu et al. 2015).
    Lfwa,
    /// Faces drawn by this program.
    Synthetic,
}

impl Name {
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

/// Who made the partition into training and test images, which decides what a figure may be compared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// The file's digest is that of the official partition.
    pub official: bool,
    /// One sentence for the report.
    pub description: String,
}

/// An annotated data set.
#[derive(Debug)]
pub struct Dataset {
    /// Which one.
    pub name: Name,
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

/// Where the pixels of a data set come from.
#[derive(Debug)]
pub enum Images {
    /// JPEG files below a folder, named by the table's `source`.
    Folder(std::path::PathBuf),
    /// Drawn on demand, a pure function of the row.
    Synthetic(synthetic::Renderer),
}

pub mod synthetic;
