//! All forty branches of the feature learning net as one operation: 1x1 convolution, batch norm and ReLU (the feature
//! `F_i`), the spatial mask of the paper's PSE module (sigmoid of 1x1 convolutions over the channel mean of `F_i`), the
//! gated feature `G_i = F_i * mask`, and its global average.
//!
//! On the CPU the features are never stored: they are recomputed from the 1x1 convolution's output on the way back.
//! The batch norm inside the mask normalizes sixteen scaled copies of one map, so its moments and gradient have a
//! closed form.

use super::matmul::{self, View, Window};
use super::simd::{self, Channel};
use super::{Moments, Precision, Statistics, batch_norm, scratch, storage};
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;
use std::sync::{Arc, Mutex};

/// Hidden maps of the mask.
const HIDDEN: usize = 16;
/// The mask's parameters of one attribute, side by side: weight, bias, gamma, beta, output weight, output bias.
const MASK: usize = 5 * HIDDEN + 1;

/// The fixed part of the branches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BranchBlock {
    /// Added to variances under the root.
    pub eps: f64,
    /// Whether the gated features are wanted, which only a correlation net needs.
    pub gated: bool,
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
}

/// Moments of both batch norms of the branches.
#[derive(Debug, Clone)]
pub struct BranchMoments {
    /// Of the 1x1 convolution, `[a * c]`.
    pub features: Moments,
    /// Of the mask's hidden maps, `[a * 16]`.
    pub mask: Moments,
}

/// What both batch norms normalize with.
#[derive(Debug, Clone)]
pub enum BranchStatistics {
    /// The batch's own moments.
    Batch,
    /// Running averages.
    Running(BranchMoments),
}

/// What the branches give.
#[derive(Debug)]
pub struct BranchOutput {
    /// Global averages of the gated features, `[a, c, batch]`.
    pub pooled: Tensor,
    /// Gated features without a gradient, `[a, c, batch * positions]`, where asked for.
    pub gated: Option<Tensor>,
    /// The masks without a gradient, `[a, batch, positions]`.
    pub mask: Tensor,
    /// The batch's moments, where those were used.
    pub moments: Option<BranchMoments>,
}

impl BranchBlock {
    /// From the backbone's last map `[i, batch, h, w]`. With running statistics the fast path has no gradient:
    /// [`BranchBlock::plain`] has.
    pub fn forward(&self, x: &Tensor, p: &BranchParameters, statistics: &BranchStatistics) -> Result<BranchOutput> {
        if !x.device().is_cpu() {
            return self.forward_reference(x, p, statistics, Precision::Single);
        }
        let (a, c, i) = p.weight.dims3()?;
        let (inputs, batch, height, width) = x.dims4()?;
        if inputs != i {
            bail!("branches over {i} channels were given {inputs}")
        }
        let (positions, n) = (height * width, batch * height * width);
        let mask = [&p.mask_weight, &p.mask_bias, &p.mask_gamma, &p.mask_beta, &p.mask_out_weight]
            .into_iter()
            .cloned()
            .chain([p.mask_out_bias.unsqueeze(1)?])
            .collect::<Vec<_>>();
        let theta = [&p.gamma, &p.beta, &Tensor::cat(&mask, 1)?, &p.bias];
        // Batch statistics take the bias out again: it is here to receive its gradient, which is zero.
        let theta = Tensor::cat(&theta.into_iter().map(Tensor::flatten_all).collect::<Result<Vec<_>>>()?, 0)?;
        let running = match statistics {
            BranchStatistics::Batch => None,
            BranchStatistics::Running(m) => {
                // Running means are of the biased output; the product below has no bias.
                let mean = (&m.features.mean - p.bias.flatten_all()?)?;
                let mask_mean = (&m.mask.mean - p.mask_bias.flatten_all()?)?;
                Some(Running {
                    features: (mean.to_vec1()?, m.features.variance.to_vec1()?),
                    mask: (mask_mean.to_vec1()?, m.mask.variance.to_vec1()?),
                })
            }
        };
        let kept = Arc::new(Mutex::new(Kept::default()));
        let op = Op { sizes: Sizes { a, c, batch, positions }, block: *self, running, kept: kept.clone() };
        let pooled = x.contiguous()?.apply_op3(&p.weight, &theta, op)?;
        let mut kept = storage::lock(&kept)?;
        let device = x.device();
        let gated = kept.gated.take().map(|v| Tensor::from_vec(v, (a, c, n), device)).transpose()?;
        let mask = Tensor::from_vec(kept.mask.clone(), (a, batch, positions), device)?;
        let moments = match statistics {
            BranchStatistics::Running(_) => None,
            BranchStatistics::Batch => {
                let (mean, variance) = std::mem::take(&mut kept.features_moments);
                let mut features = Moments::new(mean, variance, device)?;
                features.mean = (features.mean + p.bias.detach().flatten_all()?)?;
                let (mean, variance) = std::mem::take(&mut kept.mask_moments);
                let mut mask = Moments::new(mean, variance, device)?;
                mask.mean = (mask.mean + p.mask_bias.detach().flatten_all()?)?;
                Some(BranchMoments { features, mask })
            }
        };
        Ok(BranchOutput { pooled, gated, mask, moments })
    }

