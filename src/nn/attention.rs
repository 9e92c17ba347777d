//! Parts of attention over the attributes of each image. Tokens are `[batch, a, d]`; with several heads, each has an equal
//! part of the `d` values.

use super::cpu::correlation::{self, transpose};
use super::cpu::matmul::{self, View, Window};
use super::cpu::nodes::NodeSizes;
use super::cpu::tokens::{self, SLOPE};
use super::cpu::{scratch, simd};
use super::linear::batched_linear_reference;
use super::precision::Precision;
use super::storage;
use candle_core::{CpuStorage, CustomOp2, CustomOp3, D, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;
use std::sync::{Arc, Mutex};

/// One node an attribute, `[batch, a, g * positions]`, whose values are ordered by channel: a 1x1 convolution with `weight`
/// `[a, g, c]` and `bias` `[a, g]` of features `[a, c, batch * positions]`.
pub fn nodes(gated: &Tensor, weight: &Tensor, bias: &Tensor, positions: usize) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if gated.device().is_cuda() {
        return super::cuda::nodes(gated, weight, bias, node_sizes(gated, weight, positions)?);
    }
    let sizes = node_sizes(gated, weight, positions)?;
    gated.contiguous()?.apply_op3(weight, bias, Nodes { sizes })
}

/// [`nodes`] from candle's own operations, on any device.
pub fn nodes_reference(
    gated: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    positions: usize,
    precision: Precision,
) -> Result<Tensor> {
    let NodeSizes { a, g, batch, .. } = node_sizes(gated, weight, positions)?;
    let maps = batched_linear_reference(weight, gated, Some(bias), precision)?;
    maps.reshape((a, g, batch, positions))?.permute((2, 0, 1, 3))?.contiguous()?.reshape((batch, a, g * positions))
}

fn node_sizes(gated: &Tensor, weight: &Tensor, positions: usize) -> Result<NodeSizes> {
    let ((a, g, c), n) = (weight.dims3()?, gated.dim(2)?);
    if gated.dims() != [a, c, n] || n % positions != 0 {
        bail!("nodes of weights {:?} on {:?} with {positions} positions", weight.shape(), gated.shape())
    }
    Ok(NodeSizes { a, g, c, batch: n / positions, positions })
}

struct Nodes {
    sizes: NodeSizes,
}

impl CustomOp3 for Nodes {
    fn name(&self) -> &'static str {
        "nodes"
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
        let nodes = self.sizes.nodes(storage::slice(x, xl)?, storage::slice(w, wl)?, storage::slice(b, bl)?);
        Ok((CpuStorage::F32(nodes), (self.sizes.batch, self.sizes.a, self.sizes.node()).into()))
    }

    fn bwd(
        &self,
        gated: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _nodes: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (NodeSizes { g, c, .. }, sizes) = (self.sizes, self.sizes);
        let d_nodes = storage::with(gradient, |gradient| sizes.by_channel(gradient))?;
        let (mut d_weight, mut d_bias) = (vec![0.0; weight.elem_count()], vec![0.0; bias.elem_count()]);
        storage::with(gated, |gated| {
            d_weight.par_chunks_exact_mut(g * c).zip(d_bias.par_chunks_exact_mut(g)).enumerate().for_each(
                |(i, (weight, bias))| {
                    sizes.parameter_gradients(i, &d_nodes, gated, weight, bias);
                },
            );
        })?;
        let of_features =
            || storage::shaped(storage::with(weight, |weight| sizes.feature_gradients(&d_nodes, weight))?, gated);
        let d_gated = gated.track_op().then(of_features).transpose()?;
        Ok((d_gated, Some(storage::shaped(d_weight, weight)?), Some(storage::shaped(d_bias, bias)?)))
    }
}

