//! The block that the backbone consists of: convolution, bias, batch norm, ReLU and optionally 3x3 max-pooling with
//! stride 2, as one operation.
//!
//! Activations are f32 `[channel, batch, height, width]`. The CPU operation saves only the convolution's output and the
//! pool's indices for the backward pass.

use super::cpu::im2col::BatchInvariance;
use super::cpu::matmul;
use super::cpu::pool::{pool, pool_plane, pooled_backward, pooled_size};
use super::cpu::simd::{self, Channel};
use super::cpu::{conv, scratch};
use super::geometry::{ConvConfig, Geometry};
use super::norm::{Moments, Statistics, batch_norm};
use super::precision::Precision;
use super::reference::{convolve, max_pool};
use super::storage;
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;
use std::sync::{Arc, Mutex};

/// The fixed part of a block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConvBlock {
    /// Groups of the convolution.
    pub groups: usize,
    /// Stride of the convolution.
    pub stride: usize,
    /// Zero padding of the convolution.
    pub padding: usize,
    /// Ends with 3x3 max-pooling, stride 2, no padding.
    pub pool: bool,
    /// Batch norm's epsilon.
    pub eps: f64,
}

/// A block's parameters: `weight` `[out, in / groups, k, k]`, the others `[out]`.
#[derive(Debug, Clone)]
pub struct ConvParameters {
    /// Filters of the convolution.
    pub weight: Tensor,
    /// Bias of the convolution. Batch statistics cancel it; running statistics do not.
    pub bias: Tensor,
    /// Scale of batch norm.
    pub gamma: Tensor,
    /// Shift of batch norm.
    pub beta: Tensor,
}

impl ConvBlock {
    /// Maps `[in, batch, h, w]` to `[out, batch, h', w']`. With [`Statistics::Batch`] it also returns the moments of the
    /// biased convolution output (biased variance) for the running averages.
    ///
    /// With [`Statistics::Running`] only [`ConvBlock::forward_reference`] has a gradient.
    pub fn forward(
        &self,
        x: &Tensor,
        p: &ConvParameters,
        statistics: &Statistics,
    ) -> Result<(Tensor, Option<Moments>)> {
        if !x.device().is_cpu() {
            return self.forward_reference(x, p, statistics, Precision::Single);
        }
        let affine = Tensor::stack(&[&p.bias, &p.gamma, &p.beta], 0)?;
        let running = match statistics {
            Statistics::Batch => None,
            Statistics::Running(m) => Some((m.mean.to_vec1()?, m.variance.to_vec1()?)),
        };
        let saved = Arc::new(Mutex::new(None));
        let batch = running.is_none();
        let y =
            x.contiguous()?.apply_op3(&p.weight, &affine, BlockOp { block: *self, running, saved: saved.clone() })?;
        let moments = if batch { storage::lock(&saved)?.as_ref().map(SavedForBackward::moments) } else { None };
        match moments {
            Some((mean, variance)) => Ok((y, Some(Moments::new(mean, variance, x.device())?))),
            None => Ok((y, None)),
        }
    }

    /// [`ConvBlock::forward`] from candle's own operations, on any device.
    pub fn forward_reference(
        &self,
        x: &Tensor,
        p: &ConvParameters,
        statistics: &Statistics,
        precision: Precision,
    ) -> Result<(Tensor, Option<Moments>)> {
        let channels = p.bias.dim(0)?;
        let z = convolve(x, &p.weight, self.conv_config(), precision)?;
        let shape = z.dims().to_vec();
        let z = z.reshape((channels, ()))?.broadcast_add(&p.bias.unsqueeze(1)?)?;
        let (y, moments) = batch_norm(&z, &p.gamma, &p.beta, statistics, self.eps)?;
        let y = y.relu()?.reshape(shape)?;
        Ok((if self.pool { max_pool(&y)? } else { y }, moments))
    }

    fn conv_config(&self) -> ConvConfig {
        ConvConfig { padding: self.padding, stride: self.stride, groups: self.groups }
    }

    /// Height and width of the block's output.
    fn out_size(&self, g: &Geometry) -> (usize, usize) {
        let map = (g.out_height(), g.out_width());
        if self.pool { pooled_size(map.0, map.1) } else { map }
    }

    fn geometry(&self, x: &[usize], w: &[usize]) -> Result<Geometry> {
        let g = Geometry::new(x, w, self.conv_config())?;
        if self.pool && (g.out_height() < 3 || g.out_width() < 3) {
            bail!("a map of {}x{} is too small for a 3x3 pool", g.out_height(), g.out_width())
        }
        Ok(g)
    }
}

/// Results of the forward pass that the backward pass reads.
#[derive(Debug)]
struct SavedForBackward {
    /// Convolution output without bias, `[out, batch * h * w]`.
    z: Vec<f32>,
    channels: Vec<Channel>,
    /// Mean (bias included) and variance of each channel.
    moments: Vec<(f32, f32)>,
    /// Index of each pooled value among its nine inputs.
    indices: Vec<u8>,
}

impl SavedForBackward {
    fn moments(&self) -> (Vec<f32>, Vec<f32>) {
        self.moments.iter().copied().unzip()
    }
}

