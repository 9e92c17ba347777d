//! The CPU operation of all branches, see [`crate::nn::BranchBlock`]. Features are never stored: the backward pass
//! recomputes them from the output of the 1x1 convolution.

use super::mask::{HIDDEN, MASK_PARAMETERS, MaskParameters};
use super::matmul::{self, View, Window};
use super::scratch;
use super::simd::{self, Channel};
use crate::nn::storage;
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;
use std::sync::{Arc, Mutex};

/// The gated features among the outputs of the branches. A correlation net reads them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Gated {
    /// Not returned.
    #[default]
    Off,
    /// Returned without a gradient.
    Detached,
    /// Returned with a gradient, so that a correlation net's loss trains the branches and the backbone, too.
    Tracked,
}

/// Branches, channels of each, images, and positions of the map.
#[derive(Debug, Clone, Copy)]
pub(in crate::nn) struct Sizes {
    pub(in crate::nn) a: usize,
    pub(in crate::nn) c: usize,
    pub(in crate::nn) batch: usize,
    pub(in crate::nn) positions: usize,
}

/// Running means (of outputs without bias) and variances.
#[derive(Debug)]
pub(in crate::nn) struct RunningMoments {
    pub(in crate::nn) features: (Vec<f32>, Vec<f32>),
    pub(in crate::nn) mask: (Vec<f32>, Vec<f32>),
}

/// Results of the forward pass besides the pooled features, with `n = batch * positions`.
#[derive(Debug, Default)]
pub(in crate::nn) struct SavedForBackward {
    /// Output of the 1x1 convolution without bias, `[a * c, n]`; only with batch statistics.
    z: Vec<f32>,
    /// Batch norm of the features, `[a * c]`.
    channels: Vec<Channel>,
    /// Channel mean of the features, `[a, n]`.
    mean_map: Vec<f32>,
    /// `[a, n]`.
    pub(in crate::nn) mask: Vec<f32>,
    /// `[a, c, n]`; only if they are wanted without a gradient.
    pub(in crate::nn) gated: Option<Vec<f32>>,
    pub(in crate::nn) features_moments: (Vec<f32>, Vec<f32>),
    pub(in crate::nn) mask_moments: (Vec<f32>, Vec<f32>),
}

/// The output is the pooled features `[a, c, batch]`, or the gated features `[a, c, n]` if these have a gradient.
#[derive(Debug)]
pub(in crate::nn) struct BranchOp {
    pub(in crate::nn) sizes: Sizes,
    pub(in crate::nn) eps: f32,
    pub(in crate::nn) gated: Gated,
    /// `None` for batch statistics.
    pub(in crate::nn) running: Option<RunningMoments>,
    pub(in crate::nn) saved: Arc<Mutex<SavedForBackward>>,
}

/// The parameters besides the 1x1 convolution's weights, in their packed order.
struct PackedParameters<'a> {
    gamma: &'a [f32],
    beta: &'a [f32],
    masks: &'a [f32],
}

impl<'a> PackedParameters<'a> {
    fn new(packed: &'a [f32], Sizes { a, c, .. }: Sizes) -> Self {
        let (gamma, rest) = packed.split_at(a * c);
        let (beta, masks) = rest.split_at(a * c);
        Self { gamma, beta, masks }
    }

    fn mask(&self, branch: usize) -> MaskParameters<'a> {
        MaskParameters::new(&self.masks[branch * MASK_PARAMETERS..(branch + 1) * MASK_PARAMETERS])
    }
}

/// Operands of the forward pass.
struct Forward<'a> {
    op: &'a BranchOp,
    x: &'a [f32],
    w: &'a [f32],
    /// Output of the 1x1 convolution of all branches; empty with running statistics.
    z: &'a [f32],
    parameters: PackedParameters<'a>,
}

/// Buffers of one branch in the forward pass.
struct BranchState<'a> {
    branch: usize,
    /// `[c, n]`.
    features: &'a mut [f32],
    /// `[n]`.
    mean_map: &'a mut [f32],
    /// `[n]`.
    mask: &'a mut [f32],
    /// `[c, batch]`.
    pooled: &'a mut [f32],
}

