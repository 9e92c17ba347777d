//! Runs a trained network on image files.

use super::prediction::{Prediction, Predictions, Unreadable};
use crate::attribute::{COUNT, ImageLabels, NAMES};
use crate::config::run_dir;
use crate::dataset::DatasetName;
use crate::error::{Error, Result};
use crate::io;
use crate::model::probabilities;
use crate::progress::Progress;
use crate::store::{self, Preprocessing};
use crate::train::{DataLoader, ImageCache, LabelledImages, Outputs, TrainedModel, mean_probabilities};
use crate::variant::Variant;
use candle_core::{Device, Tensor};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Image files for a data loader, which does not use their labels.
struct ImageFiles<'a> {
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

/// Predicts the images `paths` with the network in the run folder `folder`; `details` adds logits and affinity. Images that
/// cannot be read are listed.
///
/// # Errors
/// An unfinished run, a checkpoint of another network, or no image that can be read.
pub fn predict(
    folder: &Path,
    paths: &[PathBuf],
    device: &Device,
    details: bool,
    progress: &Progress,
) -> Result<Predictions> {
    let model = TrainedModel::open(folder)?;
    let learner = model.learner(folder, device)?;
    let profile = &model.config.profile;
    let dataset = DatasetName::parse(&model.config.dataset)
        .ok_or_else(|| Error::file(folder.join(run_dir::CONFIG), "names an unknown data set"))?;
    let batch_size = profile.training(dataset)?.batch;

    let files = ImageFiles { paths, preprocessing: model.preprocessing };
    let (rows, side): (Vec<usize>, _) = ((0..paths.len()).collect(), profile.images.resize);
    let (images, unreadable) = ImageCache::readable(&files, &rows, side, "Decoding images", progress)?;
    let mut unreadable: Vec<Unreadable> =
        unreadable.into_iter().map(|(row, error)| Unreadable { image: paths[row].clone(), error }).collect();
    if images.is_empty()
        && let Some(first) = unreadable.drain(..).next()
    {
        return Err(first.error);
    }
    let paths: Vec<PathBuf> = images.rows().iter().map(|row| paths[*row].clone()).collect();
    let (input_size, policy) = (profile.network.input_size, &profile.images);
    let loader = DataLoader { images: &images, input_size, policy, batch_size, local: 0..batch_size, seed: 0 };
    let bar = progress.bar(&format!("Predicting with {}", model.variant.title), "images", paths.len());
    let mut predictions = Vec::with_capacity(paths.len());
    let mut affinity = details.then(MeanAffinity::default);
    for first in (0..paths.len()).step_by(batch_size) {
        let range = first..(first + batch_size).min(paths.len());
        let (pixels, _) = loader.center_crop_batch(range.clone(), false)?.tensors(device)?;
        let outputs = learner.forward(&pixels)?;
        let mut batch = BatchOutput::new(&outputs, &model.variant)?;
        if profile.evaluation.mirror {
            let (pixels, _) = loader.center_crop_batch(range.clone(), true)?.tensors(device)?;
            batch.average(&BatchOutput::new(&learner.forward(&pixels)?, &model.variant)?);
        }
        let is_trained = |name: &str| !model.untrained.iter().any(|untrained| untrained == name);
        predictions.extend(batch.predictions(&paths[range.clone()], is_trained, details));
        let of_batch = outputs.cln.get(model.variant.name).and_then(|refined| refined.affinity.as_ref());
        if let (Some(mean), Some(of_batch)) = (&mut affinity, of_batch) {
            mean.add(of_batch, range.len() as f32 / paths.len() as f32)?;
        }
        bar.advance(range.len());
    }
    bar.finish();
    Ok(Predictions {
        run: model.config.id(),
        variant: model.variant.name.to_owned(),
        primary_head: model.variant.primary_head(),
        images: predictions,
        unreadable,
        affinity: affinity.and_then(MeanAffinity::rows),
    })
}

/// The outputs for the images of a batch.
struct BatchOutput {
    fln: Option<HeadOutput>,
    cln: Option<HeadOutput>,
}

impl BatchOutput {
    fn new(outputs: &Outputs, variant: &Variant) -> Result<Self> {
        let fln = variant.has_fln_head().then(|| HeadOutput::new(&outputs.fln)).transpose()?;
        let cln = outputs.cln.get(variant.name).map(|refined| HeadOutput::new(&refined.logits)).transpose()?;
        Ok(Self { fln, cln })
    }

    /// Averages the probabilities with those of the mirror images. Logits stay those of the images.
    fn average(&mut self, mirrored: &Self) {
        for (head, mirrored) in [(&mut self.fln, &mirrored.fln), (&mut self.cln, &mirrored.cln)] {
            if let (Some(head), Some(mirrored)) = (head, mirrored) {
                head.probabilities = mean_probabilities(&head.probabilities, &mirrored.probabilities);
            }
        }
    }

    /// The predictions for the images `paths`, of the attributes that are trained; `details` adds logits.
    fn predictions(&self, paths: &[PathBuf], is_trained: impl Fn(&str) -> bool, details: bool) -> Vec<Prediction> {
        let prediction = |(index, path): (usize, &PathBuf)| Prediction {
            image: path.clone(),
            fln: self.fln.as_ref().map(|fln| fln.probabilities(index, &is_trained)),
            cln: self.cln.as_ref().map(|cln| cln.probabilities(index, &is_trained)),
            logits_fln: self.fln.as_ref().filter(|_| details).map(|fln| fln.logits(index)),
            logits_cln: self.cln.as_ref().filter(|_| details).map(|cln| cln.logits(index)),
        };
        paths.iter().enumerate().map(prediction).collect()
    }
}

/// The output of one head for a batch.
struct HeadOutput {
    /// `[batch * 40]`.
    probabilities: Vec<f32>,
    /// `[batch * 40 * 2]`.
    logits: Vec<f32>,
}

impl HeadOutput {
    /// From logits `[40, 2, batch]`.
    fn new(logits: &Tensor) -> Result<Self> {
        Ok(Self {
            probabilities: probabilities(logits)?.flatten_all()?.to_vec1()?,
            logits: logits.permute((2, 0, 1))?.flatten_all()?.to_vec1()?,
        })
    }

    /// The probabilities of an image, by attribute that is trained.
    fn probabilities(&self, index: usize, is_trained: impl Fn(&str) -> bool) -> BTreeMap<&'static str, f32> {
        let all = NAMES.into_iter().zip(self.probabilities[index * COUNT..].iter().copied());
        all.filter(|(name, _)| is_trained(name)).collect()
    }

    /// The logits of an image, `[40][2]`.
    fn logits(&self, index: usize) -> Vec<Vec<f32>> {
        self.logits[2 * index * COUNT..].chunks(2).take(COUNT).map(<[f32]>::to_vec).collect()
    }
}

/// The mean affinity over all images, `[40 * 40]`; empty without a CLN.
#[derive(Default)]
struct MeanAffinity(Vec<f32>);

impl MeanAffinity {
    /// Adds the mean affinity of a batch that is the share `weight` of all images.
    fn add(&mut self, affinity: &Tensor, weight: f32) -> Result<()> {
        let values = affinity.flatten_all()?.to_vec1::<f32>()?;
        self.0.resize(values.len(), 0.0);
        self.0.iter_mut().zip(values).for_each(|(mean, value)| *mean += value * weight);
        Ok(())
    }

    fn rows(self) -> Option<Vec<Vec<f32>>> {
        (!self.0.is_empty()).then(|| self.0.chunks(COUNT).map(<[f32]>::to_vec).collect())
    }
}
