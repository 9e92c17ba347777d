//! Creates the parameters of a backbone.

use crate::model::init::he;
use crate::model::running::RunningStats;
use crate::nn::ConvParameters;
use candle_core::{Device, Result, Tensor};
use candle_nn::{Init, VarBuilder};

/// Creates parameters and their running statistics.
pub(in crate::model) struct Builder<'a> {
    vb: VarBuilder<'static>,
    running: &'a mut RunningStats,
    device: &'a Device,
}

impl<'a> Builder<'a> {
    pub(in crate::model) fn new(vb: VarBuilder<'static>, running: &'a mut RunningStats, device: &'a Device) -> Self {
        Self { vb, running, device }
    }

    /// `NAME.weight` of a convolution, `[out, in / groups, k, k]`.
    pub(super) fn weight(&self, name: &str, shape: [usize; 4]) -> Result<Tensor> {
        let fan_in = shape[1..].iter().product();
        self.vb.get_with_hints(&shape, &format!("{name}.weight"), he(fan_in))
    }

    /// `NAME.bias`, `[channels]`.
    pub(super) fn bias(&self, name: &str, channels: usize) -> Result<Tensor> {
        self.vb.get_with_hints(channels, &format!("{name}.bias"), Init::Const(0.0))
    }

    /// Scale and shift of batch norm `name`, `[channels]` each, and its running statistics.
    pub(in crate::model) fn norm(&mut self, name: &str, channels: usize) -> Result<(Tensor, Tensor)> {
        self.running.track(name, channels, self.device)?;
        let scale = self.vb.get_with_hints(channels, &format!("{name}.weight"), Init::Const(1.0))?;
        Ok((scale, self.bias(name, channels)?))
    }

    /// A convolution without bias, and the batch norm `NAME.bn` after it.
    pub(in crate::model) fn unbiased(&mut self, name: &str, shape: [usize; 4]) -> Result<ConvParameters> {
        let bias = Tensor::zeros(shape[0], candle_core::DType::F32, self.device)?;
        let (gamma, beta) = self.norm(&format!("{name}.bn"), shape[0])?;
        Ok(ConvParameters { weight: self.weight(name, shape)?, bias, gamma, beta })
    }
}
