//! The CPU operation of a correlation net, see [`crate::nn::CorrelationBlock`]. A node's values are stored as
//! `[g, positions]`, so that whole maps are copied; the classifiers' weights are transposed to match.

use super::matmul::{self, View, Window, fill_uninit};
use super::nodes::NodeSizes;
use super::tokens::{softmax, softmax_gradient};
use super::{scratch, simd};
use crate::nn::storage;
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;
use std::sync::{Arc, Mutex};

/// Results of the forward pass besides the logits.
#[derive(Debug, Default)]
pub(in crate::nn) struct SavedForBackward {
    /// `[batch, a, g, positions]`.
    nodes: Vec<f32>,
    /// The values that the edges weigh, as `nodes`; `None` if they are the nodes.
    values: Option<Vec<f32>>,
    /// Weighted means of the values, as `nodes`.
    refined: Vec<f32>,
    /// Classifier weights with rows `[g, positions]`.
    out_weight: Vec<f32>,
    /// Softmax weights, `[batch, a, a]`; empty for fixed edges.
    pub(in crate::nn) weights: Vec<f32>,
    /// Mean dot product of a node with itself, and mean of its largest with another node, of each image; empty for fixed
    /// edges.
    pub(in crate::nn) products: Vec<[f32; 2]>,
}

#[derive(Debug)]
pub(in crate::nn) struct CorrelationOp {
    pub(in crate::nn) sizes: NodeSizes,
    /// Outputs of a classifier.
    pub(in crate::nn) outputs: usize,
    /// Fixed edges `[a, a]`; `None` for the softmax of dot products.
    pub(in crate::nn) fixed: Option<Vec<f32>>,
    /// Row of the nodes `[a * g, n]` that each row of the values is; `None` if the values are the nodes.
    pub(in crate::nn) rows: Option<Vec<usize>>,
    pub(in crate::nn) saved: Arc<Mutex<SavedForBackward>>,
}

/// The packed parameters, or their gradients.
struct Packed<T> {
    /// `[a, g, c]`.
    weight: T,
    /// `[a, g]`.
    bias: T,
    /// `[a, outputs, positions * g]`.
    out_weight: T,
    /// `[a, outputs]`.
    out_bias: T,
}

impl CorrelationOp {
    fn split<'a>(&self, packed: &'a [f32]) -> Packed<&'a [f32]> {
        let NodeSizes { a, g, c, .. } = self.sizes;
        let (weight, rest) = packed.split_at(a * g * c);
        let (bias, rest) = rest.split_at(a * g);
        let (out_weight, out_bias) = rest.split_at(a * self.outputs * self.sizes.node());
        Packed { weight, bias, out_weight, out_bias }
    }

    fn split_mut<'a>(&self, packed: &'a mut [f32]) -> Packed<&'a mut [f32]> {
        let NodeSizes { a, g, c, .. } = self.sizes;
        let (weight, rest) = packed.split_at_mut(a * g * c);
        let (bias, rest) = rest.split_at_mut(a * g);
        let (out_weight, out_bias) = rest.split_at_mut(a * self.outputs * self.sizes.node());
        Packed { weight, bias, out_weight, out_bias }
    }

    /// Classifier weights with rows `[g, positions]`.
    fn channel_major(&self, out_weight: &[f32]) -> Vec<f32> {
        let (node, mut to) = (self.sizes.node(), vec![0.0; out_weight.len()]);
        for (from, to) in out_weight.chunks_exact(node).zip(to.chunks_exact_mut(node)) {
            transpose(from, to, self.sizes.g);
        }
        to
    }
}

/// Transposes the row-major matrix `from` with rows of `columns` values.
pub(in crate::nn) fn transpose(from: &[f32], to: &mut [f32], columns: usize) {
    let rows = from.len() / columns;
    for (row, values) in from.chunks_exact(columns).enumerate() {
        for (column, value) in values.iter().enumerate() {
            to[column * rows + row] = *value;
        }
    }
}