#[derive(Debug)]
struct BlockOp {
    block: ConvBlock,
    running: Option<(Vec<f32>, Vec<f32>)>,
    saved: Arc<Mutex<Option<SavedForBackward>>>,
}

impl BlockOp {
    /// Output with running statistics.
    fn forward_running(
        &self,
        g: &Geometry,
        x: &[f32],
        w: &[f32],
        bias: &[f32],
        channel: impl Fn(usize, f32, f32) -> Channel,
        (mean, variance): (&[f32], &[f32]),
    ) -> Vec<f32> {
        // Running statistics are of the biased output, and this convolution has no bias.
        let norm: Vec<Channel> = (0..g.outputs).map(|c| channel(c, mean[c] - bias[c], variance[c])).collect();
        let y = conv::forward(g, x, w, BatchInvariance::Exact, Some(&norm));
        if self.block.pool { pool(g, &y) } else { y }
    }

    /// Output with batch statistics, and what the backward pass needs.
    fn forward_batch(
        &self,
        g: &Geometry,
        x: &[f32],
        w: &[f32],
        bias: &[f32],
        channel: impl Fn(usize, f32, f32) -> Channel + Sync,
    ) -> (Vec<f32>, SavedForBackward) {
        let z = conv::forward(g, x, w, BatchInvariance::Relaxed, None);
        let (height, width) = (g.out_height(), g.out_width());
        let (out_height, out_width) = self.block.out_size(g);
        let (plane, out_plane) = (height * width, out_height * out_width);
        let mut indices = vec![0; if self.block.pool { g.outputs * g.batch * out_plane } else { 0 }];
        let mut by_channel: Vec<&mut [u8]> = indices.chunks_mut(g.batch * out_plane).collect();
        by_channel.resize_with(g.outputs, Default::default);
        let mut statistics = Vec::new();
        #[allow(unsafe_code, reason = "see `fill_uninit`")]
        // SAFETY: the images of all channels cover the output.
        let y = unsafe {
            matmul::fill_uninit(g.outputs * g.batch * out_plane, 0, |y| {
                z.par_chunks_exact(g.out_plane())
                    .zip(by_channel)
                    .enumerate()
                    .map(|(c, (z, indices))| {
                        let (mean, variance) = simd::moments(z);
                        let channel = channel(c, mean, variance);
                        scratch::with(plane + out_plane, |buffer| {
                            let (normed, pooled) = buffer.split_at_mut(plane);
                            let mut indices = indices.chunks_exact_mut(out_plane);
                            for (image, z) in z.chunks_exact(plane).enumerate() {
                                simd::scale_relu(z, normed, channel.scale, channel.shift);
                                let y = y.at((c * g.batch + image) * out_plane);
                                if let Some(indices) = indices.next() {
                                    pool_plane(normed, width, pooled, indices, out_width);
                                    y.write(pooled);
                                } else {
                                    y.write(normed);
                                }
                            }
                        });
                        (channel, (mean + bias[c], variance))
                    })
                    .collect_into_vec(&mut statistics);
            })
        };
        let (channels, moments) = statistics.into_iter().unzip();
        (y, SavedForBackward { z, channels, moments, indices })
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
        let g = self.block.geometry(x_layout.dims(), w_layout.dims())?;
        let affine = storage::slice(affine, affine_layout)?;
        let (bias, norm) = affine.split_at(g.outputs);
        let (gamma, beta) = norm.split_at(g.outputs);
        let (x, w) = (storage::slice(x, x_layout)?, storage::slice(w, w_layout)?);
        let eps = self.block.eps as f32;
        let channel = |c: usize, mean, variance| Channel::new(mean, variance, eps, gamma[c], beta[c]);
        let y = if let Some((mean, variance)) = &self.running {
            self.forward_running(&g, x, w, bias, channel, (mean, variance))
        } else {
            let (y, saved) = self.forward_batch(&g, x, w, bias, channel);
            *storage::lock(&self.saved)? = Some(saved);
            y
        };
        let (out_height, out_width) = self.block.out_size(&g);
        Ok((CpuStorage::F32(y), (g.outputs, g.batch, out_height, out_width).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        affine: &Tensor,
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let g = self.block.geometry(x.dims(), w.dims())?;
        let Some(saved) = storage::lock(&self.saved)?.take() else {
            bail!("a block has one backward pass, with batch statistics; the reference has others")
        };
        let SavedForBackward { z: mut dz, channels, indices, .. } = saved;
        let out = (y.dim(2)?, y.dim(3)?);
        let plane = g.batch * out.0 * out.1;
        let gradients: Vec<(f32, f32)> = storage::with(dy, |dy| {
            dz.par_chunks_exact_mut(g.out_plane())
                .zip(dy.par_chunks_exact(plane))
                .enumerate()
                .map(|(c, (z, dy))| {
                    if self.block.pool {
                        let indices = &indices[c * plane..(c + 1) * plane];
                        pooled_backward(z, dy, indices, channels[c], (g.out_height(), g.out_width()), out)
                    } else {
                        simd::norm_relu_backward(z, dy, channels[c])
                    }
                })
                .collect()
        })?;
        // Batch statistics cancel the bias: its gradient is exactly zero.
        let mut d_affine = vec![0.0; g.outputs];
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
