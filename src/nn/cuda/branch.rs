//! All branches of the feature learning net.

use super::launch::{Computed, Grid, Scalars, Source, device, launch, tensor, values};
use super::norm::{Norm, moments};
use super::update::pack;
use crate::nn::branch_data::{BranchMoments, BranchOutput, BranchParameters};
use crate::nn::cpu::branch::Gated;
use crate::nn::cpu::mask::HIDDEN;
use crate::nn::moments::Moments;
use crate::nn::precision::Precision;
use candle_core::{Result, Tensor};

/// Sizes of `a` branches with `c` channels.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    a: usize,
    c: usize,
    batch: usize,
    positions: usize,
}

impl Sizes {
    /// Values of a channel.
    fn n(self) -> usize {
        self.batch * self.positions
    }

    fn rows(self) -> usize {
        self.a * self.c
    }

    /// Values of all channels.
    fn count(self) -> usize {
        self.rows() * self.n()
    }

    /// Values of one map a branch.
    fn of_maps(self) -> usize {
        self.a * self.n()
    }
}

/// Results of the forward pass besides its output.
struct Features {
    sizes: Sizes,
    /// The convolution's output, `[a * c, n]`.
    z: Tensor,
    norm: Norm,
    /// Packed parameters of the masks.
    packed: Tensor,
    /// Means over channels, `[a, n]`, and their moments.
    means: Tensor,
    of_means: Moments,
    /// Moments of the masks' hidden maps, `[a * 16]`.
    hidden: Moments,
    /// `[a, n]`.
    masks: Tensor,
}

impl Features {
    fn new(sizes: Sizes, z: Tensor, norm: Norm, packed: Tensor, hidden: Option<&Moments>) -> Result<Self> {
        let Sizes { a, c, .. } = sizes;
        let (device, n, count, (_, _, eps)) = (device(&z)?, sizes.n(), sizes.count(), norm.parts());
        let mut means = values(device, a * n)?;
        let scalars = Scalars { sizes: &[count, c, n], numbers: &[] };
        let (kernel, operands) = ((Source::Branch, "branch_means"), [&z, &norm.scale, &norm.shift]);
        launch(device, kernel, Grid::of_rows(n, a), scalars, &operands, &mut [&mut means])?;
        let means = tensor(means, (a, n));
        let of_means = moments(&means)?;
        let hidden = if let Some(running) = hidden {
            running.clone()
        } else {
            let [mut mean, mut variance] = [values(device, a * HIDDEN)?, values(device, a * HIDDEN)?];
            let scalars = Scalars { sizes: &[a * HIDDEN], numbers: &[] };
            let (operands, results) = ([&of_means.mean, &of_means.variance, &packed], &mut [&mut mean, &mut variance]);
            let kernel = (Source::Branch, "mask_moments");
            launch(device, kernel, Grid::of_values(a * HIDDEN), scalars, &operands, results)?;
            Moments { mean: tensor(mean, a * HIDDEN), variance: tensor(variance, a * HIDDEN) }
        };
        let mut masks = values(device, a * n)?;
        let scalars = Scalars { sizes: &[sizes.of_maps(), n], numbers: &[eps] };
        let operands = [&means, &packed, &hidden.mean, &hidden.variance];
        launch(device, (Source::Branch, "mask"), Grid::of_rows(n, a), scalars, &operands, &mut [&mut masks])?;
        let masks = tensor(masks, (a, n));
        Ok(Self { sizes, z, norm, packed, means, of_means, hidden, masks })
    }

    /// Operands of the kernels that read gated features.
    fn gated_operands(&self) -> [&Tensor; 4] {
        [&self.z, &self.norm.scale, &self.norm.shift, &self.masks]
    }

    /// The gated features, `[a, c, n]`.
    fn gated(&self) -> Result<Tensor> {
        let Sizes { a, c, .. } = self.sizes;
        let (device, n, count) = (device(&self.z)?, self.sizes.n(), self.sizes.count());
        let mut gated = values(device, count)?;
        let (kernel, scalars) = ((Source::Branch, "branch_gate"), Scalars { sizes: &[count, c, n], numbers: &[] });
        launch(device, kernel, Grid::of_rows(n, a * c), scalars, &self.gated_operands(), &mut [&mut gated])?;
        Ok(tensor(gated, (a, c, n)))
    }

