//! Moments of channels, for batch norm.

use super::storage::Precomputed;
use candle_core::{CpuStorage, CudaStorage, CustomOp1, Device, Layout, Result, Shape, Tensor};
use std::fmt;
use std::sync::Arc;

/// Mean and biased variance of each channel, `[channels]`.
#[derive(Debug, Clone)]
pub struct Moments {
    /// Mean of the values.
    pub mean: Tensor,
    /// Mean squared distance from the mean.
    pub variance: Tensor,
}

impl Moments {
    pub(super) fn new(mean: Vec<f32>, variance: Vec<f32>, device: &Device) -> Result<Self> {
        let channels = mean.len();
        Ok(Self {
            mean: Tensor::from_vec(mean, channels, device)?,
            variance: Tensor::from_vec(variance, channels, device)?,
        })
    }
}

/// Statistics that batch norm normalizes with; `M` are the moments of one batch norm or of several.
#[derive(Debug, Clone)]
pub enum Statistics<M = Moments> {
    /// Moments of the batch, in training.
    Batch,
    /// Moments of the batches of all ranks, in training. Blocks compute them with candle's operations.
    Synchronized(Ranks),
    /// Running averages, in evaluation and in a frozen network.
    Running(M),
}

impl<M> Statistics<M> {
    /// The running averages.
    pub(super) fn running(&self) -> Option<&M> {
        if let Self::Running(moments) = self { Some(moments) } else { None }
    }

    pub(super) fn is_synchronized(&self) -> bool {
        matches!(self, Self::Synchronized(_))
    }

    /// The same statistics, of what `part` returns of the running averages.
    pub(super) fn map<N>(&self, part: impl FnOnce(&M) -> N) -> Statistics<N> {
        match self {
            Self::Batch => Statistics::Batch,
            Self::Synchronized(ranks) => Statistics::Synchronized(ranks.clone()),
            Self::Running(moments) => Statistics::Running(part(moments)),
        }
    }
}

impl Statistics {
    /// Moments of rows `[channels, n]`, with a gradient, or the running averages.
    pub(super) fn moments(&self, x: &Tensor) -> Result<Moments> {
        if let Self::Running(moments) = self {
            return Ok(moments.clone());
        }
        let over_ranks =
            |local: Tensor| if let Self::Synchronized(ranks) = self { ranks.mean(&local) } else { Ok(local) };
        let mean = over_ranks(x.mean_keepdim(1)?)?;
        let variance = over_ranks(x.broadcast_sub(&mean)?.sqr()?.mean(1)?)?;
        Ok(Moments { mean: mean.squeeze(1)?, variance })
    }
}

/// The ranks of a distributed training, whose batches have equal sizes.
#[derive(Clone)]
pub struct Ranks(Arc<Mean>);

type Mean = dyn Fn(&Tensor) -> Result<Tensor> + Send + Sync;

impl Ranks {
    /// `mean` returns the mean of a tensor over all ranks, without a gradient. All ranks call it in the same order, with the
    /// same shapes.
    pub fn new(mean: impl Fn(&Tensor) -> Result<Tensor> + Send + Sync + 'static) -> Self {
        Self(Arc::new(mean))
    }

    /// The mean of `local` over all ranks. Gradients of the ranks' losses are averaged in the end, so that the gradient of
    /// `local` is the mean of the ranks' gradients.
    fn mean(&self, local: &Tensor) -> Result<Tensor> {
        local.apply_op1(MeanOverRanks { ranks: self.clone(), mean: Precomputed::new((self.0)(&local.detach())?) })
    }
}

impl fmt::Debug for Ranks {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Ranks")
    }
}

struct MeanOverRanks {
    ranks: Ranks,
    mean: Precomputed,
}

impl CustomOp1 for MeanOverRanks {
    fn name(&self) -> &'static str {
        "mean-over-ranks"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        self.mean.on_cpu()
    }

    fn cuda_fwd(&self, _: &CudaStorage, _: &Layout) -> Result<(CudaStorage, Shape)> {
        self.mean.on_cuda()
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        (self.ranks.0)(&gradient.detach()).map(Some)
    }
}
