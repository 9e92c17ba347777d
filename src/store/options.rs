//! How a set is prepared.

use super::balance::{self, MAX_COPIES_RATIO};
use crate::augment::Pipeline;
use crate::dataset::{Row, Split};
use crate::error::{Error, Result};
use clap::ValueEnum as _;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How a prepared set stores its images.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// JPEG files: images/SPLIT/SHARD/NAME.jpg, a thousand sources a shard
    #[default]
    Jpeg,
    /// Tar files as WebDataset loaders read them: SPLIT-000000.tar, at most a thousand images each
    Webdataset,
    /// One array of bytes, images.npy: [images, size, size, 3] in the manifest's order
    Npy,
    /// No pixels: the trainer renders each image from its source and the operations in the manifest
    Virtual,
}

/// Largest side of stored images in pixels.
pub(super) const MAX_SIZE: u32 = 4096;

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let value = self.to_possible_value().ok_or(fmt::Error)?;
        f.write_str(value.get_name())
    }
}

impl Format {
    /// True if images are stored as JPEG, in files or in archives.
    pub(super) fn is_jpeg(self) -> bool {
        matches!(self, Self::Jpeg | Self::Webdataset)
    }
}

/// How a set is prepared.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Side of the stored images in pixels.
    pub size: u32,
    /// Minimum number of training images: each is copied equally often, as few times as reach it.
    pub expand: Option<usize>,
    /// Copies of each training image, the undistorted one included; excludes `expand`.
    pub copies: Option<usize>,
    /// Makes more copies of images with rare attributes; the total follows from `expand` or `copies`.
    pub balance: bool,
    /// How the images are stored.
    pub format: Format,
    /// Seed of every distortion.
    pub seed: u64,
    /// The distortions.
    pub pipeline: Pipeline,
    /// Quality of stored JPEG images, 1 to 100.
    pub quality: u8,
    /// Removes what an earlier preparation left in the folder.
    pub force: bool,
    /// Waits for another process that prepares the folder; otherwise that is an error.
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
    /// Number of images to make of each row of the table.
    pub(super) fn copies(&self, rows: &[Row]) -> Result<Vec<u32>> {
        let sources = rows.iter().filter(|row| row.split == Split::Train).count();
        let each = self.copies_of_each(sources)?;
        if !(1..=MAX_SIZE).contains(&self.size) {
            return Err(Error::Request(format!("--size is {}, expected 1 to {MAX_SIZE} pixels", self.size)));
        }
        if !(1..=100).contains(&self.quality) {
            return Err(Error::Request(format!("--quality is {}, expected 1 to 100", self.quality)));
        }
        if !self.balance {
            return Ok(rows.iter().map(|row| if row.split == Split::Train { each as u32 } else { 1 }).collect());
        }
        let total = self.expand.unwrap_or(each * sources);
        if total <= sources {
            return Err(Error::Request(format!(
                "--balance needs more images than the {sources} training sources: ask for more with --expand or \
                 --copies (no image gets more than {MAX_COPIES_RATIO} times the mean)"
            )));
        }
        Ok(balance::balanced(rows, total))
    }

    fn copies_of_each(&self, sources: usize) -> Result<usize> {
        let refuse = |message: &str| Err(Error::Request(message.to_owned()));
        let each = match (self.expand, self.copies) {
            (Some(_), Some(_)) => return refuse("--expand and --copies exclude each other: give one"),
            (None, Some(0)) => return refuse("--copies is 0, expected at least 1, the undistorted one"),
            (None, copies) => copies.unwrap_or(1),
            (Some(total), None) => total.div_ceil(sources.max(1)).max(1),
        };
        if each > 10_000 {
            return refuse(&format!("{each} copies of each training image, expected at most 10000"));
        }
        Ok(each)
    }
}
