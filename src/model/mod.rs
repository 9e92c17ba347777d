//! The network of the paper (arXiv 1810.09162): a shared backbone with forty branches (feature learning net, FLN) and
//! a graph attention layer over the branches' features (correlation learning net, CLN).
//!
//! Parameters carry the names and shapes listed at [`FeatureNet`] and [`CorrelationNet`]; running statistics of batch norm
//! are kept apart, as they are not trained.

mod backbone;
mod correlation;
mod feature_net;
mod running;

pub use backbone::BackboneName;
pub use correlation::{CorrelationNet, CorrelationOutput};
pub use feature_net::{FeatureNet, FeatureOutput};

use crate::nn::{Precision, batched_linear, batched_linear_reference};
use candle_core::{D, Result, Tensor};
use candle_nn::Init;
use serde::{Deserialize, Serialize};

/// The sizes of a network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "PartialArchitecture")]
pub struct Architecture {
    /// The network in front of the branches.
    pub backbone: BackboneName,
    /// Side of the square input in pixels.
    pub input_size: usize,
    /// Step of the first convolution; a profile may leave it out for the backbone's own.
    pub stride: usize,
    /// Channels of an AlexNet's five convolutions, or of a `ResNet`'s first convolution and its four stages; a profile
    /// may leave them out for the backbone's own.
    pub widths: [usize; 5],
    /// Channels of each branch.
    pub branch_channels: usize,
    /// Channels of a node before it is flattened over the map's positions.
    pub node_channels: usize,
    /// Added to variances under batch norm's root.
    pub bn_eps: f64,
    /// Share of the old value in batch norm's running averages.
    pub bn_decay: f64,
}

/// An [`Architecture`] as a profile may write it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PartialArchitecture {
    #[serde(default)]
    backbone: BackboneName,
    #[serde(alias = "input")]
    input_size: usize,
    stride: Option<usize>,
    widths: Option<[usize; 5]>,
    #[serde(alias = "branch")]
    branch_channels: usize,
    #[serde(alias = "node")]
    node_channels: usize,
    #[serde(alias = "eps")]
    bn_eps: f64,
    #[serde(alias = "decay")]
    bn_decay: f64,
}

impl From<PartialArchitecture> for Architecture {
    fn from(partial: PartialArchitecture) -> Self {
        let PartialArchitecture {
            backbone,
            input_size,
            stride,
            widths,
            branch_channels,
            node_channels,
            bn_eps,
            bn_decay,
        } = partial;
        let (own_stride, own_widths) = backbone.published();
        let (stride, widths) = (stride.unwrap_or(own_stride), widths.unwrap_or(own_widths));
        Self { backbone, input_size, stride, widths, branch_channels, node_channels, bn_eps, bn_decay }
    }
}

impl Architecture {
    /// The network as published.
    pub const PAPER: Self = Self {
        backbone: BackboneName::AlexnetCvgj,
        input_size: 227,
        stride: 4,
        widths: [96, 256, 384, 384, 256],
        branch_channels: 256,
        node_channels: 10,
        bn_eps: 1e-3,
        bn_decay: 0.999,
    };

    /// Side of the backbone's last map, or why there is none.
    pub fn map(&self) -> std::result::Result<usize, String> {
        if self.branch_channels == 0 || self.node_channels == 0 {
            return Err("no width may be 0".to_owned());
        }
        self.backbone.spec().output_size(self)
    }
}

/// Whether a forward pass belongs to training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Batch norm uses and records the batch's moments.
    Train,
    /// Batch norm uses its running averages, and on the fast path nothing is kept for a backward pass.
    Eval,
}

/// Which form of the operations of [`crate::nn`] computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// Our own loops on a CPU, candle's operations elsewhere.
    Native,
    /// candle's operations everywhere; with a gradient in both passes.
    Reference,
    /// candle's operations everywhere, their products in bf16.
    ReferenceBf16,
}

impl Backend {
    /// That of candle's operations; none where our own loops may compute.
    pub fn precision(self) -> Option<Precision> {
        match self {
            Self::Native => None,
            Self::Reference => Some(Precision::Single),
            Self::ReferenceBf16 => Some(Precision::Bf16),
        }
    }

    /// `weight` `[a, m, k]` times `x` `[a, k, n]`, plus `bias` `[a, m]`.
    fn linear(self, weight: &Tensor, x: &Tensor, bias: &Tensor) -> Result<Tensor> {
        match self.precision() {
            None => batched_linear(weight, x, Some(bias)),
            Some(precision) => batched_linear_reference(weight, x, Some(bias), precision),
        }
    }
}

/// Initial values of a layer in front of a ReLU (He et al. 2015): uniform with variance 2 / fan-in.
fn he(fan_in: usize) -> Init {
    let bound = (6.0 / fan_in as f64).sqrt();
    Init::Uniform { lo: -bound, up: bound }
}

/// Initial values of other linear layers (Glorot and Bengio 2010), TensorFlow's default: uniform with variance
/// 2 / (fan-in + fan-out).
fn glorot(fan_in: usize, fan_out: usize) -> Init {
    let bound = (6.0 / (fan_in + fan_out) as f64).sqrt();
    Init::Uniform { lo: -bound, up: bound }
}

/// Two-way softmax cross-entropy, mean over the batch, summed over the attributes: `logits` and `targets` (one-hot)
/// `[attributes, 2, batch]`, a scalar.
pub fn loss(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    let batch = logits.dim(2)?;
    (candle_nn::ops::log_softmax(logits, 1)? * targets)?.sum_all()?.neg()? / batch as f64
}

/// Probability of the positive class from logits `[attributes, 2, batch]`: `[batch, attributes]`.
pub fn probabilities(logits: &Tensor) -> Result<Tensor> {
    let logits = logits.detach().transpose(1, 2)?.contiguous()?;
    candle_nn::ops::softmax(&logits, D::Minus1)?.narrow(2, 1, 1)?.squeeze(2)?.t()?.contiguous()
}

/// Whether weight decay applies to a parameter: to weights, never to biases or batch norm.
pub fn has_weight_decay(name: &str) -> bool {
    name.ends_with(".weight") && !name.contains("bn.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_earlier_profiles_and_checkpoints_are_read() {
        let expected = Architecture::PAPER;
        let json = r#"{"input": 227, "branch": 256, "node": 10, "eps": 1e-3, "decay": 0.999}"#;
        assert_eq!(serde_json::from_str::<Architecture>(json).unwrap(), expected);
        let toml = "input = 227\nbranch = 256\nnode = 10\neps = 1e-3\ndecay = 0.999";
        assert_eq!(toml::from_str::<Architecture>(toml).unwrap(), expected);
        let written = toml::to_string(&expected).unwrap();
        assert!(written.contains("input_size = 227") && written.contains("bn_eps = 0.001"), "{written}");
        assert_eq!(toml::from_str::<Architecture>(&written).unwrap(), expected);
    }
}
