//! A transformer encoder over one token an attribute, with normalization before each part (Xiong et al. 2020), as PyTorch's
//! `TransformerEncoderLayer` with `norm_first`, GELU and no dropout. A token is a projected node plus a trained embedding of
//! its attribute. With states, it has a third term, as in C-Tran (Lanchantin et al. 2021): that its label is not given, is
//! given as "no", or as "yes".
//!
//! Parameters: `node` as the paper's net; `project.{weight,bias}` `[128, d]`; `embedding` `[40, 128]`; with states
//! `states` `[3, 128]`; of each layer
//! `norm1`, `norm2`, `query`, `key`, `value`, `out`, `up`, `down`, below `layer1` and so on; `norm`; `fc` on 128 values.

use super::parts::{Builder, Classifiers, CorrelationNet, NetInput, Nodes};
use crate::attribute::COUNT;
use crate::model::Backend;
use crate::model::layers::{Attention, LayerNorm, LinearLayer};
use crate::nn::{Activation, CorrelationOutput};
use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{Init, VarBuilder};

/// Values of a token.
const WIDTH: usize = 128;
/// Hidden values of a token's own layers.
const HIDDEN: usize = 4 * WIDTH;
const HEADS: usize = 4;

#[derive(Debug)]
pub(super) struct Transformer {
    backend: Backend,
    nodes: Nodes,
    project: LinearLayer,
    embedding: Tensor,
    /// Not given, "no", "yes": `[3, width]`.
    states: Option<Tensor>,
    layers: Vec<Layer>,
    norm: LayerNorm,
    classifiers: Classifiers,
}

#[derive(Debug)]
struct Layer {
    norms: [LayerNorm; 2],
    attention: Attention,
    up: LinearLayer,
    down: LinearLayer,
}

impl Layer {
    fn new(vb: &VarBuilder) -> Result<Self> {
        let linear = |name: &str, inputs, outputs| LinearLayer::new(&vb.pp(name), inputs, outputs);
        Ok(Self {
            norms: [LayerNorm::new(&vb.pp("norm1"), WIDTH)?, LayerNorm::new(&vb.pp("norm2"), WIDTH)?],
            attention: Attention::new(vb, WIDTH, HEADS)?,
            up: linear("up", WIDTH, HIDDEN)?,
            down: linear("down", HIDDEN, WIDTH)?,
        })
    }

    /// Tokens `[batch * 40, width]`, and the mean attention.
    fn forward(&self, tokens: &Tensor, backend: Backend) -> Result<(Tensor, Tensor)> {
        let normed = self.norms[0].forward(tokens, backend)?.reshape(((), COUNT, WIDTH))?;
        let (read, weights) = self.attention.forward(&normed, &normed, backend)?;
        let tokens = (tokens + read)?;
        let hidden = self.up.activated(&self.norms[1].forward(&tokens, backend)?, Activation::Gelu, backend)?;
        Ok(((tokens + self.down.forward(&hidden, backend)?)?, weights))
    }
}

impl Transformer {
    pub(super) fn new(builder: &Builder, layers: usize, with_states: bool) -> Result<Self> {
        let (d, vb) = (builder.architecture.node_channels * builder.positions, &builder.vb);
        let small = Init::Uniform { lo: -0.02, up: 0.02 };
        Ok(Self {
            backend: builder.backend,
            nodes: Nodes::new(builder)?,
            project: LinearLayer::new(&vb.pp("project"), d, WIDTH)?,
            embedding: vb.get_with_hints((COUNT, WIDTH), "embedding", small)?,
            states: with_states.then(|| vb.get_with_hints((3, WIDTH), "states", small)).transpose()?,
            layers: (1..=layers).map(|i| Layer::new(&vb.pp(format!("layer{i}")))).collect::<Result<_>>()?,
            norm: LayerNorm::new(&vb.pp("norm"), WIDTH)?,
            classifiers: Classifiers::new(builder, WIDTH)?,
        })
    }
}

impl CorrelationNet for Transformer {
    fn forward(&self, input: &NetInput) -> Result<CorrelationOutput> {
        let nodes = self.nodes.forward(&input.gated)?;
        let (batch, _, d) = nodes.dims3()?;
        let projected = self.project.forward(&nodes.reshape((batch * COUNT, d))?, self.backend)?;
        let projected = projected.reshape((batch, COUNT, WIDTH))?;
        let mut tokens = projected.broadcast_add(&self.embedding)?.reshape((batch * COUNT, WIDTH))?;
        if let Some(states) = &self.states {
            tokens = (tokens + state_shares(input.known.as_ref(), batch, states.device())?.matmul(states)?)?;
        }
        let mut attention = Vec::new();
        for layer in &self.layers {
            let (next, weights) = layer.forward(&tokens, self.backend)?;
            attention.push(weights);
            tokens = next;
        }
        let tokens = self.norm.forward(&tokens, self.backend)?.reshape((batch, COUNT, WIDTH))?;
        let affinity = Some(Tensor::stack(&attention, 0)?.mean(0)?);
        Ok(CorrelationOutput { logits: self.classifiers.forward(&tokens)?, affinity, products: None })
    }
}

/// The share of each state in each token, `[batch * 40, 3]`, from the labels that are given.
fn state_shares(known: Option<&Tensor>, batch: usize, device: &Device) -> Result<Tensor> {
    let known = match known {
        Some(known) => known.permute((2, 0, 1))?.contiguous()?.reshape((batch * COUNT, 2))?,
        None => Tensor::zeros((batch * COUNT, 2), DType::F32, device)?,
    };
    let rest = known.sum_keepdim(1)?.affine(-1.0, 1.0)?;
    Tensor::cat(&[rest, known], 1)
}
