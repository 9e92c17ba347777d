//! Graph attention of the correlation net: each node becomes a weighted mean of all nodes. One head, without
//! scaling: the weights are the softmax of the node's dot products with all nodes (the paper's equations 5 to 7). They
//! may also be fixed.

use super::cpu::matmul::{self, View, Window};
use super::cpu::simd;
use super::storage;
use candle_core::{CpuStorage, CustomOp2, D, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;
use std::sync::{Arc, Mutex};

/// The weights between nodes.
#[derive(Debug, Clone)]
pub enum Edges {
    /// Softmax over each row of the nodes' dot products, per image.
    Learned,
    /// The same `[nodes, nodes]` matrix for every image.
    Fixed(Tensor),
}

/// Refines nodes: weights from `v`, applied to `u` (usually `v` too), both `[batch, nodes, features]`. Returns the refined
/// nodes in that shape, and the batch's mean weights `[nodes, nodes]` without a gradient.
pub fn graph_attention(v: &Tensor, u: &Tensor, edges: &Edges) -> Result<(Tensor, Tensor)> {
    if !v.device().is_cpu() {
        return graph_attention_reference(v, u, edges);
    }
    let (batch, nodes, _) = v.dims3()?;
    if u.dims() != v.dims() {
        bail!("graph attention of nodes {:?} over values {:?}", v.shape(), u.shape())
    }
    let fixed = match edges {
        Edges::Learned => None,
        Edges::Fixed(weights) => {
            if weights.dims() != [nodes, nodes] {
                bail!("fixed edges {:?} for {nodes} nodes", weights.shape())
            }
            Some(weights.flatten_all()?.to_vec1()?)
        }
    };
    let weights = Arc::new(Mutex::new(Vec::new()));
    let refined =
        v.contiguous()?.apply_op2(&u.contiguous()?, AttentionOp { fixed: fixed.clone(), weights: weights.clone() })?;
    let mean = if let Some(fixed) = fixed {
        fixed
    } else {
        let weights = storage::lock(&weights)?;
        let mut mean = vec![0.0; nodes * nodes];
        for sample in weights.chunks_exact(nodes * nodes) {
            simd::add_scaled(&mut mean, sample, 1.0 / batch as f32);
        }
        mean
    };
    Ok((refined, Tensor::from_vec(mean, (nodes, nodes), v.device())?))
}

/// [`graph_attention`] from candle's own operations, on any device.
pub fn graph_attention_reference(v: &Tensor, u: &Tensor, edges: &Edges) -> Result<(Tensor, Tensor)> {
    let (v, u) = (v.contiguous()?, u.contiguous()?);
    match edges {
        Edges::Learned => {
            let scores = v.matmul(&v.transpose(1, 2)?.contiguous()?)?;
            let weights = candle_nn::ops::softmax(&scores, D::Minus1)?;
            Ok((weights.matmul(&u)?, weights.detach().mean(0)?))
        }
        Edges::Fixed(weights) => Ok((weights.unsqueeze(0)?.broadcast_matmul(&u)?, weights.clone())),
    }
}

struct AttentionOp {
    fixed: Option<Vec<f32>>,
    /// Softmax weights, `[batch, nodes, nodes]`, saved for the backward pass.
    weights: Arc<Mutex<Vec<f32>>>,
}

fn softmax(row: &mut [f32]) {
    let peak = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut total = 0.0;
    for value in row.iter_mut() {
        *value = (*value - peak).exp();
        total += *value;
    }
    for value in row {
        *value /= total;
    }
}

impl CustomOp2 for AttentionOp {
    fn name(&self) -> &'static str {
        "graph-attention"
    }

    fn cpu_fwd(&self, v: &CpuStorage, layout: &Layout, u: &CpuStorage, values: &Layout) -> Result<(CpuStorage, Shape)> {
        let (batch, nodes, features) = layout.shape().dims3()?;
        let (v, u) = (storage::slice(v, layout)?, storage::slice(u, values)?);
        let mut refined = vec![0.0; v.len()];
        let mut weights = vec![0.0; if self.fixed.is_none() { batch * nodes * nodes } else { 0 }];
        let size = nodes * features;
        let refine = |w: &[f32], u: &[f32], out: &mut [f32]| {
            let (w, u) = (View::new(w, nodes, nodes, nodes), View::new(u, nodes, features, features));
            matmul::multiply(Window::new(out, features), w, u, false);
        };
        let samples = u.par_chunks_exact(size).zip(refined.par_chunks_exact_mut(size));
        if let Some(fixed) = &self.fixed {
            samples.for_each(|(u, out)| refine(fixed, u, out));
        } else {
            samples.zip(v.par_chunks_exact(size)).zip(weights.par_chunks_exact_mut(nodes * nodes)).for_each(
                |(((u, out), v), w)| {
                    let v = View::new(v, nodes, features, features);
                    matmul::multiply(Window::new(w, nodes), v, v.transposed(), false);
                    w.chunks_exact_mut(nodes).for_each(softmax);
                    refine(w, u, out);
                },
            );
        }
        *storage::lock(&self.weights)? = weights;
        Ok((CpuStorage::F32(refined), layout.shape().clone()))
    }

    fn bwd(
        &self,
        v: &Tensor,
        u: &Tensor,
        _refined: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (_, nodes, features) = v.dims3()?;
        let weights = storage::lock(&self.weights)?;
        let (size, edges) = (nodes * features, nodes * nodes);
        let weights = |sample: usize| match &self.fixed {
            Some(fixed) => fixed.as_slice(),
            None => &weights[sample * edges..(sample + 1) * edges],
        };
        storage::with(gradient, |gradient| {
            let mut du = vec![0.0; u.elem_count()];
            du.par_chunks_exact_mut(size).enumerate().for_each(|(sample, du)| {
                let w = View::new(weights(sample), nodes, nodes, nodes);
                matmul::multiply(
                    Window::new(du, features),
                    w.transposed(),
                    matrix_of(gradient, sample, nodes, features),
                    false,
                );
            });
            let du = Some(storage::shaped(du, u)?);
            if self.fixed.is_some() {
                return Ok((None, du));
            }
            let mut dv = vec![0.0; v.elem_count()];
            storage::with(v, |v| {
                storage::with(u, |u| {
                    dv.par_chunks_exact_mut(size).enumerate().for_each(|(sample, dv)| {
                        let da = scores_gradient(
                            weights(sample),
                            matrix_of(gradient, sample, nodes, features),
                            matrix_of(u, sample, nodes, features),
                            nodes,
                        );
                        let (da, v) = (View::new(&da, nodes, nodes, nodes), matrix_of(v, sample, nodes, features));
                        // The scores are v v^T: both factors receive a gradient.
                        matmul::multiply(Window::new(dv, features), da, v, false);
                        matmul::multiply(Window::new(dv, features), da.transposed(), v, true);
                    });
                })
            })??;
            Ok((Some(storage::shaped(dv, v)?), du))
        })?
    }
}

