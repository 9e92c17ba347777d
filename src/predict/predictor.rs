//! Runs a trained network on image files.

use super::decoder::{DecodedBatch, Decoder, Views};
use super::known_label::{self, KnownLabel};
use super::prediction::{Prediction, Predictions, Streamed, Unreadable};
use crate::attribute::{COUNT, NAMES};
use crate::config::run_dir;
use crate::dataset::DatasetName;
use crate::error::{Error, Result};
use crate::model::probabilities;
use crate::progress::Progress;
use crate::train::{Batch, Learner, Outputs, TrainedModel, check_batch, mean_probabilities};
use crate::variant::{VARIANTS, Variant};
use candle_core::{Device, Tensor};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A trained network on a device.
pub struct Predictor {
    model: TrainedModel,
    learner: Learner,
    device: Device,
    /// Images of a batch, as in the test, in which rank 0 had its part of a training batch.
    batch_size: usize,
    /// Labels of every image.
    known: Vec<KnownLabel>,
}

impl Predictor {
    /// Loads the network in the run folder `folder` onto `device`.
    ///
    /// # Errors
    /// An unfinished run, or a checkpoint of another network.
    pub fn open(folder: &Path, device: &Device) -> Result<Self> {
        let model = TrainedModel::open(folder)?;
        let learner = model.learner(folder, device)?;
        let dataset = DatasetName::parse(&model.config.dataset)
            .ok_or_else(|| Error::file(folder.join(run_dir::CONFIG), "names an unknown data set"))?;
        let profile = &model.config.profile;
        let batch_size = (profile.training(dataset)?.batch / model.config.ranks.max(1)).max(1);
        check_batch(device, &profile.network.with_layers(model.variant.layers), batch_size)?;
        Ok(Self { model, learner, device: device.clone(), batch_size, known: Vec::new() })
    }

    /// Gives the network labels that all images have. Its correlation net predicts the others with them, and these labels
    /// themselves with probability 0 or 1.
    ///
    /// # Errors
    /// A network that takes none, or two labels of one attribute.
    pub fn with_known_labels(self, known: &[KnownLabel]) -> Result<Self> {
        if !known.is_empty() && !self.model.variant.takes_known_labels() {
            let takers = VARIANTS.iter().filter(|variant| variant.takes_known_labels());
            return Err(Error::Request(format!(
                "{} takes no known labels: name a run of {}",
                self.model.config.id(),
                takers.map(|variant| variant.name).collect::<Vec<_>>().join(" or ")
            )));
        }
        known_label::check(known)?;
        Ok(Self { known: known.to_vec(), ..self })
    }

    /// Predicts the images `paths`; `details` adds logits and affinity. Images that cannot be read are listed.
    ///
    /// # Errors
    /// No image that can be read.
    pub fn predict(&self, paths: &[PathBuf], details: bool, progress: &Progress) -> Result<Predictions> {
        let model = &self.model;
        let decoder = self.decoder();
        let files = decoder.files(paths);
        let (images, unreadable) = decoder.read(&files, "Decoding images", progress)?;
        let mut unreadable: Vec<Unreadable> =
            unreadable.into_iter().map(|(row, error)| Unreadable { image: paths[row].clone(), error }).collect();
        if images.is_empty()
            && let Some(first) = unreadable.drain(..).next()
        {
            return Err(first.error);
        }
        let paths: Vec<PathBuf> = images.rows().iter().map(|row| paths[*row].clone()).collect();
        let bar = progress.bar(&format!("Predicting with {}", model.variant.title), "images", paths.len());
        let mut predictions = Vec::with_capacity(paths.len());
        let mut affinity = details.then(MeanAffinity::default);
        for first in (0..paths.len()).step_by(self.batch_size) {
            let range = first..(first + self.batch_size).min(paths.len());
            let (batch, outputs) = self.outputs(&decoder.views(&images, range.clone())?)?;
            predictions.extend(batch.predictions(&paths[range.clone()], |name| self.is_trained(name), details));
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

    /// Decodes the images of its batches.
    pub(super) fn decoder(&self) -> Decoder<'_> {
        Decoder { model: &self.model, batch_size: self.batch_size }
    }

    /// The prediction or the error of each image of a batch, in their order.
    pub(super) fn predict_batch(&self, batch: DecodedBatch) -> Result<Vec<Streamed>> {
        let readable = batch.files.iter().filter(|(_, error)| error.is_none()).map(|(path, _)| path.clone());
        let readable: Vec<PathBuf> = readable.collect();
        let predictions = match &batch.views {
            Some(views) => self.outputs(views)?.0.predictions(&readable, |name| self.is_trained(name), false),
            None => Vec::new(),
        };
        let mut predictions = predictions.into_iter();
        let streamed = batch.files.into_iter().filter_map(|(image, error)| match error {
            Some(error) => Some(Streamed::Unreadable(Unreadable { image, error })),
            None => predictions.next().map(Streamed::Prediction),
        });
        Ok(streamed.collect())
    }

    /// The outputs for a batch, and those of the network for the images alone.
    fn outputs(&self, views: &Views) -> Result<(BatchOutput, Outputs)> {
        let forward = |views: &Batch| -> Result<Outputs> {
            let (pixels, _) = views.tensors(&self.device)?;
            let known = known_label::targets(&self.known, pixels.dim(1)?, &self.device)?;
            self.learner.forward(&pixels, known.as_ref())
        };
        let outputs = forward(&views.plain)?;
        let mut batch = BatchOutput::new(&outputs, &self.model.variant)?;
        if let Some(mirrored) = &views.mirrored {
            batch.average(&BatchOutput::new(&forward(mirrored)?, &self.model.variant)?);
        }
        batch.set_known(&self.known);
        Ok((batch, outputs))
    }

    fn is_trained(&self, attribute: &str) -> bool {
        !self.model.untrained.iter().any(|untrained| untrained == attribute)
    }
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

    /// Replaces the correlation net's probabilities of known labels by these.
    fn set_known(&mut self, known: &[KnownLabel]) {
        for image in self.cln.iter_mut().flat_map(|cln| cln.probabilities.chunks_exact_mut(COUNT)) {
            for label in known {
                image[label.attribute] = f32::from(u8::from(label.value));
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
