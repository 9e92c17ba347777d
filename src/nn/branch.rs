//! All forty branches of the feature learning net as one operation. A 1x1 convolution, batch norm and ReLU give the
//! feature `F_i`. The spatial mask of the paper's PSE module is the sigmoid of 1x1 convolutions over the channel mean of
//! `F_i`. The output is the global average of the gated feature `G_i = F_i * mask`.

use super::cpu::branch::{BranchOp, Gated, RunningMoments, SavedForBackward, Sizes};
use super::cpu::mask::HIDDEN;
use super::norm::{Moments, Statistics, batch_norm};
use super::precision::Precision;
use super::storage;
use candle_core::{Result, Tensor, bail};
use std::sync::{Arc, Mutex};

/// The fixed part of the branches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BranchBlock {
    /// Batch norm's epsilon.
    pub eps: f64,
    /// The gated features among the outputs.
    pub gated: Gated,
}

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
    fn packed(&self) -> Result<Tensor> {
        let mask = [&self.mask_weight, &self.mask_bias, &self.mask_gamma, &self.mask_beta, &self.mask_out_weight];
        let mask = mask.into_iter().cloned().chain([self.mask_out_bias.unsqueeze(1)?]).collect::<Vec<_>>();
        let packed = [&self.gamma, &self.beta, &Tensor::cat(&mask, 1)?, &self.bias];
        Tensor::cat(&packed.into_iter().map(Tensor::flatten_all).collect::<Result<Vec<_>>>()?, 0)
    }

    /// Running moments of the outputs without bias, as the CPU operation has none; `moments` are of biased outputs.
    fn without_bias(&self, moments: &BranchMoments) -> Result<RunningMoments> {
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
#[derive(Debug, Clone)]
pub enum BranchStatistics {
    /// The batch's own moments.
    Batch,
    /// Running averages.
    Running(BranchMoments),
}

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

impl BranchBlock {
    /// Computes all branches from the backbone's last map `[i, batch, h, w]`. With running statistics only
    /// [`BranchBlock::forward_reference`] has a gradient.
    pub fn forward(&self, x: &Tensor, p: &BranchParameters, statistics: &BranchStatistics) -> Result<BranchOutput> {
        #[cfg(feature = "cuda")]
        if self.has_kernels(x) {
            return super::cuda::branches(self, x, p, statistics, Precision::Single);
        }
        if !x.device().is_cpu() {
            return self.forward_reference(x, p, statistics, Precision::Single);
        }
        let (a, c, i) = p.weight.dims3()?;
        let (inputs, batch, height, width) = x.dims4()?;
        if inputs != i {
            bail!("branches over {i} channels were given {inputs}")
        }
        let (positions, n) = (height * width, batch * height * width);
        let running = match statistics {
            BranchStatistics::Batch => None,
            BranchStatistics::Running(moments) => Some(p.without_bias(moments)?),
        };
        let saved = Arc::new(Mutex::new(SavedForBackward::default()));
        let sizes = Sizes { a, c, batch, positions };
        let op = BranchOp { sizes, eps: self.eps as f32, gated: self.gated, running, saved: saved.clone() };
        let output = x.contiguous()?.apply_op3(&p.weight, &p.packed()?, op)?;
        let mut saved = storage::lock(&saved)?;
        let device = x.device();
        let (pooled, gated) = match self.gated {
            Gated::Tracked => (output.reshape((a, c, batch, positions))?.mean(3)?, Some(output)),
            Gated::Off | Gated::Detached => {
                (output, saved.gated.take().map(|v| Tensor::from_vec(v, (a, c, n), device)).transpose()?)
            }
        };
        let mask = Tensor::from_vec(saved.mask.clone(), (a, batch, positions), device)?;
        let moments = match statistics {
            BranchStatistics::Running(_) => None,
            BranchStatistics::Batch => {
                let (mean, variance) = std::mem::take(&mut saved.features_moments);
                let mut features = Moments::new(mean, variance, device)?;
                features.mean = (features.mean + p.bias.detach().flatten_all()?)?;
                let (mean, variance) = std::mem::take(&mut saved.mask_moments);
                let mut mask = Moments::new(mean, variance, device)?;
                mask.mean = (mask.mean + p.mask_bias.detach().flatten_all()?)?;
                Some(BranchMoments { features, mask })
            }
        };
        Ok(BranchOutput { pooled, gated, mask, moments })
    }

    /// The CUDA kernels have no gradient of the gated features.
    #[cfg(feature = "cuda")]
    fn has_kernels(&self, x: &Tensor) -> bool {
        x.device().is_cuda() && self.gated != Gated::Tracked
    }

    /// [`BranchBlock::forward`] from candle's own operations, on any device. A CUDA device computes bf16 with our kernels.
    pub fn forward_reference(
        &self,
        x: &Tensor,
        p: &BranchParameters,
        statistics: &BranchStatistics,
        precision: Precision,
    ) -> Result<BranchOutput> {
        #[cfg(feature = "cuda")]
        if precision == Precision::Bf16 && self.has_kernels(x) {
            return super::cuda::branches(self, x, p, statistics, precision);
        }
        let (a, c, i) = p.weight.dims3()?;
        let (_, batch, height, width) = x.dims4()?;
        let (positions, n) = (height * width, batch * height * width);
        let (features, mask) = match statistics {
            BranchStatistics::Batch => (Statistics::Batch, Statistics::Batch),
            BranchStatistics::Running(m) => {
                (Statistics::Running(m.features.clone()), Statistics::Running(m.mask.clone()))
            }
        };
        let (weight, x) = (p.weight.reshape((a * c, i))?, x.contiguous()?.reshape((i, n))?);
        let z = precision.product(&weight, &x, Tensor::matmul)?;
        let z = z.broadcast_add(&p.bias.reshape((a * c, 1))?)?;
        let (z, features) = batch_norm(&z, &p.gamma.flatten_all()?, &p.beta.flatten_all()?, &features, self.eps)?;
        let h = z.relu()?.reshape((a, c, n))?;
        let u = p.mask_weight.unsqueeze(2)?.broadcast_mul(&h.mean(1)?.unsqueeze(1)?)?;
        let u = u.broadcast_add(&p.mask_bias.unsqueeze(2)?)?.reshape((a * HIDDEN, n))?;
        let (u, hidden) = batch_norm(&u, &p.mask_gamma.flatten_all()?, &p.mask_beta.flatten_all()?, &mask, self.eps)?;
        let u = u.relu()?.reshape((a, HIDDEN, n))?;
        let logits = p.mask_out_weight.unsqueeze(2)?.broadcast_mul(&u)?.sum(1)?;
        let mask = candle_nn::ops::sigmoid(&logits.broadcast_add(&p.mask_out_bias.unsqueeze(1)?)?)?;
        let gated = h.broadcast_mul(&mask.unsqueeze(1)?)?;
        let pooled = gated.reshape((a, c, batch, positions))?.mean(3)?;
        let moments = features.zip(hidden).map(|(features, mask)| BranchMoments { features, mask });
        let mask = mask.detach().reshape((a, batch, positions))?;
        let gated = match self.gated {
            Gated::Off => None,
            Gated::Detached => Some(gated.detach()),
            Gated::Tracked => Some(gated),
        };
        Ok(BranchOutput { pooled, gated, mask, moments })
    }
}
