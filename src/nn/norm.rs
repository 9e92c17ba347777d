//! Batch norm from candle's own operations, and standardization of the input.

use super::cpu::matmul::{self, Window};
use super::cpu::{scratch, simd};
use super::moments::{Moments, Statistics};
use super::storage;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

/// Batch norm of rows: `x` `[channels, n]`, `gamma` and `beta` `[channels]`. Also returns the batch's moments with
/// [`Statistics::Batch`] and [`Statistics::Synchronized`].
pub fn batch_norm(
    x: &Tensor,
    gamma: &Tensor,
    beta: &Tensor,
    statistics: &Statistics,
    eps: f64,
) -> Result<(Tensor, Option<Moments>)> {
    let moments = statistics.moments(x)?;
    let scale = (gamma / (&moments.variance + eps)?.sqrt()?)?;
    let shift = (beta - (&scale * &moments.mean)?)?;
    let y = x.broadcast_mul(&scale.unsqueeze(1)?)?.broadcast_add(&shift.unsqueeze(1)?)?;
    let batch_moments = statistics
        .running()
        .is_none()
        .then(|| Moments { mean: moments.mean.detach(), variance: moments.variance.detach() });
    Ok((y, batch_moments))
}

/// Standardizes pixels `[channels, batch, h, w]` by channel: batch norm without scale, shift and gradient, as no trainable
/// layer precedes it.
pub fn standardize(x: &Tensor, statistics: &Statistics, eps: f64) -> Result<(Tensor, Option<Moments>)> {
    let x = x.detach();
    if statistics.is_synchronized() {
        let moments = statistics.moments(&x.flatten_from(1)?)?;
        let y = standardize(&x, &Statistics::Running(moments.clone()), eps)?.0;
        return Ok((y, Some(moments)));
    }
    #[cfg(feature = "cuda")]
    if x.device().is_cuda() {
        let (y, moments) = super::cuda::standardize(&x, statistics.running(), eps)?;
        return Ok((y, statistics.running().is_none().then_some(moments)));
    }
    let moments = if let Some(moments) = statistics.running() {
        moments.clone()
    } else {
        let channels = x.dim(0)?;
        let (mean, variance) = storage::with(&x, |pixels| {
            pixels.par_chunks_exact(pixels.len() / channels).map(simd::moments).unzip::<_, _, Vec<_>, Vec<_>>()
        })?;
        Moments::new(mean, variance, x.device())?
    };
    let reciprocal = (&moments.variance + eps)?.sqrt()?.recip()?;
    let shift = (moments.mean.neg()? * &reciprocal)?.to_vec1()?;
    let y = x.contiguous()?.apply_op1_no_bwd(&ScaleShift { scale: reciprocal.to_vec1()?, shift })?;
    Ok((y, statistics.running().is_none().then_some(moments)))
}

/// Values of a channel that one task scales.
const PIECE: usize = 1 << 14;

/// `y = x * scale + shift` by channel.
struct ScaleShift {
    scale: Vec<f32>,
    shift: Vec<f32>,
}

impl CustomOp1 for ScaleShift {
    fn name(&self) -> &'static str {
        "scale-shift"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = storage::slice(x, layout)?;
        let plane = x.len() / self.scale.len();
        let fill = |y: Window| {
            for (c, x) in x.chunks_exact(plane).enumerate() {
                let (scale, shift) = (self.scale[c], self.shift[c]);
                // Three channels alone would not keep all threads busy.
                x.par_chunks(PIECE).enumerate().for_each(|(piece, x)| {
                    scratch::with(x.len(), |values| {
                        simd::scale_shift(x, values, scale, shift);
                        y.at(c * plane + piece * PIECE).write(values);
                    });
                });
            }
        };
        #[allow(unsafe_code, reason = "see `fill_uninit`")]
        // SAFETY: the pieces of all channels cover the output.
        let y = unsafe { matmul::fill_uninit(x.len(), 0, fill) };
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }
}
