//! What a finished run says of itself: `summary.json` in its folder, the only thing besides predictions, metrics and
//! affinity that later stages read.

use crate::error::Result;
use crate::io;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The record of one trained network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSummary {
    /// The run folder's name.
    pub id: String,
    /// `celeba`, `lfwa` or `synthetic`.
    pub dataset: String,
    /// The partition's digest is the official one's.
    pub split_official: bool,
    /// One sentence on whose partition it is.
    pub split: String,
    /// blake3 of the prepared set's manifest, which holds the digest of every image.
    pub data_digest: String,
    /// Remarks of the annotation reader.
    pub data_notes: Vec<String>,
    /// The profile's name.
    pub profile: String,
    /// `baseline`, `gal-c`, `gal-j` or `gal-p`.
    pub variant: String,
    /// The seed of weights, batches, crops and flips.
    pub seed: u64,
    /// Such as `cpu` or `cuda:0 (NVIDIA H100)`.
    pub device: String,
    /// The processor's vector extensions that the program used.
    pub cpu_features: Vec<String>,
    /// Threads used.
    pub threads: usize,
    /// The program's version.
    pub version: String,
    /// The commit it was built from, with `-dirty` where the tree was changed.
    pub commit: String,
    /// The command that makes this run again.
    pub command: String,
    /// Wall time of training and testing, in seconds. Runs that shared one trunk pass share this time.
    pub wall_seconds: f64,
    /// Optimizer steps.
    pub steps: usize,
    /// Images a step.
    pub batch: usize,
    /// Side of the network's input in pixels.
    pub input: usize,
    /// Stored training images, distorted copies included.
    pub train_images: usize,
    /// Training images without their copies.
    pub train_sources: usize,
    /// Test images.
    pub test_images: usize,
    /// Trainable parameters.
    pub parameters: usize,
    /// Share of positive labels among the training sources, per attribute: the majority-class floor follows from it.
    pub train_positive_rate: Vec<f64>,
    /// Every way in which the run is not the paper's protocol, a sentence each.
    pub deviations: Vec<String>,
}

impl RunSummary {
    /// Reads a run's `summary.json`.
    pub fn read(path: &Path) -> Result<Self> {
        io::read_json(path, "a run's summary")
    }
}
