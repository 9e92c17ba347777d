//! Residual networks as in torchvision (He et al. 2016), without the final average pool and classifier. With 50 layers,
//! the stride is in the 3x3 convolutions.
//!
//! Parameters: `conv1.weight`, then `layerL.B.convI.weight` `[out, in, k, k]` for each block, and `layerL.B.down.weight`
//! if the shortcut changes shape. There are no biases. `bn.weight` and `bn.bias` `[out]` are below each of these names.

use super::builder::Builder;
use super::context::ForwardCtx;
use super::spec::{Backbone, BackboneSpec, conv_output_size, unfolded};
use crate::model::architecture::Architecture;
use crate::nn::{ConvBlock, ConvParameters, Tail};
use candle_core::{Result, Tensor};

/// A residual network. Widths are those of the first convolution and of the four stages.
#[derive(Debug)]
pub(super) struct ResNet {
    /// Blocks of the four stages.
    blocks: [usize; 4],
    /// Output channels of a block relative to its width: 1 for two 3x3 convolutions, 4 for a bottleneck.
    expansion: usize,
}

pub(super) const RESNET18: ResNet = ResNet { blocks: [2, 2, 2, 2], expansion: 1 };
pub(super) const RESNET50: ResNet = ResNet { blocks: [3, 4, 6, 3], expansion: 4 };

impl ResNet {
    /// Kernel and stride of the convolutions of a block.
    fn convolutions(&self, stride: usize) -> Vec<(usize, usize)> {
        if self.expansion == 1 { vec![(3, stride), (3, 1)] } else { vec![(1, 1), (3, stride), (1, 1)] }
    }

    fn residual(
        &self,
        name: &str,
        inputs: usize,
        width: usize,
        stride: usize,
        eps: f64,
        builder: &mut Builder,
    ) -> Result<Residual> {
        let outputs = self.expansion * width;
        let convolutions = self.convolutions(stride);
        let mut rectified = Vec::new();
        let mut last = None;
        let mut channels = inputs;
        for (index, (kernel, stride)) in convolutions.iter().copied().enumerate() {
            let name = format!("{name}.conv{}", index + 1);
            let is_last = index + 1 == convolutions.len();
            let to = if is_last { outputs } else { width };
            let p = builder.unbiased(&name, [to, channels, kernel, kernel])?;
            let norm = format!("{name}.bn");
            if is_last {
                last = Some((norm, block(kernel, stride, eps, Tail::Relu), p));
            } else {
                rectified.push((norm, block(kernel, stride, eps, Tail::Relu), p));
            }
            channels = to;
        }
        let down = (stride != 1 || inputs != outputs)
            .then(|| builder.unbiased(&format!("{name}.down"), [outputs, inputs, 1, 1]))
            .transpose()?
            .map(|p| (format!("{name}.down.bn"), block(1, stride, eps, Tail::Linear), p));
        let last = last.ok_or_else(|| candle_core::Error::Msg("a block without convolutions".to_owned()))?;
        Ok(Residual { rectified, last, down })
    }
}

impl BackboneSpec for ResNet {
    fn published(&self) -> (usize, [usize; 5]) {
        (2, [64, 64, 128, 256, 512])
    }

    fn channels(&self, architecture: &Architecture) -> usize {
        self.expansion * architecture.widths[4]
    }

    fn output_size(&self, architecture: &Architecture) -> std::result::Result<usize, String> {
        if architecture.widths.contains(&0) {
            return Err("no width may be 0".to_owned());
        }
        if !architecture.last_pool {
            return Err("last_pool = false is for AlexNets only: a ResNet has no pool after its last map".to_owned());
        }
        let halve = |side: usize| conv_output_size(side, 3, 2, 1);
        let stem = conv_output_size(architecture.input_size, 7, architecture.stride, 3)
            .filter(|_| architecture.input_size > 0);
        stem.and_then(halve)
            .and_then(halve)
            .and_then(halve)
            .and_then(halve)
            .ok_or_else(|| "the input and the first convolution's stride must be at least 1".to_owned())
    }