/// Dot products of queries `[batch, a, d]` and keys `[batch, b, d]`, `[batch, heads, a, b]`.
pub fn dot_products(queries: &Tensor, keys: &Tensor, heads: usize) -> Result<Tensor> {
    let sizes = Sizes::new(queries, keys, heads)?;
    #[cfg(feature = "cuda")]
    if queries.device().is_cuda() {
        return super::cuda::dot_products(queries, keys, heads);
    }
    queries.contiguous()?.apply_op2(&keys.contiguous()?, DotProducts { sizes })
}

/// [`dot_products`] from candle's own operations, on any device.
pub fn dot_products_reference(queries: &Tensor, keys: &Tensor, heads: usize) -> Result<Tensor> {
    let keys = split_heads(keys, heads)?.transpose(2, 3)?.contiguous()?;
    split_heads(queries, heads)?.matmul(&keys)
}

/// `[batch, heads, a, d / heads]` of `[batch, a, d]`.
fn split_heads(tokens: &Tensor, heads: usize) -> Result<Tensor> {
    let (batch, a, d) = tokens.dims3()?;
    tokens.reshape((batch, a, heads, d / heads))?.transpose(1, 2)?.contiguous()
}

/// Images, heads, tokens that attend and that are attended to, values of a token and of a head.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    batch: usize,
    heads: usize,
    a: usize,
    b: usize,
    d: usize,
    width: usize,
}

impl Sizes {
    fn new(queries: &Tensor, keys: &Tensor, heads: usize) -> Result<Self> {
        let ((batch, a, d), (images, b, e)) = (queries.dims3()?, keys.dims3()?);
        if (batch, d) != (images, e) || d % heads != 0 {
            bail!("attention of {heads} heads from {:?} to {:?}", queries.shape(), keys.shape())
        }
        Ok(Self { batch, heads, a, b, d, width: d / heads })
    }

    fn scores(self) -> Shape {
        (self.batch, self.heads, self.a, self.b).into()
    }

    /// Values of one head in the `tokens` tokens of one image.
    fn head(self, image: &[f32], head: usize, tokens: usize) -> View<'_> {
        View::new(&image[head * self.width..], tokens, self.width, self.d)
    }

    /// Scores or weights of one head of one image.
    fn edges(self, image: &[f32], head: usize) -> View<'_> {
        View::new(&image[head * self.a * self.b..], self.a, self.b, self.b)
    }
}

struct DotProducts {
    sizes: Sizes,
}

impl CustomOp2 for DotProducts {
    fn name(&self) -> &'static str {
        "dot-products"
    }

    fn cpu_fwd(&self, q: &CpuStorage, ql: &Layout, k: &CpuStorage, kl: &Layout) -> Result<(CpuStorage, Shape)> {
        let sizes @ Sizes { batch, heads, a, b, d, .. } = self.sizes;
        let mut scores = vec![0.0; batch * heads * a * b];
        let (q, k) = (storage::slice(q, ql)?, storage::slice(k, kl)?);
        let images = q.par_chunks_exact(a * d).zip(k.par_chunks_exact(b * d));
        scores.par_chunks_exact_mut(heads * a * b).zip(images).for_each(|(scores, (q, k))| {
            for head in 0..heads {
                let out = Window::new(scores, b).at(head * a * b);
                matmul::multiply(out, sizes.head(q, head, a), sizes.head(k, head, b).transposed(), false);
            }
        });
        Ok((CpuStorage::F32(scores), sizes.scores()))
    }

    fn bwd(&self, q: &Tensor, k: &Tensor, _y: &Tensor, gradient: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let sizes @ Sizes { heads, a, b, d, .. } = self.sizes;
        let (mut dq, mut dk) = (vec![0.0; q.elem_count()], vec![0.0; k.elem_count()]);
        storage::with(gradient, |gradient| {
            storage::with(q, |q| {
                storage::with(k, |k| {
                    let inputs = q.par_chunks_exact(a * d).zip(k.par_chunks_exact(b * d));
                    let outputs = dq.par_chunks_exact_mut(a * d).zip(dk.par_chunks_exact_mut(b * d));
                    let images = gradient.par_chunks_exact(heads * a * b).zip(inputs).zip(outputs);
                    images.for_each(|((gradient, (q, k)), (dq, dk))| {
                        for head in 0..heads {
                            let (edges, first) = (sizes.edges(gradient, head), head * sizes.width);
                            matmul::multiply(Window::new(dq, d).at(first), edges, sizes.head(k, head, b), false);
                            let keys = Window::new(dk, d).at(first);
                            matmul::multiply(keys, edges.transposed(), sizes.head(q, head, a), false);
                        }
                    });
                })
            })
        })???;
        Ok((Some(storage::shaped(dq, q)?), Some(storage::shaped(dk, k)?)))
    }
}

