//! Conversion between candle's tensors and slices.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CudaStorage, Error, Layout, Result, Shape, Storage, Tensor, bail};
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
    saved.lock().map_err(|_| Error::Msg("an operation failed on another thread".to_owned()))
}

/// The result of an operation that attaches a gradient to what other operations have computed.
pub(super) struct Precomputed(Mutex<Option<Tensor>>);

impl Precomputed {
    /// `result` is contiguous, and no part of another tensor.
    pub(super) fn new(result: Tensor) -> Self {
        Self(Mutex::new(Some(result)))
    }

    fn take(&self) -> Result<Tensor> {
        lock(&self.0)?.take().ok_or_else(|| Error::Msg("an operation runs once".to_owned()))
    }

    /// The result of the operation on a CPU.
    pub(super) fn on_cpu(&self) -> Result<(CpuStorage, Shape)> {
        let result = self.take()?;
        match &*result.storage_and_layout().0 {
            Storage::Cpu(storage) => Ok((storage.clone(), result.shape().clone())),
            _ => bail!("a result has left its device"),
        }
    }

    /// The result of the operation on a CUDA device.
    pub(super) fn on_cuda(&self) -> Result<(CudaStorage, Shape)> {
        let result = self.take()?;
        match &*result.storage_and_layout().0 {
            Storage::Cuda(storage) => Ok((storage.try_clone(result.layout())?, result.shape().clone())),
            _ => bail!("a result has left its device"),
        }
    }
}
