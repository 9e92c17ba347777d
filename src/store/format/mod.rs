//! The forms in which images are stored, one file each behind [`Writer`]; to read them back no form is needed beyond
//! what the manifest says (see [`super::Place`]). A new format is one file here, one variant of [`Format`] and one line
//! in [`writer`].

mod jpeg_folders;
mod npy;
mod virtual_set;
mod webdataset;

use super::items::Item;
use super::prepared::{Options, Shard};
use super::sources::Studio;
use crate::error::Result;
use crate::progress::Bar;
use serde::{Deserialize, Serialize};
use std::path::Path;

pub(super) use npy::HEADER as NPY_HEADER;
pub(super) use npy::header as npy_header;
pub(super) use {jpeg_folders::IMAGES, npy::ARRAY, npy::PROGRESS, npy::UNFINISHED, webdataset::is_shard};

/// How a prepared set holds its images.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// JPEG files: images/SPLIT/SHARD/NAME.jpg, a thousand sources a shard
    #[default]
    Jpeg,
    /// Tar files as `WebDataset` loaders read them: SPLIT-000000.tar, at most a thousand images each
    Webdataset,
    /// One array of bytes, images.npy: [images, size, size, 3] in the manifest's order
    Npy,
    /// No pixels: the manifest says how each image is made, and the trainer makes it
    Virtual,
}

impl Format {
    /// Whether its images are JPEG files, alone or in archives.
    pub(super) fn is_jpeg(self) -> bool {
        matches!(self, Self::Jpeg | Self::Webdataset)
    }
}

/// What is stored of one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stored {
    /// Where its bytes begin in its file.
    pub(super) offset: u64,
    /// How many they are.
    pub(super) bytes: u64,
    /// BLAKE3 of them.
    pub(super) digest: blake3::Hash,
}

/// What is stored of a group of items.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// Of each item, of each copy; of each item nothing where no pixels are stored.
    pub(super) images: Vec<Vec<Stored>>,
    /// The file that holds them all, where it is checked as a whole.
    pub(super) shard: Option<Shard>,
}

/// What all threads share.
pub(super) struct Job<'a> {
    pub(super) studio: Studio<'a>,
    pub(super) options: &'a Options,
    pub(super) bar: &'a Bar,
}

/// One way of storing images.
pub(super) trait Writer: Sync {
    /// Takes away what an earlier run stored of items whose sources have changed since; at least one is given.
    fn forget(&self, changed: &[&Item]) -> Result<()>;
    /// Makes the folder ready.
    fn begin(&self) -> Result<()> {
        Ok(())
    }
    /// The items in groups, each of which is stored by one thread and then never again.
    fn groups<'a>(&self, items: &'a [Item<'a>]) -> Vec<Vec<&'a Item<'a>>> {
        items.iter().map(|item| vec![item]).collect()
    }
    /// Stores a group, or what of it an earlier run has not.
    fn store(&self, group: &[&Item], job: &Job) -> Result<Group>;
    /// Brings to the disk under its final name what is not there yet.
    fn finish(&self, _: &[Item]) -> Result<()> {
        Ok(())
    }
    /// The file of an image below the prepared folder, and its name inside that file.
    fn place(&self, item: &Item, copy: u32) -> (Option<String>, Option<String>);
}

/// The writer of the format that `options` ask for.
pub(super) fn writer(folder: &Path, options: &Options, items: &[Item]) -> Box<dyn Writer> {
    match options.format {
        Format::Jpeg => Box::new(jpeg_folders::JpegFolders::new(folder, items)),
        Format::Webdataset => Box::new(webdataset::WebDataset::new(folder, items)),
        Format::Npy => Box::new(npy::Npy::new(folder, options.size, items)),
        Format::Virtual => Box::new(virtual_set::VirtualSet),
    }
}

/// Items that have the same key, together, in the order of the keys.
fn grouped<'a, K: Ord>(items: &'a [Item<'a>], key: impl Fn(&Item) -> K) -> Vec<Vec<&'a Item<'a>>> {
    let mut groups = std::collections::BTreeMap::<K, Vec<&Item>>::new();
    for item in items {
        groups.entry(key(item)).or_default().push(item);
    }
    groups.into_values().collect()
}
