//! Checkpoints: safetensors files whose metadata describe what the tensors belong to.

use crate::error::{Error, Result};
use crate::io;
use candle_core::{Device, Tensor};
use safetensors::SafeTensors;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// The only metadata entry: the order of several would depend on a hash map, and the file's bytes with it.
const METADATA_KEY: &str = "gal-bench";

/// Named tensors and their metadata.
#[derive(Debug)]
pub struct Checkpoint<T> {
    /// Tensors by name, f32.
    pub tensors: BTreeMap<String, Tensor>,
    /// Describes what the tensors belong to; stored as JSON.
    pub meta: T,
}

impl<T: Serialize + DeserializeOwned> Checkpoint<T> {
    /// Writes the checkpoint to a file.
    pub fn write(&self, path: &Path) -> Result<()> {
        io::write(path, &self.to_bytes()?)
    }

    /// The bytes of the file.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>> {
        let metadata = HashMap::from([(METADATA_KEY.to_owned(), io::to_json(&self.meta)?)]);
        safetensors::serialize(&self.tensors, Some(metadata))
            .map_err(|e| Error::Internal(format!("a checkpoint cannot be serialized: {e}")))
    }

    /// Reads a checkpoint of this program.
    pub fn read(path: &Path, device: &Device) -> Result<Self> {
        let invalid = |reason| Error::file(path, format!("is not a checkpoint of this program: {reason}"));
        Self::from_bytes(&io::read(path)?, device).map_err(invalid)
    }

    /// Parses the bytes of a file, or returns why they are not a checkpoint.
    pub(super) fn from_bytes(bytes: &[u8], device: &Device) -> std::result::Result<Self, String> {
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| e.to_string())?;
        let meta = metadata.metadata().as_ref().and_then(|entries| entries.get(METADATA_KEY));
        let meta = meta.ok_or("its metadata has no entry gal-bench")?;
        let meta = serde_json::from_str(meta).map_err(|e| e.to_string())?;
        let tensors = candle_core::safetensors::load_buffer(bytes, device).map_err(|e| e.to_string())?;
        Ok(Self { tensors: tensors.into_iter().collect(), meta })
    }
}
