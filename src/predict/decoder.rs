//! Decodes image files and preprocesses them like the test split.

use crate::attribute::{COUNT, ImageLabels};
use crate::error::{Error, Result};
use crate::io;
use crate::progress::Progress;
use crate::store::{self, Preprocessing};
use crate::train::{Batch, DataLoader, ImageCache, LabelledImages, TrainedModel};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

/// Image files for a data loader, which does not use their labels.
pub(super) struct ImageFiles<'a> {
    paths: &'a [PathBuf],
    preprocessing: Preprocessing,
}

impl LabelledImages for ImageFiles<'_> {
    fn labels(&self, _row: usize) -> &ImageLabels {
        &[None; COUNT]
    }

    fn pixels(&self, row: usize, side: usize) -> Result<Vec<u8>> {
        let path = &self.paths[row];
        Ok(store::resized(self.preprocessing.apply(io::decode_image(&io::read(path)?, path)?, path)?, side))
    }
}

/// Center crops of images.
pub(super) struct Views {
    /// The images.
    pub(super) plain: Batch,
    /// Their mirror images, if probabilities are averaged over both.
    pub(super) mirrored: Option<Batch>,
}

/// A batch of decoded image files.
pub(super) struct DecodedBatch {
    /// The images; `None` if none of them can be read.
    pub(super) views: Option<Views>,
    /// All files, each with the error of one that cannot be read.
    pub(super) files: Vec<(PathBuf, Option<Error>)>,
}

/// Decodes images for a network.
#[derive(Clone, Copy)]
pub(super) struct Decoder<'a> {
    /// The network.
    pub(super) model: &'a TrainedModel,
    /// Images of a batch, as in the test.
    pub(super) batch_size: usize,
}

impl Decoder<'_> {
    /// The files `paths` with the network's preprocessing.
    pub(super) fn files(self, paths: &[PathBuf]) -> ImageFiles<'_> {
        ImageFiles { paths, preprocessing: self.model.preprocessing }
    }

    /// The images that can be read, and the index and error of each of the others.
    pub(super) fn read<'a>(
        self,
        files: &'a ImageFiles,
        title: &str,
        progress: &Progress,
    ) -> Result<(ImageCache<'a>, Vec<(usize, Error)>)> {
        let rows: Vec<usize> = (0..files.paths.len()).collect();
        ImageCache::readable(files, &rows, self.model.config.profile.images.resize, title, progress)
    }

    /// The batch of the images `range`.
    pub(super) fn views(self, images: &ImageCache, range: Range<usize>) -> Result<Views> {
        let (profile, batch_size) = (&self.model.config.profile, self.batch_size);
        let (input_size, policy) = (profile.network.input_size, &profile.images);
        let loader = DataLoader { images, input_size, policy, batch_size, local: 0..batch_size, seed: 0 };
        let mirrored = profile.evaluation.mirror.then(|| loader.center_crop_batch(range.clone(), true)).transpose()?;
        Ok(Views { plain: loader.center_crop_batch(range, false)?, mirrored })
    }

    /// The batch of the files `paths`.
    pub(super) fn decode(self, paths: Vec<PathBuf>) -> Result<DecodedBatch> {
        let files = self.files(&paths);
        let (images, unreadable) = self.read(&files, "", &Progress::new(true))?;
        let views = (!images.is_empty()).then(|| self.views(&images, 0..images.len())).transpose()?;
        let mut errors: BTreeMap<usize, Error> = unreadable.into_iter().collect();
        let files = paths.into_iter().enumerate().map(|(row, path)| (path, errors.remove(&row))).collect();
        Ok(DecodedBatch { views, files })
    }
}
