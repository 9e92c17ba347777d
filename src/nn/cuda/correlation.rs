//! A correlation net from features to logits.

use super::launch::{Computed, Grid, Scalars, Source, device, launch, tensor, values};
use super::update::pack_two;
use crate::nn::correlation::{CorrelationOutput, CorrelationParameters, Edges};
use crate::nn::cpu::nodes::NodeSizes;
use crate::nn::precision::Precision;
use candle_core::cuda::CudaStorage;
use candle_core::{Result, Tensor};

/// Most nodes that the kernels of learned edges take, as in `correlation.cu`.
pub(in crate::nn) const MOST_NODES: usize = 64;

/// Sums of rows `[rows, n]`.
fn row_sums(x: &Tensor) -> Result<Tensor> {
    let (rows, n) = x.dims2()?;
    let mut sums = values(device(x)?, rows)?;
    let scalars = Scalars { sizes: &[rows * n, n], numbers: &[] };
    let kernel = (Source::Correlation, "row_sums");
    launch(device(x)?, kernel, Grid::of_blocks(rows, 1), scalars, &[x], &mut [&mut sums])?;
    Ok(tensor(sums, rows))
}

/// Softmax of each row of `scores` `[batch, a, a]`, and the mean size of scores, `[2]`, see
/// [`product_sizes`](crate::nn::product_sizes).
fn edges(scores: &Tensor) -> Result<(Tensor, Tensor)> {
    let (batch, a, _) = scores.dims3()?;
    let (mut weights, mut sizes) = (values(device(scores)?, batch * a * a)?, values(device(scores)?, 2 * batch * a)?);
    let scalars = Scalars { sizes: &[batch * a * a, a], numbers: &[] };
    let (kernel, results) = ((Source::Correlation, "edges"), &mut [&mut weights, &mut sizes]);
    launch(device(scores)?, kernel, Grid::of_warps(batch * a, 1), scalars, &[scores], results)?;
    let sizes = (row_sums(&tensor(sizes, (2, batch * a)))? / (batch * a) as f64)?;
    Ok((tensor(weights, scores.shape()), sizes))
}

/// Gradient of the scores plus its transpose.
fn edges_gradient(weights: &Tensor, d_weights: &Tensor) -> Result<Tensor> {
    let (batch, a, _) = weights.dims3()?;
    let mut d_scores = values(device(weights)?, batch * a * a)?;
    let scalars = Scalars { sizes: &[batch * a * a, a], numbers: &[] };
    let kernel = (Source::Correlation, "edges_gradient");
    let operands = [weights, d_weights];
    launch(device(weights)?, kernel, Grid::of_blocks(batch, 1), scalars, &operands, &mut [&mut d_scores])?;
    Ok(tensor(d_scores, weights.shape()))
}

/// Classifiers of tokens `[batch, a, length]`.
#[derive(Debug, Clone, Copy)]
struct Classifiers {
    a: usize,
    outputs: usize,
    batch: usize,
    length: usize,
}

impl Classifiers {
    fn sizes(self) -> [usize; 5] {
        let Self { a, outputs, batch, length } = self;
        [a * length * batch.max(outputs), a, outputs, batch, length]
    }

