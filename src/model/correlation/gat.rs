//! Published graph attention layers on the paper's nodes, whose graph links all attributes. A node's values are divided
//! among eight heads, or as many fewer as divide them evenly. Neither has dropout.
//!
//! Parameters: `node` as the paper's net, `fc` on values ordered by channel. First version (Velickovic et al. 2018): `project.weight`
//! `[d, d]`, `source` and `target` `[d]`, `bias` `[d]`. Second (Brody et al. 2022): `left`, `right` with `weight` `[d, d]`
//! and `bias` `[d]`, `attention` `[d]`, `bias` `[d]`.

use super::parts::{Builder, Classifiers, CorrelationNet, NetInput, Nodes};
use crate::attribute::COUNT;
use crate::model::Backend;
use crate::model::init::{ZERO, glorot};
use crate::model::layers::LinearLayer;
use crate::nn::{Attended, CorrelationOutput, leaky_relu};
use crate::variant::Gat;
use candle_core::{D, Result, Tensor};

const MOST_HEADS: usize = 8;

#[derive(Debug)]
pub(super) struct GraphAttentionLayer {
    backend: Backend,
    heads: usize,
    nodes: Nodes,
    scores: Scores,
    bias: Tensor,
    classifiers: Classifiers,
}

#[derive(Debug)]
enum Scores {
    First { project: LinearLayer, source: Tensor, target: Tensor },
    Second { left: LinearLayer, right: LinearLayer, attention: Tensor },
}

impl GraphAttentionLayer {
    pub(super) fn new(builder: &Builder, version: Gat) -> Result<Self> {
        let (d, vb) = (builder.architecture.node_channels * builder.positions, &builder.vb);
        let heads = (1..=MOST_HEADS).rev().find(|heads| d % heads == 0).unwrap_or(1);
        let vector = |name| vb.get_with_hints(d, name, glorot(d / heads, 1, 1.0));
        let linear = |name, bias| LinearLayer::new(&vb.pp(name), d, d, bias);
        let scores = match version {
            Gat::First => Scores::First {
                project: linear("project", false)?,
                source: vector("source.weight")?,
                target: vector("target.weight")?,
            },
            Gat::Second => Scores::Second {
                left: linear("left", true)?,
                right: linear("right", true)?,
                attention: vector("attention.weight")?,
            },
        };
        Ok(Self {
            backend: builder.backend,
            heads,
            nodes: Nodes::new(builder)?,
            scores,
            bias: vb.get_with_hints(d, "bias", ZERO)?,
            classifiers: Classifiers::new(builder, d)?,
        })
    }
}

impl CorrelationNet for GraphAttentionLayer {
    fn forward(&self, input: &NetInput) -> Result<CorrelationOutput> {
        let nodes = self.nodes.forward(&input.gated)?;
        let ((batch, _, d), heads) = (nodes.dims3()?, self.heads);
        let flat = nodes.reshape((batch * COUNT, d))?;
        let linear = |layer: &LinearLayer| layer.forward(&flat)?.reshape((batch, COUNT, d));
        let (scores, values) = match &self.scores {
            Scores::First { project, source, target } => {
                let projected = linear(project)?;
                let by_head = projected.reshape((batch, COUNT, heads, d / heads))?;
                // One number of each node and head, [batch, heads, 40].
                let part = |weight: &Tensor| {
                    let weight = weight.reshape((heads, d / heads))?;
                    by_head.broadcast_mul(&weight)?.sum(D::Minus1)?.transpose(1, 2)?.contiguous()
                };
                let sums = part(source)?.unsqueeze(3)?.broadcast_add(&part(target)?.unsqueeze(2)?)?;
                (leaky_relu(&sums)?, projected)
            }
            Scores::Second { left, right, attention } => {
                let right = linear(right)?;
                (self.backend.additive_scores(&linear(left)?, &right, attention, heads)?, right)
            }
        };
        let Attended { values, weights } = self.backend.attend(&scores, &values, false)?;
        let tokens = values.broadcast_add(&self.bias)?.elu(1.0)?;
        Ok(CorrelationOutput { logits: self.classifiers.forward(&tokens)?, affinity: Some(weights), products: None })
    }
}
