//! Files of imported weights, and loading them into a network.

use super::import::{BN_EPS, Imported};
use crate::config::{InitialWeights, Profile};
use crate::error::{Error, Result};
use crate::io;
use crate::model::{Architecture, BackboneName, FeatureNet};
use crate::nn::Parameters;
use candle_core::{Device, Tensor};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// Key of the metadata entry.
const METADATA_KEY: &str = "gal-bench-weights";

/// Metadata of a file of imported weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct WeightsMeta {
    backbone: BackboneName,
    /// Name and digest of the imported file.
    origin: String,
    /// Batch norm's epsilon in training.
    eps: f64,
}

/// Initial weights of a backbone.
#[derive(Debug)]
pub struct PretrainedWeights {
    path: PathBuf,
    meta: WeightsMeta,
    /// blake3 of the file.
    pub digest: String,
    tensors: BTreeMap<String, Tensor>,
}

impl Imported {
    /// Writes the weights to `path`; `source` is the file they were imported from.
    pub fn write(&self, source: &Path, path: &Path) -> Result<()> {
        let name = source.file_name().unwrap_or_default().to_string_lossy();
        let origin = format!("{name} (blake3 {})", io::digest(source, io::NETWORK_BYTES)?);
        let meta = WeightsMeta { backbone: self.backbone, origin, eps: BN_EPS };
        let meta = io::to_json(&meta)?;
        let bytes = safetensors::serialize(&self.tensors, Some(HashMap::from([(METADATA_KEY.to_owned(), meta)])))
            .map_err(|e| Error::Internal(format!("weights cannot be serialized: {e}")))?;
        io::write(path, &bytes)
    }
}

impl PretrainedWeights {
    /// Reads the file that a profile names and checks its digest, if the profile states one.
    pub fn open(weights: &InitialWeights) -> Result<Self> {
        let found = Self::read(&weights.file)?;
        if !weights.digest.is_empty() && weights.digest != found.digest {
            return Err(Error::file(
                &weights.file,
                format!("has the digest {}, expected {}", found.digest, weights.digest),
            ));
        }
        Ok(found)
    }

    /// Sets the initial weights of `profile` to `file`, if given, and records their origin and digest.
    pub fn record_in(profile: &mut Profile, file: Option<&Path>) -> Result<()> {
        if let Some(file) = file {
            profile.initial_weights = Some(InitialWeights { file: file.to_path_buf(), ..InitialWeights::default() });
        }
        if let Some(weights) = &mut profile.initial_weights {
            let found = Self::open(weights)?;
            found.origin().clone_into(&mut weights.origin);
            weights.digest = found.digest;
        }
        Ok(())
    }

    /// Reads a file that `gal-bench weights import` wrote.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = io::read_up_to(path, io::NETWORK_BYTES)?;
        let broken = |e: &dyn std::fmt::Display| {
            let e = e.to_string();
            let e = e.lines().next().unwrap_or_default();
            io::foreign(path, &bytes)
                .unwrap_or_else(|| Error::file(path, format!("is not a file of `gal-bench weights import`: {e}")))
        };
        let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(|e| broken(&e))?;
        let meta = metadata.metadata().as_ref().and_then(|entries| entries.get(METADATA_KEY));
        let meta = meta.ok_or_else(|| broken(&format!("its metadata has no entry {METADATA_KEY}")))?;
        let meta = serde_json::from_str(meta).map_err(|e| broken(&e))?;
        let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).map_err(|e| broken(&e))?;
        let digest = blake3::hash(&bytes).to_hex().to_string();
        Ok(Self { path: path.to_path_buf(), meta, digest, tensors: tensors.into_iter().collect() })
    }

    /// Name and digest of the imported file.
    pub fn origin(&self) -> &str {
        &self.meta.origin
    }

    /// Loads the weights into a network; parameters without weights keep their initial values.
    ///
    /// If batch norm's epsilon differs from training, its scales are corrected so that evaluation gives the same features.
    pub fn apply(&self, architecture: &Architecture, parameters: &Parameters, net: &FeatureNet) -> Result<()> {
        let (ours, theirs) = (architecture.backbone, self.meta.backbone);
        if ours != theirs {
            return Err(Error::file(
                &self.path,
                format!("holds weights of {theirs}; the profile's backbone is {ours}"),
            ));
        }
        let mut variables = parameters.all();
        variables.extend(net.running().clone());
        for (name, tensor) in &self.tensors {
            let variable = variables.get(name).filter(|v| v.shape() == tensor.shape()).ok_or_else(|| {
                let found = variables.get(name).map_or("missing".to_owned(), |v| format!("{:?}", v.dims()));
                let message = format!(
                    "{name} is {:?} and in the profile's network {found}: leave `widths` out of the profile for those \
                     of the weights",
                    tensor.dims()
                );
                Error::file(&self.path, message)
            })?;
            variable.set(&tensor.to_device(variable.device())?)?;
        }
        for (name, variance) in &self.tensors {
            let Some(norm) = name.strip_suffix(".running_var") else { continue };
            let Some(scale) = variables.get(&format!("{norm}.weight")) else { continue };
            let variance = variance.to_device(scale.device())?;
            let factor = ((&variance + architecture.bn_eps)? / (&variance + self.meta.eps)?)?.sqrt()?;
            scale.set(&(scale.as_detached_tensor() * factor)?)?;
        }
        Ok(())
    }
}
