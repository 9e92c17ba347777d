//! Convolution, bias, batch norm, ReLU and, where asked for, 3x3 max-pooling with stride 2, as one operation: the block
//! that the backbone is made of.
//!
//! Activations are `[channel, batch, height, width]`, f32. On the CPU one candle custom operation keeps only the
//! convolution's output and the pool's choices for the way back; [`plain`](ConvBlock::forward_reference) is the same mathematics
//! from candle's own operations, for every other device and as the twin that tests compare with.

use super::im2col::{self, BatchInvariance, Geometry};
use super::matmul::{self, Window};
use super::reference::{ConvConfig, convolve, max_pool};
use super::simd::{self, Channel};
use super::{Moments, Precision, Statistics, batch_norm, scratch, storage};
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use multiversion::multiversion;
use rayon::prelude::*;
use std::sync::{Arc, Mutex};

/// The fixed part of a block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConvBlock {
    /// Groups of channels that do not see each other.
    pub groups: usize,
    /// Step of the convolution.
    pub stride: usize,
    /// Zeros around the input.
    pub padding: usize,
    /// Whether a 3x3 max-pool with stride 2 and no padding ends the block.
    pub pool: bool,
    /// Added to the variance under the root.
    pub eps: f64,
}

/// A block's parameters: `weight` `[out, in / groups, k, k]`, the others `[out]`.
#[derive(Debug, Clone)]
pub struct ConvParameters {
    /// The convolution's kernels.
    pub weight: Tensor,
    /// The convolution's bias. Batch statistics cancel it; running ones do not.
    pub bias: Tensor,
    /// Batch norm's scale.
    pub gamma: Tensor,
    /// Batch norm's shift.
    pub beta: Tensor,
}

impl ConvBlock {
    /// `[in, batch, h, w]` to `[out, batch, h', w']`. With [`Statistics::Batch`] also the batch's moments (of the
    /// biased convolution output, variance biased), for the running averages.
    ///
    /// With [`Statistics::Running`] the fast path has no gradient: [`ConvBlock::forward_reference`] has.
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
        let cache = Arc::new(Mutex::new(None));
        let batch = running.is_none();
        let y = x.contiguous()?.apply_op3(&p.weight, &affine, Op { block: *self, running, cache: cache.clone() })?;
        let moments = if batch { storage::lock(&cache)?.as_ref().map(Cache::moments) } else { None };
        match moments {
            Some((mean, variance)) => Ok((y, Some(Moments::new(mean, variance, x.device())?))),
            None => Ok((y, None)),
        }
    }

    /// The same from candle's own operations, on any device.
    pub fn forward_reference(
        &self,
        x: &Tensor,
        p: &ConvParameters,
        statistics: &Statistics,
        precision: Precision,
    ) -> Result<(Tensor, Option<Moments>)> {
        let channels = p.bias.dim(0)?;
        let z = convolve(x, &p.weight, self.fixed(), precision)?;
        let shape = z.dims().to_vec();
        let z = z.reshape((channels, ()))?.broadcast_add(&p.bias.unsqueeze(1)?)?;
        let (y, moments) = batch_norm(&z, &p.gamma, &p.beta, statistics, self.eps)?;
        let y = y.relu()?.reshape(shape)?;
        Ok((if self.pool { max_pool(&y)? } else { y }, moments))
    }

    fn fixed(&self) -> ConvConfig {
        ConvConfig { padding: self.padding, stride: self.stride, groups: self.groups }
    }

    /// Height and width of the block's output.
    fn output(&self, g: &Geometry) -> (usize, usize) {
        let map = (g.out_height(), g.out_width());
        if self.pool { pooled(map.0, map.1) } else { map }
    }

    fn geometry(&self, x: &[usize], w: &[usize]) -> Result<Geometry> {
        let g = Geometry::new(x, w, self.fixed())?;
        if self.pool && (g.out_height() < 3 || g.out_width() < 3) {
            bail!("a map of {}x{} is too small for a 3x3 pool", g.out_height(), g.out_width())
        }
        Ok(g)
    }
}

/// What the way back needs.
#[derive(Debug)]
struct Cache {
    /// Convolution output without bias, `[out, batch * h * w]`.
    z: Vec<f32>,
    channels: Vec<Channel>,
    /// Mean with bias, and variance, of each channel.
    moments: Vec<(f32, f32)>,
    /// For each pooled value, which of its nine inputs it is.
    choices: Vec<u8>,
}

impl Cache {
    fn moments(&self) -> (Vec<f32>, Vec<f32>) {
        self.moments.iter().copied().unzip()
    }
}