/// Logits of the tokens of one image by classifiers with rows of weights, as many for each token.
pub(in crate::nn) fn classify(tokens: &[f32], weight: &[f32], bias: &[f32], length: usize, logits: &mut [f32]) {
    let outputs = logits.len() * length / tokens.len();
    for (row, ((logit, weight), bias)) in logits.iter_mut().zip(weight.chunks_exact(length)).zip(bias).enumerate() {
        *logit = simd::dot(weight, &tokens[row / outputs * length..][..length]) + bias;
    }
}

/// Adds the gradients of the tokens of one image, from those of its logits.
pub(in crate::nn) fn add_token_gradients(
    gradient: impl ExactSizeIterator<Item = f32>,
    weight: &[f32],
    length: usize,
    tokens: &mut [f32],
) {
    let outputs = gradient.len() * length / tokens.len();
    for (row, (weight, gradient)) in weight.chunks_exact(length).zip(gradient).enumerate() {
        simd::add_scaled(&mut tokens[row / outputs * length..][..length], weight, gradient);
    }
}

/// Mean of the diagonal of square scores, and mean over the rows of the largest other value.
fn products(scores: &[f32], size: usize) -> [f32; 2] {
    let mut sums = [0.0; 2];
    for (i, row) in scores.chunks_exact(size).enumerate() {
        let others = row.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, value)| *value);
        sums[0] += row[i];
        sums[1] += others.fold(f32::NEG_INFINITY, f32::max);
    }
    sums.map(|sum| sum / size as f32)
}

/// Buffers of one image in the forward pass.
struct Image<'a> {
    nodes: &'a [f32],
    /// The values that the edges weigh.
    values: &'a [f32],
    /// `[a, outputs]`.
    logits: &'a mut [f32],
    refined: &'a mut [f32],
}

impl CorrelationOp {
    /// The values that the edges weigh, as `nodes`.
    fn values(&self, nodes: &[f32], rows: &[usize]) -> Vec<f32> {
        let (image, positions) = (self.sizes.image(), self.sizes.positions);
        let mut values = vec![0.0; nodes.len()];
        values.par_chunks_exact_mut(image).zip(nodes.par_chunks_exact(image)).for_each(|(values, nodes)| {
            for (value, row) in values.chunks_exact_mut(positions).zip(rows) {
                value.copy_from_slice(&nodes[row * positions..(row + 1) * positions]);
            }
        });
        values
    }

    /// Refines the nodes of one image with the edges `w`, and classifies them.
    fn classify(&self, w: &[f32], image: Image, out_weight: &[f32], out_bias: &[f32]) {
        let (a, node) = (self.sizes.a, self.sizes.node());
        let Image { values, refined, logits, .. } = image;
        matmul::multiply(Window::new(refined, node), View::new(w, a, a, a), View::new(values, a, node, node), false);
        classify(refined, out_weight, out_bias, node, logits);
    }

    /// Writes softmax weights of one image to `w`; returns the size of the dot products.
    fn attend(&self, nodes: &[f32], w: &mut [f32]) -> [f32; 2] {
        let (a, node) = (self.sizes.a, self.sizes.node());
        let v = View::new(nodes, a, node, node);
        matmul::multiply(Window::new(w, a), v, v.transposed(), false);
        let products = products(w, a);
        w.chunks_exact_mut(a).for_each(softmax);
        products
    }
}

