//! Convolution and max-pooling from candle's own operations, on any device, with gradients of their own.
//!
//! candle's own gradient of the input is a slow plain loop, and that of the weights uses a layout that its cuDNN path
//! rejects. It always computes both. Its overlapping max-pool has no gradient.

use super::geometry::ConvConfig;
use super::precision::Precision;
use super::storage::Precomputed;
use candle_core::{CpuStorage, CudaStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

/// Grouped convolution of `x` `[in, batch, h, w]` with `w` `[out, in / groups, k, k]`: `[out, batch, h', w']`.
pub(super) fn convolve(x: &Tensor, w: &Tensor, config: ConvConfig, precision: Precision) -> Result<Tensor> {
    image_major(&x.transpose(0, 1)?.contiguous()?, w, config, precision)?.transpose(0, 1)?.contiguous()
}

/// [`convolve`] in candle's layout, `[batch, in, h, w]` to `[batch, out, h', w']`.
fn image_major(x: &Tensor, w: &Tensor, config: ConvConfig, precision: Precision) -> Result<Tensor> {
    let ConvConfig { padding, stride, groups } = config;
    let y =
        precision.product(&x.detach(), &w.detach(), |x, w| x.conv2d(w, padding, stride, 1, groups))?.contiguous()?;
    if !x.track_op() && !w.track_op() {
        return Ok(y);
    }
    x.apply_op2(w, Convolution { config, precision, result: Precomputed::new(y) })
}

/// 3x3 max-pooling with stride 2 and no padding, one axis after the other: `[a, b, h, w]` to `[a, b, h', w']`.
pub fn max_pool(x: &Tensor) -> Result<Tensor> {
    fn along(x: &Tensor, axis: usize) -> Result<Tensor> {
        let count = (x.dim(axis)? - 3) / 2 + 1;
        // Pairs from index 0 are the first two inputs of each window, pairs from index 1 the last two.
        let pairs = |first: usize| -> Result<Tensor> {
            let mut shape = x.dims().to_vec();
            shape.splice(axis..=axis, [count, 2]);
            x.narrow(axis, first, 2 * count)?.contiguous()?.reshape(shape)
        };
        let tap = |pairs: &Tensor, place: usize| pairs.narrow(axis + 1, place, 1)?.squeeze(axis + 1)?.contiguous();
        let (front, back) = (pairs(0)?, pairs(1)?);
        tap(&front, 0)?.maximum(&tap(&front, 1)?)?.maximum(&tap(&back, 1)?)
    }
    along(&along(x, 2)?, 3)
}

/// Attaches gradients to a result that candle already computed.
struct Convolution {
    config: ConvConfig,
    precision: Precision,
    result: Precomputed,
}

impl Convolution {
    /// In each group, the convolution of the input with the output gradient, with stride and dilation exchanged.
    fn weight_gradient(&self, x: &Tensor, w: &Tensor, dy: &Tensor) -> Result<Tensor> {
        let (outputs, inputs) = (w.dim(0)? / self.config.groups, w.dim(1)?);
        let of_group = |group: usize| -> Result<Tensor> {
            let x = x.narrow(1, group * inputs, inputs)?.transpose(0, 1)?;
            let dy = dy.narrow(1, group * outputs, outputs)?.transpose(0, 1)?.contiguous()?;
            let ConvConfig { padding, stride, .. } = self.config;
            let dw = self.precision.product(&x, &dy, |x, dy| x.conv2d(dy, padding, 1, stride, 1))?;
            // Rows and columns beyond the filter come from the stride's remainder.
            dw.narrow(2, 0, w.dim(2)?)?.narrow(3, 0, w.dim(3)?)?.transpose(0, 1)
        };
        Tensor::cat(&(0..self.config.groups).map(of_group).collect::<Result<Vec<_>>>()?, 0)?.contiguous()
    }

    fn input_gradient(&self, x: &Tensor, w: &Tensor, dy: &Tensor) -> Result<Tensor> {
        let ConvConfig { padding, stride, groups } = self.config;
        let (outputs, inputs, k, _) = w.dims4()?;
        let outputs = outputs / groups;
        if stride == 1 && padding < k {
            let reversed: Vec<u32> = (0..(k * k) as u32).rev().collect();
            let flipped = w
                .reshape((groups, outputs, inputs, k * k))?
                .transpose(1, 2)?
                .contiguous()?
                .index_select(&Tensor::new(reversed, w.device())?, 3)?
                .reshape((groups * inputs, outputs, k, k))?;
            let convolve = |dy: &Tensor, flipped: &Tensor| dy.conv2d(flipped, k - 1 - padding, 1, 1, groups);
            return self.precision.product(dy, &flipped, convolve)?.contiguous();
        }
        // Rarely used: in the paper's network only the first layer has a stride, and pixels have no gradient.
        let remainder =
            |axis: usize| Ok::<_, candle_core::Error>(x.dim(axis)? + 2 * padding - k - (dy.dim(axis)? - 1) * stride);
        if remainder(2)? != remainder(3)? {
            bail!("the input gradient of a convolution with stride {stride} needs square maps, found {:?}", x.shape())
        }
        let of_group = |group: usize| {
            let dy = dy.narrow(1, group * outputs, outputs)?.contiguous()?;
            let w = w.narrow(0, group * outputs, outputs)?.contiguous()?;
            let remainder = remainder(2)?;
            self.precision.product(&dy, &w, |dy, w| dy.conv_transpose2d(w, padding, remainder, stride, 1))
        };
        Tensor::cat(&(0..groups).map(of_group).collect::<Result<Vec<_>>>()?, 1)?.contiguous()
    }
}

impl CustomOp2 for Convolution {
    fn name(&self) -> &'static str {
        "convolution"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        self.result.on_cpu()
    }

    fn cuda_fwd(&self, _: &CudaStorage, _: &Layout, _: &CudaStorage, _: &Layout) -> Result<(CudaStorage, Shape)> {
        self.result.on_cuda()
    }

    fn bwd(&self, x: &Tensor, w: &Tensor, _: &Tensor, dy: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let dy = dy.contiguous()?;
        let dx = x.track_op().then(|| self.input_gradient(&x.detach(), &w.detach(), &dy)).transpose()?;
        let dw = w.track_op().then(|| self.weight_gradient(&x.detach(), &w.detach(), &dy)).transpose()?;
        Ok((dx, dw))
    }
}
