//! `summary.json` of a finished run's folder. Later stages read it, the predictions, the metrics and the affinity.

use super::init::Init;
use crate::dataset::DatasetName;
use crate::error::Result;
use crate::io;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Numbers of known labels by attribute, in the order of [`crate::attribute::NAMES`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownLabels {
    /// Known labels of the training images without copies.
    pub train: Vec<usize>,
    /// Known labels of the test images.
    pub test: Vec<usize>,
}

/// The record of one trained network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSummary {
    /// The run folder's name.
    #[serde(deserialize_with = "crate::untrusted::deserialize_name")]
    pub id: String,
    /// `celeba`, `lfwa` or `synthetic`.
    #[serde(deserialize_with = "crate::untrusted::deserialize_name")]
    pub dataset: String,
    /// True if the partition has the digest of the official one.
    pub split_official: bool,
    /// A sentence about the origin of the partition.
    pub split: String,
    /// The part of the data set, as a noun phrase. `None` if every image is there at its size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extent: Option<String>,
    /// BLAKE3 of the prepared set's manifest, which holds the digest of every image.
    pub data_digest: String,
    /// Remarks of the annotation reader.
    pub data_notes: Vec<String>,
    /// The profile's name, with the run that this one started from: `quick`, `quick-from-celeba`.
    #[serde(deserialize_with = "crate::untrusted::deserialize_name")]
    pub profile: String,
    /// The run that it started from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<Init>,
    /// The variant's name.
    #[serde(deserialize_with = "crate::variant::deserialize_name")]
    pub variant: String,
    /// The seed of weights, batches, crops and flips.
    pub seed: u64,
    /// Device, such as `cpu` or `cuda:0 (NVIDIA H100)`.
    pub device: String,
    /// The processor's vector extensions that the program used.
    pub cpu_features: Vec<String>,
    /// Number of threads.
    pub threads: usize,
    /// The program's version.
    pub version: String,
    /// The commit that it was built from, with `-dirty` for a changed tree.
    pub commit: String,
    /// The command that repeats this run.
    pub command: String,
    /// Wall time of training and testing in seconds. Runs that share an FLN share this time.
    pub wall_seconds: f64,
    /// Number of optimizer steps.
    pub steps: usize,
    /// Batch size.
    pub batch: usize,
    /// Input size in pixels.
    pub input: usize,
    /// Number of stored training images, including distorted copies.
    pub train_images: usize,
    /// Number of training images without copies.
    pub train_sources: usize,
    /// Number of test images.
    pub test_images: usize,
    /// Number of trainable parameters.
    pub parameters: usize,
    /// Share of positive labels among the known labels of the training sources, by attribute, from which the majority-class
    /// floor follows; `None` for an attribute without a training label, which is not trained.
    pub train_positive_rate: Vec<Option<f64>>,
    /// Numbers of known labels; `None` if all are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_labels: Option<KnownLabels>,
    /// Deviations from the paper's protocol, a sentence each.
    pub deviations: Vec<String>,
}

impl RunSummary {
    /// Reads a run's `summary.json`.
    pub fn read(path: &Path) -> Result<Self> {
        io::read_json(path, "a run's summary")
    }

    /// The data set's name in print.
    pub fn dataset_title(&self) -> &str {
        match DatasetName::parse(&self.dataset) {
            Some(name) => name.title(),
            None => &self.dataset,
        }
    }

    /// The data in a sentence: the data set, and the part of it.
    pub fn data(&self) -> String {
        match &self.extent {
            Some(extent) => format!("{}, {extent}", self.dataset_title()),
            None => self.dataset_title().to_owned(),
        }
    }

    /// True if the test images are those of the official partition, every one at its size.
    pub fn is_official_test(&self) -> bool {
        self.split_official && self.extent.is_none()
    }

    /// The test images in a sentence; no other figures may be called those of the official test split.
    pub fn test_data(&self) -> String {
        if self.is_official_test() {
            return format!("{}'s official test split", self.dataset_title());
        }
        self.data()
    }
}
