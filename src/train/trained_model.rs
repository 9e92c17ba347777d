//! A trained network as its run folder holds it: for whatever uses it afterwards.

use super::checkpoint::Checkpoint;
use super::learner::Learner;
use super::shared_run::SharedRun;
use crate::config::RunConfig;
use crate::error::{Error, Result};
use crate::model::Backend;
use crate::store::Preprocessing;
use crate::variant::Variant;
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// The network's parameters and running statistics in a run folder.
pub(super) const CHECKPOINT: &str = "checkpoint.safetensors";

/// Metadata of a network's checkpoint.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct About {
    pub(super) config: RunConfig,
    /// How the pictures that it learned from were standardized.
    #[serde(rename = "standard")]
    pub(super) preprocessing: Preprocessing,
}

/// A trained network.
#[derive(Debug)]
pub struct TrainedModel {
    /// What it is.
    pub config: RunConfig,
    /// Its variant.
    pub variant: Variant,
    /// How the pictures that it learned from were standardized.
    pub preprocessing: Preprocessing,
    /// Parameters and running statistics by name, on the CPU.
    pub tensors: BTreeMap<String, Tensor>,
}

impl TrainedModel {
    /// Reads the network in a run folder.
    ///
    /// # Errors
    /// No finished run, or a checkpoint that is not of the run that `config.toml` describes.
    pub fn open(folder: &Path) -> Result<Self> {
        let (config_path, path) = (folder.join("config.toml"), folder.join(CHECKPOINT));
        if !config_path.is_file() {
            return Err(Error::Request(format!(
                "{} is not a run folder, as it has no config.toml: name one that `gal-bench train` made",
                folder.display()
            )));
        }
        let config = RunConfig::read(&config_path)?;
        if !path.is_file() {
            return Err(Error::Request(format!(
                "the run in {} is not finished, as it has no {CHECKPOINT}: run the `gal-bench train` command that \
                 started it again",
                folder.display()
            )));
        }
        let Checkpoint { tensors, about } = Checkpoint::<About>::read(&path, &Device::Cpu)?;
        if about.config != config {
            let difference = config.difference(&about.config).unwrap_or_else(|| "it differs".to_owned());
            let message = format!("is of another run than config.toml beside it ({difference}): train the run again");
            return Err(Error::file(path, message));
        }
        let variant = Variant::named(&config.variant)
            .ok_or_else(|| Error::file(config_path, format!("names an unknown variant {}", config.variant)))?;
        Ok(Self { config, variant, preprocessing: about.preprocessing, tensors })
    }

    /// The network, ready to compute.
    ///
    /// # Errors
    /// Tensors that are not those of the network that the configuration describes; `folder` is named in them.
    pub fn learner(&self, folder: &Path, device: &Device) -> Result<Learner> {
        let profile = &self.config.profile;
        let plan = SharedRun { fln: self.variant.fln, weight_decay: 0.0, variants: vec![self.variant] };
        let seed = self.config.seed;
        let mut learner = Learner::new(&profile.network, &plan, &profile.optimizer, seed, Backend::Native, device)?;
        learner.load_network(&self.variant, &self.tensors).map_err(|error| {
            let reason = match error {
                Error::Candle(error) => error.to_string().lines().next().unwrap_or_default().to_owned(),
                other => other.to_string(),
            };
            Error::file(folder.join(CHECKPOINT), format!("is not of the network in config.toml: {reason}"))
        })?;
        Ok(learner)
    }
}
