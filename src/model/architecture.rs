//! The sizes of a network, as profiles and checkpoints store them.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The available backbones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum BackboneName {
    /// AlexNet with batch norm instead of response normalization, as in the paper (Simon, Rodner, Denzler 2016).
    #[default]
    AlexnetCvgj,
    /// AlexNet as in torchvision, without batch norm (Krizhevsky 2014).
    Alexnet,
    /// ResNet of 18 layers as in torchvision (He et al. 2016).
    Resnet18,
    /// ResNet of 50 layers as in torchvision, with the stride in the 3x3 convolutions.
    Resnet50,
}

impl fmt::Display for BackboneName {
    /// The spelling of profiles and the command line.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let value = self.to_possible_value().ok_or(fmt::Error)?;
        f.write_str(value.get_name())
    }
}

/// The sizes of a network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "PartialArchitecture")]
pub struct Architecture {
    /// The network below the branches.
    pub backbone: BackboneName,
    /// Side of the square input in pixels.
    pub input_size: usize,
    /// Stride of the first convolution; a profile may omit it for the backbone's default.
    pub stride: usize,
    /// Channels of an AlexNet's five convolutions, or of a ResNet's first convolution and four stages; a profile may
    /// omit them for the backbone's default.
    pub widths: [usize; 5],
    /// Pools an AlexNet's last map, as published. Without this pool the branches read a larger map.
    #[serde(skip_serializing_if = "is_true")]
    pub last_pool: bool,
    /// Channels of each branch.
    pub branch_channels: usize,
    /// Channels of a node before it is flattened over the map's positions.
    pub node_channels: usize,
    /// Factor of the nodes' initial weights. It decides how close the learned affinity is to the identity at first, since the
    /// dot products are not scaled.
    #[serde(skip_serializing_if = "is_one")]
    pub node_gain: f64,
    /// Epsilon of batch norm.
    pub bn_eps: f64,
    /// Factor of the old value in batch norm's running averages (1 - PyTorch's momentum).
    pub bn_decay: f64,
}

impl Architecture {
    /// The published network.
    pub const PAPER: Self = Self {
        backbone: BackboneName::AlexnetCvgj,
        input_size: 227,
        stride: 4,
        widths: [96, 256, 384, 384, 256],
        last_pool: true,
        branch_channels: 256,
        node_channels: 10,
        node_gain: 1.0,
        bn_eps: 1e-3,
        bn_decay: 0.999,
    };
}

/// An [`Architecture`] as a profile may write it. Aliases are the keys of version 0.1.0.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PartialArchitecture {
    #[serde(default)]
    pub(super) backbone: BackboneName,
    #[serde(alias = "input")]
    pub(super) input_size: usize,
    pub(super) stride: Option<usize>,
    pub(super) widths: Option<[usize; 5]>,
    #[serde(default = "yes")]
    pub(super) last_pool: bool,
    #[serde(alias = "branch")]
    pub(super) branch_channels: usize,
    #[serde(alias = "node")]
    pub(super) node_channels: usize,
    #[serde(default = "one")]
    pub(super) node_gain: f64,
    #[serde(alias = "eps")]
    pub(super) bn_eps: f64,
    #[serde(alias = "decay")]
    pub(super) bn_decay: f64,
}

fn yes() -> bool {
    true
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_true(value: &bool) -> bool {
    *value
}

fn one() -> f64 {
    1.0
}

#[allow(clippy::trivially_copy_pass_by_ref, clippy::float_cmp, reason = "serde passes a reference; one is exact")]
fn is_one(value: &f64) -> bool {
    *value == 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_earlier_profiles_and_checkpoints_are_read() {
        let expected = Architecture::PAPER;
        let json = r#"{"input": 227, "branch": 256, "node": 10, "eps": 1e-3, "decay": 0.999}"#;
        assert_eq!(serde_json::from_str::<Architecture>(json).unwrap(), expected);
        let toml = "input = 227\nbranch = 256\nnode = 10\neps = 1e-3\ndecay = 0.999";
        assert_eq!(toml::from_str::<Architecture>(toml).unwrap(), expected);
        let written = toml::to_string(&expected).unwrap();
        assert!(written.contains("input_size = 227") && written.contains("bn_eps = 0.001"), "{written}");
        assert_eq!(toml::from_str::<Architecture>(&written).unwrap(), expected);
    }

    #[test]
    fn a_last_pool_is_stored_only_if_it_is_left_out() {
        let without = Architecture { last_pool: false, ..Architecture::PAPER };
        let written = toml::to_string(&without).unwrap();
        assert!(written.contains("last_pool = false"), "{written}");
        assert_eq!(toml::from_str::<Architecture>(&written).unwrap(), without);
        assert!(!toml::to_string(&Architecture::PAPER).unwrap().contains("last_pool"));
    }
}
