//! The paper's backbone: AlexNet with a batch norm in front and one after each convolution, as trained by the Computer
//! Vision Group Jena (arXiv 1612.01452).
//!
//! Parameters: `conv1` to `conv5` with `weight` `[out, in / groups, k, k]`, `bias`, `bn.weight`, `bn.bias` `[out]`.

use super::alexnet::{self, Layer, Table, layers};
use super::{Backbone, BackboneSpec, Builder, ForwardCtx};
use crate::model::Architecture;
use crate::nn::{ConvBlock, ConvParameters};
use candle_core::{Result, Tensor};

const TABLE: Table = [(11, 0, 1, true), (5, 2, 2, true), (3, 1, 1, false), (3, 1, 2, false), (3, 1, 2, true)];

/// AlexNet-cvgj; its second, fourth and fifth convolutions work in two groups.
#[derive(Debug)]
pub(super) struct Cvgj;

impl BackboneSpec for Cvgj {
    fn published(&self) -> (usize, [usize; 5]) {
        (4, [96, 256, 384, 384, 256])
    }

    fn channels(&self, architecture: &Architecture) -> usize {
        architecture.widths[4]
    }

    fn output_size(&self, architecture: &Architecture) -> std::result::Result<usize, String> {
        if architecture.widths.iter().any(|width| *width == 0 || width % 2 == 1) {
            return Err("the widths of the five convolutions must be even, and no width 0".to_owned());
        }
        alexnet::output_size(TABLE, architecture)
    }

    fn max_elements(&self, architecture: &Architecture) -> usize {
        alexnet::max_elements(TABLE, architecture)
    }

    fn build(&self, architecture: &Architecture, builder: &mut Builder) -> Result<Box<dyn Backbone>> {
        let mut blocks = Vec::new();
        for (name, Layer { shape, stride, padding, groups, pool }) in layers(TABLE, architecture) {
            let (gamma, beta) = builder.norm(&format!("{name}.bn"), shape[0])?;
            let weight = builder.weight(&name, shape)?;
            let bias = builder.bias(&name, shape[0])?;
            let block = ConvBlock { groups, stride, padding, pool, eps: architecture.bn_eps };
            blocks.push((block, ConvParameters { weight, bias, gamma, beta }));
        }
        Ok(Box::new(Net { blocks }))
    }
}

#[derive(Debug)]
struct Net {
    blocks: Vec<(ConvBlock, ConvParameters)>,
}

impl Backbone for Net {
    fn forward(&self, x: &Tensor, data: &(Tensor, Tensor), ctx: &ForwardCtx) -> Result<Tensor> {
        let mut x = x.clone();
        for (layer, (block, p)) in self.blocks.iter().enumerate() {
            let mut p = ctx.own_all(p);
            if layer == 0 {
                p = fold_data_norm(&p, data)?;
            }
            x = ctx.block(block, &x, &p, &format!("conv{}.bn", layer + 1))?;
        }
        Ok(x)
    }
}

/// The first convolution with the scale and shift of `data_bn` folded in. It has no padding, so this is exact, and
/// the gradients of both follow without one for the pixels.
fn fold_data_norm(p: &ConvParameters, data: &(Tensor, Tensor)) -> Result<ConvParameters> {
    let (scale, shift) = (data.0.reshape((1, 3, 1, 1))?, data.1.reshape((1, 3))?);
    let shift = p.weight.sum((2, 3))?.broadcast_mul(&shift)?.sum(1)?;
    Ok(ConvParameters { weight: p.weight.broadcast_mul(&scale)?, bias: (&p.bias + shift)?, ..p.clone() })
}
