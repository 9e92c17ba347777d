//! Parts of attention over the attributes of each image.

use super::correlation::{Classifiers, NodeLayout, edges};
use super::launch::{Computed, Grid, Scalars, Source, device, launch, tensor, values};
use crate::nn::cpu::nodes::NodeSizes;
use candle_core::{CudaStorage, Result, Storage, Tensor};

/// A copy of a tensor's memory: candle's tensors do not give theirs away.
fn copied(tensor: &Tensor) -> Result<CudaStorage> {
    match &*tensor.storage_and_layout().0 {
        Storage::Cuda(storage) => candle_core::backend::BackendStorage::try_clone(storage, tensor.layout()),
        _ => candle_core::bail!("a CUDA operation received a tensor on the CPU"),
    }
}

/// `[batch, heads, tokens, d / heads]` of `[batch, tokens, d]`.
fn split(tokens: &Tensor, heads: usize) -> Result<Tensor> {
    let (batch, count, d) = tokens.dims3()?;
    match heads {
        1 => tokens.unsqueeze(1),
        _ => tokens.reshape((batch, count, heads, d / heads))?.transpose(1, 2)?.contiguous(),
    }
}

/// `[batch, tokens, d]` of `[batch, heads, tokens, d / heads]`.
fn merged(of_heads: &Tensor) -> Result<Tensor> {
    let (batch, heads, tokens, width) = of_heads.dims4()?;
    of_heads.transpose(1, 2)?.contiguous()?.reshape((batch, tokens, heads * width))
}

/// [`nodes`](crate::nn::nodes) on a CUDA device.
pub(in crate::nn) fn nodes(gated: &Tensor, weight: &Tensor, bias: &Tensor, sizes: NodeSizes) -> Result<Tensor> {
    let (layout, shape) = (NodeLayout { sizes, by_channel: true }, (sizes.batch, sizes.a, sizes.node()));
    let gated = gated.contiguous()?;
    let nodes = layout.forward(&weight.detach().matmul(&gated.detach())?, &bias.detach())?;
    let (has_input_gradient, of_bias) = (gated.track_op(), bias.shape().clone());
    let operation = Computed::new("nodes", nodes, shape, move |inputs, d_nodes| {
        let (d_maps, d_bias) = layout.backward(d_nodes)?;
        let d_weight = d_maps.matmul(&inputs[0].transpose(1, 2)?)?;
        let d_gated = if has_input_gradient { Some(inputs[1].transpose(1, 2)?.matmul(&d_maps)?) } else { None };
        Ok(vec![d_gated, Some(d_weight), Some(d_bias.reshape(&of_bias)?)])
    });
    gated.apply_op3(weight, bias, operation)
}

/// [`dot_products`](crate::nn::dot_products) on a CUDA device.
pub(in crate::nn) fn dot_products(queries: &Tensor, keys: &Tensor, heads: usize) -> Result<Tensor> {
    let (queries, keys) = (queries.contiguous()?, keys.contiguous()?);
    let scores = split(&queries.detach(), heads)?.matmul(&split(&keys.detach(), heads)?.transpose(2, 3)?)?;
    let operation = Computed::new("dot-products", copied(&scores)?, scores.shape(), move |inputs, d_scores| {
        let d_queries = merged(&d_scores.matmul(&split(inputs[1], heads)?)?)?;
        let d_keys = merged(&d_scores.transpose(2, 3)?.matmul(&split(inputs[0], heads)?)?)?;
        Ok(vec![Some(d_queries), Some(d_keys)])
    });
    queries.apply_op2(&keys, operation)
}