#[derive(Debug)]
struct Op {
    block: ConvBlock,
    running: Option<(Vec<f32>, Vec<f32>)>,
    cache: Arc<Mutex<Option<Cache>>>,
}

impl CustomOp3 for Op {
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
            // Running statistics are of the biased output, which has no bias yet.
            let norm: Vec<Channel> = (0..g.outputs).map(|c| channel(c, mean[c] - bias[c], variance[c])).collect();
            let y = im2col::forward(&g, x, w, BatchInvariance::Exact, Some(&norm));
            if self.block.pool { pool(&g, &y) } else { y }
        } else {
            let z = im2col::forward(&g, x, w, BatchInvariance::Relaxed, None);
            let (height, width) = (g.out_height(), g.out_width());
            let (out_height, out_width) = self.block.output(&g);
            let (plane, out_plane) = (height * width, out_height * out_width);
            let mut choices = vec![0; if self.block.pool { g.outputs * g.batch * out_plane } else { 0 }];
            let mut picks: Vec<&mut [u8]> = choices.chunks_mut(g.batch * out_plane).collect();
            picks.resize_with(g.outputs, Default::default);
            let mut statistics = Vec::new();
            #[allow(unsafe_code, reason = "see `fill_uninit`")]
            // SAFETY: the images of all channels are the whole output.
            let y = unsafe {
                matmul::fill_uninit(g.outputs * g.batch * out_plane, 0, |y| {
                    z.par_chunks_exact(g.out_plane())
                        .zip(picks)
                        .enumerate()
                        .map(|(c, (z, picks))| {
                            let (mean, variance) = simd::moments(z);
                            let channel = channel(c, mean, variance);
                            scratch::with(plane + out_plane, |buffer| {
                                let (normed, pooled) = buffer.split_at_mut(plane);
                                let mut picks = picks.chunks_exact_mut(out_plane);
                                for (image, z) in z.chunks_exact(plane).enumerate() {
                                    simd::scale_relu(z, normed, channel.scale, channel.shift);
                                    let y = y.at((c * g.batch + image) * out_plane);
                                    if let Some(picks) = picks.next() {
                                        pool_plane(normed, width, pooled, picks, out_width);
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
            *storage::lock(&self.cache)? = Some(Cache { z, channels, moments, choices });
            y
        };
        let (out_height, out_width) = self.block.output(&g);
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
        let Some(cache) = storage::lock(&self.cache)?.take() else {
            bail!("a block has one backward pass, with batch statistics; use the plain path for others")
        };
        let Cache { z: mut dz, channels, choices, .. } = cache;
        let out = (y.dim(2)?, y.dim(3)?);
        let plane = g.batch * out.0 * out.1;
        let gradients: Vec<(f32, f32)> = storage::with(dy, |dy| {
            dz.par_chunks_exact_mut(g.out_plane())
                .zip(dy.par_chunks_exact(plane))
                .enumerate()
                .map(|(c, (z, dy))| {
                    if self.block.pool {
                        let choices = &choices[c * plane..(c + 1) * plane];
                        pooled_backward(z, dy, choices, channels[c], (g.out_height(), g.out_width()), out)
                    } else {
                        simd::norm_relu_backward(z, dy, channels[c])
                    }
                })
                .collect()
        })?;
        // Batch statistics take the bias out again: its gradient is exactly zero.
        let mut d_affine = vec![0.0; g.outputs];
        d_affine.extend(gradients.iter().map(|(gamma, _)| gamma));
        d_affine.extend(gradients.iter().map(|(_, beta)| beta));
        let dw = storage::with(x, |x| im2col::weight_gradient(&g, x, &dz))?;
        let dx = if x.track_op() {
            Some(storage::shaped(storage::with(w, |w| im2col::input_gradient(&g, w, &dz))?, x)?)
        } else {
            None
        };
        Ok((dx, Some(storage::shaped(dw, w)?), Some(storage::shaped(d_affine, affine)?)))
    }
}

/// The largest of each 3x3 of the maps of a convolution's output.
fn pool(g: &Geometry, z: &[f32]) -> Vec<f32> {
    let (height, width) = (g.out_height(), g.out_width());
    let (out_height, out_width) = pooled(height, width);
    let (plane, out_plane) = (height * width, out_height * out_width);
    let one = |y: Window, (map, z): (usize, &[f32])| {
        scratch::with(out_plane + 2 * width + 1, |buffer| {
            let (pooled, room) = buffer.split_at_mut(out_plane);
            pool_values(z, width, pooled, out_width, room);
            y.at(map * out_plane).write(pooled);
        });
    };
    #[allow(unsafe_code, reason = "see `fill_uninit`")]
    // SAFETY: the maps are the whole output.
    unsafe {
        matmul::fill_uninit(z.len() / plane * out_plane, 0, |y| {
            z.par_chunks_exact(plane).enumerate().for_each(|map| one(y, map));
        })
    }
}

fn pooled(height: usize, width: usize) -> (usize, usize) {
    ((height - 3) / 2 + 1, (width - 3) / 2 + 1)
}

/// Pools one plane of rows of `width`, noting for each output which of its nine inputs, `3 * row + column`, it is.
/// Of equal values any may be chosen: after ReLU only zeros are equal, and those carry no gradient.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn pool_plane(x: &[f32], width: usize, y: &mut [f32], picks: &mut [u8], out_width: usize) {
    let mut best = vec![0.0_f32; width];
    let mut choice = vec![0_i32; width];
    let rows = y.chunks_exact_mut(out_width).zip(picks.chunks_exact_mut(out_width));
    for (row, (y, picks)) in rows.enumerate() {
        let three = &x[2 * row * width..(2 * row + 3) * width];
        let (top, rest) = three.split_at(width);
        let (middle, bottom) = rest.split_at(width);
        // Down the columns first: this loop is the one that vectorizes.
        for column in 0..width {
            let (value, tap) = if middle[column] > top[column] { (middle[column], 3) } else { (top[column], 0) };
            let lower = bottom[column] > value;
            best[column] = if lower { bottom[column] } else { value };
            choice[column] = if lower { 6 } else { tap };
        }
        for ((column, y), pick) in (0..).step_by(2).zip(y).zip(picks) {
            let (values, taps) = (&best[column..column + 3], &choice[column..column + 3]);
            let (value, tap) = if values[1] > values[0] { (values[1], taps[1] + 1) } else { (values[0], taps[0]) };
            let right = values[2] > value;
            *y = if right { values[2] } else { value };
            *pick = (if right { taps[2] + 2 } else { tap }) as u8;
        }
    }
}

/// As [`pool_plane`], without the choices; `room` is for `2 * width + 1` values.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn pool_values(x: &[f32], width: usize, y: &mut [f32], out_width: usize, room: &mut [f32]) {
    let (best, halves) = room.split_at_mut(width);
    let (even, odd) = halves.split_at_mut(width.div_ceil(2));
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    for (row, y) in y.chunks_exact_mut(out_width).enumerate() {
        let (top, rest) = x[2 * row * width..(2 * row + 3) * width].split_at(width);
        let (middle, bottom) = rest.split_at(width);
        for (best, ((a, b), c)) in best.iter_mut().zip(top.iter().zip(middle).zip(bottom)) {
            *best = larger(larger(*a, *b), *c);
        }
        // By halves of its columns the row vectorizes too.
        simd::halve(best, even, odd);
        for (y, ((a, b), c)) in y.iter_mut().zip(even.iter().zip(&*odd).zip(&even[1..])) {
            *y = larger(larger(*a, *b), *c);
        }
    }
}

/// As [`simd::norm_relu_backward`], with the pool after it: only the chosen positions carry a gradient.
fn pooled_backward(
    z: &mut [f32],
    dy: &[f32],
    choices: &[u8],
    channel: Channel,
    (height, width): (usize, usize),
    (out_height, out_width): (usize, usize),
) -> (f32, f32) {
    let Channel { mean, reciprocal, scale, shift } = channel;
    let (mut dgamma, mut dbeta) = (0.0, 0.0);
    let mut active = Vec::with_capacity(dy.len());
    let lines = dy.chunks_exact(out_width).zip(choices.chunks_exact(out_width));
    for (line, (dy, choices)) in lines.enumerate() {
        let (image, row) = (line / out_height, line % out_height);
        let start = (image * height + 2 * row) * width;
        for (column, (dy, choice)) in dy.iter().zip(choices).enumerate() {
            let choice = usize::from(*choice);
            let at = start + choice / 3 * width + 2 * column + choice % 3;
            if z[at] * scale + shift > 0.0 {
                dbeta += dy;
                dgamma += dy * (z[at] - mean);
                active.push((at, scale * dy));
            }
        }
    }
    dgamma *= reciprocal;
    let count = z.len() as f32;
    let slope = -scale * dgamma / count * reciprocal;
    simd::scale_shift_in_place(z, slope, -scale * dbeta / count - slope * mean);
    for (at, d) in active {
        z[at] += d;
    }
    (dgamma, dbeta)
}
