//! Variants of the paper's layer whose dot products have another size, or that leave out a node's weight on itself.
//!
//! Parameters: those of the paper's net, with values ordered by channel, and `temperature` `[1]` if it is trained. The net
//! without own weights classifies a node's own values, then the mean of the others': `fc.weight` is `[40, 2, 2 d]`.

use super::parts::{Builder, Classifiers, CorrelationNet, NetInput, Nodes};
use crate::attribute::COUNT;
use crate::model::Backend;
use crate::nn::{Attended, CorrelationOutput, product_sizes};
use crate::variant::Scale;
use candle_core::{D, DType, Result, Tensor};
use candle_nn::Init;

/// Initial factor of cosines.
const SHARPNESS: f64 = 10.0;

#[derive(Debug)]
pub(super) struct DotProduct {
    backend: Backend,
    nodes: Nodes,
    /// `None` for dot products as they are, of others only.
    scale: Option<Scale>,
    /// Inverse root of a node's length.
    root: f64,
    temperature: Option<Tensor>,
    identity: Tensor,
    classifiers: Classifiers,
}

impl DotProduct {
    /// `None` is the net without own weights, whose dot products are divided by the root of a node's length.
    pub(super) fn new(builder: &Builder, scale: Option<Scale>) -> Result<Self> {
        let length = builder.architecture.node_channels * builder.positions;
        let root = 1.0 / (length as f64).sqrt();
        let initial = match scale {
            Some(Scale::Temperature) => Some(root),
            Some(Scale::Cosine) => Some(SHARPNESS),
            Some(Scale::Root) | None => None,
        };
        let temperature = initial.map(|value| builder.vb.get_with_hints(1, "temperature", Init::Const(value)));
        Ok(Self {
            backend: builder.backend,
            nodes: Nodes::new(builder)?,
            scale,
            root,
            temperature: temperature.transpose()?,
            identity: Tensor::eye(COUNT, DType::F32, builder.device)?,
            classifiers: Classifiers::new(builder, if scale.is_none() { 2 * length } else { length })?,
        })
    }
}

impl CorrelationNet for DotProduct {
    fn forward(&self, input: &NetInput) -> Result<CorrelationOutput> {
        let nodes = self.nodes.forward(&input.gated)?;
        // Scores are scaled rather than nodes, which have nine times as many values.
        let products = self.backend.dot_products(&nodes, &nodes, 1)?;
        let scores = match self.scale {
            Some(Scale::Cosine) => {
                let squares = products.broadcast_mul(&self.identity)?.sum_keepdim(D::Minus1)?;
                let length = (squares + 1e-12)?.sqrt()?;
                products.broadcast_div(&length)?.broadcast_div(&length.transpose(2, 3)?)?
            }
            _ => products,
        };
        let scores = match &self.temperature {
            Some(temperature) => scores.broadcast_mul(temperature)?,
            None => (scores * self.root)?,
        };
        let Attended { values, weights } = self.backend.attend(&scores, &nodes, self.scale.is_none())?;
        let tokens = if self.scale.is_none() { Tensor::cat(&[&nodes, &values], 2)? } else { values };
        let products = Some(product_sizes(&scores.detach().squeeze(1)?)?);
        Ok(CorrelationOutput { logits: self.classifiers.forward(&tokens)?, affinity: Some(weights), products })
    }
}