/// [`additive_scores`](crate::nn::additive_scores) on a CUDA device.
pub(in crate::nn) fn additive_scores(left: &Tensor, right: &Tensor, weight: &Tensor, heads: usize) -> Result<Tensor> {
    let ((batch, a, d), b) = (left.dims3()?, right.dim(1)?);
    let (left, right) = (left.contiguous()?, right.contiguous()?);
    let (device_of, count) = (device(&left)?, batch * heads * a * b);
    let most = count.max(batch * a.max(b) * d);
    let mut scores = values(device_of, count)?;
    let (kernel, operands) =
        ((Source::Correlation, "additive_scores"), [&left.detach(), &right.detach(), &weight.detach()]);
    let scalars = Scalars { sizes: &[most, heads, a, b, d], numbers: &[] };
    launch(device_of, kernel, Grid::of_warps(count, 1), scalars, &operands, &mut [&mut scores])?;
    let operation = Computed::new("additive-scores", scores, (batch, heads, a, b), move |inputs, d_scores| {
        let [left, right, weight] = [inputs[0], inputs[1], inputs[2]];
        // Tokens that attend, then those that are attended to.
        let gradient = |own: &Tensor, other: &Tensor, (a, b): (usize, usize), transposed: bool| -> Result<_> {
            let (device, count) = (device(own)?, batch * a * d);
            let (mut d_own, mut d_weight) = (values(device, count)?, values(device, count)?);
            let scalars = Scalars { sizes: &[count, heads, a, b, d, usize::from(transposed)], numbers: &[] };
            let kernel = (Source::Correlation, "additive_scores_gradient");
            let (operands, results) = ([own, other, weight, d_scores], &mut [&mut d_own, &mut d_weight]);
            launch(device, kernel, Grid::of_values(count), scalars, &operands, results)?;
            Ok((tensor(d_own, (batch, a, d)), tensor(d_weight, (batch * a, d))))
        };
        let (d_left, parts) = gradient(left, right, (a, b), false)?;
        let (d_right, _) = gradient(right, left, (b, a), true)?;
        let mut d_weight = values(device(left)?, d)?;
        let scalars = Scalars { sizes: &[batch * a * d, batch * a, d], numbers: &[] };
        let kernel = (Source::Correlation, "column_sums");
        launch(device(left)?, kernel, Grid::of_blocks(d, 1), scalars, &[&parts], &mut [&mut d_weight])?;
        Ok(vec![Some(d_left), Some(d_right), Some(tensor(d_weight, d))])
    });
    left.apply_op3(&right, weight, operation)
}

/// Values and weights of [`attend`](crate::nn::attend) on a CUDA device.
pub(in crate::nn) fn attend(scores: &Tensor, tokens: &Tensor, others: bool) -> Result<(Tensor, Tensor)> {
    let ((batch, heads, a, b), d) = (scores.dims4()?, tokens.dim(2)?);
    let (scores, tokens) = (scores.contiguous()?, tokens.contiguous()?);
    let weights = edges(&scores.detach().reshape((batch * heads, a, b))?, others)?.0;
    let mean = weights.mean(0)?;
    let weights = weights.reshape((batch, heads, a, b))?;
    let attended = merged(&weights.matmul(&split(&tokens.detach(), heads)?)?)?;
    let operation = Computed::new("attend", copied(&attended)?, (batch, a, d), move |inputs, gradient| {
        let (gradient, count) = (split(gradient, heads)?, batch * heads * a * b);
        let d_tokens = merged(&weights.transpose(2, 3)?.matmul(&gradient)?)?;
        let d_weights = gradient.matmul(&split(inputs[1], heads)?.transpose(2, 3)?)?;
        let mut d_scores = values(device(&weights)?, count)?;
        let scalars = Scalars { sizes: &[count, b], numbers: &[] };
        let (kernel, grid) = ((Source::Correlation, "softmax_gradient"), Grid::of_warps(batch * heads * a, 1));
        launch(device(&weights)?, kernel, grid, scalars, &[&weights, &d_weights], &mut [&mut d_scores])?;
        Ok(vec![Some(tensor(d_scores, (batch, heads, a, b))), Some(d_tokens)])
    });
    Ok((scores.apply_op2(&tokens, operation)?, mean))
}

/// [`classify`](crate::nn::classify) on a CUDA device.
pub(in crate::nn) fn classify(tokens: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    let ((batch, a, length), outputs) = (tokens.dims3()?, weight.dim(1)?);
    let (tokens, classifiers) = (tokens.contiguous()?, Classifiers { a, outputs, batch, length });
    let logits = classifiers.forward(&tokens.detach(), &weight.detach(), &bias.detach())?;
    let of_bias = bias.shape().clone();
    let operation = Computed::new("classify", logits, (a, outputs, batch), move |inputs, d_logits| {
        let [d_tokens, d_weight, d_bias] = classifiers.backward(inputs[0], inputs[1], d_logits)?;
        Ok(vec![Some(d_tokens), Some(d_weight), Some(d_bias.reshape(&of_bias)?)])
    });
    tokens.apply_op3(weight, bias, operation)
}
