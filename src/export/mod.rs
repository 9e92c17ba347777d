//! Exports a trained network: to PyTorch, as weights with the names and layouts of PyTorch's own layers and a module that
//! loads them, or as one ONNX model. A model card lies beside either.

mod card;
mod format;
mod network;
mod onnx;

pub use format::ExportFormat;

use crate::error::{Error, Result};
use crate::io::{self, OutputFolder};
use crate::progress::Progress;
use crate::train::TrainedModel;
use network::Network;
use serde::Serialize;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The module; it loads the weights from its own folder.
const MODULE: &str = include_str!("gal_net.py");

/// Key of the metadata entry.
const METADATA_KEY: &str = "gal-bench";

/// The written files.
#[derive(Debug, Clone, Serialize)]
pub struct Exported {
    /// The Python module; `None` for an ONNX model.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "serialize_module")]
    pub module: Option<PathBuf>,
    /// Its weights, or the ONNX model.
    #[serde(serialize_with = "crate::io::serialize_path")]
    pub weights: PathBuf,
    /// The model card.
    #[serde(serialize_with = "crate::io::serialize_path")]
    pub card: PathBuf,
    /// Number of values, running statistics and a fixed affinity included.
    pub values: usize,
}

#[allow(clippy::ref_option, reason = "serde passes the field by reference")]
fn serialize_module<S: serde::Serializer>(
    module: &Option<PathBuf>,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    module.as_deref().map(io::path_text).serialize(serializer)
}

/// Writes the network in the run folder `run` and its model card to `folder`.
///
/// # Errors
/// No finished run, a network that the format does not support, or a folder that is not empty without `force`.
pub fn export(run: &Path, folder: &Path, format: ExportFormat, force: bool, progress: &Progress) -> Result<Exported> {
    let trained = TrainedModel::open(run)?;
    let network = Network::new(&trained, run)?;
    let output = OutputFolder::claim_empty(folder, force)?;
    let card = card::card(run, &trained, format, progress)?;
    let weights = match format {
        ExportFormat::Pytorch => weights(&network)?,
        ExportFormat::Onnx => onnx::model(&network)?,
    };
    let path = |name: &str| folder.join(name);
    let exported = Exported {
        module: format.module_file().map(path),
        weights: path(format.weights_file()),
        card: path(card::FILE),
        values: network.values(),
    };
    io::write(&exported.weights, &weights)?;
    if let Some(module) = &exported.module {
        io::write(module, MODULE.as_bytes())?;
    }
    io::write(&exported.card, card.as_bytes())?;
    output.record()?;
    Ok(exported)
}

/// A safetensors file of the module's tensors, with the metadata that the module reads.
fn weights(network: &Network) -> Result<Vec<u8>> {
    let meta = io::to_json(&network.meta)?;
    safetensors::serialize(&network.tensors, Some(HashMap::from([(METADATA_KEY.to_owned(), meta)])))
        .map_err(|e| Error::Internal(format!("the weights cannot be serialized: {e}")))
}
