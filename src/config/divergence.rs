//! `diverged.json` in the folder of a run that was stopped because its loss or its parameters became infinite or NaN.

use super::run_dir::{DIVERGED, SUMMARY};
use crate::error::Result;
use crate::io;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The record of a run that diverged. Such a run has no `summary.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Divergence {
    /// The run folder's name.
    #[serde(deserialize_with = "crate::untrusted::deserialize_name")]
    pub id: String,
    /// `celeba`, `lfwa`, `synthetic` or `table`.
    #[serde(deserialize_with = "crate::untrusted::deserialize_name")]
    pub dataset: String,
    /// The profile's name.
    #[serde(deserialize_with = "crate::untrusted::deserialize_name")]
    pub profile: String,
    /// The variant's name.
    #[serde(deserialize_with = "crate::variant::deserialize_name")]
    pub variant: String,
    /// The seed of weights, batches, crops and flips.
    pub seed: u64,
    /// Index of the step at which it diverged, from 0.
    pub step: usize,
    /// The learning rate of that step.
    pub rate: f64,
    /// The symptom: the loss or a parameter is not finite.
    pub symptom: String,
    /// The commit that the program was built from.
    pub commit: String,
}

impl Divergence {
    /// Reads the record in a run folder; `None` if the run has not diverged.
    pub fn of_run(folder: &Path) -> Result<Option<Self>> {
        if folder.join(SUMMARY).exists() {
            return Ok(None);
        }
        io::read_json_if_exists(&folder.join(DIVERGED), "the record of a run that diverged")
    }
}
