//! A profile: network size, image policy, optimizer and schedules, as TOML.

use super::evaluation::EvaluationPolicy;
use super::regularization::Regularization;
use super::schedule::Schedule;
use crate::augment::Pipeline;
use crate::dataset::DatasetName;
use crate::error::{Error, Result};
use crate::model::{Architecture, Backend};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// Settings of an experiment that all variants share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Name in run folders and reports.
    pub name: String,
    /// Purpose, expected accuracy and duration.
    pub description: Description,
    /// Words about the protocol; they affect no result.
    #[serde(default, skip_serializing_if = "Protocol::is_empty")]
    pub protocol: Protocol,
    /// The network's sizes.
    pub network: Architecture,
    /// Pretrained weights of the backbone; random weights if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_weights: Option<InitialWeights>,
    /// Preprocessing of images.
    pub images: ImagePolicy,
    /// Distortions of training images, drawn anew for each image and epoch; those of the prepared set if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub online: Option<Pipeline>,
    /// Regularization beyond weight decay, flips and crops.
    #[serde(default, skip_serializing_if = "Regularization::is_default")]
    pub regularization: Regularization,
    /// The network that is tested, and its predictions.
    #[serde(default, skip_serializing_if = "EvaluationPolicy::is_default")]
    pub evaluation: EvaluationPolicy,
    /// The optimizer, without its schedule.
    pub optimizer: Optimizer,
    /// Precision of the computation.
    #[serde(default, skip_serializing_if = "Compute::is_default")]
    pub compute: Compute,
    /// Steps between two lines of `metrics.jsonl`.
    pub log_every: usize,
    /// Steps between two validations, if the data set has a validation split.
    pub validate_every: usize,
    /// Steps between two checkpoints, from which a killed run resumes.
    pub checkpoint_every: usize,
    /// Batch, steps and schedule for each data set.
    pub training: BTreeMap<String, Training>,
    /// Preparation of each data set by `run-all`.
    pub prepare: BTreeMap<String, Prepare>,
}

/// A profile in words. All are equal, as words affect no result: runs of a profile stay valid when these are corrected.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Description(String);

impl PartialEq for Description {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A profile's relation to the paper's protocol, in words.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Protocol {
    /// Parts of the protocol that the profile keeps.
    pub keeps: Vec<String>,
    /// Parts that it reduces or changes.
    pub reduces: Vec<String>,
    /// Accuracies that it should reach, one data set each.
    pub reaches: Vec<String>,
    /// Durations on two processor cores, one data set each.
    pub takes: Vec<String>,
}

impl Protocol {
    fn is_empty(&self) -> bool {
        [&self.keeps, &self.reduces, &self.reaches, &self.takes].iter().all(|list| list.is_empty())
    }

    /// The four lists with their headings, empty ones left out.
    pub fn sections(&self) -> Vec<(&'static str, &[String])> {
        let sections =
            [("Keeps", &self.keeps), ("Reduces", &self.reduces), ("Reaches", &self.reaches), ("Takes", &self.takes)];
        sections.into_iter().filter(|(_, list)| !list.is_empty()).map(|(name, list)| (name, list.as_slice())).collect()
    }
}

impl PartialEq for Protocol {
    /// Always true, as for a [`Description`].
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// A file of `gal-bench weights import`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InitialWeights {
    /// Path; not written to records.
    #[serde(default, skip_serializing)]
    pub file: PathBuf,
    /// BLAKE3 digest; checked if a profile sets it.
    #[serde(default)]
    pub digest: String,
    /// Source that the weights were imported from.
    #[serde(default)]
    pub origin: String,
}

impl PartialEq for InitialWeights {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

/// Preprocessing from a stored image to the network's input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImagePolicy {
    /// Size in pixels that a stored image is resized to.
    pub resize: usize,
    /// Crop to the input size in training; tests use the center crop.
    pub crop: Crop,
    /// Flips training images horizontally with a probability of one half.
    pub flip: bool,
}

/// Precision of the computation, single by default, and form of the operations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::struct_excessive_bools, reason = "independent settings")]
pub struct Compute {
    /// Rounds factors of matrix products on a CUDA device to TF32, ten bits of mantissa.
    #[serde(default)]
    pub tf32: bool,
    /// Rounds factors of matrix products and convolutions on a CUDA device to bf16, seven bits of mantissa. Graph
    /// attention, batch norm, losses, weights and optimizer stay in single precision.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bf16: bool,
    /// Trains with candle's operations in place of this program's own, which they are compared with. They are slower.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reference: bool,
    /// Takes the moments of batch norm over the batches of all ranks, as PyTorch's `SyncBatchNorm`. It is slower.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sync_bn: bool,
}

impl Compute {
    /// The form of the operations that computes so.
    pub fn backend(self) -> Backend {
        match self {
            Self { reference: true, .. } => Backend::Reference,
            Self { bf16: true, .. } => Backend::ReferenceBf16,
            Self { .. } => Backend::Native,
        }
    }

