//! Layers of tokens, with PyTorch's names and layouts.

use super::Backend;
use super::init::{ONE, ZERO, glorot};
use crate::nn::{Activation, Attended};
use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

/// Added to a token's variance.
const EPS: f64 = 1e-5;

/// A linear layer of the last axis, `y = x w + b`, as PyTorch's.
#[derive(Debug)]
pub(super) struct LinearLayer {
    /// `[outputs, inputs]`.
    weight: Tensor,
    bias: Tensor,
}

impl LinearLayer {
    pub(super) fn new(vb: &VarBuilder, inputs: usize, outputs: usize) -> Result<Self> {
        Ok(Self {
            weight: vb.get_with_hints((outputs, inputs), "weight", glorot(inputs, outputs, 1.0))?,
            bias: vb.get_with_hints(outputs, "bias", ZERO)?,
        })
    }

    /// `[n, outputs]` of `[n, inputs]`.
    pub(super) fn forward(&self, x: &Tensor, backend: Backend) -> Result<Tensor> {
        self.activated(x, Activation::Identity, backend)
    }

    /// [`Self::forward`] with an activation after it.
    pub(super) fn activated(&self, x: &Tensor, activation: Activation, backend: Backend) -> Result<Tensor> {
        backend.add_bias(&backend.token_product(x, &self.weight)?, &self.bias, activation)
    }
}

/// Attention of several heads with scaled dot products: layers `query`, `key`, `value` and `out`.
#[derive(Debug)]
pub(super) struct Attention {
    query: LinearLayer,
    key: LinearLayer,
    value: LinearLayer,
    out: LinearLayer,
    heads: usize,
}

impl Attention {
    pub(super) fn new(vb: &VarBuilder, width: usize, heads: usize) -> Result<Self> {
        let linear = |name: &str| LinearLayer::new(&vb.pp(name), width, width);
        Ok(Self { query: linear("query")?, key: linear("key")?, value: linear("value")?, out: linear("out")?, heads })
    }

    /// Reads `memory` `[batch, m, width]` by `queries` `[batch, n, width]`, or `[1, n, width]` for all images. Returns tokens
    /// `[batch * n, width]`, and the mean attention `[n, m]`.
    pub(super) fn forward(&self, queries: &Tensor, memory: &Tensor, backend: Backend) -> Result<(Tensor, Tensor)> {
        let (batch, _, width) = memory.dims3()?;
        let project = |layer: &LinearLayer, x: &Tensor| layer.forward(&x.flatten_to(1)?, backend)?.reshape(x.shape());
        let scaled = (project(&self.query, queries)? / ((width / self.heads) as f64).sqrt())?;
        let scaled = scaled.broadcast_as((batch, queries.dim(1)?, width))?.contiguous()?;
        let scores = backend.dot_products(&scaled, &project(&self.key, memory)?, self.heads)?;
        let Attended { values, weights } = backend.attend(&scores, &project(&self.value, memory)?, false)?;
        Ok((self.out.forward(&values.flatten_to(1)?, backend)?, weights))
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

    pub(super) fn forward(&self, x: &Tensor, backend: Backend) -> Result<Tensor> {
        backend.layer_norm(x, &self.weight, &self.bias, EPS)
    }
}