/// GATv2's scores `[batch, heads, a, b]`: the sum over a head's values of `weight` `[d]` times the leaky ReLU of `left`
/// `[batch, a, d]` plus `right` `[batch, b, d]` (Brody et al. 2022, equation 7).
pub fn additive_scores(left: &Tensor, right: &Tensor, weight: &Tensor, heads: usize) -> Result<Tensor> {
    let sizes = Sizes::new(left, right, heads)?;
    #[cfg(feature = "cuda")]
    if left.device().is_cuda() {
        return super::cuda::additive_scores(left, right, weight, heads);
    }
    left.contiguous()?.apply_op3(&right.contiguous()?, weight, AdditiveScores { sizes })
}

/// [`additive_scores`] from candle's own operations, on any device. It holds all pairs of tokens in memory.
pub fn additive_scores_reference(left: &Tensor, right: &Tensor, weight: &Tensor, heads: usize) -> Result<Tensor> {
    let Sizes { batch, a, b, d, width, .. } = Sizes::new(left, right, heads)?;
    let sums = left.unsqueeze(2)?.broadcast_add(&right.unsqueeze(1)?)?;
    let weighted = leaky_relu(&sums)?.broadcast_mul(weight)?;
    debug_assert_eq!(width * heads, d);
    weighted.reshape((batch, a, b, heads, width))?.sum(D::Minus1)?.permute((0, 3, 1, 2))?.contiguous()
}

/// Leaky ReLU with the slope 0.2 below 0.
pub fn leaky_relu(x: &Tensor) -> Result<Tensor> {
    // 0.2 x + 0.8 relu(x).
    (x * f64::from(SLOPE))? + (x.relu()? * f64::from(1.0 - SLOPE))?
}

struct AdditiveScores {
    sizes: Sizes,
}

impl CustomOp3 for AdditiveScores {
    fn name(&self) -> &'static str {
        "additive-scores"
    }

    fn cpu_fwd(
        &self,
        l: &CpuStorage,
        ll: &Layout,
        r: &CpuStorage,
        rl: &Layout,
        v: &CpuStorage,
        vl: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let sizes @ Sizes { batch, heads, a, b, d, width } = self.sizes;
        let (l, r, v) = (storage::slice(l, ll)?, storage::slice(r, rl)?, storage::slice(v, vl)?);
        let mut scores = vec![0.0; batch * heads * a * b];
        let images = l.par_chunks_exact(a * d).zip(r.par_chunks_exact(b * d));
        scores.par_chunks_exact_mut(heads * a * b).zip(images).for_each(|(scores, (l, r))| {
            scratch::with(d * b, |right| {
                transpose(r, right, d);
                for (row, scores) in scores.chunks_exact_mut(b).enumerate() {
                    let (head, i) = (row / a, row % a);
                    let values = head * width..(head + 1) * width;
                    let left = &l[i * d..][values.clone()];
                    tokens::additive_scores(left, &right[values.start * b..], &v[values], scores);
                }
            });
        });
        Ok((CpuStorage::F32(scores), sizes.scores()))
    }

    fn bwd(
        &self,
        left: &Tensor,
        right: &Tensor,
        weight: &Tensor,
        _scores: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let Sizes { batch, heads, a, b, d, .. } = self.sizes;
        let (mut d_left, mut d_right) = (vec![0.0; left.elem_count()], vec![0.0; right.elem_count()]);
        let mut d_weights = vec![0.0; batch * d];
        storage::with(gradient, |gradient| {
            storage::with(left, |l| {
                storage::with(right, |r| {
                    storage::with(weight, |v| {
                        let inputs = l.par_chunks_exact(a * d).zip(r.par_chunks_exact(b * d));
                        let outputs = d_left.par_chunks_exact_mut(a * d).zip(d_right.par_chunks_exact_mut(b * d));
                        let images = gradient.par_chunks_exact(heads * a * b).zip(inputs).zip(outputs);
                        images.zip(d_weights.par_chunks_exact_mut(d)).for_each(
                            |(((gradient, (l, r)), (dl, dr)), dv)| {
                                self.image_gradients(gradient, (l, r, v), (dl, dr, dv));
                            },
                        );
                    })
                })
            })
        })????;
        let mut d_weight = vec![0.0; d];
        d_weights.chunks_exact(d).for_each(|image| simd::add_scaled(&mut d_weight, image, 1.0));
        let gradients = (storage::shaped(d_left, left)?, storage::shaped(d_right, right)?);
        Ok((Some(gradients.0), Some(gradients.1), Some(storage::shaped(d_weight, weight)?)))
    }
}