    /// The same from candle's own operations, on any device.
    pub fn forward_reference(
        &self,
        x: &Tensor,
        p: &BranchParameters,
        statistics: &BranchStatistics,
        precision: Precision,
    ) -> Result<BranchOutput> {
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
        Ok(BranchOutput { pooled, gated: self.gated.then(|| gated.detach()), mask, moments })
    }
}

#[derive(Debug, Clone, Copy)]
struct Sizes {
    a: usize,
    c: usize,
    batch: usize,
    positions: usize,
}

/// Running means (of outputs without bias) and variances.
#[derive(Debug)]
struct Running {
    features: (Vec<f32>, Vec<f32>),
    mask: (Vec<f32>, Vec<f32>),
}

/// What a forward pass leaves behind, `n = batch * positions`.
#[derive(Debug, Default)]
struct Kept {
    /// The 1x1 convolution's output without bias, `[a * c, n]`.
    z: Vec<f32>,
    /// Batch norm of the features, `[a * c]`.
    channels: Vec<Channel>,
    /// Channel mean of the features, `[a, n]`.
    mean_map: Vec<f32>,
    /// `[a, n]`.
    mask: Vec<f32>,
    /// `[a, c, n]`.
    gated: Option<Vec<f32>>,
    features_moments: (Vec<f32>, Vec<f32>),
    mask_moments: (Vec<f32>, Vec<f32>),
}

#[derive(Debug)]
struct Op {
    sizes: Sizes,
    block: BranchBlock,
    running: Option<Running>,
    kept: Arc<Mutex<Kept>>,
}

/// The packed parameters taken apart.
struct Theta<'a> {
    gamma: &'a [f32],
    beta: &'a [f32],
    mask: &'a [f32],
}

impl<'a> Theta<'a> {
    fn new(theta: &'a [f32], Sizes { a, c, .. }: Sizes) -> Self {
        let (gamma, rest) = theta.split_at(a * c);
        let (beta, mask) = rest.split_at(a * c);
        Self { gamma, beta, mask }
    }

    fn mask_of(&self, attribute: usize) -> Mask<'a> {
        let all = &self.mask[attribute * MASK..(attribute + 1) * MASK];
        let part = |index: usize| &all[index * HIDDEN..(index + 1) * HIDDEN];
        Mask { weight: part(0), gamma: part(2), beta: part(3), out_weight: part(4), out_bias: all[5 * HIDDEN] }
    }
}

