//! Correlation learning nets: from the feature learning net's outputs to logits that depend on all attributes. Each kind of
//! net is one file. Inputs without a gradient stop a net's own there, as in the paper.

mod dot_product;
mod gat;
mod graph_attention;
mod label_graph;
mod scores;
mod transformer;

use super::architecture::Architecture;
use super::backend::Backend;
use super::init::glorot;
use crate::attribute::COUNT;
use crate::nn::{CorrelationOutput, Parameters};
use crate::variant::Net;
use candle_core::{Device, Result, Tensor};
use candle_nn::{Init, VarBuilder};
use std::fmt::Debug;

pub use label_graph::LabelCounts;

/// What a correlation net reads of a batch.
#[derive(Debug, Clone)]
pub struct NetInput {
    /// Gated branch features, `[40, c, batch * positions]`.
    pub gated: Tensor,
    /// The FLN's logits, `[40, 2, batch]`.
    pub logits: Tensor,
    /// The backbone's last map, `[channels, batch, side, side]`.
    pub map: Tensor,
}

/// A correlation net. Its parameters are below `cln`.
pub trait CorrelationNet: Debug + Send + Sync {
    /// Logits and, if the net weighs attributes, the mean weights.
    fn forward(&self, input: &NetInput) -> Result<CorrelationOutput>;
}

/// What a net is built from.
struct Builder<'a> {
    architecture: &'a Architecture,
    backend: Backend,
    /// Below `cln`.
    vb: VarBuilder<'static>,
    seed: u64,
    /// Positions of the backbone's last map.
    positions: usize,
    device: &'a Device,
}

/// Builds the net `kind` on `parameters` under the prefix `cln`. Their seed also draws the groups of a random affinity.
pub fn correlation_net(
    kind: Net,
    architecture: &Architecture,
    backend: Backend,
    parameters: &Parameters,
    device: &Device,
) -> Result<Box<dyn CorrelationNet>> {
    let side = architecture.map_size().map_err(candle_core::Error::Msg)?;
    let vb = parameters.builder(device).pp("cln");
    let builder = Builder { architecture, backend, vb, seed: parameters.seed(), positions: side * side, device };
    Ok(match kind {
        Net::GraphAttention(affinity, layout) => {
            Box::new(graph_attention::GraphAttention::new(&builder, affinity, layout)?)
        }
        Net::DotProduct(scale) => Box::new(dot_product::DotProduct::new(&builder, Some(scale))?),
        Net::Others => Box::new(dot_product::DotProduct::new(&builder, None)?),
        Net::Gat(version) => Box::new(gat::GraphAttentionLayer::new(&builder, version)?),
        Net::Transformer(layers) => Box::new(transformer::Transformer::new(&builder, layers)?),
        Net::Aux => Box::new(scores::Aux::new(&builder)?),
        Net::Linear => Box::new(scores::Linear::new(&builder)?),
        Net::MlGcn => Box::new(label_graph::MlGcn::new(&builder)?),
    })
}

/// Returns whether a tensor of a network is computed from the training labels before training, and kept.
pub fn is_label_graph(name: &str) -> bool {
    name.ends_with(".edges")
}

const ZERO: Init = Init::Const(0.0);
const ONE: Init = Init::Const(1.0);

/// A 1x1 convolution of each attribute's features to a node of `g * positions` values.
#[derive(Debug)]
struct Nodes {
    backend: Backend,
    positions: usize,
    /// `[40, g, c]`.
    weight: Tensor,
    /// `[40, g]`.
    bias: Tensor,
}

impl Nodes {
    fn new(builder: &Builder) -> Result<Self> {
        let (node, branch) = (builder.architecture.node_channels, builder.architecture.branch_channels);
        let (vb, gain) = (builder.vb.pp("node"), builder.architecture.node_gain);
        Ok(Self {
            backend: builder.backend,
            positions: builder.positions,
            weight: vb.get_with_hints((COUNT, node, branch), "weight", glorot(branch, node, gain))?,
            bias: vb.get_with_hints((COUNT, node), "bias", ZERO)?,
        })
    }

    /// Nodes `[batch, 40, g * positions]`, ordered by channel.
    fn forward(&self, gated: &Tensor) -> Result<Tensor> {
        self.backend.nodes(gated, &self.weight, &self.bias, self.positions)
    }
}

/// One classifier of two classes an attribute.
#[derive(Debug)]
struct Classifiers {
    backend: Backend,
    /// `[40, 2, d]`.
    weight: Tensor,
    /// `[40, 2]`.
    bias: Tensor,
}

impl Classifiers {
    fn new(builder: &Builder, width: usize) -> Result<Self> {
        let vb = builder.vb.pp("fc");
        Ok(Self {
            backend: builder.backend,
            weight: vb.get_with_hints((COUNT, 2, width), "weight", glorot(width, 2, 1.0))?,
            bias: vb.get_with_hints((COUNT, 2), "bias", ZERO)?,
        })
    }

    /// Logits `[40, 2, batch]` of tokens `[batch, 40, d]`.
    fn forward(&self, tokens: &Tensor) -> Result<Tensor> {
        self.backend.classify(tokens, &self.weight, &self.bias)
    }
}

/// A linear layer of the last axis, `y = x w + b`, as PyTorch's.
#[derive(Debug)]
struct LinearLayer {
    /// `[outputs, inputs]`.
    weight: Tensor,
    bias: Option<Tensor>,
}

impl LinearLayer {
    fn new(vb: &VarBuilder, inputs: usize, outputs: usize, bias: bool) -> Result<Self> {
        Ok(Self {
            weight: vb.get_with_hints((outputs, inputs), "weight", glorot(inputs, outputs, 1.0))?,
            bias: bias.then(|| vb.get_with_hints(outputs, "bias", ZERO)).transpose()?,
        })
    }

    /// `[n, outputs]` of `[n, inputs]`.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = x.matmul(&self.weight.t()?)?;
        self.bias.as_ref().map_or(Ok(y.clone()), |bias| y.broadcast_add(bias))
    }
}

/// Logits `[40, 2, batch]` of scores `[40, batch]`: 0 for "no", the score for "yes".
fn of_scores(scores: &Tensor) -> Result<Tensor> {
    Tensor::stack(&[&scores.zeros_like()?, scores], 1)
}
