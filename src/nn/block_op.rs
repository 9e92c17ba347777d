//! The CPU operation of [`ConvBlock`](super::ConvBlock).

use super::cpu::im2col::BatchInvariance;
use super::cpu::matmul::{self, Window};
use super::cpu::pool::{pad_rectified, pool, pool_plane, pooled_backward, pooled_size};
use super::cpu::relu::relu_gradient;
use super::cpu::simd::{self, Channel};
use super::cpu::{conv, scratch};
use super::geometry::{ConvConfig, Geometry};
use super::shortcut::Shortcut;
use super::storage;
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;
use std::sync::{Arc, Mutex};

/// The steps after batch norm in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// Nothing.
    Linear,
    /// ReLU.
    Relu,
    /// ReLU and 3x3 max-pooling with stride 2.
    Pool {
        /// Padding of the pool, 0 or 1.
        padding: usize,
    },
}

impl Tail {
    /// ReLU, and pooling without padding if `pool`.
    pub fn rectified(pool: bool) -> Self {
        if pool { Self::Pool { padding: 0 } } else { Self::Relu }
    }

    /// Height and width of the output for a convolution's output of this size.
    pub(super) fn out_size(self, (height, width): (usize, usize)) -> (usize, usize) {
        match self {
            Self::Linear | Self::Relu => (height, width),
            Self::Pool { padding } => pooled_size(height + 2 * padding, width + 2 * padding),
        }
    }
}

/// A block's parameters: `weight` `[out, in / groups, k, k]`, the others `[out]`.
#[derive(Debug, Clone)]
pub struct ConvParameters {
    /// Filters of the convolution.
    pub weight: Tensor,
    /// Bias of the convolution, `[out]`, or `[out, 1, height, width]` if it differs by position. Batch statistics cancel
    /// a bias `[out]`; running statistics do not.
    pub bias: Tensor,
    /// Scale of batch norm.
    pub gamma: Tensor,
    /// Shift of batch norm.
    pub beta: Tensor,
}

/// Results of the forward pass that the backward pass reads.
#[derive(Debug)]
pub(super) struct SavedForBackward {
    /// Convolution output, `[out, batch * h * w]`, without a bias that batch statistics cancel.
    z: Vec<f32>,
    channels: Vec<Channel>,
    /// Mean (bias included) and variance of each channel.
    moments: Vec<(f32, f32)>,
    /// Index of each pooled value among its nine inputs.
    indices: Vec<u8>,
}

impl SavedForBackward {
    pub(super) fn moments(&self) -> (Vec<f32>, Vec<f32>) {
        self.moments.iter().copied().unzip()
    }
}

/// Inputs are the activations, the weights, and bias, gamma and beta as one vector.
#[derive(Debug)]
pub(super) struct BlockOp {
    pub(super) config: ConvConfig,
    pub(super) tail: Tail,
    pub(super) eps: f32,
    /// Mean and variance to normalize with. `None` for those of the batch.
    pub(super) running: Option<(Vec<f32>, Vec<f32>)>,
    pub(super) shortcut: Option<Shortcut>,
    pub(super) saved: Arc<Mutex<Option<SavedForBackward>>>,
}

/// The third input in parts.
struct Affine<'a> {
    /// A value per channel, or per channel and position.
    bias: &'a [f32],
    gamma: &'a [f32],
    beta: &'a [f32],
    eps: f32,
}

impl Affine<'_> {
    fn channel(&self, c: usize, mean: f32, variance: f32) -> Channel {
        Channel::new(mean, variance, self.eps, self.gamma[c], self.beta[c])
    }

    /// The bias of a channel by position. `None` if it has one value.
    fn by_position(&self, c: usize) -> Option<&[f32]> {
        let plane = self.bias.len() / self.gamma.len();
        (self.bias.len() > self.gamma.len()).then(|| &self.bias[c * plane..][..plane])
    }

    /// The bias of a channel. 0 if it differs by position.
    fn constant(&self, c: usize) -> f32 {
        if self.bias.len() == self.gamma.len() { self.bias[c] } else { 0.0 }
    }
}

/// Output of a block, and the normalization and moments of each channel.
struct Normalized {
    y: Vec<f32>,
    statistics: Vec<(Channel, (f32, f32))>,
    indices: Vec<u8>,
}

impl BlockOp {
    fn geometry(&self, x: &[usize], w: &[usize]) -> Result<Geometry> {
        let g = Geometry::new(x, w, self.config)?;
        let (height, width) = (g.out_height(), g.out_width());
        if let Tail::Pool { padding } = self.tail
            && height.min(width) + 2 * padding < 3
        {
            bail!("a map of {height}x{width} is too small for a 3x3 pool")
        }
        Ok(g)
    }

