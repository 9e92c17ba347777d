//! All forty branches of the feature learning net as one operation. A 1x1 convolution, batch norm and ReLU give the
//! feature `F_i`. The spatial mask of the paper's PSE module is the sigmoid of 1x1 convolutions over the channel mean of
//! `F_i`. The output is the global average of the gated feature `G_i = F_i * mask`.

use super::branch_data::{BranchMoments, BranchOutput, BranchParameters, BranchStatistics};
use super::cpu::branch::{BranchOp, Gated, SavedForBackward, Sizes};
use super::cpu::mask::HIDDEN;
use super::moments::Moments;
use super::norm::batch_norm;
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

impl BranchBlock {
    /// Computes all branches from the backbone's last map `[i, batch, h, w]`. With running statistics only
    /// [`BranchBlock::forward_reference`] has a gradient.
    pub fn forward(&self, x: &Tensor, p: &BranchParameters, statistics: &BranchStatistics) -> Result<BranchOutput> {
        #[cfg(feature = "cuda")]
        if self.has_kernels(x, statistics) {
            return super::cuda::branches(self.eps, self.gated, x, p, statistics.running(), Precision::Single);
        }
        if !x.device().is_cpu() || statistics.is_synchronized() {
            return self.forward_reference(x, p, statistics, Precision::Single);
        }
        let (a, c, i) = p.weight.dims3()?;
        let (inputs, batch, height, width) = x.dims4()?;
        if inputs != i {
            bail!("branches over {i} channels were given {inputs}")
        }
        let (positions, n) = (height * width, batch * height * width);
        let running = statistics.running().map(|moments| p.without_bias(moments)).transpose()?;
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
        let moments = if statistics.running().is_none() {
            let (mean, variance) = std::mem::take(&mut saved.features_moments);
            let mut features = Moments::new(mean, variance, device)?;
            features.mean = (features.mean + p.bias.detach().flatten_all()?)?;
            let (mean, variance) = std::mem::take(&mut saved.mask_moments);
            let mut mask = Moments::new(mean, variance, device)?;
            mask.mean = (mask.mean + p.mask_bias.detach().flatten_all()?)?;
            Some(BranchMoments { features, mask })
        } else {
            None
        };
        Ok(BranchOutput { pooled, gated, mask, moments })
    }

    /// The CUDA kernels have neither a gradient of the gated features nor moments over several ranks.
    #[cfg(feature = "cuda")]
    fn has_kernels(&self, x: &Tensor, statistics: &BranchStatistics) -> bool {
        x.device().is_cuda() && self.gated != Gated::Tracked && !statistics.is_synchronized()
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
        if precision == Precision::Bf16 && self.has_kernels(x, statistics) {
            return super::cuda::branches(self.eps, self.gated, x, p, statistics.running(), precision);
        }
        let (a, c, i) = p.weight.dims3()?;
        let (_, batch, height, width) = x.dims4()?;
        let (positions, n) = (height * width, batch * height * width);
        let (features, mask) = (statistics.map(|m| m.features.clone()), statistics.map(|m| m.mask.clone()));
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