impl CustomOp2 for CorrelationOp {
    fn name(&self) -> &'static str {
        "correlation"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout, p: &CpuStorage, pl: &Layout) -> Result<(CpuStorage, Shape)> {
        let (NodeSizes { a, batch, .. }, outputs) = (self.sizes, self.outputs);
        let (image, edges) = (self.sizes.image(), a * a);
        let p = self.split(storage::slice(p, pl)?);
        let out_weight = self.channel_major(p.out_weight);
        let nodes = self.sizes.nodes(storage::slice(x, xl)?, p.weight, p.bias);
        let values = self.rows.as_ref().map(|rows| self.values(&nodes, rows));
        let mut refined = vec![0.0; nodes.len()];
        let mut by_image = vec![0.0; batch * a * outputs];
        let images = nodes
            .par_chunks_exact(image)
            .zip(values.as_ref().unwrap_or(&nodes).par_chunks_exact(image))
            .zip(by_image.par_chunks_exact_mut(a * outputs).zip(refined.par_chunks_exact_mut(image)))
            .map(|((nodes, values), (logits, refined))| Image { nodes, values, logits, refined });
        let classify = |w: &[f32], image: Image| self.classify(w, image, &out_weight, p.out_bias);
        let (mut weights, mut products) = (Vec::new(), Vec::new());
        if let Some(fixed) = &self.fixed {
            images.for_each(|image| classify(fixed, image));
        } else {
            (weights, products) = (vec![0.0; batch * edges], vec![[0.0; 2]; batch]);
            images.zip(weights.par_chunks_exact_mut(edges)).zip(&mut products).for_each(|((image, w), products)| {
                *products = self.attend(image.nodes, w);
                classify(w, image);
            });
        }
        let mut logits = vec![0.0; by_image.len()];
        transpose(&by_image, &mut logits, a * outputs);
        *storage::lock(&self.saved)? = SavedForBackward { nodes, values, refined, out_weight, weights, products };
        Ok((CpuStorage::F32(logits), (a, outputs, batch).into()))
    }

    fn bwd(
        &self,
        gated: &Tensor,
        packed: &Tensor,
        _logits: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let saved = std::mem::take(&mut *storage::lock(&self.saved)?);
        if saved.nodes.is_empty() {
            bail!("a correlation net has one backward pass")
        }
        storage::with(gradient, |gradient| {
            storage::with(packed, |parameters| {
                storage::with(gated, |features| {
                    let p = self.split(parameters);
                    let d_nodes = self.node_gradients(&saved, gradient);
                    let d_packed = self.parameter_gradients(&saved, gradient, features, &d_nodes);
                    let d_gated = gated.track_op().then(|| self.sizes.feature_gradients(&d_nodes, p.weight));
                    let d_gated = d_gated.map(|values| storage::shaped(values, gated)).transpose()?;
                    Ok((d_gated, Some(storage::shaped(d_packed, packed)?)))
                })
            })
        })???
    }
}

impl CorrelationOp {
    /// Gradients of the nodes, `[a * g, n]`, from those of the logits, `[a, outputs, batch]`.
    fn node_gradients(&self, saved: &SavedForBackward, gradient: &[f32]) -> Vec<f32> {
        let NodeSizes { a, g, batch, positions, .. } = self.sizes;
        let n = self.sizes.n();
        let mut by_image = vec![0.0; gradient.len()];
        transpose(gradient, &mut by_image, batch);
        let rows = by_image.len() / batch;
        let fill = |out: Window| {
            by_image.par_chunks_exact(rows).enumerate().for_each(|(image, gradient)| {
                self.image_gradients(saved, image, gradient, |row, values| {
                    out.at(row * n + image * positions).write(values);
                });
            });
        };
        #[allow(unsafe_code, reason = "see `fill_uninit`")]
        // SAFETY: every image writes its positions of all rows.
        unsafe {
            fill_uninit(a * g * n, n, fill)
        }
    }

