//! Checkpoints: safetensors with one metadata entry that says what the tensors belong to.

use crate::error::{Error, Result};
use crate::io;
use candle_core::{Device, Tensor};
use safetensors::SafeTensors;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// The metadata entry; one only, so that the file's bytes do not depend on a hash map's order.
const ENTRY: &str = "gal-bench";

/// Named tensors and what they belong to.
#[derive(Debug)]
pub struct Checkpoint<T> {
    /// Tensors by name, f32.
    pub tensors: BTreeMap<String, Tensor>,
    /// What they belong to.
    pub about: T,
}

impl<T: Serialize + DeserializeOwned> Checkpoint<T> {
    /// Writes the whole file or nothing.
    pub fn write(&self, path: &Path) -> Result<()> {
        io::write(path, &self.to_bytes()?)
    }

    /// The bytes of the file.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>> {
        let about = io::to_json(&self.about)?;
        let metadata = HashMap::from([(ENTRY.to_owned(), about)]);
        safetensors::serialize(&self.tensors, Some(metadata))
            .map_err(|e| Error::Internal(format!("a checkpoint cannot be serialized: {e}")))
    }

    /// Reads a checkpoint of this program.
    pub fn read(path: &Path, device: &Device) -> Result<Self> {
        let broken = |reason| Error::file(path, format!("is not a checkpoint of this program: {reason}"));
        Self::from_bytes(&io::read(path)?, device).map_err(broken)
    }

    /// From the bytes of a file, or why they are none.
    pub(super) fn from_bytes(bytes: &[u8], device: &Device) -> std::result::Result<Self, String> {
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| e.to_string())?;
        let about = metadata.metadata().as_ref().and_then(|entries| entries.get(ENTRY));
        let about = about.ok_or("its metadata has no entry gal-bench")?;
        let about = serde_json::from_str(about).map_err(|e| e.to_string())?;
        let tensors = candle_core::safetensors::load_buffer(bytes, device).map_err(|e| e.to_string())?;
        Ok(Self { tensors: tensors.into_iter().collect(), about })
    }
}
