//! Parameter names of other frameworks.

use super::array::Array;
use super::source::Source;
use crate::model::BackboneName;
use std::collections::BTreeMap;

/// The backbone whose first parameters are in `arrays`.
pub(super) fn detect(source: Source, arrays: &BTreeMap<String, Array>) -> Option<BackboneName> {
    let has = |name: &str| arrays.contains_key(name);
    match source {
        Source::Caffe => has("conv1[0]").then_some(BackboneName::AlexnetCvgj),
        Source::CaffeTensorflow => has("conv1[weights]").then_some(BackboneName::AlexnetCvgj),
        Source::Torch if has("features.0.weight") => Some(BackboneName::Alexnet),
        Source::Torch if has("layer1.0.conv3.weight") => Some(BackboneName::Resnet50),
        Source::Torch => has("layer1.0.conv1.weight").then_some(BackboneName::Resnet18),
    }
}

/// The widths of the file's network, which may be narrower than published. The error names a missing convolution.
pub(super) fn widths(
    source: Source,
    backbone: BackboneName,
    arrays: &BTreeMap<String, Array>,
) -> std::result::Result<[usize; 5], String> {
    let mut widths = [0; 5];
    for (index, width) in widths.iter_mut().enumerate() {
        let layer = match backbone {
            BackboneName::AlexnetCvgj | BackboneName::Alexnet => format!("conv{}.weight", index + 1),
            _ if index == 0 => "conv1.weight".to_owned(),
            _ => format!("layer{index}.0.conv1.weight"),
        };
        let names = candidates(source, backbone, &layer);
        let array = names.iter().find_map(|name| arrays.get(name)).filter(|array| !array.values.is_empty());
        let shape = array.map(|array| &*array.shape).unwrap_or_default();
        let outputs = if source == Source::CaffeTensorflow { shape.last() } else { shape.first() };
        *width = *outputs.ok_or(layer)?;
    }
    Ok(widths)
}

/// Names that a file may use for parameter `name`.
pub(super) fn candidates(source: Source, backbone: BackboneName, name: &str) -> Vec<String> {
    let Some((layer, kind)) = name.rsplit_once('.') else { return Vec::new() };
    match (source, backbone) {
        (Source::Caffe, _) => caffe_candidates(layer, kind),
        (Source::CaffeTensorflow, _) => caffe_tensorflow_candidates(layer, kind),
        (Source::Torch, BackboneName::Alexnet) => {
            let index = ["conv1", "conv2", "conv3", "conv4", "conv5"].iter().position(|conv| *conv == layer);
            index.map(|index| format!("features.{}.{kind}", [0, 3, 6, 8, 10][index])).into_iter().collect()
        }
        (Source::Torch, _) => {
            let layer = match layer.strip_suffix(".bn") {
                None => layer.replace(".down", ".downsample.0"),
                Some(conv) if conv.strip_suffix(".down").is_some() => conv.replace(".down", ".downsample.1"),
                Some(conv) => conv.replace("conv", "bn"),
            };
            vec![format!("{layer}.{kind}")]
        }
    }
}

/// The layer before batch norm `layer`. `None` if `layer` is no batch norm.
fn normalized(layer: &str) -> Option<&str> {
    if layer == "data_bn" { Some("data") } else { layer.strip_suffix(".bn") }
}

fn caffe_candidates(layer: &str, kind: &str) -> Vec<String> {
    let index = usize::from(["bias", "running_var"].contains(&kind));
    let layer_of = |stem: &str, what: &str| vec![format!("{stem}/{what}[{index}]"), format!("{stem}_{what}[{index}]")];
    match normalized(layer) {
        None => vec![format!("{layer}[{index}]")],
        Some(stem) if kind.starts_with("running") => layer_of(stem, "bn"),
        Some(stem) => layer_of(stem, "scale"),
    }
}

/// caffe-tensorflow replaces slashes by underscores and merges a batch norm with the scale after it; some versions keep the
/// scale. In other people's networks a batch norm has the name `bnNUMBER` or `bn_LAYER`.
fn caffe_tensorflow_candidates(layer: &str, kind: &str) -> Vec<String> {
    let Some(stem) = normalized(layer) else {
        return vec![format!("{layer}[{}]", if kind == "weight" { "weights" } else { "biases" })];
    };
    let kind = match kind {
        "weight" => "scale",
        "bias" => "offset",
        "running_mean" => "mean",
        _ => "variance",
    };
    let number = stem.trim_start_matches("conv");
    [format!("{stem}_bn"), format!("{stem}/bn"), format!("{stem}_scale"), format!("bn_{stem}"), format!("bn{number}")]
        .map(|layer| format!("{layer}[{kind}]"))
        .into()
}

/// Returns whether a file without `name` cannot be imported.
pub(super) fn is_required(source: Source, name: &str) -> bool {
    match source {
        // A network without batch norm still initializes the convolutions.
        Source::Caffe | Source::CaffeTensorflow => !name.contains("bn."),
        Source::Torch => !name.starts_with("data_bn."),
    }
}
