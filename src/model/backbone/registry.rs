//! The specification of each backbone by name.

use super::spec::{self, BackboneSpec};
use super::{alexnet, cvgj, resnet};
use crate::model::architecture::{Architecture, BackboneName, PartialArchitecture};

impl BackboneName {
    pub(in crate::model) fn spec(self) -> &'static dyn BackboneSpec {
        match self {
            Self::AlexnetCvgj => &cvgj::Cvgj,
            Self::Alexnet => &alexnet::AlexNet,
            Self::Resnet18 => &resnet::RESNET18,
            Self::Resnet50 => &resnet::RESNET50,
        }
    }

    /// Stride of the first convolution and the five widths as published.
    pub fn published(self) -> (usize, [usize; 5]) {
        self.spec().published()
    }
}

impl From<PartialArchitecture> for Architecture {
    fn from(partial: PartialArchitecture) -> Self {
        let PartialArchitecture {
            backbone,
            input_size,
            stride,
            widths,
            last_pool,
            branch_channels,
            node_channels,
            node_gain,
            bn_eps,
            bn_decay,
        } = partial;
        let (default_stride, default_widths) = backbone.published();
        let (stride, widths) = (stride.unwrap_or(default_stride), widths.unwrap_or(default_widths));
        Self {
            backbone,
            input_size,
            stride,
            widths,
            last_pool,
            branch_channels,
            node_channels,
            node_gain,
            bn_eps,
            bn_decay,
        }
    }
}

impl Architecture {
    /// Side of the backbone's last map.
    ///
    /// # Errors
    /// A sentence on why the sizes give no map.
    pub fn map_size(&self) -> Result<usize, String> {
        if self.branch_channels == 0 || self.node_channels == 0 {
            return Err("no width may be 0".to_owned());
        }
        self.backbone.spec().output_size(self)
    }

    /// Side in pixels of the square of the input that a position of the last map depends on, padding included.
    pub fn receptive_field(&self) -> usize {
        spec::receptive_field(&self.backbone.spec().windows(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receptive_fields_are_the_published_ones() {
        // AlexNet: Araujo, Norris and Sim 2019, "Computing Receptive Fields of Convolutional Neural Networks". ResNet-18: sum
        // over its convolutions, 11 + 32 + (8 + 48) + (16 + 96) + (32 + 192).
        let expected = [(BackboneName::Alexnet, 195), (BackboneName::AlexnetCvgj, 195), (BackboneName::Resnet18, 435)];
        for (backbone, side) in expected {
            let (stride, widths) = backbone.published();
            let network = Architecture { backbone, stride, widths, ..Architecture::PAPER };
            assert_eq!(network.receptive_field(), side, "{backbone}");
        }
    }
}
