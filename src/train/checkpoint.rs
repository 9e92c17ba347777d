//! Checkpoints: safetensors files whose metadata describe what the tensors belong to.

use crate::error::{Error, Result};
use crate::io;
use candle_core::{Device, Tensor};
use safetensors::SafeTensors;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::Path;

/// The only metadata entry: the order of several would depend on a hash map, and the file's bytes with it.
const METADATA_KEY: &str = "gal-bench";

/// The field of the metadata with the BLAKE3 of the file, in which [`NO_CHECKSUM`] stands for the checksum itself.
const CHECKSUM: &str = "blake3";
const NO_CHECKSUM: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The place of the checksum in a file.
fn checksum_place(bytes: &[u8]) -> Option<Range<usize>> {
    // The metadata are JSON in a text of JSON.
    let name = format!("{CHECKSUM}\\\":\\\"");
    let start = memchr::memmem::find(bytes, name.as_bytes())? + name.len();
    (bytes.len() >= start + NO_CHECKSUM.len()).then_some(start..start + NO_CHECKSUM.len())
}

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

    /// The bytes of the file. Metadata that are an object hold the file's checksum, too.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut meta = serde_json::to_value(&self.meta).map_err(|e| Error::Internal(e.to_string()))?;
        if let Some(fields) = meta.as_object_mut() {
            fields.insert(CHECKSUM.to_owned(), NO_CHECKSUM.into());
        }
        let metadata = HashMap::from([(METADATA_KEY.to_owned(), io::to_json(&meta)?)]);
        // candle panics if a device fails while safetensors copies from it.
        let copied = |(name, tensor): (&String, &Tensor)| Ok((name.clone(), tensor.to_device(&Device::Cpu)?));
        let tensors = self.tensors.iter().map(copied).collect::<Result<BTreeMap<_, _>>>()?;
        let mut bytes = safetensors::serialize(&tensors, Some(metadata))
            .map_err(|e| Error::Internal(format!("a checkpoint cannot be serialized: {e}")))?;
        if let Some(place) = checksum_place(&bytes) {
            let checksum = blake3::hash(&bytes).to_hex();
            bytes[place].copy_from_slice(checksum.as_bytes());
        }
        Ok(bytes)
    }

    /// Reads a checkpoint of this program.
    pub fn read(path: &Path, device: &Device) -> Result<Self> {
        let bytes = io::read_up_to(path, io::NETWORK_BYTES)?;
        let checkpoint = Self::from_bytes(&bytes).map_err(|reason| {
            let invalid = || Error::file(path, format!("is not a checkpoint of this program: {reason}"));
            io::foreign(path, &bytes).unwrap_or_else(invalid)
        })?;
        checkpoint.onto(device)
    }

    /// A copy on `device`. A fault of the device is not one of the file.
    pub(super) fn onto(self, device: &Device) -> Result<Self> {
        let copied = |(name, tensor): (String, Tensor)| Ok((name, tensor.to_device(device)?));
        Ok(Self { tensors: self.tensors.into_iter().map(copied).collect::<Result<_>>()?, meta: self.meta })
    }

    /// Parses the bytes of a file onto the CPU, or returns why they are not a checkpoint.
    pub(super) fn from_bytes(bytes: &[u8]) -> std::result::Result<Self, String> {
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| e.to_string())?;
        let meta = metadata.metadata().as_ref().and_then(|entries| entries.get(METADATA_KEY));
        let meta = meta.ok_or("its metadata has no entry gal-bench")?;
        let mut meta: Value = serde_json::from_str(meta).map_err(|e| e.to_string())?;
        // Earlier versions wrote no checksum.
        if let Some(Value::String(checksum)) = meta.as_object_mut().and_then(|fields| fields.remove(CHECKSUM)) {
            let mut blank = bytes.to_vec();
            let place = checksum_place(bytes).ok_or("its checksum is damaged")?;
            blank[place].copy_from_slice(NO_CHECKSUM.as_bytes());
            if blake3::hash(&blank).to_hex().as_str() != checksum {
                return Err("its content differs from its checksum".to_owned());
            }
        }
        let meta = serde_json::from_value(meta).map_err(|e| e.to_string())?;
        let tensors = candle_core::safetensors::load_buffer(bytes, &Device::Cpu).map_err(|e| e.to_string())?;
        Ok(Self { tensors: tensors.into_iter().collect(), meta })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Meta {
        seed: u64,
        rate: f64,
    }

    #[test]
    fn every_changed_bit_is_noticed() {
        let tensors = BTreeMap::from([("a".to_owned(), Tensor::new(&[1_f32, -2.5, 0.0], &Device::Cpu).unwrap())]);
        let checkpoint = Checkpoint { tensors, meta: Meta { seed: u64::MAX, rate: 0.1 } };
        let bytes = checkpoint.to_bytes().unwrap();
        let read = |bytes: &[u8]| Checkpoint::<Meta>::from_bytes(bytes);
        assert_eq!(read(&bytes).unwrap().meta, checkpoint.meta);
        for bit in 0..8 * bytes.len() {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&changed).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_file_without_a_checksum_is_read() {
        let checkpoint = Checkpoint { tensors: BTreeMap::new(), meta: 7_usize };
        let bytes = checkpoint.to_bytes().unwrap();
        assert_eq!(checksum_place(&bytes), None);
        assert_eq!(Checkpoint::<usize>::from_bytes(&bytes).unwrap().meta, 7);
    }
}
