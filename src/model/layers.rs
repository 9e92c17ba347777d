//! Layers of tokens, with PyTorch's names and layouts.

use super::init::{ONE, ZERO, glorot};
use candle_core::{D, Result, Tensor};
use candle_nn::VarBuilder;

/// Added to a token's variance.
const EPS: f64 = 1e-5;

/// A linear layer of the last axis, `y = x w + b`, as PyTorch's.
#[derive(Debug)]
pub(super) struct LinearLayer {
    /// `[outputs, inputs]`.
    weight: Tensor,
    bias: Option<Tensor>,
}

impl LinearLayer {
    pub(super) fn new(vb: &VarBuilder, inputs: usize, outputs: usize, bias: bool) -> Result<Self> {
        Ok(Self {
            weight: vb.get_with_hints((outputs, inputs), "weight", glorot(inputs, outputs, 1.0))?,
            bias: bias.then(|| vb.get_with_hints(outputs, "bias", ZERO)).transpose()?,
        })
    }

    /// `[n, outputs]` of `[n, inputs]`.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = x.matmul(&self.weight.t()?)?;
        self.bias.as_ref().map_or(Ok(y.clone()), |bias| y.broadcast_add(bias))
    }
}

/// Normalization of each token.
#[derive(Debug)]
pub(super) struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
}

impl LayerNorm {
    pub(super) fn new(vb: &VarBuilder, width: usize) -> Result<Self> {
        Ok(Self { weight: vb.get_with_hints(width, "weight", ONE)?, bias: vb.get_with_hints(width, "bias", ZERO)? })
    }

    /// candle-nn's own fused operation has no gradient.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
        let deviation = (centred.sqr()?.mean_keepdim(D::Minus1)? + EPS)?.sqrt()?;
        centred.broadcast_div(&deviation)?.broadcast_mul(&self.weight)?.broadcast_add(&self.bias)
    }
}
