//! The paper's backbone: AlexNet with a batch norm in front and one after each convolution, as trained by the Computer
//! Vision Group Jena (arXiv 1612.01452).
//!
//! Parameters: `conv1` to `conv5` with `weight` `[out, in / groups, k, k]`, `bias`, `bn.weight`, `bn.bias` `[out]`.

use super::{Backbone, Builder, Design, Scope, reduced, unfolded};
use crate::model::Architecture;
use crate::nn::{ConvBlock, ConvParameters};
use candle_core::{Result, Tensor};

/// Kernel, padding, groups and pool of the five convolutions; AlexNet's.
const LAYERS: [(usize, usize, usize, bool); 5] =
    [(11, 0, 1, true), (5, 2, 2, true), (3, 1, 1, false), (3, 1, 2, false), (3, 1, 2, true)];

/// AlexNet-cvgj; its second, fourth and fifth convolutions work in two groups.
#[derive(Debug)]
pub(super) struct Cvgj;

impl Design for Cvgj {
    fn published(&self) -> (usize, [usize; 5]) {
        (4, [96, 256, 384, 384, 256])
    }

    fn channels(&self, architecture: &Architecture) -> usize {
        architecture.widths[4]
    }

    fn side(&self, architecture: &Architecture) -> std::result::Result<usize, String> {
        if architecture.widths.iter().any(|width| *width == 0 || width % 2 == 1) {
            return Err("the widths of the five convolutions must be even, and no width 0".to_owned());
        }
        let pool = |side: usize| reduced(side, 3, 2, 0);
        let side = reduced(architecture.input, 11, architecture.stride, 0);
        side.and_then(pool).and_then(pool).and_then(pool).ok_or_else(|| {
            format!("an input of {} pixels is too small for five convolutions and three pools", architecture.input)
        })
    }

    fn elements(&self, architecture: &Architecture) -> usize {
        let (mut side, mut inputs, mut most) = (architecture.input, 3, 0);
        for (layer, ((kernel, padding, groups, pool), outputs)) in
            LAYERS.into_iter().zip(architecture.widths).enumerate()
        {
            let stride = if layer == 0 { architecture.stride } else { 1 };
            side = reduced(side, kernel, stride, padding).unwrap_or_default();
            most = most.max(unfolded(side, inputs / groups, kernel, outputs));
            side = if pool { reduced(side, 3, 2, 0).unwrap_or_default() } else { side };
            inputs = outputs;
        }
        most
    }

    fn build(&self, architecture: &Architecture, builder: &mut Builder) -> Result<Box<dyn Backbone>> {
        let mut blocks = Vec::new();
        let mut inputs = 3;
        for (layer, ((kernel, padding, groups, pool), outputs)) in
            LAYERS.into_iter().zip(architecture.widths).enumerate()
        {
            let name = format!("conv{}", layer + 1);
            let (gamma, beta) = builder.norm(&format!("{name}.bn"), outputs)?;
            let weight = builder.weight(&name, [outputs, inputs / groups, kernel, kernel])?;
            let bias = builder.bias(&name, outputs)?;
            let stride = if layer == 0 { architecture.stride } else { 1 };
            let block = ConvBlock { groups, stride, padding, pool, eps: architecture.eps };
            blocks.push((block, ConvParameters { weight, bias, gamma, beta }));
            inputs = outputs;
        }
        Ok(Box::new(Net { blocks }))
    }
}

#[derive(Debug)]
struct Net {
    blocks: Vec<(ConvBlock, ConvParameters)>,
}

impl Backbone for Net {
    fn forward(&self, x: &Tensor, data: &(Tensor, Tensor), scope: &Scope) -> Result<Tensor> {
        let mut x = x.clone();
        for (layer, (block, p)) in self.blocks.iter().enumerate() {
            let mut p = scope.own_all(p);
            if layer == 0 {
                p = fold_data_norm(&p, data)?;
            }
            x = scope.block(block, &x, &p, &format!("conv{}.bn", layer + 1))?;
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
