//! Batch norm over rows, and what follows it.

use super::launch::{Grid, Scalars, Source, bytes, device, launch, tensor, values};
use crate::nn::block_op::Tail;
use crate::nn::moments::Moments;
use candle_core::cuda::CudaStorage;
use candle_core::{Result, Tensor};

/// Values of a row that one block adds up.
const PIECE: usize = 1 << 13;

/// Mean and variance of each row of `x` `[rows, n]`.
pub(super) fn moments(x: &Tensor) -> Result<Moments> {
    let (device, (rows, n)) = (device(x)?, x.dims2()?);
    let pieces = n.div_ceil(PIECE);
    let mut partial = values(device, 2 * rows * pieces)?;
    let scalars = Scalars { sizes: &[rows * n, n, PIECE], numbers: &[] };
    launch(
        device,
        (Source::Norm, "moments_of_pieces"),
        Grid::of_blocks(pieces, rows),
        scalars,
        &[x],
        &mut [&mut partial],
    )?;
    let partial = tensor(partial, (rows, pieces, 2));
    let (mut mean, mut variance) = (values(device, rows)?, values(device, rows)?);
    let scalars = Scalars { sizes: &[2 * rows * pieces, n, PIECE, pieces], numbers: &[] };
    let results = &mut [&mut mean, &mut variance];
    launch(device, (Source::Norm, "moments_of_rows"), Grid::of_warps(rows, 1), scalars, &[&partial], results)?;
    Ok(Moments { mean: tensor(mean, rows), variance: tensor(variance, rows) })
}

/// The batch norm of rows `z` `[rows, n]` with some moments.
pub(super) struct Norm {
    moments: Moments,
    /// Its factor, `[rows]`.
    pub(super) scale: Tensor,
    /// Its summand, `[rows]`.
    pub(super) shift: Tensor,
    /// Mean of the rows with their bias.
    biased_mean: Tensor,
    eps: f32,
    /// Adds a bias and nothing else.
    is_bias: bool,
}

impl Norm {
    /// `affine` is gamma, beta and the bias of `z`, `[3 * rows]`. `running` moments are of biased values. Those of a batch are
    /// computed from `z`, which is without a bias.
    pub(super) fn new(z: &Tensor, affine: &Tensor, eps: f64, running: Option<&Moments>) -> Result<Self> {
        let (device, (rows, _), eps) = (device(z)?, z.dims2()?, eps as f32);
        let moments = match running {
            Some(moments) => moments.clone(),
            None => moments(z)?,
        };
        let [mut scale, mut shift, mut biased] = [values(device, rows)?, values(device, rows)?, values(device, rows)?];
        let scalars = Scalars { sizes: &[rows, usize::from(running.is_some())], numbers: &[eps] };
        let operands = [&moments.mean, &moments.variance, affine];
        let results = &mut [&mut scale, &mut shift, &mut biased];
        launch(device, (Source::Norm, "coefficients"), Grid::of_values(rows), scalars, &operands, results)?;
        let [scale, shift, biased_mean] = [scale, shift, biased].map(|values| tensor(values, rows));
        Ok(Self { moments, scale, shift, biased_mean, eps, is_bias: false })
    }

    /// Adds `bias` `[rows]`, and does not normalize.
    pub(super) fn of_bias(bias: &Tensor) -> Result<Self> {
        let (zeros, ones) = (bias.zeros_like()?, bias.ones_like()?);
        let moments = Moments { mean: zeros.clone(), variance: ones.clone() };
        Ok(Self { moments, scale: ones, shift: bias.clone(), biased_mean: zeros, eps: 0.0, is_bias: true })
    }

    /// The rows' moments, with their bias.
    pub(super) fn biased_moments(&self) -> Moments {
        Moments { mean: self.biased_mean.clone(), variance: self.moments.variance.clone() }
    }

    /// Mean, variance and epsilon.
    pub(super) fn parts(&self) -> (&Tensor, &Tensor, f32) {
        (&self.moments.mean, &self.moments.variance, self.eps)
    }

    /// The normalized rows, with ReLU if `rectify`.
    fn normalize(&self, z: &Tensor, rectify: bool) -> Result<CudaStorage> {
        let (device, (rows, n)) = (device(z)?, z.dims2()?);
        let mut y = values(device, rows * n)?;
        let scalars = Scalars { sizes: &[rows * n, n, usize::from(rectify)], numbers: &[] };
        let operands = [z, &self.scale, &self.shift];
        launch(device, (Source::Norm, "normalize"), Grid::of_rows(n, rows), scalars, &operands, &mut [&mut y])?;
        Ok(y)
    }
}

/// Rows `[channels, images * height * width]` as maps, and the steps after their batch norm.
#[derive(Debug, Clone, Copy)]
pub(super) struct Maps {
    pub(super) images: usize,
    pub(super) size: (usize, usize),
    pub(super) tail: Tail,
}

impl Maps {
    fn padding(self) -> usize {
        if let Tail::Pool { padding } = self.tail { padding } else { 0 }
    }

