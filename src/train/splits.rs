//! The images of a prepared set by split.

use super::image_cache::{ImageCache, LabelledImages};
use super::job::TrainJob;
use crate::attribute::COUNT;
use crate::dataset::Split;
use crate::distributed::ProcessGroup;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::store;

impl LabelledImages for store::Reader {
    fn labels(&self, row: usize) -> &[bool; COUNT] {
        &self.rows[row].labels
    }

    fn pixels(&self, row: usize, side: usize) -> Result<Vec<u8>> {
        self.resized(row, side)
    }
}

/// The images of each split. Only rank 0 has validation and test images.
pub(super) struct Splits<'a> {
    pub(super) train: ImageCache<'a>,
    pub(super) val: ImageCache<'a>,
    pub(super) test: ImageCache<'a>,
}

impl<'a> Splits<'a> {
    pub(super) fn load(job: &TrainJob<'a>, group: &ProcessGroup, progress: &Progress) -> Result<Self> {
        let load = |split: Split, title: &str| {
            let wanted = group.is_main() || split == Split::Train;
            let rows = job.data.rows.iter().enumerate().filter(|(_, row)| wanted && row.split == split);
            let side = job.profile.images.resize;
            ImageCache::new(job.data, rows.map(|(index, _)| index).collect(), side, title, progress)
        };
        let splits = Self {
            train: load(Split::Train, "Decoding training images")?,
            val: load(Split::Val, "Decoding validation images")?,
            test: load(Split::Test, "Decoding test images")?,
        };
        for (name, images) in [("training", &splits.train), ("test", &splits.test)] {
            if images.is_empty() && (group.is_main() || name == "training") {
                return Err(Error::Request(format!("the prepared set holds no {name} images: prepare it again")));
            }
        }
        Ok(splits)
    }
}
