//! A correlation net from features to logits.

use super::launch::{Computed, Grid, Scalars, Source, device, launch, tensor, values};
use super::update::pack;
use crate::nn::correlation_data::{CorrelationOutput, CorrelationParameters, Edges};
use crate::nn::cpu::nodes::NodeSizes;
use crate::nn::precision::Precision;
use candle_core::cuda::CudaStorage;
use candle_core::{Result, Tensor};

/// Most scores of a row that the kernels take, as in `correlation.cu`.
pub(in crate::nn) const MOST_SCORES: usize = 64;

/// Sums of rows `[rows, n]`.
pub(super) fn row_sums(x: &Tensor) -> Result<Tensor> {
    let (rows, n) = x.dims2()?;
    let mut sums = values(device(x)?, rows)?;
    let scalars = Scalars { sizes: &[rows * n, n], numbers: &[] };
    let kernel = (Source::Correlation, "row_sums");
    launch(device(x)?, kernel, Grid::of_blocks(rows, 1), scalars, &[x], &mut [&mut sums])?;
    Ok(tensor(sums, rows))
}

/// Softmax of each row of the matrices `scores` `[matrices, a, b]`, and the sizes of scores, `[2, matrices * a]`. With
/// `others`, no row has a weight on itself.
pub(super) fn edges(scores: &Tensor, others: bool) -> Result<(Tensor, Tensor)> {
    let ((matrices, a, b), device) = (scores.dims3()?, device(scores)?);
    let (mut weights, mut sizes) = (values(device, matrices * a * b)?, values(device, 2 * matrices * a)?);
    let scalars = Scalars { sizes: &[matrices * a * b.max(2), a, b, usize::from(others)], numbers: &[] };
    let (kernel, results) = ((Source::Correlation, "edges"), &mut [&mut weights, &mut sizes]);
    launch(device, kernel, Grid::of_warps(matrices * a, 1), scalars, &[scores], results)?;
    Ok((tensor(weights, scores.shape()), tensor(sizes, (2, matrices * a))))
}

/// Means over rows of the sizes of [`edges`], `[2]`.
fn mean_sizes(sizes: &Tensor) -> Result<Tensor> {
    row_sums(sizes)? / sizes.dim(1)? as f64
}

/// [`product_sizes`](crate::nn::product_sizes) on a CUDA device.
pub(in crate::nn) fn product_sizes(scores: &Tensor) -> Result<Tensor> {
    mean_sizes(&edges(&scores.detach().contiguous()?, false)?.1)
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

/// The nodes of a convolution's output.
#[derive(Debug, Clone, Copy)]
pub(super) struct NodeLayout {
    pub(super) sizes: NodeSizes,
    pub(super) by_channel: bool,
}

impl NodeLayout {
    fn scalars(self) -> [usize; 6] {
        let NodeSizes { a, g, batch, positions, .. } = self.sizes;
        [a * g * batch * positions, a, g, batch, positions, usize::from(self.by_channel)]
    }

    /// Nodes `[batch, a, g * positions]` of maps `[a, g, batch * positions]` and `bias` `[a, g]`.
    pub(super) fn forward(self, maps: &Tensor, bias: &Tensor) -> Result<CudaStorage> {
        let (device, sizes) = (device(maps)?, self.scalars());
        let mut nodes = values(device, sizes[0])?;
        let (kernel, scalars) = ((Source::Correlation, "nodes"), Scalars { sizes: &sizes, numbers: &[] });
        launch(device, kernel, Grid::of_values(sizes[0]), scalars, &[maps, bias], &mut [&mut nodes])?;
        Ok(nodes)
    }

    /// Gradients of maps and bias.
    pub(super) fn backward(self, d_nodes: &Tensor) -> Result<(Tensor, Tensor)> {
        let (device, sizes) = (device(d_nodes)?, self.scalars());
        let mut d_maps = values(device, sizes[0])?;
        let (kernel, scalars) = ((Source::Correlation, "nodes_gradient"), Scalars { sizes: &sizes, numbers: &[] });
        launch(device, kernel, Grid::of_values(sizes[0]), scalars, &[d_nodes], &mut [&mut d_maps])?;
        let NodeSizes { a, g, batch, positions, .. } = self.sizes;
        let d_maps = tensor(d_maps, (a * g, batch * positions));
        let d_bias = row_sums(&d_maps)?;
        Ok((d_maps.reshape((a, g, batch * positions))?, d_bias))
    }
}

/// Classifiers of tokens `[batch, a, length]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Classifiers {
    pub(super) a: usize,
    pub(super) outputs: usize,
    pub(super) batch: usize,
    pub(super) length: usize,
}

impl Classifiers {
    fn sizes(self) -> [usize; 5] {
        let Self { a, outputs, batch, length } = self;
        [a * length * batch.max(outputs), a, outputs, batch, length]
    }

    pub(super) fn forward(self, tokens: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<CudaStorage> {
        let rows = self.a * self.outputs;
        let mut logits = values(device(tokens)?, rows * self.batch)?;
        let (grid, scalars) = (Grid::of_warps(self.batch, rows), Scalars { sizes: &self.sizes(), numbers: &[] });
        let operands = [tokens, weight, bias];
        launch(device(tokens)?, (Source::Correlation, "classify"), grid, scalars, &operands, &mut [&mut logits])?;
        Ok(logits)
    }

    /// Gradients of tokens, weights and biases.
    pub(super) fn backward(self, tokens: &Tensor, weight: &Tensor, d_logits: &Tensor) -> Result<[Tensor; 3]> {
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
/// and that have at most [`MOST_SCORES`] nodes.
pub(in crate::nn) fn correlation(
    sizes: NodeSizes,
    learned_or_fixed: &Edges,
    gated: &Tensor,
    p: &CorrelationParameters,
    precision: Precision,
) -> Result<CorrelationOutput> {
    let NodeSizes { a, g, batch, positions, .. } = sizes;
    let (layout, length) = (NodeLayout { sizes, by_channel: false }, positions * g);
    let gated = gated.contiguous()?;
    let multiply = move |x: &Tensor, y: &Tensor| precision.product(x, y, Tensor::matmul);
    let maps = multiply(&p.weight.detach(), &gated.detach())?;
    let nodes = tensor(layout.forward(&maps, &p.bias.detach())?, (batch, a, length));
    let (weights, affinity, products) = match learned_or_fixed {
        Edges::Learned => {
            // The dot products are not scaled before the softmax, so they keep single precision.
            let (weights, sizes) = edges(&nodes.matmul(&nodes.transpose(1, 2)?)?, false)?;
            let affinity = weights.mean(0)?;
            (weights, affinity, Some(mean_sizes(&sizes)?))
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
        let (d_maps, d_bias) = layout.backward(&d_nodes)?;
        let d_weight = multiply(&d_maps, &gated.transpose(1, 2)?)?;
        let d_gated = if has_input_gradient { Some(multiply(&weight.transpose(1, 2)?, &d_maps)?) } else { None };
        let joined = |weight: &Tensor, bias: &Tensor| Tensor::cat(&[&weight.flatten_all()?, bias], 0).map(Some);
        Ok(vec![d_gated, joined(&d_weight, &d_bias)?, joined(&d_out_weight, &d_out_bias)?])
    });
    let (of_nodes, of_classifiers) = (pack(&[&p.weight, &p.bias])?, pack(&[&p.out_weight, &p.out_bias])?);
    let logits = gated.apply_op3(&of_nodes, &of_classifiers, operation)?;
    Ok(CorrelationOutput { logits, affinity: Some(affinity), products })
}