impl AdditiveScores {
    /// Gradients of one image's tokens, and its part of those of the weights, all of which are 0 before.
    fn image_gradients(
        &self,
        gradient: &[f32],
        (l, r, v): (&[f32], &[f32], &[f32]),
        (dl, dr, dv): (&mut [f32], &mut [f32], &mut [f32]),
    ) {
        let Sizes { a, b, d, width, .. } = self.sizes;
        for (row, gradient) in gradient.chunks_exact(b).enumerate() {
            let (head, i) = (row / a, row % a);
            let values = head * width..(head + 1) * width;
            let (left, right) = (&l[i * d..][values.clone()], &r[values.start..]);
            let (d_left, d_right) = (&mut dl[i * d..][values.clone()], &mut dr[values.start..]);
            tokens::additive_scores_backward(gradient, left, right, d_left, d_right, &mut dv[values], d);
        }
        for token in dl.chunks_exact_mut(d).chain(dr.chunks_exact_mut(d)) {
            token.iter_mut().zip(v).for_each(|(gradient, weight)| *gradient *= weight);
        }
    }
}

/// Softmax of scores `[batch, heads, a, b]` over the last axis, and the means of the values `[batch, b, d]` with these
/// weights.
#[derive(Debug, Clone)]
pub struct Attended {
    /// `[batch, a, d]`.
    pub values: Tensor,
    /// Weights averaged over heads and batch, without a gradient: `[a, b]`.
    pub weights: Tensor,
}

/// Weighs values by the softmax of scores. With `others`, no token attends to itself.
pub fn attend(scores: &Tensor, values: &Tensor, others: bool) -> Result<Attended> {
    #[cfg(feature = "cuda")]
    if scores.device().is_cuda() && scores.dim(3)? <= super::cuda::MOST_SCORES {
        let (values, weights) = super::cuda::attend(scores, values, others)?;
        return Ok(Attended { values, weights });
    }
    if !scores.device().is_cpu() {
        return attend_reference(scores, values, others);
    }
    let (op, saved) = Attend::new(scores, values, others)?;
    let (batch, heads, edges) = (op.sizes.batch, op.sizes.heads, op.sizes.a * op.sizes.b);
    let shape = (op.sizes.a, op.sizes.b);
    let attended = scores.contiguous()?.apply_op2(&values.contiguous()?, op)?;
    let (weights, mut mean) = (storage::lock(&saved)?, vec![0.0; edges]);
    let share = 1.0 / (batch * heads) as f32;
    weights.chunks_exact(edges).for_each(|weights| simd::add_scaled(&mut mean, weights, share));
    Ok(Attended { values: attended, weights: Tensor::from_vec(mean, shape, scores.device())? })
}