impl Forward<'_> {
    /// Computes features and their mean map; returns batch norm and moments per channel if statistics are the batch's.
    fn features(&self, state: &mut BranchState) -> (Vec<Channel>, Vec<(f32, f32)>) {
        let Sizes { c, batch, positions, .. } = self.op.sizes;
        let (n, eps) = (batch * positions, self.op.eps);
        if self.op.running.is_some() {
            let inputs = self.x.len() / n;
            let w = View::new(&self.w[state.branch * c * inputs..], c, inputs, inputs);
            matmul::multiply(Window::new(state.features, n), w, View::new(self.x, inputs, n, n), false);
        }
        let mut channels = Vec::with_capacity(c);
        let mut moments = Vec::with_capacity(c);
        for (r, h) in state.features.chunks_exact_mut(n).enumerate() {
            let row = state.branch * c + r;
            let (gamma, beta) = (self.parameters.gamma[row], self.parameters.beta[row]);
            if let Some(RunningMoments { features, .. }) = &self.op.running {
                let channel = Channel::new(features.0[row], features.1[row], eps, gamma, beta);
                simd::scale_relu_in_place(h, channel.scale, channel.shift);
            } else {
                let z = &self.z[row * n..(row + 1) * n];
                let (mean, variance) = simd::moments(z);
                let channel = Channel::new(mean, variance, eps, gamma, beta);
                simd::scale_relu(z, h, channel.scale, channel.shift);
                channels.push(channel);
                moments.push((mean, variance));
            }
            simd::add_scaled(state.mean_map, h, 1.0 / c as f32);
        }
        (channels, moments)
    }

    /// Computes the mask from the mean map; returns the moments of its hidden maps.
    fn mask(&self, state: &mut BranchState) -> [(f32, f32); HIDDEN] {
        let running = self.op.running.as_ref().map(|running| {
            let range = state.branch * HIDDEN..(state.branch + 1) * HIDDEN;
            (&running.mask.0[range.clone()], &running.mask.1[range])
        });
        self.parameters.mask(state.branch).forward(state.mean_map, state.mask, running, self.op.eps)
    }

    /// Pools features times mask over positions and writes the gated features if `gated` is given. `row` holds `n` values.
    fn gate(&self, state: &mut BranchState, gated: Option<Window>, row: &mut [f32]) {
        let Sizes { c, batch, positions, .. } = self.op.sizes;
        let n = batch * positions;
        for (r, (h, pooled)) in state.features.chunks_exact(n).zip(state.pooled.chunks_exact_mut(batch)).enumerate() {
            let samples = h.chunks_exact(positions).zip(state.mask.chunks_exact(positions));
            for (pooled, (h, mask)) in pooled.iter_mut().zip(samples) {
                *pooled = simd::dot(h, mask) / positions as f32;
            }
            if let Some(gated) = gated {
                simd::multiply(row, h, state.mask);
                gated.at((state.branch * c + r) * n).write(row);
            }
        }
    }
}

impl CustomOp3 for BranchOp {
    fn name(&self) -> &'static str {
        "branches"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        xl: &Layout,
        w: &CpuStorage,
        wl: &Layout,
        parameters: &CpuStorage,
        pl: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let Sizes { a, c, batch, positions } = self.sizes;
        let n = batch * positions;
        let (x, w) = (storage::slice(x, xl)?, storage::slice(w, wl)?);
        let parameters = PackedParameters::new(storage::slice(parameters, pl)?, self.sizes);
        let inputs = x.len() / n;
        // The backward pass reads all of z. Without one, each branch computes its own part and drops it.
        let z = match self.running {
            None => matmul::product(View::new(w, a * c, inputs, inputs), View::new(x, inputs, n, n)),
            Some(_) => Vec::new(),
        };
        let forward = Forward { op: self, x, w, z: &z, parameters };
        let mut pooled = vec![0.0; a * c * batch];
        let mut mean_map = vec![0.0; a * n];
        let mut mask = vec![0.0; a * n];
        let mut done = Vec::new();
        let mut run = |gated: Option<Window>| {
            pooled
                .par_chunks_exact_mut(c * batch)
                .zip(mean_map.par_chunks_exact_mut(n).zip(mask.par_chunks_exact_mut(n)))
                .enumerate()
                .map(|(branch, (pooled, (mean_map, mask)))| {
                    scratch::with((c + 1) * n, |buffer| {
                        let (features, row) = buffer.split_at_mut(c * n);
                        let mut state = BranchState { branch, features, mean_map, mask, pooled };
                        let (channels, moments) = forward.features(&mut state);
                        let hidden = forward.mask(&mut state);
                        forward.gate(&mut state, gated, row);
                        (channels, moments, hidden)
                    })
                })
                .collect_into_vec(&mut done);
        };
        let gated = if self.gated == Gated::Off {
            run(None);
            None
        } else {
            #[allow(unsafe_code, reason = "see `fill_uninit`")]
            // SAFETY: the rows of all branches cover the buffer.
            Some(unsafe { matmul::fill_uninit(a * c * n, n, |gated| run(Some(gated))) })
        };
        let mut saved = storage::lock(&self.saved)?;
        for (channels, moments, hidden) in done {
            saved.channels.extend(channels);
            saved.features_moments.extend(moments);
            saved.mask_moments.extend(hidden);
        }
        saved.mask = mask;
        if self.running.is_none() {
            saved.z = z;
            saved.mean_map = mean_map;
        }
        match gated {
            Some(gated) if self.gated == Gated::Tracked => Ok((CpuStorage::F32(gated), (a, c, n).into())),
            gated => {
                saved.gated = gated;
                Ok((CpuStorage::F32(pooled), (a, c, batch).into()))
            }
        }
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        parameters: &Tensor,
        _output: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let Sizes { a, c, batch, positions } = self.sizes;
        let n = batch * positions;
        let saved = std::mem::take(&mut *storage::lock(&self.saved)?);
        if saved.z.is_empty() {
            bail!("the branches have one backward pass, with batch statistics; the reference has others")
        }
        let mut dz = saved.z;
        let mut d_parameters = vec![0.0; 3 * a * c + a * MASK_PARAMETERS];
        let (d_gamma, rest) = d_parameters.split_at_mut(a * c);
        let (d_beta, rest) = rest.split_at_mut(a * c);
        let (d_masks, _) = rest.split_at_mut(a * MASK_PARAMETERS);
        storage::with(gradient, |gradient| {
            storage::with(parameters, |parameters| {
                let parameters = PackedParameters::new(parameters, self.sizes);
                dz.par_chunks_exact_mut(c * n)
                    .zip(d_gamma.par_chunks_exact_mut(c).zip(d_beta.par_chunks_exact_mut(c)))
                    .zip(d_masks.par_chunks_exact_mut(MASK_PARAMETERS))
                    .enumerate()
                    .for_each(|(i, ((z, (d_gamma, d_beta)), d_mask))| {
                        let branch = Backward {
                            channels: &saved.channels[i * c..(i + 1) * c],
                            mean_map: &saved.mean_map[i * n..(i + 1) * n],
                            mask: &saved.mask[i * n..(i + 1) * n],
                            gradient: match self.gated {
                                Gated::Tracked => OutputGradient::Gated(&gradient[i * c * n..(i + 1) * c * n]),
                                Gated::Off | Gated::Detached => {
                                    OutputGradient::Pooled(&gradient[i * c * batch..(i + 1) * c * batch])
                                }
                            },
                            positions,
                        };
                        branch.run(&parameters.mask(i), self.eps, z, d_gamma, d_beta, d_mask);
                    });
            })
        })??;
        let inputs = x.elem_count() / n;
        let dz = View::new(&dz, a * c, n, n);
        let dw = storage::with(x, |x| matmul::product(dz, View::new(x, inputs, n, n).transposed()))?;
        let dx = storage::with(w, |w| matmul::product(View::new(w, a * c, inputs, inputs).transposed(), dz))?;
        let d_parameters = storage::shaped(d_parameters, parameters)?;
        Ok((Some(storage::shaped(dx, x)?), Some(storage::shaped(dw, w)?), Some(d_parameters)))
    }
}