    /// Gradients of the convolution's output and of the packed parameters for that of the means over positions.
    fn backward(&self, d_pooled: &Tensor) -> Result<(Tensor, Tensor)> {
        let sizes = self.sizes;
        let Sizes { a, c, batch, positions } = sizes;
        let (device, n, rows, count) = (device(&self.z)?, sizes.n(), sizes.rows(), sizes.count());
        let Self { packed, hidden, of_means, .. } = self;
        let (mean, variance, eps) = self.norm.parts();
        let of_all = Scalars { sizes: &[count, c, batch, positions], numbers: &[] };
        let mut d_logits = values(device, a * n)?;
        let operands = [&self.gated_operands()[..], &[d_pooled]].concat();
        let kernel = (Source::Branch, "mask_logits_gradient");
        launch(device, kernel, Grid::of_rows(n, a), of_all, &operands, &mut [&mut d_logits])?;
        let d_logits = tensor(d_logits, (a, n));

        let of_maps = Scalars { sizes: &[sizes.of_maps(), n], numbers: &[eps] };
        let mut sums = values(device, a * HIDDEN * 4)?;
        let operands = [&self.means, packed, &of_means.mean, &hidden.mean, &hidden.variance, &d_logits];
        let kernel = (Source::Branch, "mask_sums");
        launch(device, kernel, Grid::of_blocks(HIDDEN, a), of_maps, &operands, &mut [&mut sums])?;
        let sums = tensor(sums, (a, HIDDEN, 4));

        let mut d_packed = values(device, packed.elem_count())?;
        let of_hidden = Scalars { sizes: &[a * HIDDEN], numbers: &[eps] };
        let kernel = (Source::Branch, "mask_parameters_gradient");
        let parts = [packed, &of_means.variance, &hidden.variance, &sums];
        launch(device, kernel, Grid::of_values(a * HIDDEN), of_hidden, &parts, &mut [&mut d_packed])?;
        let d_packed = tensor(d_packed, packed.elem_count());

        let mut d_means = values(device, a * n)?;
        let operands = [&operands[..], &[&sums]].concat();
        launch(
            device,
            (Source::Branch, "mask_gradient"),
            Grid::of_rows(n, a),
            of_maps,
            &operands,
            &mut [&mut d_means],
        )?;
        let d_means = tensor(d_means, (a, n));

        let of_all = Scalars { numbers: &[eps], ..of_all };
        let operands = [&self.z, mean, variance, &self.norm.scale, &self.norm.shift, &self.masks, d_pooled, &d_means];
        let mut d_affine = values(device, 3 * rows)?;
        let kernel = (Source::Branch, "branch_sums");
        launch(device, kernel, Grid::of_blocks(rows, 1), of_all, &operands, &mut [&mut d_affine])?;
        let d_affine = tensor(d_affine, 3 * rows);
        let mut dz = values(device, count)?;
        let operands = [&operands[..], &[&d_affine]].concat();
        let kernel = (Source::Branch, "branch_gradient");
        launch(device, kernel, Grid::of_rows(n, rows), of_all, &operands, &mut [&mut dz])?;
        Ok((tensor(dz, (rows, n)), Tensor::cat(&[&d_affine, &d_packed], 0)?))
    }
}

/// [`BranchBlock::forward`](crate::nn::BranchBlock::forward) on a CUDA device, for gated features without a gradient.
pub(in crate::nn) fn branches(
    eps: f64,
    gated: Gated,
    x: &Tensor,
    p: &BranchParameters,
    running: Option<&BranchMoments>,
    precision: Precision,
) -> Result<BranchOutput> {
    let (a, c, i) = p.weight.dims3()?;
    let (_, batch, height, width) = x.dims4()?;
    let sizes = Sizes { a, c, batch, positions: height * width };
    let (n, rows) = (sizes.n(), sizes.rows());
    let packed = pack(&[
        &pack(&[&p.gamma, &p.beta, &p.bias])?,
        &pack(&[&p.mask_weight, &p.mask_bias, &p.mask_gamma])?,
        &pack(&[&p.mask_beta, &p.mask_out_weight, &p.mask_out_bias])?,
    ])?;
    let (affine, of_masks) = (packed.detach().narrow(0, 0, 3 * rows)?, packed.dim(0)? - 3 * rows);
    let of_masks = packed.detach().narrow(0, 3 * rows, of_masks)?;
    let x = x.contiguous()?;
    let product = move |weight: &Tensor, x: &Tensor| precision.product(weight, x, Tensor::matmul);
    let z = product(&p.weight.detach().reshape((rows, i))?, &x.detach().reshape((i, n))?)?;
    let norm = Norm::new(&z, &affine, eps, running.map(|moments| &moments.features))?;
    let features = Features::new(sizes, z, norm, of_masks, running.map(|moments| &moments.mask))?;
    let gated = if gated == Gated::Off { None } else { Some(features.gated()?) };
    let moments = running
        .is_none()
        .then(|| BranchMoments { features: features.norm.biased_moments(), mask: features.hidden.clone() });
    let masks = features.masks.reshape((a, batch, sizes.positions))?;

    let device = device(&x)?;
    let mut pooled = values(device, rows * batch)?;
    let scalars = Scalars { sizes: &[sizes.count(), c, batch, sizes.positions], numbers: &[] };
    let kernel = (Source::Branch, "branch_pool");
    launch(device, kernel, Grid::of_rows(batch, rows), scalars, &features.gated_operands(), &mut [&mut pooled])?;
    let has_gradient = running.is_none() && [&x, &p.weight, &packed].iter().any(|input| input.track_op());
    if !has_gradient {
        return Ok(BranchOutput { pooled: tensor(pooled, (a, c, batch)), gated, mask: masks, moments });
    }
    let has_input_gradient = x.track_op();
    let operation = Computed::new("branches", pooled, (a, c, batch), move |inputs, d_pooled| {
        let (dz, d_packed) = features.backward(d_pooled)?;
        let x = inputs[0].reshape((i, n))?;
        let d_weight = product(&dz, &x.t()?)?.reshape((a, c, i))?;
        let dx = if has_input_gradient {
            Some(product(&inputs[1].reshape((rows, i))?.t()?, &dz)?.reshape(inputs[0].shape())?)
        } else {
            None
        };
        Ok(vec![dx, Some(d_weight), Some(d_packed)])
    });
    let pooled = x.apply_op3(&p.weight, &packed, operation)?;
    Ok(BranchOutput { pooled, gated, mask: masks, moments })
}
