//! The source images of a set. All files are hashed before the first image is stored, and verified against that digest
//! whenever one is read.

use super::items::SourceItem;
use super::layout::is_below;
use crate::augment::{Pipeline, Plan, Source};
use crate::dataset::Images;
use crate::error::{Error, Result};
use crate::io;
use crate::progress::Progress;
use image::RgbImage;
use image::metadata::Orientation;
use rayon::prelude::*;

/// Hashes the file of every item, unless images are synthetic, and counts those that their EXIF orientation turns.
/// Reading all files is a small part of the time to decode them, and shows missing files before hours are spent on the
/// first ones.
pub(super) fn hash_files(images: &Images, items: &mut [SourceItem], progress: &Progress) -> Result<usize> {
    let Images::Folder(root) = images else { return Ok(0) };
    if let Some(item) = items.iter().find(|item| !is_below(item.annotation.source)) {
        return Err(Error::Request(format!(
            "the image name {:?} does not name a file below the image folder",
            item.annotation.source
        )));
    }
    let file = |item: &SourceItem| root.join(item.annotation.source);
    let missing: Vec<&SourceItem> = items.par_iter().filter(|item| !file(item).is_file()).collect();
    if let Some(first) = missing.first() {
        let more = match missing.len() - 1 {
            0 => String::new(),
            count => format!(", and so are {count} more"),
        };
        return Err(Error::file(
            file(first),
            format!("is missing, though the annotation names it{more}: unpack the images below {}", root.display()),
        ));
    }
    let bar = progress.bar("Reading", "source images", items.len());
    let hash = |item: &mut SourceItem| {
        let bytes = io::read(&file(item))?;
        item.digest = Some(blake3::hash(&bytes));
        bar.advance(1);
        Ok(usize::from(io::orientation(&bytes) != Orientation::NoTransforms))
    };
    let turned = items.par_iter_mut().map(hash).try_reduce(|| 0, |a, b| Ok(a + b));
    bar.finish();
    turned
}

/// Renders the copies of source images: those that are stored, and those of a virtual set when they are read.
pub(super) struct CopyRenderer<'a> {
    pub(super) images: &'a Images,
    pub(super) pipeline: &'a Pipeline,
    pub(super) seed: u64,
    /// Side of the copies in pixels.
    pub(super) size: u32,
}

impl CopyRenderer<'_> {
    /// Loads `source`, row `row` of the data set, for any number of copies.
    ///
    /// # Errors
    /// The file cannot be read or decoded, or its digest is not `digest`.
    pub(super) fn open(&self, row: usize, source: &str, digest: Option<blake3::Hash>) -> Result<Source> {
        let image = load(self.images, row, source, digest)?;
        Ok(Source::new(image, self.size).with_interpolation(self.pipeline.interpolation))
    }

    /// The distortions of a copy.
    pub(super) fn plan(&self, source: &str, copy: u32) -> Plan {
        self.pipeline.plan(self.seed, source, copy)
    }
}

/// Loads a source image; see [`CopyRenderer::open`].
pub(super) fn load(images: &Images, row: usize, source: &str, digest: Option<blake3::Hash>) -> Result<RgbImage> {
    match images {
        Images::Folder(root) => {
            let path = root.join(source);
            let bytes = io::read(&path)?;
            if digest != Some(blake3::hash(&bytes)) {
                return Err(Error::file(
                    path,
                    "has changed since the set was prepared from it: restore the file, or prepare the set again with \
                     --force",
                ));
            }
            io::decode_image(&bytes, &path)
        }
        Images::Synthetic(renderer) => Ok(renderer.render(row)),
    }
}
