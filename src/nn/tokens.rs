//! Layers of tokens, `[..., width]`. On a CUDA device they are candle's operations. On a CPU those would run on one thread,
//! and the gradient of their GELU alone would take longer than the products of a transformer's layer.

use super::cpu::matmul::{self, View};
use super::cpu::tokens::{self, Activation};
use super::storage;
use candle_core::{CpuStorage, CustomOp2, CustomOp3, D, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

/// Tokens that one task computes.
const PIECE: usize = 64;

/// Tokens `[n, inputs]` times `weight` `[outputs, inputs]`, transposed: `[n, outputs]`.
pub fn token_product(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return token_product_reference(x, weight);
    }
    x.contiguous()?.apply_op2(&weight.contiguous()?, Product)
}

/// [`token_product`] from candle's own operations, on any device.
pub fn token_product_reference(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    x.matmul(&weight.t()?)
}

/// `activation(x + bias)` of tokens `[..., width]` and a bias `[width]`.
pub fn add_bias(x: &Tensor, bias: &Tensor, activation: Activation) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return add_bias_reference(x, bias, activation);
    }
    x.contiguous()?.apply_op2(bias, AddBias { activation })
}

/// [`add_bias`] from candle's own operations, on any device.
pub fn add_bias_reference(x: &Tensor, bias: &Tensor, activation: Activation) -> Result<Tensor> {
    let sum = x.broadcast_add(bias)?;
    match activation {
        Activation::Identity => Ok(sum),
        Activation::Gelu => sum.gelu_erf(),
        Activation::Elu => sum.elu(1.0),
    }
}

/// Normalizes each token of `[..., width]`, with `weight` and `bias` `[width]`. candle-nn's own fused operation has no
/// gradient.
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return layer_norm_reference(x, weight, bias, eps);
    }
    x.contiguous()?.apply_op3(weight, bias, LayerNorm { eps: eps as f32 })
}

/// [`layer_norm`] from candle's own operations, on any device.
pub fn layer_norm_reference(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let deviation = (centred.sqr()?.mean_keepdim(D::Minus1)? + eps)?.sqrt()?;
    centred.broadcast_div(&deviation)?.broadcast_mul(weight)?.broadcast_add(bias)
}

/// `work` computes each output token of `width` values from that of `x`.
fn each(x: &[f32], width: usize, work: impl Fn(&[f32], &mut [f32]) + Sync) -> CpuStorage {
    let mut y = vec![0.0; x.len()];
    y.par_chunks_mut(PIECE * width).zip(x.par_chunks(PIECE * width)).for_each(|(y, x)| {
        y.chunks_exact_mut(width).zip(x.chunks_exact(width)).for_each(|(y, x)| work(x, y));
    });
    CpuStorage::F32(y)
}

/// Gradients of tokens `x` of `width` values, and sums of `columns` values over all of them: `work` writes the one and adds
/// the other of a token, from `x` and the gradient of its output. The order of additions depends on shapes alone.
fn each_backward(
    (x, dy): (&Tensor, &Tensor),
    width: usize,
    columns: usize,
    work: impl Fn(&[f32], &[f32], &mut [f32], &mut [f32]) + Sync,
) -> Result<(Tensor, Vec<f32>)> {
    let (mut dx, piece) = (vec![0.0; x.elem_count()], PIECE * width);
    let mut sums = vec![0.0; dx.len().div_ceil(piece).max(1) * columns];
    storage::with(x, |x| {
        storage::with(dy, |dy| {
            let inputs = x.par_chunks(piece).zip(dy.par_chunks(piece));
            dx.par_chunks_mut(piece).zip(sums.par_chunks_exact_mut(columns)).zip(inputs).for_each(
                |((dx, sums), (x, dy))| {
                    let tokens = x.chunks_exact(width).zip(dy.chunks_exact(width));
                    dx.chunks_exact_mut(width).zip(tokens).for_each(|(dx, (x, dy))| work(x, dy, dx, sums));
                },
            );
        })
    })??;
    matmul::sum_parts(&mut sums, columns);
    Ok((storage::shaped(dx, x)?, sums))
}

/// The width of tokens `x`, which must be that of a parameter.
fn width(x: &Layout, parameter: &Layout) -> Result<usize> {
    match (x.dims().last(), parameter.dims()) {
        (Some(width), [own]) if width == own => Ok(*width),
        _ => bail!("a parameter {:?} of tokens {:?}", parameter.shape(), x.shape()),
    }
}

struct Product;

