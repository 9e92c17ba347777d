//! PyTorch's state dictionaries: zip files with a pickle (`torch.save`, since version 1.6), and safetensors.

use super::Array;
use crate::error::{Error, Result};
use crate::files;
use candle_core::{DType, Device, Tensor};
use std::collections::BTreeMap;
use std::path::Path;

pub(super) fn pickled(path: &Path) -> Result<BTreeMap<String, Array>> {
    // Opened here first, so that a missing file is told apart from a broken one.
    if !files::read(path)?.starts_with(b"PK") {
        return Err(Error::file(
            path,
            "is not a zip file as torch.save writes it: load it in PyTorch and save its state_dict again",
        ));
    }
    let tensors = candle_core::pickle::read_all(path).map_err(|e| broken(path, &e))?;
    collect(path, tensors)
}

pub(super) fn safetensors(path: &Path) -> Result<BTreeMap<String, Array>> {
    let bytes = files::read(path)?;
    let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).map_err(|e| broken(path, &e))?;
    collect(path, tensors)
}

fn broken(path: &Path, error: &candle_core::Error) -> Error {
    let text = error.to_string();
    Error::file(path, format!("is not a whole file of PyTorch's weights: {}", text.lines().next().unwrap_or_default()))
}

fn collect(path: &Path, tensors: impl IntoIterator<Item = (String, Tensor)>) -> Result<BTreeMap<String, Array>> {
    let array = |tensor: &Tensor| -> candle_core::Result<Array> {
        let values = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
        Ok(Array { shape: tensor.dims().to_vec(), values })
    };
    let found: BTreeMap<String, Array> = tensors
        .into_iter()
        .map(|(name, tensor)| Ok((name, array(&tensor).map_err(|e| broken(path, &e))?)))
        .collect::<Result<_>>()?;
    if found.is_empty() {
        return Err(Error::file(path, "holds no tensors: a state_dict is expected, not a whole module"));
    }
    Ok(found)
}
