//! Parameters, statistics and results of the branches.

use super::cpu::branch::RunningMoments;
use super::moments::{Moments, Statistics};
use candle_core::{Result, Tensor};

/// Parameters of `a` branches with `c` channels over `i` input channels.
#[derive(Debug, Clone)]
pub struct BranchParameters {
    /// `[a, c, i]`.
    pub weight: Tensor,
    /// `[a, c]`.
    pub bias: Tensor,
    /// `[a, c]`.
    pub gamma: Tensor,
    /// `[a, c]`.
    pub beta: Tensor,
    /// First convolution of the mask, from the channel mean: `[a, 16]`.
    pub mask_weight: Tensor,
    /// `[a, 16]`.
    pub mask_bias: Tensor,
    /// `[a, 16]`.
    pub mask_gamma: Tensor,
    /// `[a, 16]`.
    pub mask_beta: Tensor,
    /// Second convolution of the mask, to one map: `[a, 16]`.
    pub mask_out_weight: Tensor,
    /// `[a]`.
    pub mask_out_bias: Tensor,
}

impl BranchParameters {
    /// The same values without a gradient.
    pub fn detach(&self) -> Self {
        Self {
            weight: self.weight.detach(),
            bias: self.bias.detach(),
            gamma: self.gamma.detach(),
            beta: self.beta.detach(),
            mask_weight: self.mask_weight.detach(),
            mask_bias: self.mask_bias.detach(),
            mask_gamma: self.mask_gamma.detach(),
            mask_beta: self.mask_beta.detach(),
            mask_out_weight: self.mask_out_weight.detach(),
            mask_out_bias: self.mask_out_bias.detach(),
        }
    }

    /// All parameters besides `weight` in the order of the CPU operation. Batch statistics cancel the bias: it is packed
    /// only to receive its gradient, which is zero.
    pub(super) fn packed(&self) -> Result<Tensor> {
        let mask = [&self.mask_weight, &self.mask_bias, &self.mask_gamma, &self.mask_beta, &self.mask_out_weight];
        let mask = mask.into_iter().cloned().chain([self.mask_out_bias.unsqueeze(1)?]).collect::<Vec<_>>();
        let packed = [&self.gamma, &self.beta, &Tensor::cat(&mask, 1)?, &self.bias];
        Tensor::cat(&packed.into_iter().map(Tensor::flatten_all).collect::<Result<Vec<_>>>()?, 0)
    }

    /// Running moments of the outputs without bias, as the CPU operation has none; `moments` are of biased outputs.
    pub(super) fn without_bias(&self, moments: &BranchMoments) -> Result<RunningMoments> {
        let mean = (&moments.features.mean - self.bias.flatten_all()?)?;
        let mask_mean = (&moments.mask.mean - self.mask_bias.flatten_all()?)?;
        Ok(RunningMoments {
            features: (mean.to_vec1()?, moments.features.variance.to_vec1()?),
            mask: (mask_mean.to_vec1()?, moments.mask.variance.to_vec1()?),
        })
    }
}

/// Moments of both batch norms of the branches.
#[derive(Debug, Clone)]
pub struct BranchMoments {
    /// Moments of the 1x1 convolution, `[a * c]`.
    pub features: Moments,
    /// Moments of the mask's hidden maps, `[a * 16]`.
    pub mask: Moments,
}

/// Statistics that both batch norms normalize with.
pub type BranchStatistics = Statistics<BranchMoments>;

/// Output of the branches.
#[derive(Debug)]
pub struct BranchOutput {
    /// Global averages of the gated features, `[a, c, batch]`.
    pub pooled: Tensor,
    /// Gated features, `[a, c, batch * positions]`. `None` unless requested.
    pub gated: Option<Tensor>,
    /// Masks without a gradient, `[a, batch, positions]`.
    pub mask: Tensor,
    /// Moments of the batch. `None` with running statistics.
    pub moments: Option<BranchMoments>,
}
