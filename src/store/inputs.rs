//! Digests of everything that decides a folder's content, `inputs.json`.

use super::items::SourceItem;
use super::layout::INPUTS;
use super::options::Options;
use super::prepared::VERSION;
use crate::dataset::Dataset;
use crate::error::Result;
use crate::io;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The inputs of a set.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Inputs {
    /// BLAKE3 of the options and the table.
    pub(super) digest: String,
    /// BLAKE3 of each image file in the table's order, in hexadecimal; empty if the images are synthetic.
    pub(super) sources: Vec<String>,
}

impl Inputs {
    /// `turned` is the number of images that their EXIF orientation turns.
    pub(super) fn new(dataset: &Dataset, options: &Options, items: &[SourceItem], turned: usize) -> Result<Self> {
        let sources = items.iter().filter_map(|item| item.digest).map(|digest| digest.to_hex().to_string());
        Ok(Self { digest: table_digest(dataset, options, items, turned)?, sources: sources.collect() })
    }

    /// Reads the inputs of the set in `folder`; `None` without their file.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>> {
        let expected = "a list of digests of a prepared set's inputs (prepare the set again with --force)";
        io::read_json_if_exists(&folder.join(INPUTS), expected)
    }

    /// One digest of all inputs.
    pub(super) fn whole_digest(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.digest.as_bytes());
        self.sources.iter().for_each(|digest| {
            hasher.update(digest.as_bytes());
        });
        hasher.finalize().to_hex().to_string()
    }

    /// Indices of the sources whose files differ from those of `earlier`.
    pub(super) fn changed_since(&self, earlier: &Self) -> Vec<usize> {
        let digests = earlier.sources.iter().zip(&self.sources).enumerate();
        digests.filter(|(_, (before, now))| before != now).map(|(row, _)| row).collect()
    }
}

/// BLAKE3 of the options and the table. Each part is preceded by its length, so that no two inputs give the same bytes.
fn table_digest(dataset: &Dataset, options: &Options, items: &[SourceItem], turned: usize) -> Result<String> {
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
    // Earlier versions did not turn images: their sets of such images are others.
    if turned > 0 {
        add(b"upright");
    }
    for item in items {
        add(item.annotation.source.as_bytes());
        add(item.annotation.split.label().as_bytes());
        add(item.annotation.identity.unwrap_or("\0").as_bytes());
        add(&item.annotation.labels.map(|label| label.map_or(2, u8::from)));
        add(&item.copies.to_le_bytes());
    }
    Ok(hasher.finalize().to_hex().to_string())
}
