//! What a trained network says of pictures: they go the way of the test split (the same standardization, resampling,
//! centre crop and batches), so that these together are given the very probabilities of `predictions.parquet`, and one
//! alone the same to 1e-6: products of few columns are added up in another order.

mod picture;
mod text;

pub use picture::find;
pub use text::{Order, csv, table};

use crate::attribute::{COUNT, NAMES};
use crate::dataset::DatasetName;
use crate::error::{Error, Result};
use crate::model::probabilities;
use crate::progress::Progress;
use crate::store::{self, Preprocessing};
use crate::train::{DataLoader, ImageCache, LabelledImages, TrainedModel};
use candle_core::{Device, Tensor};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a network says of some pictures.
#[derive(Debug, Clone, Serialize)]
pub struct Predictions {
    /// The run's folder name.
    pub run: String,
    /// The variant's name.
    pub variant: String,
    /// The head by which the variant is judged: `cln` where there is one, else `fln`.
    pub judged: &'static str,
    /// One for each picture.
    pub images: Vec<Prediction>,
    /// Weights between attributes, mean over the pictures, `[40][40]`; asked for, and in networks with a CLN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Vec<Vec<f32>>>,
}

/// What a network says of a picture: probabilities by attribute.
#[derive(Debug, Clone, Serialize)]
pub struct Prediction {
    /// The picture's file.
    pub image: PathBuf,
    /// Of the FLN's heads.
    pub fln: BTreeMap<&'static str, f32>,
    /// Of the CLN's heads, in networks that have one.
    pub cln: Option<BTreeMap<&'static str, f32>>,
    /// What the softmax turned into probabilities, `[40][2]` with "has the attribute" second; where asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logits_fln: Option<Vec<Vec<f32>>>,
    /// The same of the CLN's heads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logits_cln: Option<Vec<Vec<f32>>>,
}

impl Prediction {
    /// The probabilities of the head by which the variant is judged.
    pub fn judged(&self) -> &BTreeMap<&'static str, f32> {
        self.cln.as_ref().unwrap_or(&self.fln)
    }
}

/// Pictures as a set that batches are made of; nothing is known of their labels.
struct Pictures<'a> {
    paths: &'a [PathBuf],
    preprocessing: Preprocessing,
}

impl LabelledImages for Pictures<'_> {
    fn labels(&self, _row: usize) -> &[bool; COUNT] {
        &[false; COUNT]
    }

    fn pixels(&self, row: usize, side: usize) -> Result<Vec<u8>> {
        let path = &self.paths[row];
        Ok(store::resized(self.preprocessing.apply(picture::read(path)?, path)?, side))
    }
}

/// Asks the network in the run folder `folder`; `details` adds logits and affinity.
///
/// # Errors
/// No finished run there, a checkpoint of another network, pictures that cannot be read.
pub fn predict(
    folder: &Path,
    paths: &[PathBuf],
    device: &Device,
    details: bool,
    progress: &Progress,
) -> Result<Predictions> {
    let trained = TrainedModel::open(folder)?;
    let learner = trained.learner(folder, device)?;
    let profile = &trained.config.profile;
    let dataset = DatasetName::parse(&trained.config.dataset)
        .ok_or_else(|| Error::file(folder.join("config.toml"), "names an unknown data set"))?;
    let size = profile.training(dataset)?.batch;

    let pictures = Pictures { paths, preprocessing: trained.preprocessing };
    let rows = (0..paths.len()).collect();
    let images = ImageCache::new(&pictures, rows, profile.images.resize, "Decoding pictures", progress)?;
    let loader = DataLoader {
        images: &images,
        input: profile.network.input_size,
        policy: &profile.images,
        size,
        own: 0..size,
        seed: 0,
    };
    let bar = progress.bar(trained.variant.title, "pictures", paths.len());
    let mut predictions = Vec::with_capacity(paths.len());
    let mut affinity: Option<Vec<f32>> = None;
    for first in (0..paths.len()).step_by(size) {
        let range = first..(first + size).min(paths.len());
        let (pixels, _) = loader.centred(range.clone(), false)?.tensors(device)?;
        let outputs = learner.forward(&pixels)?;
        let refined = outputs.cln.get(trained.variant.name);
        let fln = Head::of(&outputs.fln)?;
        let cln = refined.map(|refined| Head::of(&refined.logits)).transpose()?;
        for (place, path) in paths[range.clone()].iter().enumerate() {
            predictions.push(Prediction {
                image: path.clone(),
                fln: fln.named(place),
                cln: cln.as_ref().map(|cln| cln.named(place)),
                logits_fln: details.then(|| fln.logits(place)),
                logits_cln: cln.as_ref().filter(|_| details).map(|cln| cln.logits(place)),
            });
        }
        if let Some(refined) = refined.filter(|_| details) {
            let weights = refined.affinity.flatten_all()?.to_vec1::<f32>()?;
            let total = affinity.get_or_insert_with(|| vec![0.0; COUNT * COUNT]);
            let part = range.len() as f32 / paths.len() as f32;
            total.iter_mut().zip(weights).for_each(|(total, weight)| *total += weight * part);
        }
        bar.advance(range.len());
    }
    bar.finish();
    Ok(Predictions {
        run: trained.config.id(),
        variant: trained.variant.name.to_owned(),
        judged: if trained.variant.affinity.is_some() { "cln" } else { "fln" },
        images: predictions,
        affinity: affinity.map(|all| all.chunks(COUNT).map(<[f32]>::to_vec).collect()),
    })
}

/// One head's answers to a batch.
struct Head {
    /// `[batch * 40]`.
    probabilities: Vec<f32>,
    /// `[batch * 40 * 2]`.
    logits: Vec<f32>,
}

impl Head {
    /// From logits `[40, 2, batch]`.
    fn of(logits: &Tensor) -> Result<Self> {
        Ok(Self {
            probabilities: probabilities(logits)?.flatten_all()?.to_vec1()?,
            logits: logits.permute((2, 0, 1))?.flatten_all()?.to_vec1()?,
        })
    }

    fn named(&self, place: usize) -> BTreeMap<&'static str, f32> {
        NAMES.into_iter().zip(self.probabilities[place * COUNT..].iter().copied()).collect()
    }

    fn logits(&self, place: usize) -> Vec<Vec<f32>> {
        self.logits[2 * place * COUNT..].chunks(2).take(COUNT).map(<[f32]>::to_vec).collect()
    }
}
