//! A trained network as a run folder holds it, for prediction and export.

use super::checkpoint::Checkpoint;
use super::learner::Learner;
use super::shared_run::SharedRun;
use crate::config::run_dir::{self, CONFIG, MODEL, SUMMARY};
use crate::config::{Record, RunConfig};
use crate::error::{Error, Result};
use crate::model::Backend;
use crate::store::Preprocessing;
use crate::variant::Variant;
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Metadata of a network's checkpoint.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct CheckpointMeta {
    pub(super) config: RunConfig,
    /// Preprocessing of the training images.
    #[serde(rename = "standard")]
    pub(super) preprocessing: Preprocessing,
    /// The attributes without a training label.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) untrained: Vec<String>,
}

/// A trained network.
#[derive(Debug)]
pub struct TrainedModel {
    /// Configuration of the run.
    pub config: RunConfig,
    /// The variant.
    pub variant: Variant,
    /// Preprocessing of the training images.
    pub preprocessing: Preprocessing,
    /// The attributes without a training label, whose classifiers predict nothing.
    pub untrained: Vec<String>,
    /// Parameters and running statistics by name, on the CPU.
    pub tensors: BTreeMap<String, Tensor>,
}

impl TrainedModel {
    /// Reads the network in a run folder.
    ///
    /// # Errors
    /// An unfinished run, or a checkpoint that does not match `config.toml`.
    pub fn open(folder: &Path) -> Result<Self> {
        run_dir::check_finished(folder, MODEL)?;
        let (config_path, path) = (folder.join(CONFIG), run_dir::model(folder));
        let config = RunConfig::read(&config_path)?;
        let Checkpoint { tensors, meta } = Checkpoint::<CheckpointMeta>::read(&path, &Device::Cpu)?;
        if meta.config != config {
            let difference = config.difference(&meta.config).unwrap_or_else(|| "it differs".to_owned());
            let message =
                format!("belongs to another run than the {CONFIG} beside it ({difference}): train the run again");
            return Err(Error::file(path, message));
        }
        // A network may be passed on without the record of its run.
        if folder.join(SUMMARY).exists() {
            Record::read(folder)?.verify_network()?;
        }
        let variant = Variant::named(&config.variant)
            .ok_or_else(|| Error::file(config_path, format!("names an unknown variant {}", config.variant)))?;
        Ok(Self { config, variant, preprocessing: meta.preprocessing, untrained: meta.untrained, tensors })
    }

    /// Loads the network onto a device.
    ///
    /// # Errors
    /// Tensors that do not fit the configuration; the message names `folder`.
    pub fn learner(&self, folder: &Path, device: &Device) -> Result<Learner> {
        let profile = &self.config.profile;
        let (held, least) = (
            self.tensors.values().map(Tensor::elem_count).sum(),
            profile.network.least_parameters(self.variant.layers),
        );
        if least > held {
            let message = format!("holds {held} numbers, too few for the network in {CONFIG}: train the run again");
            return Err(Error::file(run_dir::model(folder), message));
        }
        let run = SharedRun {
            fln: self.variant.fln,
            streams: self.variant.streams,
            weight_decay: 0.0,
            variants: vec![self.variant],
        };
        let seed = self.config.seed;
        let mut learner = Learner::new(&profile.network, &run, &profile.optimizer, seed, Backend::Native, device)?;
        learner.load_network(&self.variant, &self.tensors).map_err(|error| {
            let reason = match error {
                Error::Candle(error) => error.to_string().lines().next().unwrap_or_default().to_owned(),
                other => other.to_string(),
            };
            Error::file(run_dir::model(folder), format!("does not hold the network in {CONFIG}: {reason}"))
        })?;
        Ok(learner)
    }
}
