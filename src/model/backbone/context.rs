//! The layers of a backbone in one forward pass: backend, mode and running statistics applied.

use crate::model::backend::{Backend, Mode};
use crate::model::running::RunningStats;
use crate::nn::{ConvBlock, ConvParameters, PlainBlock, convolve};
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
    pub(in crate::model) fn own_all(&self, p: &ConvParameters) -> ConvParameters {
        let ConvParameters { weight, bias, gamma, beta } = p;
        let [weight, bias, gamma, beta] = [weight, bias, gamma, beta].map(|tensor| self.own(tensor));
        ConvParameters { weight, bias, gamma, beta }
    }

    /// A block whose batch norm has the name `norm`.
    pub(in crate::model) fn block(
        &self,
        block: &ConvBlock,
        x: &Tensor,
        p: &ConvParameters,
        norm: &str,
    ) -> Result<Tensor> {
        self.joined(block, x, p, norm, None)
    }

    /// [`ForwardCtx::block`] that adds a shortcut before ReLU.
    pub(super) fn joined(
        &self,
        block: &ConvBlock,
        x: &Tensor,
        p: &ConvParameters,
        norm: &str,
        shortcut: Option<&Tensor>,
    ) -> Result<Tensor> {
        let statistics = self.running.of(norm, self.mode);
        let (y, moments) = match self.backend.precision() {
            None => block.forward_joined(x, p, shortcut, &statistics)?,
            Some(precision) => block.forward_reference(x, p, shortcut, &statistics, precision)?,
        };
        self.running.record(norm, moments.as_ref())?;
        Ok(y)
    }

    /// A block without batch norm.
    pub(super) fn plain(&self, block: &PlainBlock, x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
        match self.backend.precision() {
            None => block.forward(x, weight, bias),
            Some(precision) => block.forward_reference(x, weight, bias, precision),
        }
    }

    /// Applies scale and shift of the data's batch norm before a padded convolution. Returns its input, weights and bias.
    ///
    /// On the CPU the pixels stay as they are, so that they need no gradient: the scale is folded into the weights, and the
    /// shift into a bias per position, as it does not apply to the padding. This bias is the convolution of one image of
    /// the shift.
    pub(super) fn with_data_norm(
        &self,
        x: &Tensor,
        data: &(Tensor, Tensor),
        (weight, bias): (Tensor, Tensor),
        (stride, padding): (usize, usize),
    ) -> Result<(Tensor, Tensor, Tensor)> {
        let scale = self.own(&data.0);
        let shift = self.own(&data.1).reshape((3, 1, 1, 1))?;
        if self.backend.precision().is_some() || !x.device().is_cpu() {
            return Ok((x.broadcast_mul(&scale.reshape((3, 1, 1, 1))?)?.broadcast_add(&shift)?, weight, bias));
        }
        let (_, _, height, width) = x.dims4()?;
        let image = shift.broadcast_as((3, 1, height, width))?.contiguous()?;
        let bias = convolve(&image, &weight, stride, padding)?.broadcast_add(&bias.reshape(((), 1, 1, 1))?)?;
        let weight = weight.broadcast_mul(&scale.reshape((1, 3, 1, 1))?)?;
        Ok((x.clone(), weight, bias))
    }
}
