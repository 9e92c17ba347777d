//! The trait of correlation nets, their input, and layers that several of them have.

use crate::attribute::COUNT;
use crate::model::architecture::Architecture;
use crate::model::backend::Backend;
use crate::model::init::{ZERO, glorot};
use crate::nn::CorrelationOutput;
use candle_core::{Device, Result, Tensor};
use candle_nn::VarBuilder;
use std::fmt::Debug;

/// The input of a correlation net, of one batch.
#[derive(Debug, Clone)]
pub struct NetInput {
    /// Gated branch features, `[40, c, batch * positions]`.
    pub gated: Tensor,
    /// The FLN's logits, `[40, 2, batch]`.
    pub logits: Tensor,
    /// The backbone's last map, `[channels, batch, side, side]`.
    pub map: Tensor,
    /// Labels that are given, one-hot as targets `[40, 2, batch]`, zeros for the others. `None` if none is.
    pub known: Option<Tensor>,
}

/// A correlation net. Its parameters are below `cln`.
pub trait CorrelationNet: Debug + Send + Sync {
    /// Logits and, if the net weighs attributes, the mean weights.
    fn forward(&self, input: &NetInput) -> Result<CorrelationOutput>;
}

/// The ingredients of a net.
pub(super) struct Builder<'a> {
    pub(super) architecture: &'a Architecture,
    pub(super) backend: Backend,
    /// Below `cln`.
    pub(super) vb: VarBuilder<'static>,
    pub(super) seed: u64,
    /// Positions of the backbone's last map.
    pub(super) positions: usize,
    pub(super) device: &'a Device,
}

/// A 1x1 convolution of each attribute's features to a node of `g * positions` values.
#[derive(Debug)]
pub(super) struct Nodes {
    backend: Backend,
    positions: usize,
    /// `[40, g, c]`.
    weight: Tensor,
    /// `[40, g]`.
    bias: Tensor,
}

impl Nodes {
    pub(super) fn new(builder: &Builder) -> Result<Self> {
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
    pub(super) fn forward(&self, gated: &Tensor) -> Result<Tensor> {
        self.backend.nodes(gated, &self.weight, &self.bias, self.positions)
    }
}

/// One classifier of two classes an attribute.
#[derive(Debug)]
pub(super) struct Classifiers {
    backend: Backend,
    /// `[40, 2, d]`.
    weight: Tensor,
    /// `[40, 2]`.
    bias: Tensor,
}

impl Classifiers {
    pub(super) fn new(builder: &Builder, width: usize) -> Result<Self> {
        let vb = builder.vb.pp("fc");
        Ok(Self {
            backend: builder.backend,
            weight: vb.get_with_hints((COUNT, 2, width), "weight", glorot(width, 2, 1.0))?,
            bias: vb.get_with_hints((COUNT, 2), "bias", ZERO)?,
        })
    }

    /// Logits `[40, 2, batch]` of tokens `[batch, 40, d]`.
    pub(super) fn forward(&self, tokens: &Tensor) -> Result<Tensor> {
        self.backend.classify(tokens, &self.weight, &self.bias)
    }
}

/// Logits `[40, 2, batch]` of scores `[40, batch]`: 0 for "no", the score for "yes".
pub(super) fn of_scores(scores: &Tensor) -> Result<Tensor> {
    Tensor::stack(&[&scores.zeros_like()?, scores], 1)
}
