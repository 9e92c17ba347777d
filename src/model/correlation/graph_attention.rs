//! The paper's correlation net (section 3.3). It maps each branch's features to one node, refines the nodes by graph
//! attention, and classifies them.
//!
//! Parameters: `node.weight` `[40, g, c]`, `node.bias` `[40, g]`, `fc.weight` `[40, 2, g * positions]`, `fc.bias`
//! `[40, 2]`. A node's vector holds the `g` channels of the first position, then those of the next.

use super::parts::{Builder, CorrelationNet, NetInput};
use crate::attribute::COUNT;
use crate::model::Backend;
use crate::model::init::{ZERO, glorot};
use crate::nn::{CorrelationBlock, CorrelationOutput, CorrelationParameters, Edges};
use crate::variant::{Affinity, NodeLayout};
use candle_core::{Result, Tensor};

/// The paper's net, with learned or fixed edges.
#[derive(Debug)]
pub(super) struct GraphAttention {
    backend: Backend,
    block: CorrelationBlock,
    parameters: CorrelationParameters,
}

impl GraphAttention {
    pub(super) fn new(builder: &Builder, affinity: Affinity, layout: NodeLayout) -> Result<Self> {
        let (architecture, vb, positions) = (builder.architecture, &builder.vb, builder.positions);
        let (node, branch) = (architecture.node_channels, architecture.branch_channels);
        let features = node * positions;
        let edges = match (affinity, affinity.fixed(builder.seed)) {
            (Affinity::Labels | Affinity::Errors, _) => {
                Edges::Fixed(vb.get_with_hints((COUNT, COUNT), "edges", ZERO)?)
            }
            (_, None) => Edges::Learned,
            (_, Some(edges)) => Edges::Fixed(Tensor::from_vec(edges, (COUNT, COUNT), builder.device)?),
        };
        let rows = match layout {
            NodeLayout::Own => None,
            NodeLayout::AuthorsCode => Some((0..COUNT * node).map(|row| row % node * COUNT + row / node).collect()),
        };
        let parameters = CorrelationParameters {
            weight: vb.pp("node").get_with_hints(
                (COUNT, node, branch),
                "weight",
                glorot(branch, node, architecture.node_gain),
            )?,
            bias: vb.pp("node").get_with_hints((COUNT, node), "bias", ZERO)?,
            out_weight: vb.pp("fc").get_with_hints((COUNT, 2, features), "weight", glorot(features, 2, 1.0))?,
            out_bias: vb.pp("fc").get_with_hints((COUNT, 2), "bias", ZERO)?,
        };
        Ok(Self { backend: builder.backend, block: CorrelationBlock { positions, edges, rows }, parameters })
    }
}

impl CorrelationNet for GraphAttention {
    fn forward(&self, input: &NetInput) -> Result<CorrelationOutput> {
        match self.backend.precision() {
            None => self.block.forward(&input.gated, &self.parameters),
            Some(precision) => self.block.forward_reference(&input.gated, &self.parameters, precision),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Architecture;
    use crate::nn::{Parameters, batched_linear};
    use candle_core::Device;

    #[test]
    fn the_authors_layout_cuts_all_nodes_joined_anew() {
        let architecture = Architecture { input_size: 67, stride: 2, branch_channels: 3, ..Architecture::PAPER };
        let (side, node) = (architecture.map_size().unwrap(), architecture.node_channels);
        let (positions, batch) = (side * side, 2);
        let map = Tensor::zeros((1, batch, side, side), candle_core::DType::F32, &Device::Cpu).unwrap();
        let gated = Tensor::rand(-1.0_f32, 1.0, (COUNT, 3, batch * positions), &Device::Cpu).unwrap();
        let logits = |layout| {
            let builder = Builder {
                architecture: &architecture,
                backend: Backend::Native,
                vb: Parameters::new(1).builder(&Device::Cpu),
                seed: 1,
                positions,
                device: &Device::Cpu,
            };
            let net = GraphAttention::new(&builder, Affinity::Identity, layout).unwrap();
            let input = NetInput { gated: gated.clone(), logits: map.clone(), map: map.clone(), known: None };
            (net.forward(&input).unwrap().logits.to_vec3::<f32>().unwrap(), net)
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
