//! How a network computes.

use crate::nn::{Precision, batched_linear, batched_linear_reference};
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
    /// The project's own loops on a CPU, candle's operations elsewhere.
    Native,
    /// candle's operations everywhere, with a gradient in both modes.
    Reference,
    /// candle's operations everywhere, with products in bf16.
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
}
