//! A profile: network size, image policy, optimizer and schedules, as TOML. Those in `profiles/` are embedded.

use super::schedule::Schedule;
use crate::dataset::DatasetName;
use crate::error::{Error, Result};
use crate::model::{Architecture, Backend};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// How an experiment is carried out, whatever the variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Name in run folders and reports.
    pub name: String,
    /// What it is for, what it should reach and how long that takes.
    pub description: String,
    /// The network's sizes.
    pub network: Architecture,
    /// What the backbone starts from; without it, random weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_weights: Option<InitialWeights>,
    /// From a stored image to the network's input.
    pub images: ImagePolicy,
    /// The optimizer, but for its schedule.
    pub optimizer: Optimizer,
    /// How numbers are computed with.
    #[serde(default, skip_serializing_if = "Compute::is_default")]
    pub compute: Compute,
    /// Steps between two lines of `metrics.jsonl`.
    pub log_every: usize,
    /// Steps between two passes over the validation split, where the data set has one.
    pub validate_every: usize,
    /// Steps between two checkpoints from which a killed run goes on.
    pub checkpoint_every: usize,
    /// Batch, steps and rates for each data set.
    pub training: BTreeMap<String, Training>,
    /// How `run-all` prepares each data set.
    pub prepare: BTreeMap<String, Prepare>,
}

/// A file of `gal-bench weights import`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InitialWeights {
    /// Where it lies; records leave it out.
    #[serde(default, skip_serializing)]
    pub file: PathBuf,
    /// Its blake3; one that a profile names is insisted on.
    #[serde(default)]
    pub digest: String,
    /// What it was imported from.
    #[serde(default)]
    pub origin: String,
}

impl PartialEq for InitialWeights {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

/// From a stored image to the network's input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImagePolicy {
    /// Side in pixels that a stored image is brought to.
    pub resize: usize,
    /// Where the input is cut out of that in training; in testing always the centre.
    pub crop: Crop,
    /// Whether every second training image is mirrored, at random.
    pub flip: bool,
}

/// How numbers are computed with: in single precision, unless told otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compute {
    /// Whether matrix products on a CUDA device round their factors to ten bits of mantissa.
    #[serde(default)]
    pub tf32: bool,
    /// Whether matrix products and convolutions on a CUDA device take factors of bf16, seven bits of mantissa; the graph
    /// attention, batch norm, losses, weights and the optimizer stay in single precision.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bf16: bool,
}

impl Compute {
    /// The form of the operations that computes so.
    pub fn backend(self) -> Backend {
        if self.bf16 { Backend::ReferenceBf16 } else { Backend::Native }
    }

    /// A word for records: what products are rounded to, if anything.
    pub fn rounding(self) -> Option<&'static str> {
        match self {
            Self { bf16: false, tf32: false } => None,
            Self { bf16: false, tf32: true } => Some("TF32"),
            Self { bf16: true, tf32: false } => Some("bf16"),
            Self { bf16: true, tf32: true } => Some("bf16 and TF32"),
        }
    }

    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Where a training input is cut out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Crop {
    /// In the middle.
    Centre,
    /// Anywhere with equal chance.
    Random,
}

/// Momentum SGD, but for its schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Optimizer {
    /// Share of the old velocity that is kept.
    pub momentum: f64,
    /// Factor of the rate for branches and correlation net.
    pub head_rate: f64,
    /// Factor of the rate for a correlation net on a frozen trunk, on top of `head_rate`: features that are trained
    /// already bear smaller steps than features that grow beside it.
    #[serde(default = "one")]
    pub frozen_rate: f64,
    /// L2 penalty of all variants; without it each variant's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f64>,
}

fn one() -> f64 {
    1.0
}

/// Batch, steps and rates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Images a step.
    pub batch: usize,
    /// Optimizer steps.
    pub steps: usize,
    /// The learning rate over the steps.
    pub schedule: Schedule,
}

/// How a data set is prepared.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prepare {
    /// At least this many training images, by distorted copies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expand: Option<usize>,
}

impl Profile {
    /// Batch, steps and rates for a data set.
    pub fn training(&self, dataset: DatasetName) -> Result<&Training> {
        self.training.get(dataset.label()).ok_or_else(|| {
            Error::Request(format!(
                "profile {} has no section [training.{}]: add one, or choose another profile",
                self.name,
                dataset.label()
            ))
        })
    }
}
