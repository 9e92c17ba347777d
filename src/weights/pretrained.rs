//! The file of imported weights, and a network that starts from it.

use super::Imported;
use super::import::EPS;
use crate::error::{Error, Result};
use crate::io;
use crate::model::{Architecture, BackboneName, FeatureNet};
use crate::nn::Parameters;
use candle_core::{Device, Tensor};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// The metadata entry of the file.
const ENTRY: &str = "gal-bench-weights";

/// What the weights are of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct About {
    backbone: BackboneName,
    /// Where they were imported from.
    origin: String,
    /// Added under batch norm's root where they were trained.
    eps: f64,
}

/// Initial weights of a backbone.
#[derive(Debug)]
pub struct PretrainedWeights {
    path: PathBuf,
    about: About,
    /// blake3 of the file.
    pub digest: String,
    tensors: BTreeMap<String, Tensor>,
}

impl Imported {
    /// Writes the weights, imported from the file `source`, to `path`.
    pub fn write(&self, source: &Path, path: &Path) -> Result<()> {
        let name = source.file_name().unwrap_or_default().to_string_lossy();
        let origin = format!("{name} (blake3 {})", blake3::hash(&io::read(source)?));
        let about = About { backbone: self.backbone, origin, eps: EPS };
        let about = io::to_json(&about)?;
        let bytes = safetensors::serialize(&self.tensors, Some(HashMap::from([(ENTRY.to_owned(), about)])))
            .map_err(|e| Error::Internal(format!("weights cannot be serialized: {e}")))?;
        io::write(path, &bytes)
    }
}

impl PretrainedWeights {
    /// Reads a file that `gal-bench weights import` wrote.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = io::read(path)?;
        let broken = |e: &dyn std::fmt::Display| {
            let e = e.to_string();
            let e = e.lines().next().unwrap_or_default();
            Error::file(path, format!("is not a file of `gal-bench weights import`: {e}"))
        };
        let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(|e| broken(&e))?;
        let about = metadata.metadata().as_ref().and_then(|entries| entries.get(ENTRY));
        let about = about.ok_or_else(|| broken(&format!("its metadata has no entry {ENTRY}")))?;
        let about = serde_json::from_str(about).map_err(|e| broken(&e))?;
        let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).map_err(|e| broken(&e))?;
        let digest = blake3::hash(&bytes).to_hex().to_string();
        Ok(Self { path: path.to_path_buf(), about, digest, tensors: tensors.into_iter().collect() })
    }

    /// Where the weights were imported from.
    pub fn origin(&self) -> &str {
        &self.about.origin
    }

    /// Gives the weights to a network; what they say nothing about keeps its initial value.
    ///
    /// Batch norm here may add another number under its root than where the weights come from: its scales are
    /// corrected for that, so that evaluation gives the same features.
    pub fn apply(&self, architecture: &Architecture, parameters: &Parameters, trunk: &FeatureNet) -> Result<()> {
        let (ours, theirs) = (architecture.backbone, self.about.backbone);
        if ours != theirs {
            return Err(Error::file(
                &self.path,
                format!("holds weights of {theirs}; the profile's backbone is {ours}"),
            ));
        }
        let mut places = parameters.all();
        places.extend(trunk.running().clone());
        for (name, tensor) in &self.tensors {
            let place = places.get(name).filter(|place| place.shape() == tensor.shape()).ok_or_else(|| {
                let found = places.get(name).map_or("not there".to_owned(), |p| format!("{:?}", p.dims()));
                let message = format!(
                    "{name} is {:?} and in the profile's network {found}: leave `widths` out of the profile for those \
                     of the weights",
                    tensor.dims()
                );
                Error::file(&self.path, message)
            })?;
            place.set(&tensor.to_device(place.device())?)?;
        }
        for (name, variance) in &self.tensors {
            let Some(norm) = name.strip_suffix(".running_var") else { continue };
            let Some(scale) = places.get(&format!("{norm}.weight")) else { continue };
            let variance = variance.to_device(scale.device())?;
            let factor = ((&variance + architecture.bn_eps)? / (&variance + self.about.eps)?)?.sqrt()?;
            scale.set(&(scale.as_detached_tensor() * factor)?)?;
        }
        Ok(())
    }
}
