//! Correlation learning net (paper, section 3.3). It maps each branch's features to one node, refines the nodes by graph
//! attention, and classifies them. Its gradient stops at the features.
//!
//! Parameters: `node.weight` `[40, g, c]`, `node.bias` `[40, g]`, `fc.weight` `[40, 2, g * positions]`, `fc.bias`
//! `[40, 2]`. A node's vector holds the `g` channels of the first position, then those of the next.

use super::architecture::Architecture;
use super::backend::Backend;
use super::init::glorot;
use crate::attribute::COUNT;
use crate::nn::{Edges, Parameters, graph_attention, graph_attention_reference};
use crate::variant::{Affinity, NodeLayout};
use candle_core::{Device, Result, Tensor};
use candle_nn::Init;

/// The correlation learning net.
#[derive(Debug)]
pub struct CorrelationNet {
    backend: Backend,
    positions: usize,
    edges: Edges,
    layout: NodeLayout,
    node: (Tensor, Tensor),
    classifier: (Tensor, Tensor),
}

/// Output of the correlation net for a batch.
#[derive(Debug)]
pub struct CorrelationOutput {
    /// Logits `[40, 2, batch]`; class 1 is "has the attribute".
    pub logits: Tensor,
    /// Weights between attributes, rows summing to 1, averaged over the batch: `[40, 40]`.
    pub affinity: Tensor,
}

impl CorrelationNet {
    /// Builds the net on `parameters` under the prefix `cln`. Their seed also draws the groups of a random affinity.
    pub fn new(
        architecture: &Architecture,
        (affinity, layout): (Affinity, NodeLayout),
        backend: Backend,
        parameters: &Parameters,
        device: &Device,
    ) -> Result<Self> {
        let vb = parameters.builder(device).pp("cln");
        let (node, branch) = (architecture.node_channels, architecture.branch_channels);
        let side = architecture.map_size().map_err(candle_core::Error::Msg)?;
        let features = node * side * side;
        let edges = match affinity.fixed(parameters.seed()) {
            None => Edges::Learned,
            Some(edges) => Edges::Fixed(Tensor::from_vec(edges, (COUNT, COUNT), device)?),
        };
        let zero = Init::Const(0.0);
        Ok(Self {
            backend,
            positions: side * side,
            edges,
            layout,
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

    /// Runs on the feature net's gated features, `[40, c, batch * positions]`.
    pub fn forward(&self, gated: &Tensor) -> Result<CorrelationOutput> {
        // The dot products are not scaled before the softmax, so they need single precision.
        let attention = if self.backend == Backend::Native { graph_attention } else { graph_attention_reference };
        let nodes = self.backend.linear(&self.node.0, &gated.detach(), &self.node.1)?;
        let (count, channels, n) = nodes.dims3()?;
        let batch = n / self.positions;
        let flat = |nodes: Tensor| nodes.contiguous()?.reshape((batch, count, self.positions * channels));
        let values = match self.layout {
            NodeLayout::Own => None,
            NodeLayout::AuthorsCode => {
                Some(flat(nodes.reshape((channels, count, batch, self.positions))?.permute((2, 1, 3, 0))?)?)
            }
        };
        let nodes = flat(nodes.reshape((count, channels, batch, self.positions))?.permute((2, 0, 3, 1))?)?;
        let (refined, affinity) = attention(&nodes, values.as_ref().unwrap_or(&nodes), &self.edges)?;
        let refined = refined.permute((1, 2, 0))?.contiguous()?;
        Ok(CorrelationOutput {
            logits: self.backend.linear(&self.classifier.0, &refined, &self.classifier.1)?,
            affinity,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::batched_linear;

    #[test]
    fn the_authors_layout_cuts_all_nodes_joined_anew() {
        let architecture = Architecture { input_size: 67, stride: 2, branch_channels: 3, ..Architecture::PAPER };
        let (side, node) = (architecture.map_size().unwrap(), architecture.node_channels);
        let (positions, batch) = (side * side, 2);
        let gated = Tensor::rand(-1.0_f32, 1.0, (COUNT, 3, batch * positions), &Device::Cpu).unwrap();
        let logits = |layout| {
            let parameters = Parameters::new(1);
            let kind = (Affinity::Identity, layout);
            let net = CorrelationNet::new(&architecture, kind, Backend::Native, &parameters, &Device::Cpu).unwrap();
            (net.forward(&gated).unwrap().logits.to_vec3::<f32>().unwrap(), net)
        };
        let (found, net) = logits(NodeLayout::AuthorsCode);
        let nodes = batched_linear(&net.node.0, &gated, Some(&net.node.1)).unwrap().to_vec3::<f32>().unwrap();
        let weights = net.classifier.0.to_vec3::<f32>().unwrap();
        for j in 0..COUNT {
            // Row j holds, at 10 q + g, channel j mod 10 of block 4 g + j div 10 at position q.
            let expected: f32 = (0..positions)
                .flat_map(|q| (0..node).map(move |g| (q, g)))
                .map(|(q, g)| weights[j][1][10 * q + g] * nodes[4 * g + j / 10][j % 10][positions + q])
                .sum();
            assert!((found[j][1][1] - expected).abs() < 1e-4, "{j}: {} for {expected}", found[j][1][1]);
        }
        assert_ne!(found, logits(NodeLayout::Own).0);
    }
}
