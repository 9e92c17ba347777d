//! Correlation learning net (paper, section 3.3). It maps each branch's features to one node, refines the nodes by graph
//! attention, and classifies them. Features without a gradient stop its own there, as in the paper.
//!
//! Parameters: `node.weight` `[40, g, c]`, `node.bias` `[40, g]`, `fc.weight` `[40, 2, g * positions]`, `fc.bias`
//! `[40, 2]`. A node's vector holds the `g` channels of the first position, then those of the next.

use super::architecture::Architecture;
use super::backend::Backend;
use super::init::glorot;
use crate::attribute::COUNT;
use crate::nn::{CorrelationBlock, CorrelationOutput, CorrelationParameters, Edges, Parameters};
use crate::variant::{Affinity, NodeLayout};
use candle_core::{Device, Result, Tensor};
use candle_nn::Init;

/// The correlation learning net.
#[derive(Debug)]
pub struct CorrelationNet {
    backend: Backend,
    block: CorrelationBlock,
    parameters: CorrelationParameters,
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
        let rows = match layout {
            NodeLayout::Own => None,
            NodeLayout::AuthorsCode => Some((0..COUNT * node).map(|row| row % node * COUNT + row / node).collect()),
        };
        let zero = Init::Const(0.0);
        let parameters = CorrelationParameters {
            weight: vb.pp("node").get_with_hints(
                (COUNT, node, branch),
                "weight",
                glorot(branch, node, architecture.node_gain),
            )?,
            bias: vb.pp("node").get_with_hints((COUNT, node), "bias", zero)?,
            out_weight: vb.pp("fc").get_with_hints((COUNT, 2, features), "weight", glorot(features, 2, 1.0))?,
            out_bias: vb.pp("fc").get_with_hints((COUNT, 2), "bias", zero)?,
        };
        Ok(Self { backend, block: CorrelationBlock { positions: side * side, edges, rows }, parameters })
    }

    /// Runs on the feature net's gated features, `[40, c, batch * positions]`.
    pub fn forward(&self, gated: &Tensor) -> Result<CorrelationOutput> {
        match self.backend.precision() {
            None => self.block.forward(gated, &self.parameters),
            Some(precision) => self.block.forward_reference(gated, &self.parameters, precision),
        }
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
        let nodes = batched_linear(&net.parameters.weight, &gated, Some(&net.parameters.bias))
            .unwrap()
            .to_vec3::<f32>()
            .unwrap();
        let weights = net.parameters.out_weight.to_vec3::<f32>().unwrap();
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
