//! Layers from a backbone's last map to the FLN's logits in networks without branches. They have neither dropout nor
//! masks. Widths are those of the publications, scaled as the profile scales its backbone's last map.
//!
//! Parameters below `head`; the bias of a linear layer has no last axis:
//! - plain: `fc.{weight,bias}` `[40, 2, channels]`
//! - DMTL: `shared.{weight,bias}` `[1, 512, channels * positions]`, `group.{weight,bias}` `[8, 256, 512]`,
//!   `fc.{weight,bias}` `[40, 2, 256]`
//! - MCNN: `conv.weight` `[6 * 300, channels, 3, 3]`, `conv.bn.{weight,bias}` `[6 * 300]`, `fc1.{weight,bias}`
//!   `[9, 512, 300]`, `fc2.{weight,bias}` `[9, 512, 512]`, `fc.{weight,bias}` `[40, 2, 512]`
//! - ML-Decoder: in `ml_decoder.rs`

mod ml_decoder;
mod parts;

use super::architecture::{Architecture, BackboneName};
use super::backbone::{Builder, ForwardCtx};
use super::init::{glorot, he};
use crate::attribute::{COUNT, GROUPS, NAMES, group_of};
use crate::nn::{ConvBlock, ConvParameters, Tail};
use crate::variant::Layers;
use candle_core::{Device, Result, Tensor};
use candle_nn::{Init, VarBuilder};
use ml_decoder::MlDecoder;

pub(super) use parts::Head;

/// Widths of DMTL's layer for all attributes and of a group's: those of the paper are not known.
const DMTL_SHARED: usize = 512;
const DMTL_GROUP: usize = 256;
/// Channels of an MCNN group's convolution and widths of its two layers.
const MCNN_CONV: usize = 300;
const MCNN_HIDDEN: usize = 512;
/// The groups of MCNN: gender, nose, mouth, eyes, face, around the head, facial hair, cheeks and fat.
const MCNN_GROUPS: [&[&str]; 9] = [
    &["Male"],
    &["Big_Nose", "Pointy_Nose"],
    &["Big_Lips", "Smiling", "Wearing_Lipstick", "Mouth_Slightly_Open"],
    &["Arched_Eyebrows", "Bags_Under_Eyes", "Bushy_Eyebrows", "Narrow_Eyes", "Eyeglasses"],
    &["Attractive", "Blurry", "Oval_Face", "Pale_Skin", "Young", "Heavy_Makeup"],
    &[
        "Black_Hair",
        "Blond_Hair",
        "Brown_Hair",
        "Gray_Hair",
        "Wearing_Earrings",
        "Wearing_Necklace",
        "Wearing_Necktie",
        "Bald",
        "Receding_Hairline",
        "Bangs",
        "Wearing_Hat",
        "Straight_Hair",
        "Wavy_Hair",
    ],
    &["5_o_Clock_Shadow", "Mustache", "No_Beard", "Sideburns", "Goatee"],
    &["High_Cheekbones", "Rosy_Cheeks"],
    &["Chubby", "Double_Chin"],
];
/// The convolution that each group reads; the last four groups share one.
const MCNN_CONV_OF: [u32; 9] = [0, 1, 2, 3, 4, 5, 5, 5, 5];
const MCNN_CONVS: usize = 6;

impl Architecture {
    /// The network with other layers: a plain ResNet-18 replaces the backbone.
    pub fn with_layers(&self, layers: Layers) -> Self {
        let backbone = BackboneName::Resnet18;
        if layers != Layers::PlainResnet18 || self.backbone == backbone {
            return self.clone();
        }
        let (stride, widths) = backbone.published();
        let widths = widths.map(|width| self.scaled(width));
        // A ResNet has no pool to leave out.
        Self { backbone, stride, widths, last_pool: true, ..self.clone() }
    }
}