/// One attribute's mask parameters; the first bias never matters here, as batch norm or the running mean takes it out.
struct Mask<'a> {
    weight: &'a [f32],
    gamma: &'a [f32],
    beta: &'a [f32],
    out_weight: &'a [f32],
    out_bias: f32,
}

impl Mask<'_> {
    /// The mask of one attribute from its mean map, and the moments of its hidden maps (without bias).
    fn forward(
        &self,
        mean_map: &[f32],
        out: &mut [f32],
        running: Option<(&[f32], &[f32])>,
        eps: f32,
    ) -> [(f32, f32); HIDDEN] {
        let (mean, variance) = simd::moments(mean_map);
        out.fill(self.out_bias);
        let moments = std::array::from_fn(|q| {
            let w = self.weight[q];
            let (mean, variance) = match running {
                None => (w * mean, w * w * variance),
                Some((means, variances)) => (means[q], variances[q]),
            };
            let scale = self.gamma[q] / (variance + eps).sqrt();
            simd::add_scaled_relu(out, mean_map, (scale * w, self.beta[q] - scale * mean), self.out_weight[q]);
            (mean, variance)
        });
        for value in out {
            *value = 1.0 / (1.0 + (-*value).exp());
        }
        moments
    }

    /// From the gradient of the mask's logits, those of its parameters (into `d`, packed as in [`MASK`]) and of the
    /// mean map (into `d_map`).
    fn backward(&self, mean_map: &[f32], d_logits: &[f32], eps: f32, d: &mut [f32], d_map: &mut [f32]) {
        let (mean, variance) = simd::moments(mean_map);
        d.fill(0.0);
        d[5 * HIDDEN] = simd::sum(d_logits);
        d_map.fill(0.0);
        let mut d_variance = 0.0;
        for q in 0..HIDDEN {
            let w = self.weight[q];
            // The normalized hidden map is (map - mean) * w / sqrt(w^2 variance + eps).
            let denominator = w * w * variance + eps;
            let unit = w / denominator.sqrt();
            let scale = self.gamma[q] * unit;
            let sums = simd::mask_backward(
                mean_map,
                d_logits,
                d_map,
                (scale, self.beta[q] - scale * mean, mean),
                self.out_weight[q],
            );
            d[4 * HIDDEN + q] = sums.out_weight;
            d[3 * HIDDEN + q] = sums.shift;
            d[2 * HIDDEN + q] = sums.scale * unit;
            let d_unit = sums.scale * self.gamma[q];
            let cubed = denominator * denominator.sqrt();
            d[q] = d_unit * eps / cubed;
            d_variance -= 0.5 * d_unit * w * w * w / cubed;
        }
        let n = mean_map.len() as f32;
        let d_mean = simd::sum(d_map) / n;
        for (d, value) in d_map.iter_mut().zip(mean_map) {
            *d += d_variance * 2.0 * (value - mean) / n - d_mean;
        }
    }
}

