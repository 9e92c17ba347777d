//! How a network computes.

use crate::nn::{self, Activation, Attended, Precision, batched_linear, batched_linear_reference};
use candle_core::{Result, Tensor};

/// The mode of a forward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Batch norm uses the batch's statistics and updates its running averages.
    Train,
    /// Batch norm uses its running averages. The native backend saves nothing for a backward pass.
    Eval,
}

/// The implementation of the operations in [`crate::nn`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// The project's own loops on a CPU, and its own kernels on a CUDA device.
    Native,
    /// candle's operations everywhere, with a gradient in both modes.
    Reference,
    /// Products in bf16: with our kernels on a CUDA device, and with candle's operations on a CPU, which rounds factors only.
    ReferenceBf16,
}

impl Backend {
    /// Precision of candle's operations. `None` for [`Backend::Native`].
    pub fn precision(self) -> Option<Precision> {
        match self {
            Self::Native => None,
            Self::Reference => Some(Precision::Single),
            Self::ReferenceBf16 => Some(Precision::Bf16),
        }
    }

    /// `weight` `[a, m, k]` times `x` `[a, k, n]`, plus `bias` `[a, m]`.
    pub(super) fn linear(self, weight: &Tensor, x: &Tensor, bias: &Tensor) -> Result<Tensor> {
        match self.precision() {
            None => batched_linear(weight, x, Some(bias)),
            Some(precision) => batched_linear_reference(weight, x, Some(bias), precision),
        }
    }

    /// One node an attribute, see [`nn::nodes`].
    pub(super) fn nodes(self, gated: &Tensor, weight: &Tensor, bias: &Tensor, positions: usize) -> Result<Tensor> {
        match self.precision() {
            None => nn::nodes(gated, weight, bias, positions),
            Some(precision) => nn::nodes_reference(gated, weight, bias, positions, precision),
        }
    }

    /// Dot products of tokens in single precision, see [`nn::dot_products`].
    pub(super) fn dot_products(self, queries: &Tensor, keys: &Tensor, heads: usize) -> Result<Tensor> {
        match self.precision() {
            None => nn::dot_products(queries, keys, heads),
            Some(_) => nn::dot_products_reference(queries, keys, heads),
        }
    }

    /// Scores of GATv2, see [`nn::additive_scores`].
    pub(super) fn additive_scores(
        self,
        left: &Tensor,
        right: &Tensor,
        weight: &Tensor,
        heads: usize,
    ) -> Result<Tensor> {
        match self.precision() {
            None => nn::additive_scores(left, right, weight, heads),
            Some(_) => nn::additive_scores_reference(left, right, weight, heads),
        }
    }

    /// Means of values weighed by the softmax of scores, see [`nn::attend`].
    pub(super) fn attend(self, scores: &Tensor, values: &Tensor, others: bool) -> Result<Attended> {
        match self.precision() {
            None => nn::attend(scores, values, others),
            Some(_) => nn::attend_reference(scores, values, others),
        }
    }

    /// Tokens times a weight in single precision, see [`nn::token_product`].
    pub(super) fn token_product(self, x: &Tensor, weight: &Tensor) -> Result<Tensor> {
        match self.precision() {
            None => nn::token_product(x, weight),
            Some(_) => nn::token_product_reference(x, weight),
        }
    }

    /// A bias of tokens and what follows it, see [`nn::add_bias`].
    pub(super) fn add_bias(self, x: &Tensor, bias: &Tensor, activation: Activation) -> Result<Tensor> {
        match self.precision() {
            None => nn::add_bias(x, bias, activation),
            Some(_) => nn::add_bias_reference(x, bias, activation),
        }
    }

    /// Normalization of each token, see [`nn::layer_norm`].
    pub(super) fn layer_norm(self, x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
        match self.precision() {
            None => nn::layer_norm(x, weight, bias, eps),
            Some(_) => nn::layer_norm_reference(x, weight, bias, eps),
        }
    }

    /// One classifier an attribute, see [`nn::classify`].
    pub(super) fn classify(self, tokens: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
        match self.precision() {
            None => nn::classify(tokens, weight, bias),
            Some(precision) => nn::classify_reference(tokens, weight, bias, precision),
        }
    }
}
