//! The images of a prepared set by split.

use super::image_cache::{ImageCache, LabelledImages};
use super::job::TrainJob;
use super::online::Online;
use crate::attribute::ImageLabels;
use crate::augment::Pipeline;
use crate::dataset::Split;
use crate::distributed::ProcessGroup;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::store;

impl LabelledImages for store::Reader {
    fn labels(&self, row: usize) -> &ImageLabels {
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
        let train = match &job.profile.online {
            None => load(Split::Train, "Decoding training images")?,
            Some(pipeline) => load_undistorted(job, pipeline, progress)?,
        };
        let splits = Self {
            train,
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

/// The undistorted training images, to be distorted anew in every epoch.
fn load_undistorted<'a>(job: &TrainJob<'a>, pipeline: &'a Pipeline, progress: &Progress) -> Result<ImageCache<'a>> {
    let rows: Vec<usize> = (0..job.data.rows.len()).filter(|&row| job.data.rows[row].split == Split::Train).collect();
    let (undistorted, copies): (Vec<usize>, Vec<usize>) =
        rows.into_iter().partition(|&row| job.data.rows[row].copy == 0);
    let unused = match copies.len() {
        0 => String::new(),
        copies => format!("; the {copies} distorted copies of the prepared set are not used"),
    };
    progress.detail(format!("each epoch distorts the {} undistorted training images anew{unused}", undistorted.len()));
    let sources = undistorted.iter().map(|&row| job.data.rows[row].source.as_str()).collect();
    let (stored_side, side) = (job.data.prepared.size, job.profile.images.resize);
    let online = Online { pipeline, sources, stored_side, side };
    let cache = ImageCache::new(job.data, undistorted, online.working_side(), "Decoding training images", progress)?;
    Ok(cache.distorted(online))
}