    /// Output with running statistics.
    fn forward_running(
        &self,
        g: &Geometry,
        x: &[f32],
        w: &[f32],
        affine: &Affine,
        (mean, variance): (&[f32], &[f32]),
        shortcut: Option<&[f32]>,
    ) -> Vec<f32> {
        // Running statistics are of the biased output, and this convolution has no bias.
        let channel = |c: usize| affine.channel(c, mean[c] - affine.constant(c), variance[c]);
        let fused = shortcut.is_none() && affine.bias.len() == g.outputs;
        match self.tail {
            Tail::Relu | Tail::Pool { padding: 0 } if fused => {
                let norm: Vec<Channel> = (0..g.outputs).map(channel).collect();
                let y = conv::forward(g, x, w, BatchInvariance::Exact, Some(&norm));
                if self.tail == Tail::Relu { y } else { pool(g, &y) }
            }
            _ => {
                let mut z = conv::forward(g, x, w, BatchInvariance::Exact, None);
                self.normalize(g, &mut z, affine, shortcut, |c, _| (channel(c), (mean[c], variance[c]))).y
            }
        }
    }

    /// Output with batch statistics, and what the backward pass needs.
    fn forward_batch(
        &self,
        g: &Geometry,
        x: &[f32],
        w: &[f32],
        affine: &Affine,
        shortcut: Option<&[f32]>,
    ) -> (Vec<f32>, SavedForBackward) {
        let mut z = conv::forward(g, x, w, BatchInvariance::Relaxed, None);
        let Normalized { y, statistics, indices } = self.normalize(g, &mut z, affine, shortcut, |c, z| {
            let (mean, variance) = simd::moments(z);
            (affine.channel(c, mean, variance), (mean + affine.constant(c), variance))
        });
        let (channels, moments) = statistics.into_iter().unzip();
        (y, SavedForBackward { z, channels, moments, indices })
    }

    /// Adds a bias by position to the convolution's output `z`, and applies all after it. `statistics` returns the
    /// normalization and the moments of a channel with these values.
    fn normalize(
        &self,
        g: &Geometry,
        z: &mut [f32],
        affine: &Affine,
        shortcut: Option<&[f32]>,
        statistics: impl Fn(usize, &[f32]) -> (Channel, (f32, f32)) + Sync,
    ) -> Normalized {
        let (height, width) = (g.out_height(), g.out_width());
        let (out_height, out_width) = self.tail.out_size((height, width));
        let (plane, out_plane) = (height * width, out_height * out_width);
        let pools = matches!(self.tail, Tail::Pool { .. });
        let mut indices = vec![0; if pools { g.outputs * g.batch * out_plane } else { 0 }];
        let mut by_channel: Vec<&mut [u8]> = indices.chunks_mut(g.batch * out_plane).collect();
        by_channel.resize_with(g.outputs, Default::default);
        let of_channel = |c: usize, z: &mut [f32], indices: &mut [u8], y: Window| {
            if let Some(bias) = affine.by_position(c) {
                z.chunks_exact_mut(plane).for_each(|z| simd::add_scaled(z, bias, 1.0));
            }
            let (channel, moments) = statistics(c, z);
            let padded = (height + 2) * (width + 2);
            scratch::with(padded + out_plane, |buffer| {
                let (normed, pooled) = buffer.split_at_mut(padded);
                let mut indices = indices.chunks_exact_mut(out_plane);
                for (image, z) in z.chunks_exact(plane).enumerate() {
                    let map = c * g.batch + image;
                    let y = y.at(map * out_plane);
                    match (self.tail, shortcut) {
                        (Tail::Pool { padding }, _) => {
                            let pitch = pad_rectified(z, normed, channel, width, padding);
                            if let Some(indices) = indices.next() {
                                pool_plane(normed, pitch, pooled, indices, out_width);
                            }
                            y.write(pooled);
                            continue;
                        }
                        (Tail::Linear, _) => simd::scale_shift(z, normed, channel.scale, channel.shift),
                        (Tail::Relu, None) => simd::scale_relu(z, normed, channel.scale, channel.shift),
                        (Tail::Relu, Some(shortcut)) => {
                            let shortcut = &shortcut[map * plane..][..plane];
                            simd::scale_add_relu(z, shortcut, normed, channel.scale, channel.shift);
                        }
                    }
                    y.write(&normed[..plane]);
                }
            });
            (channel, moments)
        };
        let mut found = Vec::new();
        #[allow(unsafe_code, reason = "see `fill_uninit`")]
        // SAFETY: the images of all channels cover the output.
        let y = unsafe {
            matmul::fill_uninit(g.outputs * g.batch * out_plane, 0, |y| {
                z.par_chunks_exact_mut(g.out_plane())
                    .zip(by_channel)
                    .enumerate()
                    .map(|(c, (z, indices))| of_channel(c, z, indices, y))
                    .collect_into_vec(&mut found);
            })
        };
        Normalized { y, statistics: found, indices }
    }

