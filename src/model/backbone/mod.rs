//! Backbones: the shared convolutional network that every branch reads. One file a family; one line each in
//! [`BackboneName::spec`].

mod alexnet;
mod cvgj;
mod resnet;
mod shapes;

use super::running::RunningStats;
use super::{Architecture, Backend, Mode, he};
use crate::nn::{ConvBlock, ConvParameters, batch_norm, convolve, convolve_reference};
use candle_core::{Device, Result, Tensor};
use candle_nn::{Init, VarBuilder};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The backbones that there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum BackboneName {
    /// The paper's: AlexNet with batch norm in place of response normalization (Simon, Rodner, Denzler 2016).
    #[default]
    AlexnetCvgj,
    /// AlexNet as torchvision has it, without batch norm (Krizhevsky 2014).
    Alexnet,
    /// `ResNet` of 18 layers as torchvision has it (He et al. 2016).
    Resnet18,
    /// `ResNet` of 50 layers as torchvision has it, its strides in the 3x3 convolutions.
    Resnet50,
}

impl BackboneName {
    pub(super) fn spec(self) -> &'static dyn BackboneSpec {
        match self {
            Self::AlexnetCvgj => &cvgj::Cvgj,
            Self::Alexnet => &alexnet::AlexNet,
            Self::Resnet18 => &resnet::RESNET18,
            Self::Resnet50 => &resnet::RESNET50,
        }
    }

    /// Step of the first convolution and the five widths as published.
    pub fn published(self) -> (usize, [usize; 5]) {
        self.spec().published()
    }
}

impl fmt::Display for BackboneName {
    /// As profiles and the command line spell it.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let value = self.to_possible_value().ok_or(fmt::Error)?;
        f.write_str(value.get_name())
    }
}

/// What is known of a backbone before one is built.
pub(super) trait BackboneSpec: Sync {
    /// Step of the first convolution and the five widths as published.
    fn published(&self) -> (usize, [usize; 5]);
    /// Channels of the last map.
    fn channels(&self, architecture: &Architecture) -> usize;
    /// Side of the last map, or why there is none.
    fn output_size(&self, architecture: &Architecture) -> std::result::Result<usize, String>;
    /// The most values that a convolution unfolds for a group of one image, or gives.
    fn max_elements(&self, architecture: &Architecture) -> usize;
    /// The network, its parameters and running statistics made by `builder`.
    fn build(&self, architecture: &Architecture, builder: &mut Builder) -> Result<Box<dyn Backbone>>;
}

/// A backbone that computes.
pub(super) trait Backbone: fmt::Debug + Send + Sync {
    /// From standardized pixels `[3, batch, side, side]`, to which the scale and shift of `data` (`[3]` each) are yet
    /// to be applied, to the map that branches read, `[channels, batch, side', side']`.
    fn forward(&self, x: &Tensor, data: &(Tensor, Tensor), ctx: &ForwardCtx) -> Result<Tensor>;
}

/// Side of what a window of `kernel` pixels leaves of a map.
fn conv_output_size(side: usize, kernel: usize, stride: usize, padding: usize) -> Option<usize> {
    (stride > 0).then(|| (side + 2 * padding).checked_sub(kernel).map(|rest| rest / stride + 1))?
}

/// The values that a convolution of `inputs` channels a group unfolds for one image, or gives, if those are more.
fn unfolded(side: usize, inputs: usize, kernel: usize, outputs: usize) -> usize {
    side * side * (inputs * kernel * kernel).max(outputs)
}

/// Makes parameters, and running statistics beside them.
pub(super) struct Builder<'a> {
    vb: VarBuilder<'static>,
    running: &'a mut RunningStats,
    device: &'a Device,
}

impl<'a> Builder<'a> {
    pub(super) fn new(vb: VarBuilder<'static>, running: &'a mut RunningStats, device: &'a Device) -> Self {
        Self { vb, running, device }
    }

    /// `NAME.weight` of a convolution, `[out, in / groups, k, k]`.
    fn weight(&self, name: &str, shape: [usize; 4]) -> Result<Tensor> {
        let fan_in = shape[1..].iter().product();
        self.vb.get_with_hints(&shape, &format!("{name}.weight"), he(fan_in))
    }

