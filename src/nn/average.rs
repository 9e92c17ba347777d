//! Exponential means of tensors, in place.

use super::optimizer::{PIECE, slice_mut};
use super::storage;
use candle_core::{CpuStorage, InplaceOp2, Layout, Result, Tensor};
use rayon::prelude::*;

/// `mean = decay * mean + (1 - decay) * value`.
pub fn average_into(mean: &Tensor, value: &Tensor, decay: f64) -> Result<()> {
    #[cfg(feature = "cuda")]
    if mean.device().is_cuda() {
        return super::cuda::average_into(mean, value, decay);
    }
    mean.inplace_op2(&value.contiguous()?, &Average { decay: decay as f32, rest: (1.0 - decay) as f32 })
}

struct Average {
    decay: f32,
    rest: f32,
}

impl InplaceOp2 for Average {
    fn name(&self) -> &'static str {
        "average"
    }

    fn cpu_fwd(&self, mean: &mut CpuStorage, ml: &Layout, value: &CpuStorage, vl: &Layout) -> Result<()> {
        let (mean, value) = (slice_mut(mean, ml)?, storage::slice(value, vl)?);
        mean.par_chunks_mut(PIECE).zip(value.par_chunks(PIECE)).for_each(|(mean, value)| {
            mean.iter_mut().zip(value).for_each(|(mean, value)| *mean = *mean * self.decay + *value * self.rest);
        });
        Ok(())
    }
}