    /// Calls `write(row, gradients)` with the gradients of each row of an image's nodes `[a * g, positions]`.
    fn image_gradients(
        &self,
        saved: &SavedForBackward,
        image: usize,
        gradient: &[f32],
        mut write: impl FnMut(usize, &[f32]),
    ) {
        let NodeSizes { a, positions, .. } = self.sizes;
        let (node, size, edges) = (self.sizes.node(), self.sizes.image(), a * a);
        let nodes = View::new(&saved.nodes[image * size..], a, node, node);
        scratch::with(3 * size + 2 * edges, |buffer| {
            let (d_refined, rest) = buffer.split_at_mut(size);
            let (d_nodes, rest) = rest.split_at_mut(size);
            let (d_values, scores) = rest.split_at_mut(size);
            d_refined.fill(0.0);
            add_token_gradients(gradient.iter().copied(), &saved.out_weight, node, d_refined);
            let d_refined = View::new(d_refined, a, node, node);
            let w = if let Some(fixed) = &self.fixed {
                d_nodes.fill(0.0);
                fixed.as_slice()
            } else {
                let w = &saved.weights[image * edges..(image + 1) * edges];
                let values = View::new(&saved.values.as_ref().unwrap_or(&saved.nodes)[image * size..], a, node, node);
                let both = scores_gradients(w, d_refined, values, a, scores);
                matmul::multiply(Window::new(d_nodes, node), both, nodes, false);
                w
            };
            let transposed = View::new(w, a, a, a).transposed();
            match &self.rows {
                None => matmul::multiply(Window::new(d_nodes, node), transposed, d_refined, true),
                Some(rows) => {
                    matmul::multiply(Window::new(d_values, node), transposed, d_refined, false);
                    for (row, values) in rows.iter().zip(d_values.chunks_exact(positions)) {
                        simd::add_scaled(&mut d_nodes[row * positions..(row + 1) * positions], values, 1.0);
                    }
                }
            }
            d_nodes.chunks_exact(positions).enumerate().for_each(|(row, values)| write(row, values));
        });
    }

    /// Gradients of the packed parameters.
    fn parameter_gradients(
        &self,
        saved: &SavedForBackward,
        gradient: &[f32],
        gated: &[f32],
        d_nodes: &[f32],
    ) -> Vec<f32> {
        let (NodeSizes { a, g, c, batch, .. }, outputs) = (self.sizes, self.outputs);
        let (node, size) = (self.sizes.node(), self.sizes.image());
        let mut packed = vec![0.0; a * (g * c + g + outputs * node + outputs)];
        let d = self.split_mut(&mut packed);
        let nodes = d.weight.par_chunks_exact_mut(g * c).zip(d.bias.par_chunks_exact_mut(g));
        let classifiers =
            d.out_weight.par_chunks_exact_mut(outputs * node).zip(d.out_bias.par_chunks_exact_mut(outputs));
        nodes.zip(classifiers).enumerate().for_each(|(i, ((weight, bias), (out_weight, out_bias)))| {
            self.sizes.parameter_gradients(i, d_nodes, gated, weight, bias);
            let gradients = gradient[i * outputs * batch..].chunks_exact(batch);
            scratch::with(node, |sum| {
                for ((weight, bias), gradient) in out_weight.chunks_exact_mut(node).zip(out_bias).zip(gradients) {
                    sum.fill(0.0);
                    for (image, gradient) in gradient.iter().enumerate() {
                        simd::add_scaled(sum, &saved.refined[image * size + i * node..][..node], *gradient);
                    }
                    transpose(sum, weight, self.sizes.positions);
                    *bias = simd::sum(gradient);
                }
            });
        });
        packed
    }
}

/// Gradient of the scores before the softmax, `w * (dw - sum(dw * w))` with `dw = dr u^T`, plus its transpose: the scores are
/// `v v^T`, so that both factors receive a gradient. `buffer` holds `2 * a * a` values.
fn scores_gradients<'a>(w: &[f32], d_refined: View, values: View, a: usize, buffer: &'a mut [f32]) -> View<'a> {
    let (scores, both) = buffer.split_at_mut(a * a);
    matmul::multiply(Window::new(scores, a), d_refined, values.transposed(), false);
    scores.chunks_exact_mut(a).zip(w.chunks_exact(a)).for_each(|(d, w)| softmax_gradient(d, w));
    transpose(scores, both, a);
    simd::add_scaled(both, scores, 1.0);
    View::new(both, a, a, a)
}
