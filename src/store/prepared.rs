//! What a set is prepared with, and what is said of it when it is done.

use super::balance::{self, MOST, Rate};
use super::format::Format;
use super::items::Item;
use crate::augment::Pipeline;
use crate::dataset::{Dataset, Row, Split};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The form of the folder and the bytes of its images; to be raised whenever either changes.
pub(super) const VERSION: u32 = 2;

/// How a set is prepared.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Side of the stored images in pixels.
    pub size: u32,
    /// At least this many training images: the least number of copies of each that gives them.
    pub expand: Option<usize>,
    /// This many copies of each training image, the undistorted one included; not together with `expand`.
    pub copies: Option<usize>,
    /// As many images as `expand` or `copies` ask for, but more of those that carry rare attributes.
    pub balance: bool,
    /// How the images are stored.
    pub format: Format,
    /// Decides every distortion.
    pub seed: u64,
    /// The distortions.
    pub pipeline: Pipeline,
    /// Quality of the stored JPEG files, 1 to 100.
    pub quality: u8,
    /// Throw away what an earlier preparation left in the folder.
    pub force: bool,
    /// Wait for another process that prepares the folder, where it would be an error otherwise.
    pub wait: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            size: 256,
            expand: None,
            copies: None,
            balance: false,
            format: Format::default(),
            seed: 0,
            pipeline: Pipeline::default(),
            quality: 95,
            force: false,
            wait: false,
        }
    }
}

impl Options {
    /// Images to make of each row of the table.
    pub(super) fn copies(&self, rows: &[Row]) -> Result<Vec<u32>> {
        let refuse = |message: String| Err(Error::Request(message));
        let sources = rows.iter().filter(|row| row.split == Split::Train).count();
        let each = match (self.expand, self.copies) {
            (Some(_), Some(_)) => return refuse("--expand and --copies exclude each other: give one".to_owned()),
            (None, Some(0)) => return refuse("--copies is 0, expected at least 1, the undistorted one".to_owned()),
            (None, copies) => copies.unwrap_or(1),
            (Some(least), None) => least.div_ceil(sources.max(1)).max(1),
        };
        if each > 10_000 {
            return refuse(format!("{each} copies of each training image, expected at most 10000"));
        }
        if !(1..=4096).contains(&self.size) {
            return refuse(format!("--size is {}, expected 1 to 4096 pixels", self.size));
        }
        if !(1..=100).contains(&self.quality) {
            return refuse(format!("--quality is {}, expected 1 to 100", self.quality));
        }
        if !self.balance {
            return Ok(rows.iter().map(|row| if row.split == Split::Train { each as u32 } else { 1 }).collect());
        }
        let total = self.expand.unwrap_or(each * sources);
        if total <= sources {
            return refuse(format!(
                "--balance has nothing to give to the {sources} training images: ask for more of them with --expand or \
                 --copies (no image gets more than {MOST} times the mean)"
            ));
        }
        Ok(balance::balanced(rows, total))
    }
}

/// A prepared set, as `prepared.json` describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// How the images are stored.
    pub format: Format,
    /// Quality of the stored JPEG files, where the format has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<u8>,
    /// Where a virtual set finds its sources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// Images of each training image, the undistorted one included; the most of any where they are balanced.
    pub copies: u32,
    /// What balancing did to the rates of the attributes, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balance: Option<Vec<Rate>>,
    /// The distortions, as TOML.
    pub pipeline: String,
    /// BLAKE3 of `pipeline`.
    pub pipeline_digest: String,
    /// BLAKE3 over the options and every source with its labels, its split and the content of its file.
    pub input_digest: String,
    /// The training images.
    pub train: Counts,
    /// The validation images.
    pub val: Counts,
    /// The test images.
    pub test: Counts,
    /// BLAKE3 of `manifest.parquet`, which in turn holds that of every image.
    pub manifest_digest: String,
    /// The tar files of a `WebDataset`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shards: Vec<Shard>,
    /// The form of the folder.
    pub version: u32,
}

/// How many images of one split.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Images of the data set.
    pub sources: usize,
    /// Images of the prepared set.
    pub stored: usize,
}

/// Where a virtual set finds its sources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Below this folder.
    Folder(PathBuf),
    /// The synthetic faces of this seed.
    Synthetic(u64),
}

/// A file that holds many images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// Its path below the prepared folder.
    pub file: String,
    /// Its length.
    pub bytes: u64,
    /// BLAKE3 of all of it.
    pub digest: String,
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

/// BLAKE3 over everything that decides what the folder will hold, but for the images themselves.
pub(super) fn digest(dataset: &Dataset, options: &Options, items: &[Item]) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    let mut add = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    for number in [VERSION.into(), options.format as u64, options.size.into(), options.seed, options.quality.into()] {
        add(&u64::to_le_bytes(number));
    }
    add(options.pipeline.to_toml()?.as_bytes());
    add(dataset.name.label().as_bytes());
    add(&[u8::from(dataset.partition.official), u8::from(options.balance)]);
    add(dataset.partition.description.as_bytes());
    dataset.notes.iter().for_each(|note| add(note.as_bytes()));
    for item in items {
        add(item.face.source.as_bytes());
        add(item.face.split.label().as_bytes());
        add(item.face.identity.unwrap_or("\0").as_bytes());
        add(&item.face.labels.map(u8::from));
        add(&item.copies.to_le_bytes());
    }
    Ok(hasher.finalize().to_hex().to_string())
}