    fn windows(&self, architecture: &Architecture) -> Vec<(usize, usize)> {
        let mut windows = vec![(7, architecture.stride), (3, 2)];
        for (stage, blocks) in self.blocks.into_iter().enumerate() {
            let stride = |block: usize| if block == 0 && stage > 0 { 2 } else { 1 };
            windows.extend((0..blocks).flat_map(|block| self.convolutions(stride(block))));
        }
        windows
    }

    fn max_elements(&self, architecture: &Architecture) -> usize {
        let side = conv_output_size(architecture.input_size, 7, architecture.stride, 3).unwrap_or_default();
        let mut most = unfolded(side, 3, 7, architecture.widths[0]);
        let (mut side, mut inputs) = (conv_output_size(side, 3, 2, 1).unwrap_or_default(), architecture.widths[0]);
        for (stage, width) in architecture.widths.into_iter().skip(1).enumerate() {
            let outputs = self.expansion * width;
            let reads = if self.expansion == 1 { inputs.max(width) } else { width };
            // The first convolution of a bottleneck and the shortcut read the map before the stage halves it.
            most = most.max(unfolded(side, inputs, 1, width));
            side = if stage > 0 { conv_output_size(side, 3, 2, 1).unwrap_or_default() } else { side };
            most = most.max(unfolded(side, reads, 3, outputs));
            inputs = outputs;
        }
        most
    }

    fn build(&self, architecture: &Architecture, builder: &mut Builder) -> Result<Box<dyn Backbone>> {
        let Architecture { stride, widths, bn_eps: eps, .. } = *architecture;
        let stem = (block(7, stride, eps, Tail::Pool { padding: 1 }), builder.unbiased("conv1", [widths[0], 3, 7, 7])?);
        let mut inputs = widths[0];
        let mut blocks = Vec::new();
        for (stage, (count, width)) in self.blocks.into_iter().zip(widths.into_iter().skip(1)).enumerate() {
            for index in 0..count {
                let name = format!("layer{}.{index}", stage + 1);
                let stride = if stage > 0 && index == 0 { 2 } else { 1 };
                blocks.push(self.residual(&name, inputs, width, stride, eps, builder)?);
                inputs = self.expansion * width;
            }
        }
        Ok(Box::new(Net { stem, blocks }))
    }
}

/// A convolution with batch norm and what follows.
fn block(kernel: usize, stride: usize, eps: f64, tail: Tail) -> ConvBlock {
    ConvBlock { groups: 1, stride, padding: kernel / 2, tail, eps }
}

/// One residual block.
#[derive(Debug)]
struct Residual {
    /// Convolutions followed by batch norm and ReLU.
    rectified: Vec<(String, ConvBlock, ConvParameters)>,
    /// The convolution to whose batch norm the shortcut is added.
    last: (String, ConvBlock, ConvParameters),
    /// Projection of the shortcut. `None` if the shape does not change.
    down: Option<(String, ConvBlock, ConvParameters)>,
}

impl Residual {
    fn forward(&self, x: &Tensor, ctx: &ForwardCtx) -> Result<Tensor> {
        let mut y = x.clone();
        for (norm, block, p) in &self.rectified {
            y = ctx.block(block, &y, &ctx.own_all(p), norm)?;
        }
        let shortcut = match &self.down {
            Some((norm, block, p)) => ctx.block(block, x, &ctx.own_all(p), norm)?,
            None => x.clone(),
        };
        let (norm, block, p) = &self.last;
        ctx.joined(block, &y, &ctx.own_all(p), norm, Some(&shortcut))
    }
}

#[derive(Debug)]
struct Net {
    stem: (ConvBlock, ConvParameters),
    blocks: Vec<Residual>,
}

impl Backbone for Net {
    fn forward(&self, x: &Tensor, data: &(Tensor, Tensor), ctx: &ForwardCtx) -> Result<Tensor> {
        let (block, p) = &self.stem;
        let ConvParameters { weight, bias, gamma, beta } = ctx.own_all(p);
        let (x, weight, bias) = ctx.with_data_norm(x, data, (weight, bias), (block.stride, block.padding))?;
        let mut x = ctx.block(block, &x, &ConvParameters { weight, bias, gamma, beta }, "conv1.bn")?;
        for block in &self.blocks {
            x = block.forward(&x, ctx)?;
        }
        Ok(x)
    }
}
