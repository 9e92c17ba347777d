//! AlexNet as torchvision has it ("One weird trick", Krizhevsky 2014): no batch norm and no groups. A profile that
//! trains it from random weights will want a small rate.
//!
//! Parameters: `conv1` to `conv5` with `weight` `[out, in, k, k]` and `bias` `[out]`.

use super::{Backbone, Builder, Design, Scope, reduced, unfolded};
use crate::model::Architecture;
use crate::nn::max_pool;
use candle_core::{Result, Tensor};

/// Kernel, padding and pool of the five convolutions.
const LAYERS: [(usize, usize, bool); 5] = [(11, 2, true), (5, 2, true), (3, 1, false), (3, 1, false), (3, 1, true)];

#[derive(Debug)]
pub(super) struct AlexNet;

impl Design for AlexNet {
    fn published(&self) -> (usize, [usize; 5]) {
        (4, [64, 192, 384, 256, 256])
    }

    fn channels(&self, architecture: &Architecture) -> usize {
        architecture.widths[4]
    }

    fn side(&self, architecture: &Architecture) -> std::result::Result<usize, String> {
        if architecture.widths.contains(&0) {
            return Err("no width may be 0".to_owned());
        }
        let pool = |side: usize| reduced(side, 3, 2, 0);
        let side = reduced(architecture.input, 11, architecture.stride, 2);
        side.and_then(pool).and_then(pool).and_then(pool).ok_or_else(|| {
            format!("an input of {} pixels is too small for five convolutions and three pools", architecture.input)
        })
    }

    fn elements(&self, architecture: &Architecture) -> usize {
        let (mut side, mut inputs, mut most) = (architecture.input, 3, 0);
        for (layer, ((kernel, padding, pool), outputs)) in LAYERS.into_iter().zip(architecture.widths).enumerate() {
            let stride = if layer == 0 { architecture.stride } else { 1 };
            side = reduced(side, kernel, stride, padding).unwrap_or_default();
            most = most.max(unfolded(side, inputs, kernel, outputs));
            side = if pool { reduced(side, 3, 2, 0).unwrap_or_default() } else { side };
            inputs = outputs;
        }
        most
    }

    fn build(&self, architecture: &Architecture, builder: &mut Builder) -> Result<Box<dyn Backbone>> {
        let mut layers = Vec::new();
        let mut inputs = 3;
        for (layer, ((kernel, padding, pool), outputs)) in LAYERS.into_iter().zip(architecture.widths).enumerate() {
            let name = format!("conv{}", layer + 1);
            let weight = builder.weight(&name, [outputs, inputs, kernel, kernel])?;
            let bias = builder.bias(&name, outputs)?;
            let stride = if layer == 0 { architecture.stride } else { 1 };
            layers.push(Layer { weight, bias, stride, padding, pool });
            inputs = outputs;
        }
        Ok(Box::new(Net { layers }))
    }
}

#[derive(Debug)]
struct Layer {
    weight: Tensor,
    bias: Tensor,
    stride: usize,
    padding: usize,
    pool: bool,
}

#[derive(Debug)]
struct Net {
    layers: Vec<Layer>,
}

impl Backbone for Net {
    fn forward(&self, x: &Tensor, data: &(Tensor, Tensor), scope: &Scope) -> Result<Tensor> {
        let mut x = scope.with_data_norm(x, data)?;
        for layer in &self.layers {
            let y = scope.convolve(&x, &layer.weight, layer.stride, layer.padding)?;
            let y = y.broadcast_add(&scope.own(&layer.bias).reshape(((), 1, 1, 1))?)?.relu()?;
            x = if layer.pool { max_pool(&y)? } else { y };
        }
        Ok(x)
    }
}