/// [`attend`] from candle's own operations, on any device.
pub fn attend_reference(scores: &Tensor, values: &Tensor, others: bool) -> Result<Attended> {
    let (batch, heads, a, _) = scores.dims4()?;
    let d = values.dim(2)?;
    let scores = if others {
        scores.broadcast_sub(&(Tensor::eye(a, scores.dtype(), scores.device())? * 1e30)?)?
    } else {
        scores.clone()
    };
    let weights = candle_nn::ops::softmax(&scores, D::Minus1)?;
    let attended = weights.matmul(&split_heads(values, heads)?)?;
    Ok(Attended {
        values: attended.transpose(1, 2)?.contiguous()?.reshape((batch, a, d))?,
        weights: weights.detach().mean(0)?.mean(0)?,
    })
}

/// Softmax weights, `[batch, heads, a, b]`.
type Weights = Arc<Mutex<Vec<f32>>>;

struct Attend {
    sizes: Sizes,
    others: bool,
    weights: Weights,
}

impl Attend {
    fn new(scores: &Tensor, values: &Tensor, others: bool) -> Result<(Self, Weights)> {
        let ((batch, heads, a, b), (images, tokens, d)) = (scores.dims4()?, values.dims3()?);
        if (batch, b) != (images, tokens) || d % heads != 0 || (others && a != b) {
            bail!("scores {:?} of values {:?}", scores.shape(), values.shape())
        }
        let (sizes, weights) = (Sizes { batch, heads, a, b, d, width: d / heads }, Weights::default());
        Ok((Self { sizes, others, weights: weights.clone() }, weights))
    }

    /// Softmax of one row of scores.
    fn softmax(&self, row: usize, scores: &mut [f32]) {
        if self.others {
            let own = row % self.sizes.a;
            scores[own] = f32::NEG_INFINITY;
        }
        tokens::softmax(scores);
    }
}

impl CustomOp2 for Attend {
    fn name(&self) -> &'static str {
        "attend"
    }

    fn cpu_fwd(&self, s: &CpuStorage, sl: &Layout, v: &CpuStorage, vl: &Layout) -> Result<(CpuStorage, Shape)> {
        let sizes @ Sizes { batch, heads, a, b, d, width } = self.sizes;
        let (mut weights, values) = (storage::slice(s, sl)?.to_vec(), storage::slice(v, vl)?);
        let mut attended = vec![0.0; batch * a * d];
        let images = weights.par_chunks_exact_mut(heads * a * b).zip(values.par_chunks_exact(b * d));
        attended.par_chunks_exact_mut(a * d).zip(images).for_each(|(out, (weights, values))| {
            weights.chunks_exact_mut(b).enumerate().for_each(|(row, scores)| self.softmax(row, scores));
            for head in 0..heads {
                let out = Window::new(out, d).at(head * width);
                matmul::multiply(out, sizes.edges(weights, head), sizes.head(values, head, b), false);
            }
        });
        *storage::lock(&self.weights)? = weights;
        Ok((CpuStorage::F32(attended), (batch, a, d).into()))
    }

    fn bwd(
        &self,
        scores: &Tensor,
        values: &Tensor,
        _attended: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let sizes @ Sizes { heads, a, b, d, width, .. } = self.sizes;
        let weights = storage::lock(&self.weights)?;
        let (mut d_scores, mut d_values) = (vec![0.0; scores.elem_count()], vec![0.0; values.elem_count()]);
        storage::with(gradient, |gradient| {
            storage::with(values, |values| {
                let inputs = gradient.par_chunks_exact(a * d).zip(values.par_chunks_exact(b * d));
                let outputs = d_scores.par_chunks_exact_mut(heads * a * b).zip(d_values.par_chunks_exact_mut(b * d));
                let images = weights.par_chunks_exact(heads * a * b).zip(inputs).zip(outputs);
                images.for_each(|((weights, (gradient, values)), (d_scores, d_values))| {
                    for head in 0..heads {
                        let (gradient, values) = (sizes.head(gradient, head, a), sizes.head(values, head, b));
                        let out = Window::new(d_values, d).at(head * width);
                        matmul::multiply(out, sizes.edges(weights, head).transposed(), gradient, false);
                        let out = Window::new(d_scores, b).at(head * a * b);
                        matmul::multiply(out, gradient, values.transposed(), false);
                    }
                    let rows = d_scores.chunks_exact_mut(b).zip(weights.chunks_exact(b));
                    rows.for_each(|(d, weights)| tokens::softmax_gradient(d, weights));
                });
            })
        })??;
        Ok((Some(storage::shaped(d_scores, scores)?), Some(storage::shaped(d_values, values)?)))
    }
}

