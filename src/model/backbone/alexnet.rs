//! AlexNet as torchvision has it ("One weird trick", Krizhevsky 2014): no batch norm and no groups. A profile that
//! trains it from random weights will want a small rate.
//!
//! Parameters: `conv1` to `conv5` with `weight` `[out, in, k, k]` and `bias` `[out]`.

use super::{Backbone, BackboneSpec, Builder, ForwardCtx, conv_output_size, unfolded};
use crate::model::Architecture;
use crate::nn::max_pool;
use candle_core::{Result, Tensor};

/// Kernel, padding, groups and pool of the five convolutions.
pub(super) type Table = [(usize, usize, usize, bool); 5];

const TABLE: Table = [(11, 2, 1, true), (5, 2, 1, true), (3, 1, 1, false), (3, 1, 1, false), (3, 1, 1, true)];

/// One of an AlexNet's convolutions, and whether a pool follows it.
#[derive(Debug)]
pub(super) struct Layer {
    /// `[out, in / groups, k, k]`.
    pub(super) shape: [usize; 4],
    pub(super) stride: usize,
    pub(super) padding: usize,
    pub(super) groups: usize,
    pub(super) pool: bool,
}

/// The five convolutions by name.
pub(super) fn layers(table: Table, architecture: &Architecture) -> impl Iterator<Item = (String, Layer)> {
    let Architecture { stride, widths, .. } = *architecture;
    table.into_iter().enumerate().map(move |(i, (kernel, padding, groups, pool))| {
        let (inputs, stride) = if i == 0 { (3, stride) } else { (widths[i - 1], 1) };
        let shape = [widths[i], inputs / groups, kernel, kernel];
        (format!("conv{}", i + 1), Layer { shape, stride, padding, groups, pool })
    })
}

/// Side of the last map, and the most values that a convolution unfolds for a group of one image, or gives.
fn measure(table: Table, architecture: &Architecture) -> Option<(usize, usize)> {
    let (mut side, mut most) = (architecture.input_size, 0);
    for (_, Layer { shape: [outputs, inputs, kernel, _], stride, padding, pool, .. }) in layers(table, architecture) {
        side = conv_output_size(side, kernel, stride, padding)?;
        most = most.max(unfolded(side, inputs, kernel, outputs));
        side = if pool { conv_output_size(side, 3, 2, 0)? } else { side };
    }
    Some((side, most))
}

/// [`BackboneSpec::output_size`] of any AlexNet with sound widths.
pub(super) fn output_size(table: Table, architecture: &Architecture) -> std::result::Result<usize, String> {
    measure(table, architecture).map(|(side, _)| side).ok_or_else(|| {
        format!("an input of {} pixels is too small for five convolutions and three pools", architecture.input_size)
    })
}

/// [`BackboneSpec::max_elements`] of any AlexNet.
pub(super) fn max_elements(table: Table, architecture: &Architecture) -> usize {
    measure(table, architecture).map_or(0, |(_, most)| most)
}

#[derive(Debug)]
pub(super) struct AlexNet;

impl BackboneSpec for AlexNet {
    fn published(&self) -> (usize, [usize; 5]) {
        (4, [64, 192, 384, 256, 256])
    }

    fn channels(&self, architecture: &Architecture) -> usize {
        architecture.widths[4]
    }

    fn output_size(&self, architecture: &Architecture) -> std::result::Result<usize, String> {
        if architecture.widths.contains(&0) {
            return Err("no width may be 0".to_owned());
        }
        output_size(TABLE, architecture)
    }

    fn max_elements(&self, architecture: &Architecture) -> usize {
        max_elements(TABLE, architecture)
    }

    fn build(&self, architecture: &Architecture, builder: &mut Builder) -> Result<Box<dyn Backbone>> {
        let mut found = Vec::new();
        for (name, layer) in layers(TABLE, architecture) {
            let weight = builder.weight(&name, layer.shape)?;
            let bias = builder.bias(&name, layer.shape[0])?;
            found.push((layer, weight, bias));
        }
        Ok(Box::new(Net { layers: found }))
    }
}

#[derive(Debug)]
struct Net {
    /// With weight and bias.
    layers: Vec<(Layer, Tensor, Tensor)>,
}

impl Backbone for Net {
    fn forward(&self, x: &Tensor, data: &(Tensor, Tensor), ctx: &ForwardCtx) -> Result<Tensor> {
        let mut x = ctx.with_data_norm(x, data)?;
        for (layer, weight, bias) in &self.layers {
            let y = ctx.convolve(&x, weight, layer.stride, layer.padding)?;
            let y = y.broadcast_add(&ctx.own(bias).reshape(((), 1, 1, 1))?)?.relu()?;
            x = if layer.pool { max_pool(&y)? } else { y };
        }
        Ok(x)
    }
}
