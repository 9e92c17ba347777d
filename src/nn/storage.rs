//! Conversion between candle's tensors and slices.

use candle_core::{CpuStorage, Layout, Result, Storage, Tensor, bail};
use std::sync::{Mutex, MutexGuard};

/// The elements of a contiguous f32 operand.
pub(super) fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((first, last)) => Ok(&storage.as_slice::<f32>()?[first..last]),
        None => bail!("operand of shape {:?} is not contiguous", layout.shape()),
    }
}

/// Runs `work` on the elements of a CPU tensor, made contiguous if necessary.
pub(super) fn with<R>(tensor: &Tensor, work: impl FnOnce(&[f32]) -> R) -> Result<R> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => Ok(work(slice(storage, layout)?)),
        _ => bail!("a CPU operation received a tensor on {:?}", tensor.device()),
    }
}

/// A new tensor with the shape and device of `like`.
pub(super) fn shaped(values: Vec<f32>, like: &Tensor) -> Result<Tensor> {
    Tensor::from_vec(values, like.shape(), like.device())
}

/// Locks what a forward pass saved for its backward pass.
pub(super) fn lock<T>(saved: &Mutex<T>) -> Result<MutexGuard<'_, T>> {
    saved.lock().map_err(|_| candle_core::Error::Msg("an operation failed on another thread".to_owned()))
}
