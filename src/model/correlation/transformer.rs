//! A transformer encoder over one token an attribute, with normalization before each part (Xiong et al. 2020), as PyTorch's
//! `TransformerEncoderLayer` with `norm_first`, GELU and no dropout. A token is a projected node plus a trained embedding of
//! its attribute.
//!
//! Parameters: `node` as the paper's net; `project.{weight,bias}` `[128, d]`; `embedding` `[40, 128]`; of each layer
//! `norm1`, `norm2`, `query`, `key`, `value`, `out`, `up`, `down`, below `layer1` and so on; `norm`; `fc` on 128 values.

use super::parts::{Builder, Classifiers, CorrelationNet, LinearLayer, NetInput, Nodes, ONE, ZERO};
use crate::attribute::COUNT;
use crate::model::Backend;
use crate::nn::{Attended, CorrelationOutput};
use candle_core::{D, Result, Tensor};
use candle_nn::{Init, VarBuilder};

/// Values of a token.
const WIDTH: usize = 128;
/// Hidden values of a token's own layers.
const HIDDEN: usize = 4 * WIDTH;
const HEADS: usize = 4;
const EPS: f64 = 1e-5;

#[derive(Debug)]
pub(super) struct Transformer {
    backend: Backend,
    nodes: Nodes,
    project: LinearLayer,
    embedding: Tensor,
    layers: Vec<Layer>,
    norm: LayerNorm,
    classifiers: Classifiers,
}

#[derive(Debug)]
struct Layer {
    norms: [LayerNorm; 2],
    query: LinearLayer,
    key: LinearLayer,
    value: LinearLayer,
    out: LinearLayer,
    up: LinearLayer,
    down: LinearLayer,
}

/// Normalization of each token.
#[derive(Debug)]
struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
}

impl LayerNorm {
    fn new(vb: &VarBuilder) -> Result<Self> {
        Ok(Self { weight: vb.get_with_hints(WIDTH, "weight", ONE)?, bias: vb.get_with_hints(WIDTH, "bias", ZERO)? })
    }

    /// candle-nn's own fused operation has no gradient.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
        let deviation = (centred.sqr()?.mean_keepdim(D::Minus1)? + EPS)?.sqrt()?;
        centred.broadcast_div(&deviation)?.broadcast_mul(&self.weight)?.broadcast_add(&self.bias)
    }
}

impl Layer {
    fn new(vb: &VarBuilder) -> Result<Self> {
        let linear = |name: &str, inputs, outputs| LinearLayer::new(&vb.pp(name), inputs, outputs, true);
        Ok(Self {
            norms: [LayerNorm::new(&vb.pp("norm1"))?, LayerNorm::new(&vb.pp("norm2"))?],
            query: linear("query", WIDTH, WIDTH)?,
            key: linear("key", WIDTH, WIDTH)?,
            value: linear("value", WIDTH, WIDTH)?,
            out: linear("out", WIDTH, WIDTH)?,
            up: linear("up", WIDTH, HIDDEN)?,
            down: linear("down", HIDDEN, WIDTH)?,
        })
    }

    /// Tokens `[batch * 40, width]`, and the mean attention.
    fn forward(&self, tokens: &Tensor, backend: Backend) -> Result<(Tensor, Tensor)> {
        let batch = tokens.dim(0)? / COUNT;
        let normed = self.norms[0].forward(tokens)?;
        let linear = |layer: &LinearLayer| layer.forward(&normed)?.reshape((batch, COUNT, WIDTH));
        let queries = (linear(&self.query)? / ((WIDTH / HEADS) as f64).sqrt())?;
        let scores = backend.dot_products(&queries, &linear(&self.key)?, HEADS)?;
        let Attended { values, weights } = backend.attend(&scores, &linear(&self.value)?, false)?;
        let tokens = (tokens + self.out.forward(&values.reshape((batch * COUNT, WIDTH))?)?)?;
        let hidden = self.up.forward(&self.norms[1].forward(&tokens)?)?.gelu_erf()?;
        Ok(((tokens + self.down.forward(&hidden)?)?, weights))
    }
}

impl Transformer {
    pub(super) fn new(builder: &Builder, layers: usize) -> Result<Self> {
        let (d, vb) = (builder.architecture.node_channels * builder.positions, &builder.vb);
        Ok(Self {
            backend: builder.backend,
            nodes: Nodes::new(builder)?,
            project: LinearLayer::new(&vb.pp("project"), d, WIDTH, true)?,
            embedding: vb.get_with_hints((COUNT, WIDTH), "embedding", Init::Uniform { lo: -0.02, up: 0.02 })?,
            layers: (1..=layers).map(|i| Layer::new(&vb.pp(format!("layer{i}")))).collect::<Result<_>>()?,
            norm: LayerNorm::new(&vb.pp("norm"))?,
            classifiers: Classifiers::new(builder, WIDTH)?,
        })
    }
}

impl CorrelationNet for Transformer {
    fn forward(&self, input: &NetInput) -> Result<CorrelationOutput> {
        let nodes = self.nodes.forward(&input.gated)?;
        let (batch, _, d) = nodes.dims3()?;
        let projected = self.project.forward(&nodes.reshape((batch * COUNT, d))?)?.reshape((batch, COUNT, WIDTH))?;
        let mut tokens = projected.broadcast_add(&self.embedding)?.reshape((batch * COUNT, WIDTH))?;
        let mut attention = Vec::new();
        for layer in &self.layers {
            let (next, weights) = layer.forward(&tokens, self.backend)?;
            attention.push(weights);
            tokens = next;
        }
        let tokens = self.norm.forward(&tokens)?.reshape((batch, COUNT, WIDTH))?;
        let affinity = Some(Tensor::stack(&attention, 0)?.mean(0)?);
        Ok(CorrelationOutput { logits: self.classifiers.forward(&tokens)?, affinity, products: None })
    }
}