    /// `NAME.bias`, `[channels]`.
    fn bias(&self, name: &str, channels: usize) -> Result<Tensor> {
        self.vb.get_with_hints(channels, &format!("{name}.bias"), Init::Const(0.0))
    }

    /// Scale and shift of batch norm `name`, `[channels]` each, and its running statistics.
    pub(super) fn norm(&mut self, name: &str, channels: usize) -> Result<(Tensor, Tensor)> {
        self.running.track(name, channels, self.device)?;
        let scale = self.vb.get_with_hints(channels, &format!("{name}.weight"), Init::Const(1.0))?;
        Ok((scale, self.bias(name, channels)?))
    }

    /// A convolution without bias and the batch norm `NAME.bn` after it.
    fn unbiased(&mut self, name: &str, shape: [usize; 4]) -> Result<ConvParameters> {
        let bias = Tensor::zeros(shape[0], candle_core::DType::F32, self.device)?;
        let (gamma, beta) = self.norm(&format!("{name}.bn"), shape[0])?;
        Ok(ConvParameters { weight: self.weight(name, shape)?, bias, gamma, beta })
    }
}

/// What one forward pass computes with.
pub(super) struct ForwardCtx<'a> {
    pub(super) backend: Backend,
    pub(super) mode: Mode,
    pub(super) eps: f64,
    pub(super) running: &'a RunningStats,
}

impl ForwardCtx<'_> {
    /// The fast path has no gradient in evaluation, so nothing may ask it for one; no other but the plain path is.
    pub(super) fn frozen(&self) -> bool {
        self.mode == Mode::Eval && self.backend != Backend::Reference
    }

    /// A parameter, or its bare value where nothing may ask for its gradient.
    pub(super) fn own(&self, parameter: &Tensor) -> Tensor {
        if self.frozen() { parameter.detach() } else { parameter.clone() }
    }

    /// A block whose batch norm is called `norm`.
    fn block(&self, block: &ConvBlock, x: &Tensor, p: &ConvParameters, norm: &str) -> Result<Tensor> {
        let statistics = self.running.of(norm, self.mode);
        let (y, moments) = match self.backend.precision() {
            None => block.forward(x, p, &statistics)?,
            Some(precision) => block.forward_reference(x, p, &statistics, precision)?,
        };
        self.running.record(norm, moments.as_ref())?;
        Ok(y)
    }

    fn own_all(&self, p: &ConvParameters) -> ConvParameters {
        let ConvParameters { weight, bias, gamma, beta } = p;
        let [weight, bias, gamma, beta] = [weight, bias, gamma, beta].map(|tensor| self.own(tensor));
        ConvParameters { weight, bias, gamma, beta }
    }

    fn convolve(&self, x: &Tensor, weight: &Tensor, stride: usize, padding: usize) -> Result<Tensor> {
        match self.backend.precision() {
            None => convolve(x, &self.own(weight), stride, padding),
            Some(precision) => convolve_reference(x, &self.own(weight), stride, padding, precision),
        }
    }

    /// Convolution and the batch norm called `norm`, without a ReLU after it.
    fn linear(&self, x: &Tensor, p: &ConvParameters, norm: &str, stride: usize) -> Result<Tensor> {
        let y = self.convolve(x, &p.weight, stride, p.weight.dim(2)? / 2)?;
        let shape = y.shape().clone();
        let statistics = self.running.of(norm, self.mode);
        let rows = y.reshape((shape.dims()[0], ()))?;
        let (y, moments) = batch_norm(&rows, &self.own(&p.gamma), &self.own(&p.beta), &statistics, self.eps)?;
        self.running.record(norm, moments.as_ref())?;
        y.reshape(shape)
    }

    /// Applies the scale and shift of the data's batch norm. In front of a padded convolution they cannot be folded
    /// into its weights: the zeros around the picture come after them.
    fn with_data_norm(&self, x: &Tensor, (scale, shift): &(Tensor, Tensor)) -> Result<Tensor> {
        let channel = |tensor: &Tensor| self.own(tensor).reshape((3, 1, 1, 1));
        x.broadcast_mul(&channel(scale)?)?.broadcast_add(&channel(shift)?)
    }
}