impl CustomOp3 for Op {
    fn name(&self) -> &'static str {
        "branches"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        xl: &Layout,
        w: &CpuStorage,
        wl: &Layout,
        theta: &CpuStorage,
        tl: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let Sizes { a, c, batch, positions } = self.sizes;
        let (n, eps) = (batch * positions, self.block.eps as f32);
        let (x, w) = (storage::slice(x, xl)?, storage::slice(w, wl)?);
        let theta = Theta::new(storage::slice(theta, tl)?, self.sizes);
        let inputs = x.len() / n;
        // The way back asks for all of it; otherwise a branch makes its own and leaves nothing.
        let z = match self.running {
            None => matmul::product(View::new(w, a * c, inputs, inputs), View::new(x, inputs, n, n)),
            Some(_) => Vec::new(),
        };
        let mut pooled = vec![0.0; a * c * batch];
        let mut mean_map = vec![0.0; a * n];
        let mut mask = vec![0.0; a * n];
        let mut done = Vec::new();
        let one = |gated: Option<Window>, i: usize, pooled: &mut [f32], mean_map: &mut [f32], mask: &mut [f32]| {
            scratch::with((c + 1) * n, |buffer| {
                let (h, gated_row) = buffer.split_at_mut(c * n);
                if self.running.is_some() {
                    let w = View::new(&w[i * c * inputs..], c, inputs, inputs);
                    matmul::multiply(Window::new(h, n), w, View::new(x, inputs, n, n), false);
                }
                let mut channels = Vec::with_capacity(c);
                let mut moments = Vec::with_capacity(c);
                for (r, h) in h.chunks_exact_mut(n).enumerate() {
                    let row = i * c + r;
                    let norm = |mean, variance| Channel::new(mean, variance, eps, theta.gamma[row], theta.beta[row]);
                    if let Some(Running { features, .. }) = &self.running {
                        let channel = norm(features.0[row], features.1[row]);
                        simd::scale_relu_in_place(h, channel.scale, channel.shift);
                    } else {
                        let z = &z[row * n..(row + 1) * n];
                        let (mean, variance) = simd::moments(z);
                        let channel = norm(mean, variance);
                        simd::scale_relu(z, h, channel.scale, channel.shift);
                        channels.push(channel);
                        moments.push((mean, variance));
                    }
                    simd::add_scaled(mean_map, h, 1.0 / c as f32);
                }
                let running = self.running.as_ref().map(|running| {
                    let range = i * HIDDEN..(i + 1) * HIDDEN;
                    (&running.mask.0[range.clone()], &running.mask.1[range])
                });
                let hidden = theta.mask_of(i).forward(mean_map, mask, running, eps);
                for (r, (h, pooled)) in h.chunks_exact(n).zip(pooled.chunks_exact_mut(batch)).enumerate() {
                    let samples = h.chunks_exact(positions).zip(mask.chunks_exact(positions));
                    for (pooled, (h, mask)) in pooled.iter_mut().zip(samples) {
                        *pooled = simd::dot(h, mask) / positions as f32;
                    }
                    if let Some(gated) = gated {
                        simd::multiply(gated_row, h, mask);
                        gated.at((i * c + r) * n).write(gated_row);
                    }
                }
                (channels, moments, hidden)
            })
        };
        let mut all = |gated: Option<Window>| {
            pooled
                .par_chunks_exact_mut(c * batch)
                .zip(mean_map.par_chunks_exact_mut(n).zip(mask.par_chunks_exact_mut(n)))
                .enumerate()
                .map(|(i, (pooled, (mean_map, mask)))| one(gated, i, pooled, mean_map, mask))
                .collect_into_vec(&mut done);
        };
        let gated = if self.block.gated {
            #[allow(unsafe_code, reason = "see `fill_uninit`")]
            // SAFETY: the rows of all branches are the whole of it.
            Some(unsafe { matmul::fill_uninit(a * c * n, n, |gated| all(Some(gated))) })
        } else {
            all(None);
            None
        };
        let mut kept = storage::lock(&self.kept)?;
        for (channels, moments, hidden) in done {
            kept.channels.extend(channels);
            kept.features_moments.extend(moments);
            kept.mask_moments.extend(hidden);
        }
        kept.gated = gated;
        kept.mask = mask;
        if self.running.is_none() {
            kept.z = z;
            kept.mean_map = mean_map;
        }
        Ok((CpuStorage::F32(pooled), (a, c, batch).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        theta: &Tensor,
        _pooled: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let Sizes { a, c, batch, positions } = self.sizes;
        let n = batch * positions;
        let kept = std::mem::take(&mut *storage::lock(&self.kept)?);
        if kept.z.is_empty() {
            bail!("the branches have one backward pass, with batch statistics; use the plain path for others")
        }
        let mut dz = kept.z;
        let mut d_theta = vec![0.0; 3 * a * c + a * MASK];
        let (d_gamma, rest) = d_theta.split_at_mut(a * c);
        let (d_beta, rest) = rest.split_at_mut(a * c);
        let (d_mask, _) = rest.split_at_mut(a * MASK);
        storage::with(gradient, |gradient| {
            storage::with(theta, |theta| {
                let theta = Theta::new(theta, self.sizes);
                dz.par_chunks_exact_mut(c * n)
                    .zip(d_gamma.par_chunks_exact_mut(c).zip(d_beta.par_chunks_exact_mut(c)))
                    .zip(d_mask.par_chunks_exact_mut(MASK))
                    .enumerate()
                    .for_each(|(i, ((z, (d_gamma, d_beta)), d_mask))| {
                        let one = OneBranch {
                            channels: &kept.channels[i * c..(i + 1) * c],
                            mean_map: &kept.mean_map[i * n..(i + 1) * n],
                            mask: &kept.mask[i * n..(i + 1) * n],
                            gradient: &gradient[i * c * batch..(i + 1) * c * batch],
                            positions,
                        };
                        one.backward(&theta.mask_of(i), self.block.eps as f32, z, d_gamma, d_beta, d_mask);
                    });
            })
        })??;
        let inputs = x.elem_count() / n;
        let dz = View::new(&dz, a * c, n, n);
        let dw = storage::with(x, |x| matmul::product(dz, View::new(x, inputs, n, n).transposed()))?;
        let dx = storage::with(w, |w| matmul::product(View::new(w, a * c, inputs, inputs).transposed(), dz))?;
        Ok((Some(storage::shaped(dx, x)?), Some(storage::shaped(dw, w)?), Some(storage::shaped(d_theta, theta)?)))
    }
}

/// What the way back through one branch reads.
struct OneBranch<'a> {
    channels: &'a [Channel],
    mean_map: &'a [f32],
    mask: &'a [f32],
    /// With respect to the pooled features, `[c, batch]`.
    gradient: &'a [f32],
    positions: usize,
}

