//! The block of networks without batch norm: convolution, bias, ReLU and optionally 3x3 max-pooling with stride 2, as one
//! operation.
//!
//! Activations are f32 `[channel, batch, height, width]`. The backward pass reads the ReLU's mask from the block's output,
//! so that the CPU operation saves only the pool's indices.

use super::cpu::im2col::BatchInvariance;
use super::cpu::pool::{pool, pool_with_indices, pooled_size, unpool_relu};
use super::cpu::simd::{self, Channel};
use super::cpu::{conv, matmul, scratch};
use super::geometry::{ConvConfig, Geometry};
use super::precision::Precision;
use super::reference::{convolve, max_pool};
use super::storage;
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;
use std::sync::OnceLock;

/// The fixed part of a block without batch norm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlainBlock {
    /// Stride of the convolution.
    pub stride: usize,
    /// Zero padding of the convolution.
    pub padding: usize,
    /// Ends with 3x3 max-pooling, stride 2, no padding.
    pub pool: bool,
}

impl PlainBlock {
    /// Maps `[in, batch, h, w]` to `[out, batch, h', w']`. `weight` is `[out, in, k, k]`. `bias` is `[out]`, or has a value
    /// for each position of the convolution's output, `[out, 1, height, width]`.
    ///
    /// If the weights have no gradient, an image has the same bits in any batch.
    pub fn forward(&self, x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
        #[cfg(feature = "cuda")]
        if has_kernels(x, bias) {
            return super::cuda::plain_block((self.conv_config(), self.pool), x, weight, bias, Precision::Single);
        }
        if !x.device().is_cpu() {
            return self.forward_reference(x, weight, bias, Precision::Single);
        }
        let op = PlainOp { block: *self, in_training: weight.track_op(), indices: OnceLock::new() };
        x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, op)
    }

    /// [`PlainBlock::forward`] from candle's own operations, on any device. A CUDA device computes bf16 with our kernels.
    pub fn forward_reference(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        precision: Precision,
    ) -> Result<Tensor> {
        #[cfg(feature = "cuda")]
        if precision == Precision::Bf16 && has_kernels(x, bias) {
            return super::cuda::plain_block((self.conv_config(), self.pool), x, weight, bias, precision);
        }
        let z = convolve(x, weight, self.conv_config(), precision)?;
        let bias = if bias.rank() == 1 { bias.reshape(((), 1, 1, 1))? } else { bias.clone() };
        let y = z.broadcast_add(&bias)?.relu()?;
        if self.pool { max_pool(&y) } else { Ok(y) }
    }

    fn conv_config(&self) -> ConvConfig {
        ConvConfig { padding: self.padding, stride: self.stride, groups: 1 }
    }

    fn geometry(&self, x: &[usize], w: &[usize]) -> Result<Geometry> {
        let g = Geometry::new(x, w, self.conv_config())?;
        if self.pool && (g.out_height() < 3 || g.out_width() < 3) {
            bail!("a map of {}x{} is too small for a 3x3 pool", g.out_height(), g.out_width())
        }
        if g.padding >= g.kernel {
            bail!("weights {w:?} do not fit an input of {x:?} with padding {}", g.padding)
        }
        Ok(g)
    }

    /// Height and width of the block's output.
    fn out_size(&self, g: &Geometry) -> (usize, usize) {
        let (height, width) = (g.out_height(), g.out_width());
        if self.pool { pooled_size(height, width) } else { (height, width) }
    }
}

/// The CUDA kernels have no bias by position.
#[cfg(feature = "cuda")]
fn has_kernels(x: &Tensor, bias: &Tensor) -> bool {
    x.device().is_cuda() && bias.rank() == 1
}

#[derive(Debug)]
struct PlainOp {
    block: PlainBlock,
    /// A backward pass may follow.
    in_training: bool,
    /// Index of each pooled value among its nine inputs, in training.
    indices: OnceLock<Vec<u8>>,
}

impl PlainOp {
    /// The map after ReLU, `[out, batch, height, width]`.
    fn rectified(&self, g: &Geometry, x: &[f32], w: &[f32], bias: &[f32]) -> Vec<f32> {
        let invariance = if self.in_training { BatchInvariance::Relaxed } else { BatchInvariance::Exact };
        if bias.len() == g.outputs {
            let channels: Vec<Channel> = bias.iter().map(|bias| Channel::shift(*bias)).collect();
            return conv::forward(g, x, w, invariance, Some(&channels));
        }
        let mut z = conv::forward(g, x, w, invariance, None);
        let plane = g.out_height() * g.out_width();
        z.par_chunks_exact_mut(plane).enumerate().for_each(|(map, z)| {
            simd::add_relu(z, &bias[map / g.batch * plane..][..plane]);
        });
        z
    }

    /// Gradients of the convolution's output and of `biases` values of the bias, from output `y` and its gradient `dy`.
    fn through_relu(&self, g: &Geometry, y: &[f32], dy: &[f32], biases: usize) -> Result<(Vec<f32>, Vec<f32>)> {
        let indices = match (self.block.pool, self.indices.get()) {
            (true, Some(indices)) => indices.as_slice(),
            (true, None) => bail!("weights without a gradient have no backward pass"),
            (false, _) => &[],
        };
        let (width, (out_height, out_width)) = (g.out_width(), self.block.out_size(g));
        let (plane, out_plane) = (g.out_height() * width, out_height * out_width);
        let mut d_bias = vec![0.0; biases];
        let fill = |dz: matmul::Window| {
            d_bias.par_chunks_exact_mut(biases / g.outputs).enumerate().for_each(|(channel, d_bias)| {
                scratch::with(plane, |buffer| {
                    for map in channel * g.batch..(channel + 1) * g.batch {
                        let of_map = map * out_plane..(map + 1) * out_plane;
                        let (y, dy) = (&y[of_map.clone()], &dy[of_map.clone()]);
                        if self.block.pool {
                            unpool_relu(y, dy, &indices[of_map], out_width, buffer, width);
                        } else {
                            simd::relu_backward(y, dy, buffer);
                        }
                        match d_bias {
                            [d_bias] => *d_bias += simd::sum(buffer),
                            _ => simd::add_scaled(d_bias, buffer, 1.0),
                        }
                        dz.at(map * plane).write(buffer);
                    }
                });
            });
        };
        #[allow(unsafe_code, reason = "see `fill_uninit`")]
        // SAFETY: the maps of all channels cover the output.
        let dz = unsafe { matmul::fill_uninit(g.outputs * g.out_plane(), 0, fill) };
        Ok((dz, d_bias))
    }
}

