//! The shortcut of a residual block: a further input of [`BlockOp`](super::block_op), which has candle's three already.

use super::storage;
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};
use std::sync::{Arc, Mutex};

/// Values that an operation adds, and their gradient, which its backward pass leaves here.
#[derive(Debug)]
pub(super) struct Shortcut {
    values: Tensor,
    gradient: Arc<Mutex<Option<Vec<f32>>>>,
}

impl Shortcut {
    pub(super) fn new(values: &Tensor) -> Result<Self> {
        Ok(Self { values: values.contiguous()?, gradient: Arc::default() })
    }

    /// A copy of `input` that takes the shortcut's gradient along. `input` should be small, and the copy an input of the
    /// operation that adds the values.
    pub(super) fn attach(&self, input: &Tensor) -> Result<Tensor> {
        input.apply_op2(&self.values, Attach(self.gradient.clone()))
    }

    /// Runs `work` on the values.
    pub(super) fn with<R>(&self, work: impl FnOnce(&[f32]) -> R) -> Result<R> {
        storage::with(&self.values, work)
    }

    /// Leaves the gradient for the backward pass of [`Shortcut::attach`], which comes later.
    pub(super) fn leave(&self, gradient: Vec<f32>) -> Result<()> {
        *storage::lock(&self.gradient)? = Some(gradient);
        Ok(())
    }
}

#[derive(Debug)]
struct Attach(Arc<Mutex<Option<Vec<f32>>>>);

impl CustomOp2 for Attach {
    fn name(&self) -> &'static str {
        "attach-shortcut"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok((CpuStorage::F32(storage::slice(x, layout)?.to_vec()), layout.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, values: &Tensor, _: &Tensor, d: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let gradient = storage::lock(&self.0)?.take();
        Ok((Some(d.clone()), gradient.map(|gradient| storage::shaped(gradient, values)).transpose()?))
    }
}