    /// Overwrites `saved.z` with its gradient. Returns the gradients of gamma and beta by channel, and the shortcut's.
    fn through_norm(
        &self,
        g: &Geometry,
        saved: &mut SavedForBackward,
        y: &[f32],
        dy: &[f32],
    ) -> (Vec<(f32, f32)>, Option<Vec<f32>>) {
        let map = (g.out_height(), g.out_width());
        let out = self.tail.out_size(map);
        let plane = g.batch * out.0 * out.1;
        let rectified = self.shortcut.as_ref().map(|_| relu_gradient(y, dy, plane));
        let dy = rectified.as_deref().unwrap_or(dy);
        let (indices, channels) = (&saved.indices, &saved.channels);
        let of_channel = |(c, (z, dy)): (usize, (&mut [f32], &[f32]))| match self.tail {
            Tail::Pool { padding } => {
                let indices = &indices[c * plane..(c + 1) * plane];
                pooled_backward(z, dy, indices, channels[c], (map, padding), out)
            }
            Tail::Relu if rectified.is_none() => simd::norm_relu_backward(z, dy, channels[c]),
            Tail::Relu | Tail::Linear => simd::norm_backward(z, dy, channels[c]),
        };
        let rows = saved.z.par_chunks_exact_mut(g.out_plane()).zip(dy.par_chunks_exact(plane));
        (rows.enumerate().map(of_channel).collect(), rectified)
    }
}

impl CustomOp3 for BlockOp {
    fn name(&self) -> &'static str {
        "conv-bias-batch-norm-relu-pool"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        w: &CpuStorage,
        w_layout: &Layout,
        affine: &CpuStorage,
        affine_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let g = self.geometry(x_layout.dims(), w_layout.dims())?;
        let affine = storage::slice(affine, affine_layout)?;
        let plane = g.out_height() * g.out_width();
        let Some(biases) = affine.len().checked_sub(2 * g.outputs).filter(|n| [1, plane].contains(&(n / g.outputs)))
        else {
            bail!("{} values of bias, scale and shift do not fit {} channels", affine.len(), g.outputs)
        };
        let (bias, norm) = affine.split_at(biases);
        let (gamma, beta) = norm.split_at(g.outputs);
        let affine = Affine { bias, gamma, beta, eps: self.eps };
        let (x, w) = (storage::slice(x, x_layout)?, storage::slice(w, w_layout)?);
        let (out_height, out_width) = self.tail.out_size((g.out_height(), g.out_width()));
        let shape = Shape::from((g.outputs, g.batch, out_height, out_width));
        let run = |shortcut: Option<&[f32]>| {
            if shortcut.is_some_and(|values| values.len() != shape.elem_count() || self.tail != Tail::Relu) {
                bail!("a shortcut has the shape {shape:?} of the output, and only ReLU follows")
            }
            if let Some((mean, variance)) = &self.running {
                return Ok(self.forward_running(&g, x, w, &affine, (mean, variance), shortcut));
            }
            let (y, saved) = self.forward_batch(&g, x, w, &affine, shortcut);
            *storage::lock(&self.saved)? = Some(saved);
            Ok(y)
        };
        let y = match &self.shortcut {
            Some(shortcut) => shortcut.with(|values| run(Some(values)))??,
            None => run(None)?,
        };
        Ok((CpuStorage::F32(y), shape))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        affine: &Tensor,
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let g = self.geometry(x.dims(), w.dims())?;
        let Some(mut saved) = storage::lock(&self.saved)?.take() else {
            bail!("a block has one backward pass, with batch statistics; the reference has others")
        };
        let mut backward = |y: &[f32]| storage::with(dy, |dy| self.through_norm(&g, &mut saved, y, dy));
        let (gradients, rectified) = storage::with(y, &mut backward)??;
        if let (Some(shortcut), Some(gradient)) = (&self.shortcut, rectified) {
            shortcut.leave(gradient)?;
        }
        let dz = saved.z;
        let biases = affine.elem_count() - 2 * g.outputs;
        // Batch statistics cancel the bias of a channel: its gradient is exactly zero.
        let mut d_affine = vec![0.0; biases];
        if biases > g.outputs {
            let plane = biases / g.outputs;
            d_affine.par_chunks_exact_mut(plane).zip(dz.par_chunks_exact(g.out_plane())).for_each(|(sum, dz)| {
                dz.chunks_exact(plane).for_each(|dz| simd::add_scaled(sum, dz, 1.0));
            });
        }
        d_affine.extend(gradients.iter().map(|(gamma, _)| gamma));
        d_affine.extend(gradients.iter().map(|(_, beta)| beta));
        let dw = storage::with(x, |x| conv::weight_gradient(&g, x, &dz))?;
        let dx = if x.track_op() {
            Some(storage::shaped(storage::with(w, |w| conv::input_gradient(&g, w, &dz))?, x)?)
        } else {
            None
        };
        Ok((dx, Some(storage::shaped(dw, w)?), Some(storage::shaped(d_affine, affine)?)))
    }
}