/// Gradient of a branch's output.
enum OutputGradient<'a> {
    /// The pooled features', `[c, batch]`.
    Pooled(&'a [f32]),
    /// The gated features', `[c, n]`.
    Gated(&'a [f32]),
}

/// Operands of the backward pass of one branch.
struct Backward<'a> {
    channels: &'a [Channel],
    mean_map: &'a [f32],
    mask: &'a [f32],
    gradient: OutputGradient<'a>,
    positions: usize,
}

impl Backward<'_> {
    /// Overwrites `z` with its gradient and fills the gradients of the parameters.
    fn run(
        &self,
        mask: &MaskParameters,
        eps: f32,
        z: &mut [f32],
        d_gamma: &mut [f32],
        d_beta: &mut [f32],
        d_mask: &mut [f32],
    ) {
        let (n, c) = (self.mask.len(), self.channels.len());
        scratch::with(4 * n, |buffer| {
            let (h, rest) = buffer.split_at_mut(n);
            let (d_gated, rest) = rest.split_at_mut(n);
            let (d_logits, d_map) = rest.split_at_mut(n);
            d_logits.fill(0.0);
            for (r, channel) in self.channels.iter().enumerate() {
                simd::scale_relu(&z[r * n..(r + 1) * n], h, channel.scale, channel.shift);
                self.gated_gradient(r, d_gated);
                simd::add_product(d_logits, h, d_gated);
            }
            for (d, m) in d_logits.iter_mut().zip(self.mask) {
                *d *= m * (1.0 - m);
            }
            mask.backward(self.mean_map, d_logits, eps, d_mask, d_map);
            for (r, channel) in self.channels.iter().enumerate() {
                self.gated_gradient(r, d_gated);
                simd::multiply(h, d_gated, self.mask);
                simd::add_scaled(h, d_map, 1.0 / c as f32);
                (d_gamma[r], d_beta[r]) = simd::norm_relu_backward(&mut z[r * n..(r + 1) * n], h, *channel);
            }
        });
    }

    /// Writes the gradient of the gated features of channel `row`, `[n]`. A pooled feature's gradient is shared equally by
    /// all positions of its image.
    fn gated_gradient(&self, row: usize, out: &mut [f32]) {
        let n = out.len();
        match self.gradient {
            OutputGradient::Gated(gradient) => out.copy_from_slice(&gradient[row * n..(row + 1) * n]),
            OutputGradient::Pooled(gradient) => {
                let (batch, share) = (n / self.positions, 1.0 / self.positions as f32);
                let of_channel = &gradient[row * batch..(row + 1) * batch];
                for (out, value) in out.chunks_exact_mut(self.positions).zip(of_channel) {
                    out.fill(value * share);
                }
            }
        }
    }
}
