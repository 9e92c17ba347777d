//! The correlation learning net (paper, section 3.3): one node an attribute, made from that branch's features, refined
//! by graph attention and classified anew. Its input carries no gradient: the feature learning net never feels it.
//!
//! Parameters: `node.weight` `[40, g, c]`, `node.bias` `[40, g]`, `fc.weight` `[40, 2, g * positions]`, `fc.bias`
//! `[40, 2]`. A node's vector holds its `g` channels side by side for each position of the map in turn.

use super::{Affinity, Architecture, Path, glorot, group_prior};
use crate::attribute::COUNT;
use crate::nn::{Edges, Parameters, batched_linear, batched_linear_plain, graph_attention, graph_attention_plain};
use candle_core::{Device, Result, Tensor};
use candle_nn::Init;

/// The correlation learning net.
#[derive(Debug)]
pub struct CorrelationNet {
    path: Path,
    positions: usize,
    edges: Edges,
    node: (Tensor, Tensor),
    classifier: (Tensor, Tensor),
}

/// What the correlation net gives for a batch.
#[derive(Debug)]
pub struct CorrelationOutput {
    /// `[40, 2, batch]`; class 1 is "has the attribute".
    pub logits: Tensor,
    /// Weights between attributes, rows summing to 1, averaged over the batch: `[40, 40]`.
    pub affinity: Tensor,
}

impl CorrelationNet {
    /// Builds the net on `parameters`, under the prefix `cln`.
    pub fn new(
        architecture: &Architecture,
        affinity: Affinity,
        path: Path,
        parameters: &Parameters,
        device: &Device,
    ) -> Result<Self> {
        let vb = parameters.builder(device).pp("cln");
        let (node, branch) = (architecture.node, architecture.branch);
        let side = architecture.map().map_err(candle_core::Error::Msg)?;
        let features = node * side * side;
        let edges = match affinity {
            Affinity::Learned => Edges::Learned,
            Affinity::Groups => Edges::Fixed(Tensor::from_vec(group_prior(), (COUNT, COUNT), device)?),
        };
        let zero = Init::Const(0.0);
        Ok(Self {
            path,
            positions: side * side,
            edges,
            node: (
                vb.pp("node").get_with_hints((COUNT, node, branch), "weight", glorot(branch, node))?,
                vb.pp("node").get_with_hints((COUNT, node), "bias", zero)?,
            ),
            classifier: (
                vb.pp("fc").get_with_hints((COUNT, 2, features), "weight", glorot(features, 2))?,
                vb.pp("fc").get_with_hints((COUNT, 2), "bias", zero)?,
            ),
        })
    }

    /// From the trunk's gated features, `[40, c, batch * positions]`.
    pub fn forward(&self, gated: &Tensor) -> Result<CorrelationOutput> {
        type Linear = fn(&Tensor, &Tensor, Option<&Tensor>) -> Result<Tensor>;
        type Attention = fn(&Tensor, &Edges) -> Result<(Tensor, Tensor)>;
        let (linear, attention): (Linear, Attention) = match self.path {
            Path::Fast => (batched_linear, graph_attention),
            Path::Plain => (batched_linear_plain, graph_attention_plain),
        };
        let nodes = linear(&self.node.0, &gated.detach(), Some(&self.node.1))?;
        let (count, channels, n) = nodes.dims3()?;
        let batch = n / self.positions;
        let nodes = nodes
            .reshape((count, channels, batch, self.positions))?
            .permute((2, 0, 3, 1))?
            .contiguous()?
            .reshape((batch, count, self.positions * channels))?;
        let (refined, affinity) = attention(&nodes, &self.edges)?;
        let refined = refined.permute((1, 2, 0))?.contiguous()?;
        Ok(CorrelationOutput { logits: linear(&self.classifier.0, &refined, Some(&self.classifier.1))?, affinity })
    }
}