/// Builds the layers on parameters below `head`; `None` for the paper's branches.
pub(super) fn head(
    layers: Layers,
    architecture: &Architecture,
    builder: &mut Builder,
    vb: &VarBuilder,
    device: &Device,
) -> Result<Option<Box<dyn Head>>> {
    let (channels, vb) = (architecture.map_channels(), vb.pp("head"));
    let side = architecture.map_size().map_err(candle_core::Error::Msg)?;
    Ok(Some(match layers {
        Layers::Branches => return Ok(None),
        Layers::Plain | Layers::PlainResnet18 => Box::new(Plain(Linear::outputs(&vb, channels)?)),
        Layers::Dmtl => {
            let (shared, group) = (architecture.scaled(DMTL_SHARED), architecture.scaled(DMTL_GROUP));
            Box::new(Dmtl {
                shared: Linear::rectified(&vb.pp("shared"), [1, shared, channels * side * side])?,
                group: Linear::rectified(&vb.pp("group"), [GROUPS.len(), group, shared])?,
                outputs: GroupOutputs::new(&vb, group, &group_of(), device)?,
            })
        }
        Layers::MlDecoder => Box::new(MlDecoder::new(architecture, &vb, device)?),
        Layers::Mcnn => {
            let (conv, hidden) = (architecture.scaled(MCNN_CONV), architecture.scaled(MCNN_HIDDEN));
            let (groups, eps) = (MCNN_GROUPS.len(), architecture.bn_eps);
            Box::new(Mcnn {
                block: ConvBlock { groups: 1, stride: 1, padding: 1, tail: Tail::Relu, eps },
                conv: builder.unbiased("head.conv", [MCNN_CONVS * conv, channels, 3, 3])?,
                conv_of: Tensor::new(&MCNN_CONV_OF, device)?,
                first: Linear::rectified(&vb.pp("fc1"), [groups, hidden, conv])?,
                second: Linear::rectified(&vb.pp("fc2"), [groups, hidden, hidden])?,
                outputs: GroupOutputs::new(&vb, hidden, &mcnn_group_of(), device)?,
            })
        }
    }))
}

/// Index in [`MCNN_GROUPS`] of each attribute's group.
fn mcnn_group_of() -> [usize; COUNT] {
    NAMES.map(|name| MCNN_GROUPS.iter().position(|group| group.contains(&name)).expect("MCNN names every attribute"))
}

/// Linear layers side by side.
#[derive(Debug)]
struct Linear {
    /// `[layers, outputs, inputs]`.
    weight: Tensor,
    /// `[layers, outputs]`.
    bias: Tensor,
}

impl Linear {
    fn new(vb: &VarBuilder, shape: [usize; 3], init: Init) -> Result<Self> {
        Ok(Self {
            weight: vb.get_with_hints(&shape, "weight", init)?,
            bias: vb.get_with_hints(&shape[..2], "bias", Init::Const(0.0))?,
        })
    }

    /// Layers before a ReLU.
    fn rectified(vb: &VarBuilder, shape: [usize; 3]) -> Result<Self> {
        Self::new(vb, shape, he(shape[2]))
    }

    /// The classifiers of all attributes.
    fn outputs(vb: &VarBuilder, inputs: usize) -> Result<Self> {
        Self::new(&vb.pp("fc"), [COUNT, 2, inputs], glorot(inputs, 2, 1.0))
    }

    /// `[layers, outputs, batch]` of `[layers, inputs, batch]`.
    fn forward(&self, x: &Tensor, ctx: &ForwardCtx) -> Result<Tensor> {
        ctx.backend.linear(&ctx.own(&self.weight), x, &ctx.own(&self.bias))
    }

    /// `[layers, outputs, batch]` of the inputs `[1, inputs, batch]` that all layers read.
    fn forward_shared(&self, x: &Tensor, ctx: &ForwardCtx) -> Result<Tensor> {
        let (layers, outputs, inputs) = self.weight.dims3()?;
        let weight = ctx.own(&self.weight).reshape((1, layers * outputs, inputs))?;
        let bias = ctx.own(&self.bias).reshape((1, layers * outputs))?;
        ctx.backend.linear(&weight, x, &bias)?.reshape((layers, outputs, ()))
    }
}

