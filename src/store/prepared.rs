//! What a set is prepared with, and what is said of it when it is done.

use crate::augment::Pipeline;
use crate::dataset::{Dataset, Split};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// The form of the folder and the bytes of its images; to be raised whenever either changes.
pub(super) const VERSION: u32 = 1;

/// How a set is prepared.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Side of the stored images in pixels.
    pub size: u32,
    /// At least this many training images: the least number of copies of each that gives them.
    pub expand: Option<usize>,
    /// This many copies of each training image, the undistorted one included; not together with `expand`.
    pub copies: Option<usize>,
    /// Decides every distortion.
    pub seed: u64,
    /// The distortions.
    pub pipeline: Pipeline,
    /// Quality of the stored JPEG files, 1 to 100.
    pub quality: u8,
    /// Throw away what an earlier preparation left in the folder.
    pub force: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            size: 256,
            expand: None,
            copies: None,
            seed: 0,
            pipeline: Pipeline::default(),
            quality: 95,
            force: false,
        }
    }
}

impl Options {
    /// Copies of each of `sources` training images.
    pub(super) fn copies(&self, sources: usize) -> Result<u32> {
        let refuse = |message: String| Err(Error::Request(message));
        let copies = match (self.expand, self.copies) {
            (Some(_), Some(_)) => return refuse("--expand and --copies exclude each other: give one".to_owned()),
            (None, Some(0)) => return refuse("--copies is 0, expected at least 1, the undistorted one".to_owned()),
            (None, copies) => copies.unwrap_or(1),
            (Some(least), None) => least.div_ceil(sources.max(1)).max(1),
        };
        if copies > 10_000 {
            return refuse(format!("{copies} copies of each training image, expected at most 10000"));
        }
        if !(1..=4096).contains(&self.size) {
            return refuse(format!("--size is {}, expected 1 to 4096 pixels", self.size));
        }
        if !(1..=100).contains(&self.quality) {
            return refuse(format!("--quality is {}, expected 1 to 100", self.quality));
        }
        Ok(copies as u32)
    }
}

/// A prepared set, as `prepared.json` describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prepared {
    /// The data set's name.
    pub dataset: String,
    /// Whether its partition is the official one.
    pub split_official: bool,
    /// Whose partition it is, as a sentence.
    pub split: String,
    /// What a reader of the report should know of the annotations.
    pub notes: Vec<String>,
    /// Decided every distortion.
    pub seed: u64,
    /// Side of the stored images in pixels.
    pub size: u32,
    /// Quality of the stored JPEG files.
    pub quality: u8,
    /// Stored images of each training image, the undistorted one included.
    pub copies: u32,
    /// The distortions, as TOML.
    pub pipeline: String,
    /// BLAKE3 of `pipeline`.
    pub pipeline_digest: String,
    /// BLAKE3 over the options and every source with its labels, its split and the size of its file.
    pub input_digest: String,
    /// The training images.
    pub train: Counts,
    /// The validation images.
    pub val: Counts,
    /// The test images.
    pub test: Counts,
    /// BLAKE3 of `manifest.parquet`, which in turn holds that of every image.
    pub manifest_digest: String,
    /// The form of the folder.
    pub version: u32,
}

/// How many images of one split.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Images of the data set.
    pub sources: usize,
    /// Images in the folder.
    pub stored: usize,
}

impl Prepared {
    /// How many images of `split`.
    pub fn counts(&self, split: Split) -> Counts {
        match split {
            Split::Train => self.train,
            Split::Val => self.val,
            Split::Test => self.test,
        }
    }
}

/// BLAKE3 over everything that decides what the folder will hold, but for the images themselves: reading them all
/// would take as long as preparing them.
pub(super) fn digest(dataset: &Dataset, options: &Options, copies: u32) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    let mut add = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    for number in [VERSION.into(), options.size.into(), copies.into(), options.seed, options.quality.into()] {
        add(&u64::to_le_bytes(number));
    }
    add(options.pipeline.to_toml()?.as_bytes());
    add(dataset.name.label().as_bytes());
    add(&[u8::from(dataset.partition.official)]);
    add(dataset.partition.description.as_bytes());
    dataset.notes.iter().for_each(|note| add(note.as_bytes()));
    for name in ["source", "split", "identity"] {
        add(name.as_bytes());
        for value in dataset.table.column(name)?.str()?.iter() {
            add(value.unwrap_or("\0").as_bytes());
        }
    }
    for name in crate::attribute::NAMES {
        let labels: Vec<u8> =
            dataset.table.column(name)?.bool()?.iter().map(|label| label.map_or(2, u8::from)).collect();
        add(&labels);
    }
    Ok(hasher.finalize().to_hex().to_string())
}
