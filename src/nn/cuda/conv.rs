//! The block of a convolution and what follows it.

use super::launch::{Computed, Grid, Scalars, Source, device, launch, tensor, values};
use super::norm::{Maps, Norm};
use super::update::pack;
use crate::nn::block_op::{ConvParameters, Tail};
use crate::nn::geometry::{ConvConfig, Geometry};
use crate::nn::moments::Moments;
use crate::nn::precision::Precision;
use candle_core::{Result, Tensor};

impl Geometry {
    /// The sizes that the kernels take, after the number of elements.
    fn sizes(&self, count: usize) -> [usize; 9] {
        let (height, width) = (self.out_height(), self.out_width());
        [count, self.batch, self.height, self.width, self.kernel, self.stride, self.padding, height, width]
    }

    /// The input `x` `[in, batch, h, w]` as columns `[groups, taps, batch * h' * w']`.
    fn unfold(&self, x: &Tensor) -> Result<Tensor> {
        let shape = (self.groups, self.taps(), self.out_plane());
        if self.is_pointwise() {
            return x.reshape(shape);
        }
        let (device, rows, n) = (device(x)?, self.groups * self.taps(), self.out_plane());
        let mut columns = values(device, rows * n)?;
        let sizes = self.sizes((rows * n).max(x.elem_count()));
        let (kernel, scalars) = ((Source::Conv, "unfold"), Scalars { sizes: &sizes, numbers: &[] });
        launch(device, kernel, Grid::of_rows(n, self.inputs), scalars, &[x], &mut [&mut columns])?;
        Ok(tensor(columns, shape))
    }

    /// Adds up columns to an input: the transpose of [`Geometry::unfold`].
    fn fold(&self, columns: &Tensor) -> Result<Tensor> {
        let shape = (self.inputs, self.batch, self.height, self.width);
        if self.is_pointwise() {
            return columns.reshape(shape);
        }
        let (device, n) = (device(columns)?, self.batch * self.height * self.width);
        let mut dx = values(device, self.inputs * n)?;
        let sizes = self.sizes(columns.elem_count().max(self.inputs * n));
        let (kernel, scalars) = ((Source::Conv, "fold"), Scalars { sizes: &sizes, numbers: &[] });
        launch(device, kernel, Grid::of_rows(n, self.inputs), scalars, &[columns], &mut [&mut dx])?;
        Ok(tensor(dx, shape))
    }

    /// Rows `[out, batch * h' * w']` of the convolution of `x` with `weight`.
    fn convolve(&self, x: &Tensor, weight: &Tensor, precision: Precision) -> Result<Tensor> {
        let weight = weight.reshape((self.groups, self.outputs / self.groups, self.taps()))?;
        let z = precision.product(&weight, &self.unfold(x)?, Tensor::matmul)?;
        z.reshape((self.outputs, self.out_plane()))
    }

    /// Gradients of `x`, if it has one, and `weight` for the gradient `dz` of [`Geometry::convolve`].
    fn convolve_backward(
        &self,
        x: &Tensor,
        weight: &Tensor,
        dz: &Tensor,
        precision: Precision,
        has_input_gradient: bool,
    ) -> Result<(Option<Tensor>, Tensor)> {
        let dz = dz.reshape((self.groups, self.outputs / self.groups, self.out_plane()))?;
        let product = |columns: &Tensor| precision.product(&dz, &columns.transpose(1, 2)?, Tensor::matmul);
        let d_weight = product(&self.unfold(x)?)?.reshape(weight.shape())?;
        if !has_input_gradient {
            return Ok((None, d_weight));
        }
        let weight = weight.reshape((self.groups, self.outputs / self.groups, self.taps()))?.transpose(1, 2)?;
        let columns = precision.product(&weight, &dz, Tensor::matmul)?;
        Ok((Some(self.fold(&columns)?), d_weight))
    }
}

/// The steps after a convolution: output and gradients for its rows `z`. `parameters` are those of `norm`.
fn after_convolution(
    geometry: Geometry,
    (tail, precision): (Tail, Precision),
    [x, weight, parameters]: [&Tensor; 3],
    z: Tensor,
    norm: Norm,
) -> Result<Tensor> {
    let size = (geometry.out_height(), geometry.out_width());
    let maps = Maps { images: geometry.batch, size, tail };
    let (y, indices) = maps.forward(&z, &norm)?;
    let (height, width) = maps.out_size();
    let shape = (geometry.outputs, geometry.batch, height, width);
    let has_input_gradient = x.track_op();
    let operation = Computed::new("conv-norm-relu-pool", y, shape, move |inputs, dy| {
        let (dz, d_parameters) = maps.backward(&z, &norm, indices.as_ref(), dy)?;
        let (dx, d_weight) = geometry.convolve_backward(inputs[0], inputs[1], &dz, precision, has_input_gradient)?;
        Ok(vec![dx, Some(d_weight), Some(d_parameters)])
    });
    x.apply_op3(weight, parameters, operation)
}

/// [`PlainBlock::forward`](crate::nn::PlainBlock::forward) on a CUDA device, for a bias `[out]`.
pub(in crate::nn) fn plain_block(
    (config, pool): (ConvConfig, bool),
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    precision: Precision,
) -> Result<Tensor> {
    let x = x.contiguous()?;
    let geometry = Geometry::new(x.dims(), weight.dims(), config)?;
    let z = geometry.convolve(&x.detach(), &weight.detach(), precision)?;
    let norm = Norm::of_bias(&bias.detach())?;
    after_convolution(geometry, (Tail::rectified(pool), precision), [&x, weight, bias], z, norm)
}

/// [`ConvBlock::forward`](crate::nn::ConvBlock::forward) on a CUDA device, for a bias `[out]`.
pub(in crate::nn) fn conv_block(
    (config, tail): (ConvConfig, Tail),
    eps: f64,
    x: &Tensor,
    p: &ConvParameters,
    running: Option<&Moments>,
    precision: Precision,
) -> Result<(Tensor, Option<Moments>)> {
    let x = x.contiguous()?;
    let geometry = Geometry::new(x.dims(), p.weight.dims(), config)?;
    let affine = pack(&[&p.gamma, &p.beta, &p.bias])?;
    let frozen = [&x, &p.weight, &affine].map(Tensor::detach);
    let z = geometry.convolve(&frozen[0], &frozen[1], precision)?;
    // With running statistics, there is no gradient.
    let norm = Norm::new(&z, &frozen[2], eps, running)?;
    let (inputs, moments) = match running {
        Some(_) => (frozen.each_ref(), None),
        None => ([&x, &p.weight, &affine], Some(norm.biased_moments())),
    };
    Ok((after_convolution(geometry, (tail, precision), inputs, z, norm)?, moments))
}