impl CustomOp3 for PlainOp {
    fn name(&self) -> &'static str {
        "conv-bias-relu-pool"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        w: &CpuStorage,
        w_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let g = self.block.geometry(x_layout.dims(), w_layout.dims())?;
        let per_position = [g.outputs, 1, g.out_height(), g.out_width()];
        if bias_layout.dims() != [g.outputs] && bias_layout.dims() != per_position {
            bail!("a bias is [{}] or {per_position:?}, found {:?}", g.outputs, bias_layout.shape())
        }
        let (x, w) = (storage::slice(x, x_layout)?, storage::slice(w, w_layout)?);
        let mut y = self.rectified(&g, x, w, storage::slice(bias, bias_layout)?);
        if self.block.pool && self.in_training {
            let (pooled, indices) = pool_with_indices(&g, &y);
            self.indices.get_or_init(|| indices);
            y = pooled;
        } else if self.block.pool {
            y = pool(&g, &y);
        }
        let (out_height, out_width) = self.block.out_size(&g);
        Ok((CpuStorage::F32(y), (g.outputs, g.batch, out_height, out_width).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        bias: &Tensor,
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let g = self.block.geometry(x.dims(), w.dims())?;
        let through_relu = |y: &[f32]| storage::with(dy, |dy| self.through_relu(&g, y, dy, bias.elem_count()));
        let (dz, d_bias) = storage::with(y, through_relu)???;
        let dw = storage::shaped(storage::with(x, |x| conv::weight_gradient(&g, x, &dz))?, w)?;
        let input_gradient = || storage::shaped(storage::with(w, |w| conv::input_gradient(&g, w, &dz))?, x);
        let dx = x.track_op().then(input_gradient).transpose()?;
        Ok((dx, Some(dw), Some(storage::shaped(d_bias, bias)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;
    use candle_core::{Device, Var};
    use rand::RngExt;

    fn random(seed: u64, shape: &[usize]) -> Var {
        let mut random = random::generator(5, &[seed]);
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| random.random::<f32>() - 0.5).collect();
        Var::from_tensor(&Tensor::from_vec(values, shape, &Device::Cpu).unwrap()).unwrap()
    }

    fn apart(a: &Tensor, b: &Tensor) -> f32 {
        let norm = |t: &Tensor| t.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap().sqrt();
        norm(&(a - b).unwrap()) / norm(b)
    }

    /// Kernel, stride, padding, pool, inputs, outputs, batch, height and width.
    const CASES: [(usize, usize, usize, bool, [usize; 5]); 5] = [
        (11, 4, 2, true, [3, 20, 3, 39, 43]),
        (5, 1, 2, true, [16, 18, 2, 7, 8]),
        (3, 1, 1, false, [17, 16, 5, 6, 5]),
        (3, 1, 1, true, [4, 6, 1, 3, 3]),
        (3, 2, 1, false, [3, 4, 2, 8, 8]),
    ];

    #[test]
    fn output_and_gradients_equal_those_of_candles_operations() {
        for (kernel, stride, padding, pool, [inputs, outputs, batch, height, width]) in CASES {
            let block = PlainBlock { stride, padding, pool };
            let x = random(1, &[inputs, batch, height, width]);
            let w = random(2, &[outputs, inputs, kernel, kernel]);
            let map = Geometry::new(x.dims(), w.dims(), block.conv_config()).unwrap();
            for bias in [vec![outputs], vec![outputs, 1, map.out_height(), map.out_width()]] {
                let bias = random(3, &bias);
                let variables = [&x, &w, &bias];
                let gradients = |y: &Tensor| {
                    let pull = random(4, y.dims());
                    let store = (y * pull.as_tensor()).unwrap().sum_all().unwrap().backward().unwrap();
                    variables.map(|variable| store.get(variable).unwrap().clone())
                };
                let y = block.forward(&x, &w, &bias).unwrap();
                let expected = block.forward_reference(&x, &w, &bias, Precision::Single).unwrap();
                assert!(apart(&y, &expected) < 1e-5, "{block:?}: output");
                for (index, (found, expected)) in gradients(&y).iter().zip(gradients(&expected)).enumerate() {
                    let error = apart(found, &expected);
                    assert!(error < 1e-5, "{block:?}: gradient of input {index}, {:?}: {error}", bias.shape());
                }
                let frozen = block.forward(&x.detach(), &w.detach(), &bias.detach()).unwrap();
                assert!(apart(&frozen, &expected) < 1e-5, "{block:?}: output without gradients");
            }
        }
    }

    #[test]
    fn a_bias_of_another_shape_is_refused() {
        let block = PlainBlock { stride: 1, padding: 1, pool: false };
        let error = block.forward(&random(1, &[2, 1, 4, 4]), &random(2, &[3, 2, 3, 3]), &random(3, &[3, 1, 4, 3]));
        assert!(error.unwrap_err().to_string().contains("a bias is [3] or [3, 1, 4, 4]"));
    }
}
