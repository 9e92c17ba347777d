//! One linear layer per attribute: `y[a] = w[a] x[a]`. On the CPU, candle computes the products of a batch one after
//! another and always computes both gradients. This operation runs them in parallel and computes only those in use.

use super::cpu::matmul::{self, View, Window};
use super::precision::Precision;
use super::storage;
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

/// `w` `[a, m, k]` times `x` `[a, k, n]`, plus `bias` `[a, m]` if given: `[a, m, n]`.
pub fn batched_linear(w: &Tensor, x: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return batched_linear_reference(w, x, bias, Precision::Single);
    }
    add(w.contiguous()?.apply_op2(&x.contiguous()?, BatchedLinear)?, bias)
}

/// [`batched_linear`] from candle's own operations, on any device.
pub fn batched_linear_reference(w: &Tensor, x: &Tensor, bias: Option<&Tensor>, precision: Precision) -> Result<Tensor> {
    add(precision.product(w, &x.contiguous()?, Tensor::matmul)?, bias)
}

fn add(y: Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    match bias {
        Some(bias) => y.broadcast_add(&bias.unsqueeze(2)?),
        None => Ok(y),
    }
}

struct BatchedLinear;

/// `count` row-major products `[m, n]` of the matrices that `pair` returns.
fn products<'a>(count: usize, (m, n): (usize, usize), pair: impl Fn(usize) -> (View<'a>, View<'a>) + Sync) -> Vec<f32> {
    let mut out = vec![0.0; count * m * n];
    out.par_chunks_exact_mut(m * n).enumerate().for_each(|(i, out)| {
        let (first, second) = pair(i);
        matmul::multiply(Window::new(out, n), first, second, false);
    });
    out
}

fn dims(w: &[usize], x: &[usize]) -> Result<(usize, usize, usize, usize)> {
    match (w, x) {
        (&[a, m, k], &[a2, k2, n]) if a == a2 && k == k2 => Ok((a, m, k, n)),
        _ => bail!("a batched linear layer takes [a, m, k] and [a, k, n], found {w:?} and {x:?}"),
    }
}

impl CustomOp2 for BatchedLinear {
    fn name(&self) -> &'static str {
        "batched-linear"
    }

    fn cpu_fwd(&self, w: &CpuStorage, wl: &Layout, x: &CpuStorage, xl: &Layout) -> Result<(CpuStorage, Shape)> {
        let (a, m, k, n) = dims(wl.dims(), xl.dims())?;
        let (w, x) = (storage::slice(w, wl)?, storage::slice(x, xl)?);
        let y = products(a, (m, n), |i| (View::new(&w[i * m * k..], m, k, k), View::new(&x[i * k * n..], k, n, n)));
        Ok((CpuStorage::F32(y), (a, m, n).into()))
    }

    fn bwd(&self, w: &Tensor, x: &Tensor, _y: &Tensor, dy: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (a, m, k, n) = dims(w.dims(), x.dims())?;
        let gradient = |operand: &Tensor, work: &dyn Fn(&[f32]) -> Result<Vec<f32>>| {
            let values = || storage::shaped(storage::with(dy, work)??, operand);
            operand.track_op().then(values).transpose()
        };
        let dw = gradient(w, &|dy| {
            storage::with(x, |x| {
                products(a, (m, k), |i| {
                    (View::new(&dy[i * m * n..], m, n, n), View::new(&x[i * k * n..], k, n, n).transposed())
                })
            })
        })?;
        let dx = gradient(x, &|dy| {
            storage::with(w, |w| {
                products(a, (k, n), |i| {
                    (View::new(&w[i * m * k..], m, k, k).transposed(), View::new(&dy[i * m * n..], m, n, n))
                })
            })
        })?;
        Ok((dw, dx))
    }
}