    pub(super) fn out_size(self) -> (usize, usize) {
        self.tail.out_size(self.size)
    }

    /// The sizes that the kernels take: images, height, width, padding, and those of the pool's result.
    fn sizes(self) -> [usize; 6] {
        let (height, width) = self.out_size();
        [self.images, self.size.0, self.size.1, self.padding(), height, width]
    }

    /// The output for rows `z`, and the index of each pooled value among its nine inputs.
    pub(super) fn forward(self, z: &Tensor, norm: &Norm) -> Result<(CudaStorage, Option<Tensor>)> {
        if !matches!(self.tail, Tail::Pool { .. }) {
            return Ok((norm.normalize(z, self.tail == Tail::Relu)?, None));
        }
        let (device, (rows, n)) = (device(z)?, z.dims2()?);
        let (height, width) = self.out_size();
        let of_row = self.images * height * width;
        let (mut y, mut indices) = (values(device, rows * of_row)?, bytes(device, rows * of_row)?);
        let sizes: Vec<usize> = [rows * n].into_iter().chain(self.sizes()).collect();
        let scalars = Scalars { sizes: &sizes, numbers: &[] };
        let (operands, results) = ([z, &norm.scale, &norm.shift], &mut [&mut y, &mut indices]);
        launch(device, (Source::Norm, "normalize_pool"), Grid::of_rows(of_row, rows), scalars, &operands, results)?;
        Ok((y, Some(tensor(indices, (rows, of_row)))))
    }

    /// Gradients of the rows `z` and of the norm's parameters for the gradient `dy` of the output: of gamma, beta and the bias
    /// before the norm, `[3 * rows]`, or of the bias that the norm is, `[rows]`.
    pub(super) fn backward(
        self,
        z: &Tensor,
        norm: &Norm,
        indices: Option<&Tensor>,
        dy: &Tensor,
    ) -> Result<(Tensor, Tensor)> {
        let (device, (rows, n)) = (device(z)?, z.dims2()?);
        let (sums, gradient) = match self.tail {
            Tail::Linear => ("gradient_sums_linear", "gradient_linear"),
            Tail::Relu => ("gradient_sums_relu", "gradient_relu"),
            Tail::Pool { .. } => ("gradient_sums_pool", "gradient_pool"),
        };
        // Kernels without a pool do not read the indices.
        let indices = indices.unwrap_or(dy);
        let (mean, variance, eps) = norm.parts();
        let operands = [z, mean, variance, &norm.scale, &norm.shift, dy, indices];
        let pieces = n.div_ceil(PIECE);
        let mut partial = values(device, 2 * rows * pieces)?;
        let sizes: Vec<usize> = [rows * n, n, PIECE].into_iter().chain(self.sizes()).collect();
        let scalars = Scalars { sizes: &sizes, numbers: &[eps] };
        launch(device, (Source::Norm, sums), Grid::of_blocks(pieces, rows), scalars, &operands, &mut [&mut partial])?;
        let partial = tensor(partial, (rows, pieces, 2));
        let mut d_affine = values(device, 3 * rows)?;
        let scalars = Scalars { sizes: &[(2 * pieces).max(3) * rows, pieces], numbers: &[] };
        let kernel = (Source::Norm, "gradient_sums_of_rows");
        launch(device, kernel, Grid::of_warps(rows, 1), scalars, &[&partial], &mut [&mut d_affine])?;
        let d_affine = tensor(d_affine, 3 * rows);
        let mut dz = values(device, rows * n)?;
        let sizes: Vec<usize> = [rows * n, n].into_iter().chain(self.sizes()).collect();
        let scalars = Scalars { sizes: &sizes, numbers: &[eps] };
        // Moments that do not depend on z have no gradient, and beta is the bias.
        let (of_moments, d_parameters) = if norm.is_bias {
            (d_affine.zeros_like()?, d_affine.narrow(0, rows, rows)?)
        } else {
            (d_affine.clone(), d_affine)
        };
        let operands = [&operands[..], &[&of_moments]].concat();
        launch(device, (Source::Norm, gradient), Grid::of_rows(n, rows), scalars, &operands, &mut [&mut dz])?;
        Ok((tensor(dz, (rows, n)), d_parameters))
    }
}

/// [`standardize`](crate::nn::standardize) on a CUDA device.
pub(in crate::nn) fn standardize(x: &Tensor, running: Option<&Moments>, eps: f64) -> Result<(Tensor, Moments)> {
    let shape = x.dims().to_vec();
    let rows = x.contiguous()?.reshape((shape[0], ()))?;
    let affine: Vec<f32> = (0..3 * shape[0]).map(|i| if i < shape[0] { 1.0 } else { 0.0 }).collect();
    let affine = Tensor::from_vec(affine, 3 * shape[0], x.device())?;
    let norm = Norm::new(&rows, &affine, eps, running)?;
    Ok((tensor(norm.normalize(&rows, false)?, shape), norm.biased_moments()))
}