    /// Precision of products for records, `None` for single.
    pub fn rounding(self) -> Option<&'static str> {
        match self {
            Self { bf16: false, tf32: false, .. } => None,
            Self { bf16: false, tf32: true, .. } => Some("TF32"),
            Self { bf16: true, tf32: false, .. } => Some("bf16"),
            Self { bf16: true, tf32: true, .. } => Some("bf16 and TF32"),
        }
    }

    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Position of the crop in training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Crop {
    /// The center.
    Centre,
    /// A random position.
    Random,
}

/// Momentum SGD, without its schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Optimizer {
    /// Momentum factor.
    pub momentum: f64,
    /// Learning-rate factor of branches and correlation nets.
    pub head_rate: f64,
    /// Learning-rate factor of every correlation net, on top of `head_rate`. The unscaled dot products of a learned
    /// affinity diverge at rates at which a backbone trains well.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub cln_rate: f64,
    /// Learning-rate factor of a correlation net on a frozen FLN, on top of both. It makes GAL-c and GAL-j train at
    /// different rates, so no embedded profile sets it.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub frozen_rate: f64,
    /// L2 penalty of all variants; each variant's own if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f64>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(steps: &usize) -> bool {
    *steps == 0
}

fn one() -> f64 {
    1.0
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_one(factor: &f64) -> bool {
    factor.to_bits() == 1.0_f64.to_bits()
}

impl Optimizer {
    /// Learning-rate factor of a correlation net on an FLN that is frozen or not.
    pub fn correlation_rate(&self, frozen: bool) -> f64 {
        self.head_rate * self.cln_rate * if frozen { self.frozen_rate } else { 1.0 }
    }
}

/// Batch, steps and schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Batch size.
    pub batch: usize,
    /// Optimizer steps; 0 until they follow from `epochs`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub steps: usize,
    /// Passes over the training images, which decide the number of steps; `None` if that is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs: Option<usize>,
    /// Learning rate over the steps.
    pub schedule: Schedule,
    /// Preprocessing of this data set in place of the profile's, until [`Profile::for_dataset`] puts it there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<ImagePolicy>,
}

/// Preparation of a data set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prepare {
    /// Least number of training images, reached by distorted copies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expand: Option<usize>,
    /// Share of the training half's people, by identity, that become the validation split of a data set without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val_split: Option<f64>,
}

/// Adds the section of a user's table, if CelebA has one and the table has none.
fn fill<T: Clone>(sections: &mut BTreeMap<String, T>) {
    if let Some(section) = sections.get(DatasetName::Celeba.label()).cloned() {
        sections.entry(DatasetName::Table.label().to_owned()).or_insert(section);
    }
}

impl Profile {
    /// True if an image is the same whenever a step crops and flips it.
    pub fn repeats_images(&self) -> bool {
        self.online.is_none() && self.regularization.mixup == 0.0
    }

    /// Batch, steps and schedule for a data set.
    pub fn training(&self, dataset: DatasetName) -> Result<&Training> {
        self.training.get(dataset.label()).ok_or_else(|| {
            Error::Request(format!(
                "profile {} has no section [training.{}]: add one, or choose another profile",
                self.name,
                dataset.label()
            ))
        })
    }

    /// The profile with sections and preprocessing for `dataset`. A user's table without sections of its own has those of
    /// CelebA.
    pub fn for_dataset(mut self, dataset: DatasetName) -> Self {
        if dataset == DatasetName::Table {
            fill(&mut self.training);
            fill(&mut self.prepare);
        }
        if let Some(images) = self.training.get_mut(dataset.label()).and_then(|training| training.images.take()) {
            self.images = images;
        }
        self
    }
}
