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
use crate::nn::{Activation, Attended, CorrelationOutput};
use crate::variant::Gat;
use candle_core::{DType, Result, Tensor};

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
    /// The identity `[heads, heads, 1]` spreads a weight `[d]` over the heads. With the weights `ones` `[heads]`, GATv2's
    /// scores are the leaky ReLU of sums of one number a head.
    First {
        project: Tensor,
        source: Tensor,
        target: Tensor,
        identity: Tensor,
        ones: Tensor,
    },
    Second {
        left: LinearLayer,
        right: LinearLayer,
        attention: Tensor,
    },
}

impl GraphAttentionLayer {
    pub(super) fn new(builder: &Builder, version: Gat) -> Result<Self> {
        let (d, vb) = (builder.architecture.node_channels * builder.positions, &builder.vb);
        let heads = (1..=MOST_HEADS).rev().find(|heads| d % heads == 0).unwrap_or(1);
        let vector = |name| vb.get_with_hints(d, name, glorot(d / heads, 1, 1.0));
        let linear = |name| LinearLayer::new(&vb.pp(name), d, d);
        let scores = match version {
            Gat::First => Scores::First {
                project: vb.get_with_hints((d, d), "project.weight", glorot(d, d, 1.0))?,
                source: vector("source.weight")?,
                target: vector("target.weight")?,
                identity: Tensor::eye(heads, DType::F32, builder.device)?.unsqueeze(2)?,
                ones: Tensor::ones(heads, DType::F32, builder.device)?,
            },
            Gat::Second => Scores::Second {
                left: linear("left")?,
                right: linear("right")?,
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
        let linear = |layer: &LinearLayer| layer.forward(&flat, self.backend)?.reshape((batch, COUNT, d));
        let (scores, values) = match &self.scores {
            Scores::First { project, source, target, identity, ones } => {
                let projected = self.backend.token_product(&flat, project)?;
                // One number of each node and head.
                let part = |weight: &Tensor| {
                    let of_heads = identity.broadcast_mul(&weight.reshape((heads, 1, d / heads))?)?;
                    let parts = self.backend.token_product(&projected, &of_heads.reshape((heads, d))?)?;
                    parts.reshape((batch, COUNT, heads))
                };
                let scores = self.backend.additive_scores(&part(source)?, &part(target)?, ones, heads)?;
                (scores, projected.reshape((batch, COUNT, d))?)
            }
            Scores::Second { left, right, attention } => {
                let right = linear(right)?;
                (self.backend.additive_scores(&linear(left)?, &right, attention, heads)?, right)
            }
        };
        let Attended { values, weights } = self.backend.attend(&scores, &values, false)?;
        let tokens = self.backend.add_bias(&values, &self.bias, Activation::Elu)?;
        Ok(CorrelationOutput { logits: self.classifiers.forward(&tokens)?, affinity: Some(weights), products: None })
    }
}
