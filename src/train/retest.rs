//! Tests of finished runs on other images than their own test split: distorted ones, or those of another data set.

use super::evaluation::SplitPredictions;
use super::image_cache::{ImageCache, LabelledImages};
use super::loader::DataLoader;
use super::online::Online;
use super::summary::positive_rates;
use super::trained_model::TrainedModel;
use crate::attribute::ImageLabels;
use crate::augment::Pipeline;
use crate::config::Retest;
use crate::config::run_dir::{self, PREDICTIONS};
use crate::dataset::Split;
use crate::error::{Error, Result};
use crate::io;
use crate::progress::Progress;
use crate::store::Reader;
use candle_core::Device;
use std::path::Path;

/// Seed of the distortions: all runs are tested on the same images.
const SEED: u64 = 0;

/// Images in a batch.
const BATCH: usize = 64;

/// The images of a test.
#[derive(Debug, Clone, Copy)]
pub struct RetestImages<'a> {
    /// Name of the test, and of its folder.
    pub name: &'a str,
    /// The prepared set whose test split is used.
    pub data: &'a Reader,
    /// Distorts every image; `None` leaves them as they are.
    pub pipeline: Option<&'a Pipeline>,
}

/// The images of a set, each distorted once.
struct Distorted<'a> {
    data: &'a Reader,
    pipeline: &'a Pipeline,
}

impl LabelledImages for Distorted<'_> {
    fn labels(&self, row: usize) -> &ImageLabels {
        self.data.labels(row)
    }

    fn pixels(&self, row: usize, side: usize) -> Result<Vec<u8>> {
        let online =
            Online { pipeline: self.pipeline, sources: Vec::new(), stored_side: self.data.prepared.size, side };
        let plan = self.pipeline.plan(SEED, &self.data.rows[row].source, 1);
        online.render(self.data.pixels(row, online.working_side())?, &plan)
    }
}

/// Tests the finished run in `folder`. Its results are `predictions.parquet` and the record in the folder that
/// [`Retest::folder`] names. An equal test that was made before is kept.
///
/// # Errors
/// A run that is not finished; a set without test images.
pub fn retest(folder: &Path, images: &RetestImages, device: &Device, progress: &Progress) -> Result<()> {
    let (data, into) = (images.data, Retest::folder(folder, images.name));
    let prepared = &data.prepared;
    let pipeline = images.pipeline.map(Pipeline::to_toml).transpose()?;
    let record = Retest {
        name: images.name.to_owned(),
        dataset: prepared.dataset.clone(),
        data: prepared.split.clone(),
        data_digest: prepared.manifest_digest.clone(),
        model_digest: io::digest(&run_dir::model(folder), io::NETWORK_BYTES)?,
        pipeline,
        train_positive_rate: positive_rates(&data.rows),
    };
    let is_equal = |stored: &Retest| stored.is_on_the_images_of(&record) && stored.model_digest == record.model_digest;
    if Retest::read(&into)?.as_ref().is_some_and(is_equal) {
        return Ok(());
    }
    let model = TrainedModel::open(folder)?;
    let profile = &model.config.profile;
    let learner = model.learner(folder, device)?;
    let rows: Vec<usize> = (0..data.rows.len()).filter(|row| data.rows[*row].split == Split::Test).collect();
    if rows.is_empty() {
        return Err(Error::Request("the prepared set holds no test images: prepare it again".to_owned()));
    }
    let distorted = images.pipeline.map(|pipeline| Distorted { data, pipeline });
    let source: &dyn LabelledImages = distorted.as_ref().map_or(data, |distorted| distorted);
    let cache = ImageCache::new(source, rows, profile.images.resize, "Decoding test images", progress)?;
    let batch = BATCH.min(cache.len());
    let loader = DataLoader {
        images: &cache,
        input_size: profile.network.input_size,
        policy: &profile.images,
        batch_size: batch,
        local: 0..batch,
        seed: SEED,
    };
    let (variants, mirror) = ([model.variant], profile.evaluation.mirror);
    let predictions = SplitPredictions::compute(&learner, &variants, &loader, &data.rows, mirror, device)?;
    io::create_folder(&into)?;
    // The record of other predictions must not stand beside these.
    Retest::remove(&into)?;
    predictions.tables[0].write(&into.join(PREDICTIONS))?;
    record.write(&into)
}
