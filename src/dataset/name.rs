//! The data sets that the suite reads, and their spelling.

use serde::{Deserialize, Serialize};

/// A data set that the suite reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum DatasetName {
    /// CelebA, 202,599 aligned faces (Liu et al. 2015).
    Celeba,
    /// LFW with CelebA's attributes, 13,143 faces (Liu et al. 2015).
    Lfwa,
    /// Faces drawn by this program.
    Synthetic,
    /// Faces of a table of the user.
    Table,
}

impl DatasetName {
    /// The spelling on the command line and in file names.
    pub fn label(self) -> &'static str {
        match self {
            Self::Celeba => "celeba",
            Self::Lfwa => "lfwa",
            Self::Synthetic => "synthetic",
            Self::Table => "table",
        }
    }

    /// The name in print.
    pub fn title(self) -> &'static str {
        match self {
            Self::Celeba => "CelebA",
            Self::Lfwa => "LFWA",
            Self::Synthetic => "synthetic faces",
            Self::Table => "faces of a user's table",
        }
    }

    /// Width and height of its images as its authors publish them; of synthetic faces as they are drawn.
    pub(super) fn image_size(self) -> (u32, u32) {
        match self {
            Self::Celeba => (178, 218),
            Self::Lfwa => (250, 250),
            Self::Synthetic => (crate::synthetic::SIZE, crate::synthetic::SIZE),
            // No image is smaller than that.
            Self::Table => (0, 0),
        }
    }

    /// The data set spelled `label`; `None` if there is none.
    pub fn parse(label: &str) -> Option<Self> {
        [Self::Celeba, Self::Lfwa, Self::Synthetic, Self::Table].into_iter().find(|name| name.label() == label)
    }
}