/// One classifier an attribute: logits `[a, outputs, batch]` of tokens `[batch, a, d]` with `weight` `[a, outputs, d]` and
/// `bias` `[a, outputs]`.
pub fn classify(tokens: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    let ((_, a, d), (count, _, width)) = (tokens.dims3()?, weight.dims3()?);
    if (a, d) != (count, width) {
        bail!("classifiers {:?} of tokens {:?}", weight.shape(), tokens.shape())
    }
    #[cfg(feature = "cuda")]
    if tokens.device().is_cuda() {
        return super::cuda::classify(tokens, weight, bias);
    }
    tokens.contiguous()?.apply_op3(weight, bias, Classify)
}

/// [`classify`] from candle's own operations, on any device.
pub fn classify_reference(tokens: &Tensor, weight: &Tensor, bias: &Tensor, precision: Precision) -> Result<Tensor> {
    batched_linear_reference(weight, &tokens.permute((1, 2, 0))?.contiguous()?, Some(bias), precision)
}

struct Classify;

impl CustomOp3 for Classify {
    fn name(&self) -> &'static str {
        "classify"
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
        let ((batch, a, d), outputs) = (xl.shape().dims3()?, wl.dims()[1]);
        let (x, w, b) = (storage::slice(x, xl)?, storage::slice(w, wl)?, storage::slice(b, bl)?);
        let mut by_image = vec![0.0; batch * a * outputs];
        by_image.par_chunks_exact_mut(a * outputs).zip(x.par_chunks_exact(a * d)).for_each(|(logits, tokens)| {
            correlation::classify(tokens, w, b, d, logits);
        });
        let mut logits = vec![0.0; by_image.len()];
        transpose(&by_image, &mut logits, a * outputs);
        Ok((CpuStorage::F32(logits), (a, outputs, batch).into()))
    }

    fn bwd(
        &self,
        tokens: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _logits: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let ((batch, a, d), outputs) = (tokens.dims3()?, weight.dim(1)?);
        let (mut d_weight, mut d_bias) = (vec![0.0; weight.elem_count()], vec![0.0; bias.elem_count()]);
        storage::with(gradient, |gradient| {
            let of_weights = |x: &[f32]| {
                let rows = d_weight.par_chunks_exact_mut(d).zip(&mut d_bias).zip(gradient.par_chunks_exact(batch));
                rows.enumerate().for_each(|(row, ((weight, bias), gradient))| {
                    for (image, gradient) in gradient.iter().enumerate() {
                        simd::add_scaled(weight, &x[image * a * d + row / outputs * d..][..d], *gradient);
                    }
                    *bias = simd::sum(gradient);
                });
            };
            storage::with(tokens, of_weights)?;
            let of_tokens = |w: &[f32]| {
                let mut d_tokens = vec![0.0; batch * a * d];
                d_tokens.par_chunks_exact_mut(a * d).enumerate().for_each(|(image, tokens)| {
                    let of_image = gradient[image..].iter().step_by(batch).copied();
                    correlation::add_token_gradients(of_image, w, d, tokens);
                });
                d_tokens
            };
            let d_tokens = tokens.track_op().then(|| storage::shaped(storage::with(weight, of_tokens)?, tokens));
            d_tokens.transpose()
        })?
        .and_then(|d_tokens| {
            Ok((d_tokens, Some(storage::shaped(d_weight, weight)?), Some(storage::shaped(d_bias, bias)?)))
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use candle_core::{Device, Var};

    pub(in crate::nn) fn draw(shape: &[usize]) -> Var {
        Var::from_tensor(&Tensor::rand(-0.9_f32, 0.9, shape, &Device::Cpu).unwrap()).unwrap()
    }

    /// Outputs of both implementations, and the gradients of all inputs for a random gradient of the first output.
    pub(in crate::nn) fn compare(
        inputs: &[Var],
        native: impl Fn(&[Var]) -> Result<Vec<Tensor>>,
        reference: impl Fn(&[Var]) -> Result<Vec<Tensor>>,
    ) {
        let pull = draw(native(inputs).unwrap()[0].dims()).as_detached_tensor();
        let of = |outputs: Vec<Tensor>| {
            let gradients = (&outputs[0] * &pull).unwrap().sum_all().unwrap().backward().unwrap();
            let gradients = inputs.iter().map(|input| gradients.get(input).unwrap().clone());
            let tensors = outputs.into_iter().chain(gradients);
            tensors.map(|tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap()).collect::<Vec<_>>()
        };
        for (native, reference) in of(native(inputs).unwrap()).iter().zip(of(reference(inputs).unwrap())) {
            assert_eq!(native.len(), reference.len());
            assert!(native.iter().zip(&reference).all(|(a, b)| (a - b).abs() < 1e-4), "{native:?} {reference:?}");
        }
    }

    #[test]
    fn nodes_and_classifiers_equal_the_reference() {
        let (a, g, c, positions, batch) = (5, 3, 7, 4, 6);
        compare(
            &[&[a, c, batch * positions] as &[usize], &[a, g, c], &[a, g]].map(draw),
            |x| Ok(vec![nodes(&x[0], &x[1], &x[2], positions)?]),
            |x| Ok(vec![nodes_reference(&x[0], &x[1], &x[2], positions, Precision::Single)?]),
        );
        compare(
            &[&[batch, a, 9] as &[usize], &[a, 2, 9], &[a, 2]].map(draw),
            |x| Ok(vec![classify(&x[0], &x[1], &x[2])?]),
            |x| Ok(vec![classify_reference(&x[0], &x[1], &x[2], Precision::Single)?]),
        );
    }

    #[test]
    fn scores_equal_the_reference() {
        let (batch, a, b, d) = (3, 5, 11, 12);
        let tokens = [&[batch, a, d] as &[usize], &[batch, b, d], &[d]].map(draw);
        for heads in [1, 3] {
            compare(
                &tokens[..2],
                |x| Ok(vec![dot_products(&x[0], &x[1], heads)?]),
                |x| Ok(vec![dot_products_reference(&x[0], &x[1], heads)?]),
            );
            compare(
                &tokens,
                |x| Ok(vec![additive_scores(&x[0], &x[1], &x[2], heads)?]),
                |x| Ok(vec![additive_scores_reference(&x[0], &x[1], &x[2], heads)?]),
            );
        }
    }

    #[test]
    fn attended_values_equal_the_reference_with_and_without_the_own_token() {
        let (batch, a, d) = (3, 5, 12);
        for (heads, others) in [(1, false), (1, true), (4, false), (4, true)] {
            let attended = |attended: Attended| vec![attended.values, attended.weights];
            compare(
                &[&[batch, heads, a, a] as &[usize], &[batch, a, d]].map(draw),
                |x| Ok(attended(attend(&x[0], &x[1], others)?)),
                |x| Ok(attended(attend_reference(&x[0], &x[1], others)?)),
            );
        }
    }
}