impl CustomOp2 for Product {
    fn name(&self) -> &'static str {
        "token-product"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout, w: &CpuStorage, wl: &Layout) -> Result<(CpuStorage, Shape)> {
        let ((n, k), (m, inputs)) = (xl.shape().dims2()?, wl.shape().dims2()?);
        if k != inputs {
            bail!("a weight {:?} of tokens {:?}", wl.shape(), xl.shape())
        }
        let (x, w) = (storage::slice(x, xl)?, storage::slice(w, wl)?);
        let y = matmul::product(View::new(x, n, k, k), View::new(w, m, k, k).transposed());
        Ok((CpuStorage::F32(y), (n, m).into()))
    }

    fn bwd(&self, x: &Tensor, w: &Tensor, _y: &Tensor, dy: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let ((n, k), m) = (x.dims2()?, w.dim(0)?);
        storage::with(dy, |dy| {
            let dy = View::new(dy, n, m, m);
            let of_tokens = || {
                let product = |w: &[f32]| matmul::product(dy, View::new(w, m, k, k));
                storage::shaped(storage::with(w, product)?, x)
            };
            let of_weight = || {
                let product = |x: &[f32]| matmul::product(dy.transposed(), View::new(x, n, k, k));
                storage::shaped(storage::with(x, product)?, w)
            };
            Ok((x.track_op().then(of_tokens).transpose()?, w.track_op().then(of_weight).transpose()?))
        })?
    }
}

struct AddBias {
    activation: Activation,
}

impl CustomOp2 for AddBias {
    fn name(&self) -> &'static str {
        "add-bias"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout, b: &CpuStorage, bl: &Layout) -> Result<(CpuStorage, Shape)> {
        let (width, bias) = (width(xl, bl)?, storage::slice(b, bl)?);
        let y = each(storage::slice(x, xl)?, width, |x, y| tokens::activate(self.activation, x, bias, y));
        Ok((y, xl.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, bias: &Tensor, _y: &Tensor, dy: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let width = bias.elem_count();
        let (dx, d_bias) = storage::with(bias, |bias| {
            each_backward((x, dy), width, width, |x, dy, dx, d_bias| {
                tokens::activate_backward(self.activation, (x, bias), dy, dx, d_bias);
            })
        })??;
        Ok((x.track_op().then_some(dx), Some(storage::shaped(d_bias, bias)?)))
    }
}

struct LayerNorm {
    eps: f32,
}

impl CustomOp3 for LayerNorm {
    fn name(&self) -> &'static str {
        "layer-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        xl: &Layout,
        w: &CpuStorage,
        wl: &Layout,
        b: &CpuStorage,
        bl: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (weight, bias) = (storage::slice(w, wl)?, storage::slice(b, bl)?);
        width(xl, bl)?;
        let y = each(storage::slice(x, xl)?, width(xl, wl)?, |x, y| tokens::layer_norm(x, weight, bias, self.eps, y));
        Ok((y, xl.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let width = weight.elem_count();
        let (dx, mut d_weight) = storage::with(weight, |weight| {
            each_backward((x, dy), width, 2 * width, |x, dy, dx, sums| {
                tokens::layer_norm_backward(x, weight, self.eps, dy, dx, sums.split_at_mut(width));
            })
        })??;
        let d_bias = d_weight.split_off(width);
        let (d_weight, d_bias) = (storage::shaped(d_weight, weight)?, storage::shaped(d_bias, bias)?);
        Ok((x.track_op().then_some(dx), Some(d_weight), Some(d_bias)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::attention::tests::{compare, draw};
    use super::*;

    #[test]
    fn layers_of_tokens_equal_the_reference() {
        // More tokens than a task computes.
        let (n, inputs, outputs) = (PIECE + 7, 9, 37);
        compare(
            &[&[n, inputs] as &[usize], &[outputs, inputs]].map(draw),
            |x| Ok(vec![token_product(&x[0], &x[1])?]),
            |x| Ok(vec![token_product_reference(&x[0], &x[1])?]),
        );
        for activation in [Activation::Identity, Activation::Gelu, Activation::Elu] {
            compare(
                &[&[3, n, outputs] as &[usize], &[outputs]].map(draw),
                |x| Ok(vec![add_bias(&(x[0].as_tensor() * 4.0)?, &x[1], activation)?]),
                |x| Ok(vec![add_bias_reference(&(x[0].as_tensor() * 4.0)?, &x[1], activation)?]),
            );
        }
        compare(
            &[&[n, outputs] as &[usize], &[outputs], &[outputs]].map(draw),
            |x| Ok(vec![layer_norm(&x[0], &x[1], &x[2], 1e-5)?]),
            |x| Ok(vec![layer_norm_reference(&x[0], &x[1], &x[2], 1e-5)?]),
        );
    }

    #[test]
    fn parameters_of_another_width_are_refused() {
        let (x, bias) = (draw(&[4, 5]), draw(&[6]));
        assert!(add_bias(&x, &bias, Activation::Gelu).is_err());
        assert!(layer_norm(&x, &bias, &bias, 1e-5).is_err());
        assert!(token_product(&x, &draw(&[2, 6])).is_err());
    }
}
