//! The paper's backbone, trained by the Computer Vision Group Jena (arXiv 1612.01452): AlexNet with a batch norm before
//! the first and after each convolution.
//!
//! Parameters: `conv1` to `conv5` with `weight` `[out, in / groups, k, k]`, `bias`, `bn.weight`, `bn.bias` `[out]`.

use super::alexnet::{self, ConvLayer, LayerConfig, layers};
use super::builder::Builder;
use super::context::ForwardCtx;
use super::spec::{Backbone, BackboneSpec};
use crate::model::architecture::Architecture;
use crate::nn::{ConvBlock, ConvParameters, Tail};
use candle_core::{Result, Tensor};

const LAYERS: [LayerConfig; 5] = [
    LayerConfig { kernel: 11, padding: 0, groups: 1, pool: true },
    LayerConfig { kernel: 5, padding: 2, groups: 2, pool: true },
    LayerConfig { kernel: 3, padding: 1, groups: 1, pool: false },
    LayerConfig { kernel: 3, padding: 1, groups: 2, pool: false },
    LayerConfig { kernel: 3, padding: 1, groups: 2, pool: true },
];

/// AlexNet-cvgj.
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
        alexnet::output_size(LAYERS, architecture)
    }

    fn windows(&self, architecture: &Architecture) -> Vec<(usize, usize)> {
        alexnet::windows(LAYERS, architecture)
    }

    fn max_elements(&self, architecture: &Architecture) -> usize {
        alexnet::max_elements(LAYERS, architecture)
    }

    fn build(&self, architecture: &Architecture, builder: &mut Builder) -> Result<Box<dyn Backbone>> {
        let mut blocks = Vec::new();
        for (name, ConvLayer { config, shape, stride }) in layers(LAYERS, architecture) {
            let (gamma, beta) = builder.norm(&format!("{name}.bn"), shape[0])?;
            let weight = builder.weight(&name, shape)?;
            let bias = builder.bias(&name, shape[0])?;
            let LayerConfig { padding, groups, pool, .. } = config;
            let block = ConvBlock { groups, stride, padding, tail: Tail::rectified(pool), eps: architecture.bn_eps };
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
                p = fold_data_norm(&p, [&data.0, &data.1].map(|tensor| ctx.own(tensor)))?;
            }
            x = ctx.block(block, &x, &p, &format!("conv{}.bn", layer + 1))?;
        }
        Ok(x)
    }
}

/// Folds scale and shift of `data_bn` into the first convolution. It has no padding, so this is exact, and both receive
/// gradients without a gradient for the pixels.
fn fold_data_norm(p: &ConvParameters, [scale, shift]: [Tensor; 2]) -> Result<ConvParameters> {
    let (scale, shift) = (scale.reshape((1, 3, 1, 1))?, shift.reshape((1, 3))?);
    let shift = p.weight.sum((2, 3))?.broadcast_mul(&shift)?.sum(1)?;
    Ok(ConvParameters { weight: p.weight.broadcast_mul(&scale)?, bias: (&p.bias + shift)?, ..p.clone() })
}