/// Classifiers that read the layer of their attribute's group.
#[derive(Debug)]
struct GroupOutputs {
    fc: Linear,
    /// `[40]`.
    group_of: Tensor,
}

impl GroupOutputs {
    fn new(vb: &VarBuilder, inputs: usize, group_of: &[usize; COUNT], device: &Device) -> Result<Self> {
        Ok(Self {
            fc: Linear::outputs(vb, inputs)?,
            group_of: Tensor::new(&group_of.map(|group| group as u32), device)?,
        })
    }

    /// Logits of the groups' values `[groups, inputs, batch]`.
    fn forward(&self, groups: &Tensor, ctx: &ForwardCtx) -> Result<Tensor> {
        self.fc.forward(&groups.index_select(&self.group_of, 0)?, ctx)
    }
}

/// One classifier of each attribute on the means of the last maps.
#[derive(Debug)]
struct Plain(Linear);

impl Head for Plain {
    fn forward(&self, map: &Tensor, ctx: &ForwardCtx) -> Result<Tensor> {
        self.0.forward_shared(&map.flatten_from(2)?.mean(2)?.unsqueeze(0)?, ctx)
    }
}

/// Layers for the groups of Table 1, on one layer for all.
#[derive(Debug)]
struct Dmtl {
    shared: Linear,
    group: Linear,
    outputs: GroupOutputs,
}

impl Head for Dmtl {
    fn forward(&self, map: &Tensor, ctx: &ForwardCtx) -> Result<Tensor> {
        let batch = map.dim(1)?;
        let flat = map.flatten_from(2)?.transpose(1, 2)?.reshape((1, (), batch))?;
        let shared = self.shared.forward(&flat, ctx)?.relu()?;
        self.outputs.forward(&self.group.forward_shared(&shared, ctx)?.relu()?, ctx)
    }
}

/// Six convolutions with the maximum of each map, and two layers for each of nine groups.
#[derive(Debug)]
struct Mcnn {
    block: ConvBlock,
    conv: ConvParameters,
    conv_of: Tensor,
    first: Linear,
    second: Linear,
    outputs: GroupOutputs,
}

impl Head for Mcnn {
    fn forward(&self, map: &Tensor, ctx: &ForwardCtx) -> Result<Tensor> {
        let maps = ctx.block(&self.block, map, &ctx.own_all(&self.conv), "head.conv.bn")?;
        let batch = map.dim(1)?;
        let largest = maps.flatten_from(2)?.max(2)?.reshape((MCNN_CONVS, (), batch))?;
        let hidden = self.first.forward(&largest.index_select(&self.conv_of, 0)?, ctx)?.relu()?;
        self.outputs.forward(&self.second.forward(&hidden, ctx)?.relu()?, ctx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nine_groups_of_mcnn_hold_every_attribute_once() {
        let mut sizes = [0; 9];
        for group in mcnn_group_of() {
            sizes[group] += 1;
        }
        assert_eq!(sizes, MCNN_GROUPS.map(<[&str]>::len));
        assert_eq!(sizes, [1, 2, 4, 5, 6, 13, 5, 2, 2]);
    }

    #[test]
    fn widths_follow_the_profiles() {
        let half = Architecture { widths: [48, 128, 192, 192, 128], last_pool: false, ..Architecture::PAPER };
        let resnet = half.with_layers(Layers::PlainResnet18);
        assert_eq!((resnet.stride, resnet.widths), (2, [32, 32, 64, 128, 256]));
        assert_eq!(resnet.map_size(), Ok(8));
        assert_eq!(resnet.with_layers(Layers::PlainResnet18), resnet);
        assert_eq!([&half, &resnet].map(|network| network.scaled(300)), [150, 150]);
        assert_eq!(half.with_layers(Layers::Mcnn), half);
    }
}
