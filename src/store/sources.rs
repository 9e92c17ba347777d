//! The images that a set is prepared from: found and fingerprinted before the first is stored, and known again by that
//! fingerprint whenever one is read.

use super::items::Item;
use super::jpeg;
use crate::augment::{Pipeline, Plan, Source};
use crate::dataset::Images;
use crate::error::{Error, Result};
use crate::io;
use crate::progress::Progress;
use image::RgbImage;
use rayon::prelude::*;
use std::path::{Component, Path};

/// Notes the digest of every item's file, where there are files. Reading them all costs a small part of decoding them,
/// and that all are there is known before hours are spent on the first.
pub(super) fn fingerprint(images: &Images, items: &mut [Item], progress: &Progress) -> Result<()> {
    let Images::Folder(root) = images else { return Ok(()) };
    if let Some(item) = items.iter().find(|item| !is_below(item.face.source)) {
        return Err(Error::Request(format!(
            "the image name {:?} does not name a file below the image folder",
            item.face.source
        )));
    }
    let missing: Vec<&Item> = items.par_iter().filter(|item| !root.join(item.face.source).is_file()).collect();
    if let Some(first) = missing.first() {
        let more = match missing.len() - 1 {
            0 => String::new(),
            count => format!(", and so are {count} more"),
        };
        return Err(Error::file(
            root.join(first.face.source),
            format!("is missing, though the annotation names it{more}: unpack the images below {}", root.display()),
        ));
    }
    let bar = progress.bar("read", "source images", items.len());
    let read = items.par_iter_mut().try_for_each(|item| {
        item.digest = Some(blake3::hash(&io::read(&root.join(item.face.source))?));
        bar.advance(1);
        Ok(())
    });
    bar.finish();
    read
}

fn is_below(source: &str) -> bool {
    !source.is_empty() && Path::new(source).components().all(|part| matches!(part, Component::Normal(_)))
}

/// Makes images from sources: what is stored, and what a virtual set shows, is drawn here.
pub(super) struct Studio<'a> {
    pub(super) images: &'a Images,
    pub(super) pipeline: &'a Pipeline,
    pub(super) seed: u64,
    /// Side of the images in pixels.
    pub(super) size: u32,
}

impl Studio<'_> {
    /// The source `source`, which is row `row` of the data set, ready for any number of copies.
    ///
    /// # Errors
    /// The file cannot be read or decoded, or is not the one with `digest`.
    pub(super) fn open(&self, row: usize, source: &str, digest: Option<blake3::Hash>) -> Result<Source> {
        let picture = load(self.images, row, source, digest)?;
        Ok(Source::new(picture, self.size).sampled_by(self.pipeline.sampling))
    }

    /// What is done to a copy.
    pub(super) fn plan(&self, source: &str, copy: u32) -> Plan {
        self.pipeline.plan(self.seed, source, copy)
    }
}

/// The picture of a source; see [`Studio::open`].
pub(super) fn load(images: &Images, row: usize, source: &str, digest: Option<blake3::Hash>) -> Result<RgbImage> {
    match images {
        Images::Folder(root) => {
            let path = root.join(source);
            let bytes = io::read(&path)?;
            if digest != Some(blake3::hash(&bytes)) {
                return Err(Error::file(
                    path,
                    "has changed since the set was prepared from it: put the file back, or prepare the set again with \
                     --force",
                ));
            }
            jpeg::decode(&bytes, &path)
        }
        Images::Synthetic(renderer) => Ok(renderer.render(row)),
    }
}