impl OneBranch<'_> {
    /// Overwrites `z` with its gradient and fills those of the parameters.
    fn backward(
        &self,
        mask: &Mask,
        eps: f32,
        z: &mut [f32],
        d_gamma: &mut [f32],
        d_beta: &mut [f32],
        d_mask: &mut [f32],
    ) {
        let (n, c) = (self.mask.len(), self.channels.len());
        let batch = n / self.positions;
        let share = 1.0 / self.positions as f32;
        scratch::with(4 * n, |buffer| {
            let (h, rest) = buffer.split_at_mut(n);
            let (spread, rest) = rest.split_at_mut(n);
            let (d_logits, d_map) = rest.split_at_mut(n);
            d_logits.fill(0.0);
            for (r, channel) in self.channels.iter().enumerate() {
                simd::scale_relu(&z[r * n..(r + 1) * n], h, channel.scale, channel.shift);
                self.spread(&self.gradient[r * batch..(r + 1) * batch], share, spread);
                simd::add_product(d_logits, h, spread);
            }
            for (d, m) in d_logits.iter_mut().zip(self.mask) {
                *d *= m * (1.0 - m);
            }
            mask.backward(self.mean_map, d_logits, eps, d_mask, d_map);
            for (r, channel) in self.channels.iter().enumerate() {
                self.spread(&self.gradient[r * batch..(r + 1) * batch], share, spread);
                simd::multiply(h, spread, self.mask);
                simd::add_scaled(h, d_map, 1.0 / c as f32);
                (d_gamma[r], d_beta[r]) = simd::norm_relu_backward(&mut z[r * n..(r + 1) * n], h, *channel);
            }
        });
    }

    /// One value a sample, times `share`, to all its positions.
    fn spread(&self, values: &[f32], share: f32, out: &mut [f32]) {
        for (out, value) in out.chunks_exact_mut(self.positions).zip(values) {
            out.fill(value * share);
        }
    }
}
