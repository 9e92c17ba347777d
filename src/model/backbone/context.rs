//! The layers of a backbone in one forward pass: backend, mode and running statistics applied.

use crate::model::backend::{Backend, Mode};
use crate::model::running::RunningStats;
use crate::nn::{ConvBlock, ConvParameters, batch_norm, convolve, convolve_reference};
use candle_core::{Result, Tensor};

/// Settings of one forward pass.
pub(in crate::model) struct ForwardCtx<'a> {
    pub(in crate::model) backend: Backend,
    pub(in crate::model) mode: Mode,
    pub(in crate::model) eps: f64,
    pub(in crate::model) running: &'a RunningStats,
}

impl ForwardCtx<'_> {
    /// Returns whether parameters must not receive gradients: in evaluation only [`Backend::Reference`] has any.
    pub(in crate::model) fn is_frozen(&self) -> bool {
        self.mode == Mode::Eval && self.backend != Backend::Reference
    }

    /// A parameter, detached if the pass is frozen.
    pub(in crate::model) fn own(&self, parameter: &Tensor) -> Tensor {
        if self.is_frozen() { parameter.detach() } else { parameter.clone() }
    }

    /// [`ForwardCtx::own`] of all parameters of a block.
    pub(super) fn own_all(&self, p: &ConvParameters) -> ConvParameters {
        let ConvParameters { weight, bias, gamma, beta } = p;
        let [weight, bias, gamma, beta] = [weight, bias, gamma, beta].map(|tensor| self.own(tensor));
        ConvParameters { weight, bias, gamma, beta }
    }

    /// A block whose batch norm has the name `norm`.
    pub(super) fn block(&self, block: &ConvBlock, x: &Tensor, p: &ConvParameters, norm: &str) -> Result<Tensor> {
        let statistics = self.running.of(norm, self.mode);
        let (y, moments) = match self.backend.precision() {
            None => block.forward(x, p, &statistics)?,
            Some(precision) => block.forward_reference(x, p, &statistics, precision)?,
        };
        self.running.record(norm, moments.as_ref())?;
        Ok(y)
    }

    pub(super) fn convolve(&self, x: &Tensor, weight: &Tensor, stride: usize, padding: usize) -> Result<Tensor> {
        match self.backend.precision() {
            None => convolve(x, &self.own(weight), stride, padding),
            Some(precision) => convolve_reference(x, &self.own(weight), stride, padding, precision),
        }
    }

    /// A convolution and the batch norm `norm`, without a ReLU.
    pub(super) fn linear(&self, x: &Tensor, p: &ConvParameters, norm: &str, stride: usize) -> Result<Tensor> {
        let y = self.convolve(x, &p.weight, stride, p.weight.dim(2)? / 2)?;
        let shape = y.shape().clone();
        let statistics = self.running.of(norm, self.mode);
        let rows = y.reshape((shape.dims()[0], ()))?;
        let (y, moments) = batch_norm(&rows, &self.own(&p.gamma), &self.own(&p.beta), &statistics, self.eps)?;
        self.running.record(norm, moments.as_ref())?;
        y.reshape(shape)
    }

    /// Applies scale and shift of the data's batch norm. Before a padded convolution they cannot be folded into its
    /// weights, as they do not apply to the padding.
    pub(super) fn with_data_norm(&self, x: &Tensor, (scale, shift): &(Tensor, Tensor)) -> Result<Tensor> {
        let channel = |tensor: &Tensor| self.own(tensor).reshape((3, 1, 1, 1));
        x.broadcast_mul(&channel(scale)?)?.broadcast_add(&channel(shift)?)
    }
}