/// The `[nodes, features]` matrix of one image.
fn matrix_of(values: &[f32], sample: usize, nodes: usize, features: usize) -> View<'_> {
    View::new(&values[sample * nodes * features..], nodes, features, features)
}

/// Gradient of the scores before the softmax: `w * (dw - sum(dw * w))` with `dw = dr u^T`.
fn scores_gradient(w: &[f32], dr: View, u: View, nodes: usize) -> Vec<f32> {
    let mut da = vec![0.0; nodes * nodes];
    matmul::multiply(Window::new(&mut da, nodes), dr, u.transposed(), false);
    for (da, w) in da.chunks_exact_mut(nodes).zip(w.chunks_exact(nodes)) {
        let mean: f32 = da.iter().zip(w).map(|(da, w)| da * w).sum();
        for (da, w) in da.iter_mut().zip(w) {
            *da = w * (*da - mean);
        }
    }
    da
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    type Attention = fn(&Tensor, &Tensor, &Edges) -> Result<(Tensor, Tensor)>;

    #[test]
    fn both_backends_agree_if_nodes_and_values_differ() {
        let draw = || Var::from_tensor(&Tensor::rand(-0.5_f32, 0.5, (3, 40, 18), &Device::Cpu).unwrap()).unwrap();
        let (v, u, pull) = (draw(), draw(), draw().as_detached_tensor());
        let of = |attention: Attention| {
            let (refined, weights) = attention(&v, &u, &Edges::Learned).unwrap();
            let gradients = (&refined * &pull).unwrap().sum_all().unwrap().backward().unwrap();
            let of = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            [of(&refined), of(&weights), of(gradients.get(&v).unwrap()), of(gradients.get(&u).unwrap())]
        };
        for (native, reference) in of(graph_attention).iter().zip(&of(graph_attention_reference)) {
            assert!(native.iter().zip(reference).all(|(a, b)| (a - b).abs() < 1e-5));
        }
    }
}
