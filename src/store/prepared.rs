//! The description of a finished set, `prepared.json`.

use super::balance::Rate;
use super::layout::{PREPARED, is_image_file};
use super::options::{Format, MAX_SIZE};
use crate::dataset::Split;
use crate::error::{Error, Result};
use crate::io;
use serde::{Deserialize, Serialize};
use std::path::{Component, Path, PathBuf};

/// Version of the folder's layout and of the bytes of its images; raise it whenever either changes.
pub(super) const VERSION: u32 = 2;

/// The advice about a damaged description; ends a message.
const AGAIN: &str = "prepare the set again with --force";

/// A prepared set, as `prepared.json` describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prepared {
    /// The data set's name.
    #[serde(deserialize_with = "crate::untrusted::deserialize_name")]
    pub dataset: String,
    /// True if the partition is the official one.
    pub split_official: bool,
    /// The partition's origin, as a sentence.
    pub split: String,
    /// Share of the training half's people in the validation split; `None` if the split is the data set's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val_split: Option<f64>,
    /// The part of the data set, as a noun phrase. `None` if every image is there at its size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extent: Option<String>,
    /// Remarks on the annotations for readers of the report.
    pub notes: Vec<String>,
    /// Seed of every distortion.
    pub seed: u64,
    /// Side of the stored images in pixels.
    pub size: u32,
    /// How the images are stored.
    pub format: Format,
    /// Quality of stored JPEG images; `None` if the format stores none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<u8>,
    /// The sources of a virtual set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<SourceImages>,
    /// Copies of each training image, the undistorted one included; in a balanced set, the largest number.
    pub copies: u32,
    /// Positive rates before and after balancing; `None` if the set is not balanced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balance: Option<Vec<Rate>>,
    /// The distortions, as TOML.
    pub pipeline: String,
    /// BLAKE3 of `pipeline`.
    pub pipeline_digest: String,
    /// BLAKE3 of the options and of every source: its labels, its split and its file's content.
    pub input_digest: String,
    /// Number of training images.
    pub train: Counts,
    /// Number of validation images.
    pub val: Counts,
    /// Number of test images.
    pub test: Counts,
    /// BLAKE3 of `manifest.parquet`, which holds the digest of every image.
    pub manifest_digest: String,
    /// The tar files of the `WebDataset` format.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shards: Vec<Shard>,
    /// Version of the folder's layout.
    pub version: u32,
}

/// The description in a folder as JSON, which may be of another version; `None` without one.
///
/// # Errors
/// A description that has changed since it was written.
pub(super) fn read_description(folder: &Path) -> Result<Option<serde_json::Value>> {
    let path = folder.join(PREPARED);
    if !path.exists() {
        return Ok(None);
    }
    let bytes = io::read(&path)?;
    if let Some(object) = io::open_sealed(&path, &bytes, AGAIN)? {
        return Ok(Some(object.into()));
    }
    serde_json::from_slice(&bytes).map(Some).map_err(|e| no_description(folder, &e))
}

/// The error of a file that is no description.
pub(super) fn no_description(folder: &Path, error: &serde_json::Error) -> Error {
    Error::file(folder.join(PREPARED), format!("is not a prepared set's description: {error}; {AGAIN}"))
}

/// Number of images of one split.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Images of the data set.
    pub sources: usize,
    /// Images of the prepared set.
    pub stored: usize,
}

/// The images that a virtual set is rendered from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceImages {
    /// Files below this folder.
    Folder(PathBuf),
    /// The synthetic faces of this seed.
    Synthetic(u64),
}

/// A file that holds many images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// Path below the prepared folder.
    pub file: String,
    /// Length of the file.
    pub bytes: u64,
    /// BLAKE3 of the file.
    pub digest: String,
}

impl Prepared {
    /// A sentence on the first value that no set of this program has; `None` if there is none. `rows` is the number of
    /// rows in the manifest.
    pub(super) fn fault(&self, rows: usize) -> Option<String> {
        let images = Split::ALL.iter().try_fold(0_usize, |sum, split| sum.checked_add(self.counts(*split).stored));
        if images != Some(rows) {
            return Some(format!("the manifest has {rows} rows, not one for each stored image"));
        }
        if !(1..=MAX_SIZE).contains(&self.size) {
            return Some(format!("size is {}, expected 1 to {MAX_SIZE}", self.size));
        }
        if let Some(quality) = self.quality.filter(|quality| !(1..=100).contains(quality)) {
            return Some(format!("quality is {quality}, expected 1 to 100"));
        }
        let is_virtual = self.format == Format::Virtual;
        if self.origin.is_some() != is_virtual {
            return Some(format!("origin is {:?} in a set of format {}", self.origin, self.format));
        }
        if let Some(SourceImages::Folder(root)) = &self.origin
            && (root.is_relative() || root.components().any(|part| part == Component::ParentDir))
        {
            return Some(format!("origin.folder is {}, expected an absolute path", root.display()));
        }
        let shard = self.shards.iter().find(|shard| !is_image_file(Format::Webdataset, &shard.file))?;
        Some(format!("shards names {:?}, which is not a shard", shard.file))
    }

    /// Number of images of `split`.
    pub fn counts(&self, split: Split) -> Counts {
        match split {
            Split::Train => self.train,
            Split::Val => self.val,
            Split::Test => self.test,
        }
    }
}