    fn forward(self, tokens: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<CudaStorage> {
        let rows = self.a * self.outputs;
        let mut logits = values(device(tokens)?, rows * self.batch)?;
        let (grid, scalars) = (Grid::of_warps(self.batch, rows), Scalars { sizes: &self.sizes(), numbers: &[] });
        let operands = [tokens, weight, bias];
        launch(device(tokens)?, (Source::Correlation, "classify"), grid, scalars, &operands, &mut [&mut logits])?;
        Ok(logits)
    }

    /// Gradients of tokens, weights and biases.
    fn backward(self, tokens: &Tensor, weight: &Tensor, d_logits: &Tensor) -> Result<[Tensor; 3]> {
        let (device, rows, count) = (device(tokens)?, self.a * self.outputs, tokens.elem_count());
        let sizes = self.sizes();
        let scalars = Scalars { sizes: &sizes, numbers: &[] };
        let mut d_weight = values(device, rows * self.length)?;
        let kernel = (Source::Correlation, "classify_weight_gradient");
        let grid = Grid::of_rows(self.length, rows);
        launch(device, kernel, grid, scalars, &[tokens, d_logits], &mut [&mut d_weight])?;
        let mut d_tokens = values(device, count)?;
        let kernel = (Source::Correlation, "classify_tokens_gradient");
        let sizes = [&[count], &sizes[1..]].concat();
        let scalars = Scalars { sizes: &sizes, numbers: &[] };
        launch(device, kernel, Grid::of_values(count), scalars, &[weight, d_logits], &mut [&mut d_tokens])?;
        let d_bias = row_sums(&d_logits.reshape((rows, self.batch))?)?;
        Ok([tensor(d_tokens, tokens.shape()), tensor(d_weight, weight.shape()), d_bias])
    }
}

/// [`CorrelationBlock::forward`](crate::nn::CorrelationBlock::forward) on a CUDA device, for nets whose nodes are the values
/// and that have at most [`MOST_NODES`] nodes.
pub(in crate::nn) fn correlation(
    sizes: NodeSizes,
    learned_or_fixed: &Edges,
    gated: &Tensor,
    p: &CorrelationParameters,
    precision: Precision,
) -> Result<CorrelationOutput> {
    let NodeSizes { a, g, batch, positions, .. } = sizes;
    let (gpu, count, length) = (device(gated)?, batch * a * positions * g, positions * g);
    let gated = gated.contiguous()?;
    let multiply = move |x: &Tensor, y: &Tensor| precision.product(x, y, Tensor::matmul);
    let maps = multiply(&p.weight.detach(), &gated.detach())?;
    let of_nodes = [count, a, g, batch, positions];
    let mut nodes = values(gpu, count)?;
    let scalars = Scalars { sizes: &of_nodes, numbers: &[] };
    let kernel = (Source::Correlation, "nodes");
    launch(gpu, kernel, Grid::of_values(count), scalars, &[&maps, &p.bias.detach()], &mut [&mut nodes])?;
    let nodes = tensor(nodes, (batch, a, length));
    let (weights, affinity, products) = match learned_or_fixed {
        Edges::Learned => {
            // The dot products are not scaled before the softmax, so they keep single precision.
            let (weights, sizes) = edges(&nodes.matmul(&nodes.transpose(1, 2)?)?)?;
            let affinity = weights.mean(0)?;
            (weights, affinity, Some(sizes))
        }
        Edges::Fixed(edges) => (edges.unsqueeze(0)?.broadcast_as((batch, a, a))?, edges.clone(), None),
    };
    let refined = weights.matmul(&nodes)?;
    let classifiers = Classifiers { a, outputs: p.out_weight.dim(1)?, batch, length };
    let shape = (a, classifiers.outputs, batch);
    let logits = classifiers.forward(&refined, &p.out_weight.detach(), &p.out_bias.detach())?;
    let parameters = [&p.weight, &p.bias, &p.out_weight, &p.out_bias];
    if !parameters.into_iter().chain([&gated]).any(Tensor::track_op) {
        return Ok(CorrelationOutput { logits: tensor(logits, shape), affinity: Some(affinity), products });
    }
    let (is_learned, has_input_gradient) = (products.is_some(), gated.track_op());
    let (weight, out_weight) = (p.weight.detach(), p.out_weight.detach());
    let operation = Computed::new("correlation", logits, shape, move |inputs, d_logits| {
        let gated = inputs[0];
        let [d_refined, d_out_weight, d_out_bias] = classifiers.backward(&refined, &out_weight, d_logits)?;
        let mut d_nodes = weights.transpose(1, 2)?.matmul(&d_refined)?;
        if is_learned {
            let d_weights = d_refined.matmul(&nodes.transpose(1, 2)?)?;
            d_nodes = (d_nodes + edges_gradient(&weights, &d_weights)?.matmul(&nodes)?)?;
        }
        let device = device(gated)?;
        let mut d_maps = values(device, count)?;
        let scalars = Scalars { sizes: &of_nodes, numbers: &[] };
        let kernel = (Source::Correlation, "nodes_gradient");
        launch(device, kernel, Grid::of_values(count), scalars, &[&d_nodes], &mut [&mut d_maps])?;
        let d_maps = tensor(d_maps, (a, g, batch * positions));
        let d_weight = multiply(&d_maps, &gated.transpose(1, 2)?)?;
        let d_bias = row_sums(&d_maps.reshape((a * g, batch * positions))?)?;
        let d_gated = if has_input_gradient { Some(multiply(&weight.transpose(1, 2)?, &d_maps)?) } else { None };
        let joined = |weight: &Tensor, bias: &Tensor| Tensor::cat(&[&weight.flatten_all()?, bias], 0).map(Some);
        Ok(vec![d_gated, joined(&d_weight, &d_bias)?, joined(&d_out_weight, &d_out_bias)?])
    });
    let (of_nodes, of_classifiers) = (pack_two(&p.weight, &p.bias)?, pack_two(&p.out_weight, &p.out_bias)?);
    let logits = gated.apply_op3(&of_nodes, &of_classifiers, operation)?;
    Ok(CorrelationOutput { logits, affinity: Some(affinity), products })
}
