//! AlexNet as in torchvision ("One weird trick", Krizhevsky 2014): no batch norm and no groups. Training from random
//! weights needs a small learning rate.
//!
//! Parameters: `conv1` to `conv5` with `weight` `[out, in, k, k]` and `bias` `[out]`.

use super::builder::Builder;
use super::context::ForwardCtx;
use super::spec::{Backbone, BackboneSpec, conv_output_size, unfolded};
use crate::model::architecture::Architecture;
use crate::nn::PlainBlock;
use candle_core::{Result, Tensor};

/// One convolution of an AlexNet, without its widths.
#[derive(Debug, Clone, Copy)]
pub(super) struct LayerConfig {
    pub(super) kernel: usize,
    pub(super) padding: usize,
    pub(super) groups: usize,
    /// 3x3 max-pooling with stride 2 follows.
    pub(super) pool: bool,
}

const LAYERS: [LayerConfig; 5] = [
    LayerConfig { kernel: 11, padding: 2, groups: 1, pool: true },
    LayerConfig { kernel: 5, padding: 2, groups: 1, pool: true },
    LayerConfig { kernel: 3, padding: 1, groups: 1, pool: false },
    LayerConfig { kernel: 3, padding: 1, groups: 1, pool: false },
    LayerConfig { kernel: 3, padding: 1, groups: 1, pool: true },
];

/// One convolution of an AlexNet with its widths.
#[derive(Debug)]
pub(super) struct ConvLayer {
    pub(super) config: LayerConfig,
    /// `[out, in / groups, k, k]`.
    pub(super) shape: [usize; 4],
    pub(super) stride: usize,
}

/// The five convolutions by name.
pub(super) fn layers(
    configs: [LayerConfig; 5],
    architecture: &Architecture,
) -> impl Iterator<Item = (String, ConvLayer)> {
    let Architecture { stride, widths, last_pool, .. } = *architecture;
    configs.into_iter().enumerate().map(move |(i, config)| {
        let config = LayerConfig { pool: config.pool && (i < 4 || last_pool), ..config };
        let (inputs, stride) = if i == 0 { (3, stride) } else { (widths[i - 1], 1) };
        let shape = [widths[i], inputs / config.groups, config.kernel, config.kernel];
        (format!("conv{}", i + 1), ConvLayer { config, shape, stride })
    })
}

/// Side of the last map, and [`BackboneSpec::max_elements`]. `None` if the input is too small.
fn measure(configs: [LayerConfig; 5], architecture: &Architecture) -> Option<(usize, usize)> {
    let (mut side, mut most) = (architecture.input_size, 0);
    for (_, ConvLayer { config, shape: [outputs, inputs, kernel, _], stride }) in layers(configs, architecture) {
        side = conv_output_size(side, kernel, stride, config.padding)?;
        most = most.max(unfolded(side, inputs * config.groups, kernel, outputs));
        side = if config.pool { conv_output_size(side, 3, 2, 0)? } else { side };
    }
    Some((side, most))
}

/// [`BackboneSpec::output_size`] of any AlexNet with valid widths.
pub(super) fn output_size(
    configs: [LayerConfig; 5],
    architecture: &Architecture,
) -> std::result::Result<usize, String> {
    measure(configs, architecture).map(|(side, _)| side).ok_or_else(|| {
        let pools = if architecture.last_pool { "three" } else { "two" };
        format!("an input of {} pixels is too small for five convolutions and {pools} pools", architecture.input_size)
    })
}

/// [`BackboneSpec::windows`] of any AlexNet.
pub(super) fn windows(configs: [LayerConfig; 5], architecture: &Architecture) -> Vec<(usize, usize)> {
    let of_layer = |(_, layer): (String, ConvLayer)| {
        let LayerConfig { kernel, pool, .. } = layer.config;
        [(kernel, layer.stride)].into_iter().chain(pool.then_some((3, 2)))
    };
    layers(configs, architecture).flat_map(of_layer).collect()
}

/// [`BackboneSpec::max_elements`] of any AlexNet.
pub(super) fn max_elements(configs: [LayerConfig; 5], architecture: &Architecture) -> usize {
    measure(configs, architecture).map_or(0, |(_, most)| most)
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
        output_size(LAYERS, architecture)
    }

    fn windows(&self, architecture: &Architecture) -> Vec<(usize, usize)> {
        windows(LAYERS, architecture)
    }

    fn max_elements(&self, architecture: &Architecture) -> usize {
        max_elements(LAYERS, architecture)
    }

    fn build(&self, architecture: &Architecture, builder: &mut Builder) -> Result<Box<dyn Backbone>> {
        let mut blocks = Vec::new();
        for (name, layer) in layers(LAYERS, architecture) {
            let LayerConfig { padding, pool, .. } = layer.config;
            let block = PlainBlock { stride: layer.stride, padding, pool };
            blocks.push((block, builder.weight(&name, layer.shape)?, builder.bias(&name, layer.shape[0])?));
        }
        Ok(Box::new(Net { blocks }))
    }
}

#[derive(Debug)]
struct Net {
    /// Each block with weight and bias.
    blocks: Vec<(PlainBlock, Tensor, Tensor)>,
}

impl Backbone for Net {
    fn forward(&self, x: &Tensor, data: &(Tensor, Tensor), ctx: &ForwardCtx) -> Result<Tensor> {
        let mut x = x.clone();
        for (layer, (block, weight, bias)) in self.blocks.iter().enumerate() {
            let (mut weight, mut bias) = (ctx.own(weight), ctx.own(bias));
            if layer == 0 {
                (x, weight, bias) = ctx.with_data_norm(&x, data, (weight, bias), (block.stride, block.padding))?;
            }
            x = ctx.plain(block, &x, &weight, &bias)?;
        }
        Ok(x)
    }
}
