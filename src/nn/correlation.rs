//! A correlation net from features to logits as one operation. A 1x1 convolution maps each attribute's features to a node,
//! edges weigh the nodes, and a linear layer classifies each weighted mean. One attention head, without scaling: learned
//! edges are the softmax of a node's dot products with all nodes (the paper's equations 5 to 7).

use super::correlation_data::{CorrelationOutput, CorrelationParameters, Edges};
use super::cpu::correlation::{CorrelationOp, SavedForBackward};
use super::cpu::nodes::NodeSizes;
use super::cpu::simd;
use super::linear::batched_linear_reference;
use super::precision::Precision;
use super::storage;
use candle_core::{D, DType, Device, Result, Tensor, bail};
use std::sync::{Arc, Mutex};

/// The fixed part of a correlation net.
#[derive(Debug, Clone)]
pub struct CorrelationBlock {
    /// Positions of the features' map.
    pub positions: usize,
    /// The weights between nodes.
    pub edges: Edges,
    /// Channel of the values that the edges weigh, `[a * g]`: row `j * g + k` names the channel, counted over all nodes side by
    /// side, that is channel `k` of value `j`. `None` if the values are the nodes.
    pub rows: Option<Vec<usize>>,
}

impl CorrelationBlock {
    /// Computes the net on features `[a, c, batch * positions]`.
    pub fn forward(&self, gated: &Tensor, p: &CorrelationParameters) -> Result<CorrelationOutput> {
        #[cfg(feature = "cuda")]
        if self.has_kernels(gated) {
            return super::cuda::correlation(self.sizes(gated, p)?.0, &self.edges, gated, p, Precision::Single);
        }
        if !gated.device().is_cpu() {
            return self.forward_reference(gated, p, Precision::Single);
        }
        let (sizes, outputs) = self.sizes(gated, p)?;
        let fixed = match &self.edges {
            Edges::Learned => None,
            Edges::Fixed(edges) => Some(edges.flatten_all()?.to_vec1::<f32>()?),
        };
        let saved = Arc::new(Mutex::new(SavedForBackward::default()));
        let op = CorrelationOp { sizes, outputs, fixed: fixed.clone(), rows: self.rows.clone(), saved: saved.clone() };
        let packed = [&p.weight, &p.bias, &p.out_weight, &p.out_bias].map(Tensor::flatten_all);
        let packed = Tensor::cat(&packed.into_iter().collect::<Result<Vec<_>>>()?, 0)?;
        let logits = gated.contiguous()?.apply_op2(&packed, op)?;
        let NodeSizes { a, batch, .. } = sizes;
        let saved = storage::lock(&saved)?;
        let share = 1.0 / batch as f32;
        let mut mean = vec![0.0; a * a];
        saved.weights.chunks_exact(a * a).for_each(|weights| simd::add_scaled(&mut mean, weights, share));
        let mut products = [0.0; 2];
        saved.products.iter().for_each(|image| simd::add_scaled(&mut products, image, share));
        let products = fixed.is_none().then(|| Tensor::new(&products, &Device::Cpu)).transpose()?;
        let affinity = Some(Tensor::from_vec(fixed.unwrap_or(mean), (a, a), &Device::Cpu)?);
        Ok(CorrelationOutput { logits, affinity, products })
    }

    /// [`CorrelationBlock::forward`] from candle's own operations, on any device. The dot products are not scaled before the
    /// softmax, so they keep single precision. A CUDA device computes bf16 with our kernels.
    pub fn forward_reference(
        &self,
        gated: &Tensor,
        p: &CorrelationParameters,
        precision: Precision,
    ) -> Result<CorrelationOutput> {
        let (sizes, _) = self.sizes(gated, p)?;
        #[cfg(feature = "cuda")]
        if precision == Precision::Bf16 && self.has_kernels(gated) {
            return super::cuda::correlation(sizes, &self.edges, gated, p, precision);
        }
        let NodeSizes { a, g, batch, positions, .. } = sizes;
        let nodes =
            batched_linear_reference(&p.weight, gated, Some(&p.bias), precision)?.reshape((a * g, batch, positions))?;
        let flat = |nodes: &Tensor| {
            let nodes = nodes.reshape((a, g, batch, positions))?.permute((2, 0, 3, 1))?.contiguous()?;
            nodes.reshape((batch, a, positions * g))
        };
        let values = match &self.rows {
            None => flat(&nodes)?,
            Some(rows) => {
                let rows: Vec<u32> = rows.iter().map(|row| *row as u32).collect();
                flat(&nodes.index_select(&Tensor::new(rows, nodes.device())?, 0)?)?
            }
        };
        let (refined, affinity, products) = match &self.edges {
            Edges::Learned => {
                let nodes = flat(&nodes)?;
                let scores = nodes.matmul(&nodes.transpose(1, 2)?.contiguous()?)?;
                let weights = candle_nn::ops::softmax(&scores, D::Minus1)?;
                (weights.matmul(&values)?, weights.detach().mean(0)?, Some(product_sizes(&scores.detach())?))
            }
            Edges::Fixed(edges) => (edges.unsqueeze(0)?.broadcast_matmul(&values)?, edges.clone(), None),
        };
        let refined = refined.permute((1, 2, 0))?.contiguous()?;
        let logits = batched_linear_reference(&p.out_weight, &refined, Some(&p.out_bias), precision)?;
        Ok(CorrelationOutput { logits, affinity: Some(affinity), products })
    }

