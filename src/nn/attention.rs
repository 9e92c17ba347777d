//! The graph attention of the correlation net: every node becomes a weighted mean of all nodes, where the weights of
//! a row are the softmax of its dot products with all nodes (no scaling, one head; the paper's equations 5 to 7), or
//! are fixed in advance.

use super::matrix::{self, View, Window};
use super::tensors;
use candle_core::{CpuStorage, CustomOp1, D, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;
use std::sync::{Arc, Mutex};

/// Where the weights between nodes come from.
#[derive(Debug, Clone)]
pub enum Edges {
    /// Softmax over each row of the nodes' dot products, per sample.
    Learned,
    /// The same `[nodes, nodes]` matrix for every sample.
    Fixed(Tensor),
}

/// Nodes `v` `[batch, nodes, features]` to refined nodes of the same shape, and the weights averaged over the batch,
/// `[nodes, nodes]`, without a gradient.
pub fn graph_attention(v: &Tensor, edges: &Edges) -> Result<(Tensor, Tensor)> {
    if !v.device().is_cpu() {
        return graph_attention_plain(v, edges);
    }
    let (batch, nodes, _) = v.dims3()?;
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
    let refined = v.contiguous()?.apply_op1(Op { fixed: fixed.clone(), weights: weights.clone() })?;
    let mean = if let Some(fixed) = fixed {
        fixed
    } else {
        let weights = tensors::lock(&weights)?;
        let mut mean = vec![0.0; nodes * nodes];
        for sample in weights.chunks_exact(nodes * nodes) {
            super::rows::add_scaled(&mut mean, sample, 1.0 / batch as f32);
        }
        mean
    };
    Ok((refined, Tensor::from_vec(mean, (nodes, nodes), v.device())?))
}

/// The same from candle's own operations, on any device.
pub fn graph_attention_plain(v: &Tensor, edges: &Edges) -> Result<(Tensor, Tensor)> {
    let v = v.contiguous()?;
    match edges {
        Edges::Learned => {
            let scores = v.matmul(&v.transpose(1, 2)?.contiguous()?)?;
            let weights = candle_nn::ops::softmax(&scores, D::Minus1)?;
            Ok((weights.matmul(&v)?, weights.detach().mean(0)?))
        }
        Edges::Fixed(weights) => Ok((weights.unsqueeze(0)?.broadcast_matmul(&v)?, weights.clone())),
    }
}

struct Op {
    fixed: Option<Vec<f32>>,
    /// The softmaxed weights of each sample, `[batch, nodes, nodes]`, for the way back.
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

impl CustomOp1 for Op {
    fn name(&self) -> &'static str {
        "graph-attention"
    }

    fn cpu_fwd(&self, v: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (batch, nodes, features) = layout.shape().dims3()?;
        let v = tensors::slice(v, layout)?;
        let mut refined = vec![0.0; v.len()];
        let mut weights = vec![0.0; if self.fixed.is_none() { batch * nodes * nodes } else { 0 }];
        let refine = |w: &[f32], v: View, out: &mut [f32]| {
            matrix::multiply(Window::new(out, features), View::new(w, nodes, nodes, nodes), v, false);
        };
        let samples = v.par_chunks_exact(nodes * features).zip(refined.par_chunks_exact_mut(nodes * features));
        if let Some(fixed) = &self.fixed {
            samples.for_each(|(v, out)| refine(fixed, View::new(v, nodes, features, features), out));
        } else {
            samples.zip(weights.par_chunks_exact_mut(nodes * nodes)).for_each(|((v, out), w)| {
                let v = View::new(v, nodes, features, features);
                matrix::multiply(Window::new(w, nodes), v, v.transposed(), false);
                w.chunks_exact_mut(nodes).for_each(softmax);
                refine(w, v, out);
            });
        }
        *tensors::lock(&self.weights)? = weights;
        Ok((CpuStorage::F32(refined), layout.shape().clone()))
    }

    fn bwd(&self, v: &Tensor, _refined: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let (_, nodes, features) = v.dims3()?;
        let weights = tensors::lock(&self.weights)?;
        let size = nodes * features;
        let mut dv = vec![0.0; v.elem_count()];
        tensors::with(gradient, |gradient| {
            tensors::with(v, |v| {
                dv.par_chunks_exact_mut(size).enumerate().for_each(|(sample, dv)| {
                    let dr = View::new(&gradient[sample * size..], nodes, features, features);
                    let w = match &self.fixed {
                        Some(fixed) => fixed,
                        None => &weights[sample * nodes * nodes..(sample + 1) * nodes * nodes],
                    };
                    let out = Window::new(dv, features);
                    matrix::multiply(out, View::new(w, nodes, nodes, nodes).transposed(), dr, false);
                    if self.fixed.is_none() {
                        let v = View::new(&v[sample * size..], nodes, features, features);
                        let da = scores_gradient(w, dr, v, nodes);
                        let da = View::new(&da, nodes, nodes, nodes);
                        // The scores are v v^T: both factors receive their share.
                        matrix::multiply(out, da, v, true);
                        matrix::multiply(out, da.transposed(), v, true);
                    }
                });
            })
        })??;
        Ok(Some(tensors::shaped(dv, v)?))
    }
}

/// Gradient with respect to the scores before the softmax: `w * (dw - sum(dw * w))` with `dw = dr v^T`.
fn scores_gradient(w: &[f32], dr: View, v: View, nodes: usize) -> Vec<f32> {
    let mut da = vec![0.0; nodes * nodes];
    matrix::multiply(Window::new(&mut da, nodes), dr, v.transposed(), false);
    for (da, w) in da.chunks_exact_mut(nodes).zip(w.chunks_exact(nodes)) {
        let mean: f32 = da.iter().zip(w).map(|(da, w)| da * w).sum();
        for (da, w) in da.iter_mut().zip(w) {
            *da = w * (*da - mean);
        }
    }
    da
}
