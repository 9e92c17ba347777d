//! Train, val and test, and their spelling in partition files.

use serde::{Deserialize, Serialize};

/// The part of the experiment an image belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// Images that the optimizer is given.
    Train,
    /// Images held out for choices during development.
    Val,
    /// Images held out for reported results.
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

    /// Parses a value of a partition file: a split's name in any case, or CelebA's code.
    ///
    /// ```
    /// use gal_bench::dataset::Split;
    /// assert_eq!(Split::parse("test"), Some(Split::Test));
    /// assert_eq!(Split::parse("Training"), Some(Split::Train));
    /// assert_eq!(Split::parse("1"), Some(Split::Val));
    /// assert_eq!(Split::parse("3"), None);
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        match &*text.trim().to_ascii_lowercase() {
            "train" | "training" | "trn" | "0" | "0.0" => Some(Self::Train),
            "val" | "valid" | "validation" | "dev" | "development" | "1" | "1.0" => Some(Self::Val),
            "test" | "testing" | "tst" | "2" | "2.0" => Some(Self::Test),
            _ => None,
        }
    }
}