    /// The CUDA kernels take nodes as the values.
    #[cfg(feature = "cuda")]
    fn has_kernels(&self, gated: &Tensor) -> bool {
        gated.device().is_cuda() && self.rows.is_none() && gated.dims()[0] <= super::cuda::MOST_SCORES
    }

    /// The sizes of the nodes, and the outputs of a classifier.
    fn sizes(&self, gated: &Tensor, p: &CorrelationParameters) -> Result<(NodeSizes, usize)> {
        let ((a, g, c), (_, outputs, node)) = (p.weight.dims3()?, p.out_weight.dims3()?);
        let n = gated.dim(2)?;
        if gated.dims() != [a, c, n] || node != g * self.positions || n % self.positions != 0 {
            bail!(
                "a correlation net of weights {:?} and {:?} on {:?}",
                p.weight.shape(),
                p.out_weight.shape(),
                gated.shape()
            )
        }
        if let Edges::Fixed(edges) = &self.edges
            && edges.dims() != [a, a]
        {
            bail!("fixed edges {:?} for {a} nodes", edges.shape())
        }
        Ok((NodeSizes { a, g, c, batch: n / self.positions, positions: self.positions }, outputs))
    }
}

/// Mean over batch and rows of the diagonal of scores `[batch, a, a]`, and of the largest other value of a row: `[2]`.
pub fn product_sizes(scores: &Tensor) -> Result<Tensor> {
    let (batch, a, _) = scores.dims3()?;
    #[cfg(feature = "cuda")]
    if scores.device().is_cuda() && a <= super::cuda::MOST_SCORES {
        return super::cuda::product_sizes(scores);
    }
    let diagonal = Tensor::eye(a, DType::F32, scores.device())?;
    let own = (scores.broadcast_mul(&diagonal)?.sum_all()? / (batch * a) as f64)?;
    let others = scores.broadcast_sub(&(diagonal * 1e30)?)?.max(D::Minus1)?.mean_all()?;
    Tensor::stack(&[own, others], 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Var;

    fn draw(shape: &[usize]) -> Var {
        Var::from_tensor(&Tensor::rand(-0.7_f32, 0.7, shape, &Device::Cpu).unwrap()).unwrap()
    }

    #[test]
    fn both_backends_agree_for_all_edges_and_values() {
        let (a, g, c, positions, batch) = (5, 3, 7, 4, 6);
        let fixed = Edges::Fixed(draw(&[a, a]).as_detached_tensor());
        let others = Some((0..a * g).map(|row| row * 7 % (a * g)).collect::<Vec<_>>());
        let inputs = [&[a, c, batch * positions] as &[usize], &[a, g, c], &[a, g], &[a, 2, positions * g], &[a, 2]];
        let inputs = inputs.map(draw);
        let [gated, weight, bias, out_weight, out_bias] = inputs.clone().map(|input| input.as_tensor().clone());
        let p = CorrelationParameters { weight, bias, out_weight, out_bias };
        let pull = draw(&[a, 2, batch]).as_detached_tensor();
        for (edges, rows) in
            [(Edges::Learned, None), (Edges::Learned, others.clone()), (fixed.clone(), None), (fixed, others)]
        {
            let block = CorrelationBlock { positions, edges, rows };
            let of = |output: Result<CorrelationOutput>| {
                let output = output.unwrap();
                let gradients = (&output.logits * &pull).unwrap().sum_all().unwrap().backward().unwrap();
                let gradients = inputs.iter().map(|input| gradients.get(input).unwrap().clone());
                let tensors =
                    [output.logits].into_iter().chain(output.affinity).chain(output.products).chain(gradients);
                tensors.map(|tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap()).collect::<Vec<_>>()
            };
            let native = of(block.forward(&gated, &p));
            let reference = of(block.forward_reference(&gated, &p, Precision::Single));
            assert_eq!(native.len(), reference.len());
            for (native, reference) in native.iter().zip(&reference) {
                assert!(native.iter().zip(reference).all(|(a, b)| (a - b).abs() < 1e-4), "{native:?} {reference:?}");
            }
        }
    }
}
