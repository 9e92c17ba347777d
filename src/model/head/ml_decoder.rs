//! ML-Decoder (Ridnik et al. 2023): one query an attribute attends to the positions of the last map. There is no attention
//! among queries.
//!
//! Parameters below `head`, with layers named as in the authors' code: `embed` `[768, channels]`, `norm1`, `query`, `key`,
//! `value`, `out`, `norm2`, `linear1` `[2048, 768]`, `linear2`, `norm3`, `fc.{weight,bias}` `[40, 2, 768]`.

use super::parts::Head;
use crate::attribute::COUNT;
use crate::model::architecture::Architecture;
use crate::model::backbone::ForwardCtx;
use crate::model::init::{ZERO, glorot};
use crate::model::layers::{Attention, LayerNorm, LinearLayer};
use crate::random;
use candle_core::{Device, Result, Tensor};
use candle_nn::VarBuilder;

const HEADS: usize = 8;
/// Values of a query and of a position, and hidden values of a query's own layers.
const WIDTH: usize = 768;
const HIDDEN: usize = 2048;

#[derive(Debug)]
pub(super) struct MlDecoder {
    /// Random and not trained, `[1, 40, width]`.
    queries: Tensor,
    embed: LinearLayer,
    norms: [LayerNorm; 3],
    attention: Attention,
    linear1: LinearLayer,
    linear2: LinearLayer,
    weight: Tensor,
    bias: Tensor,
}

impl MlDecoder {
    pub(super) fn new(architecture: &Architecture, vb: &VarBuilder, device: &Device) -> Result<Self> {
        let (width, hidden) = (architecture.scaled(WIDTH / HEADS) * HEADS, architecture.scaled(HIDDEN));
        let linear = |name: &str, inputs, outputs| LinearLayer::new(&vb.pp(name), inputs, outputs);
        let norm = |name: &str| LayerNorm::new(&vb.pp(name), width);
        let fc = vb.pp("fc");
        Ok(Self {
            queries: Tensor::from_vec(queries(width), (1, COUNT, width), device)?,
            embed: linear("embed", architecture.map_channels(), width)?,
            norms: [norm("norm1")?, norm("norm2")?, norm("norm3")?],
            attention: Attention::new(vb, width, HEADS)?,
            linear1: linear("linear1", width, hidden)?,
            linear2: linear("linear2", hidden, width)?,
            weight: fc.get_with_hints((COUNT, 2, width), "weight", glorot(width, 2, 1.0))?,
            bias: fc.get_with_hints((COUNT, 2), "bias", ZERO)?,
        })
    }
}

/// Queries with mean 0 and variance 1, the same in every run.
fn queries(width: usize) -> Vec<f32> {
    (0..(COUNT * width) as u64).map(|i| random::unit(i) * 3.0_f32.sqrt()).collect()
}

impl Head for MlDecoder {
    fn forward(&self, map: &Tensor, ctx: &ForwardCtx) -> Result<Tensor> {
        let (backend, (channels, batch, ..)) = (ctx.backend, map.dims4()?);
        let positions = map.flatten_from(2)?.permute((1, 2, 0))?.contiguous()?.reshape(((), channels))?;
        let memory = self.embed.forward(&positions, backend)?.relu()?;
        let width = memory.dim(1)?;
        let by_image = |tokens: Tensor| tokens.reshape((batch, (), width));

        // The authors add the queries to themselves, with dropout on one of both.
        let queries = self.norms[0].forward(&(&self.queries * 2.0)?, backend)?;
        let (read, _) = self.attention.forward(&queries, &by_image(memory)?, backend)?;
        let tokens = self.norms[1].forward(&by_image(read)?.broadcast_add(&queries)?.flatten_to(1)?, backend)?;
        let hidden = self.linear1.forward(&tokens, backend)?.relu()?;
        let tokens = self.norms[2].forward(&(&tokens + self.linear2.forward(&hidden, backend)?)?, backend)?;
        backend.classify(&by_image(tokens)?, &self.weight, &self.bias)
    }
}
