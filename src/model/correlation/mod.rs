//! Correlation learning nets: from the feature learning net's outputs to logits that depend on all attributes. Each kind of
//! net is one file. Inputs without a gradient stop a net's own there, as in the paper.

mod dot_product;
mod error_graph;
mod gat;
mod graph_attention;
mod label_graph;
mod parts;
mod scores;
mod transformer;

use super::architecture::Architecture;
use super::backend::Backend;
use crate::nn::Parameters;
use crate::variant::Net;
use candle_core::{Device, Result};
use parts::Builder;

pub use error_graph::error_affinity;
pub use label_graph::LabelCounts;
pub use parts::{CorrelationNet, NetInput};

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
        Net::Transformer(layers) => Box::new(transformer::Transformer::new(&builder, layers, false)?),
        Net::KnownLabels => Box::new(transformer::Transformer::new(&builder, 1, true)?),
        Net::Aux => Box::new(scores::Aux::new(&builder)?),
        Net::Linear => Box::new(scores::Linear::new(&builder)?),
        Net::MlGcn => Box::new(label_graph::MlGcn::new(&builder)?),
    })
}

/// Returns whether a tensor of a network is computed from labels or predictions before training, and kept.
pub fn is_fixed_graph(name: &str) -> bool {
    name == "cln.edges"
}
