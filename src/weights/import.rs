//! Which array of a file is which parameter of ours.

use super::{Array, Source, arrays, shown};
use crate::error::{Error, Result};
use crate::io;
use crate::model::BackboneName;
use candle_core::{Device, Tensor};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What torchvision's networks are fed: pixels in [0, 1], less this mean and over this deviation, by channel.
const IMAGENET: [(f64, f64); 3] = [(0.485, 0.229), (0.456, 0.224), (0.406, 0.225)];
/// Added under batch norm's root, in Caffe and in PyTorch alike.
pub(super) const EPS: f64 = 1e-5;

/// One array that found its place.
#[derive(Debug, Clone, Serialize)]
pub struct ImportedTensor {
    /// Its name in the file.
    pub source: String,
    /// Its shape there.
    pub source_shape: Vec<usize>,
    /// Our name.
    pub name: String,
    /// Our shape.
    pub shape: Vec<usize>,
    /// What was done to it.
    pub how: String,
}

/// A file's weights under our names.
#[derive(Debug)]
pub struct Imported {
    /// What they are of.
    pub backbone: BackboneName,
    /// Parameters and running statistics.
    pub tensors: BTreeMap<String, Tensor>,
    /// What came from where.
    pub matched: Vec<ImportedTensor>,
    /// Arrays of the file that a backbone has no place for, such as its classifier.
    pub left_out: Vec<String>,
    /// Our parameters and statistics that the file says nothing about.
    pub initial: Vec<String>,
}

/// Reads another framework's weights; `backbone` asks for one, or else the file decides.
pub fn import(path: &Path, backbone: Option<BackboneName>) -> Result<Imported> {
    import_bytes(path, &io::read(path)?, backbone)
}

/// As [`import`], of a file whose content is at hand; the format is that of its name.
pub fn import_bytes(path: &Path, bytes: &[u8], backbone: Option<BackboneName>) -> Result<Imported> {
    let (source, mut arrays) = arrays(path, bytes)?;
    let found = detect(source, &arrays).ok_or_else(|| {
        let lacks = match source {
            Source::Caffe | Source::CaffeTensorflow => "no layer conv1 of AlexNet-cvgj",
            Source::Torch => {
                "neither features.0.weight of torchvision's AlexNet nor layer1.0.conv1.weight of its ResNets"
            }
        };
        Error::file(path, format!("holds no network that is known: it has {lacks}"))
    })?;
    if let Some(asked) = backbone.filter(|asked| *asked != found) {
        return Err(Error::file(path, format!("holds weights of {found}, not of {asked}")));
    }
    let mut imported = Imported {
        backbone: found,
        tensors: BTreeMap::new(),
        matched: Vec::new(),
        left_out: Vec::new(),
        initial: Vec::new(),
    };
    let mut used = BTreeSet::new();
    let widths = widths(source, found, &arrays).map_err(|lacking| {
        Error::file(path, format!("has no numbers for {lacking} of {found}: it is not whole, or of another network"))
    })?;
    for (name, shape) in found.parameter_shapes(widths)? {
        if source == Source::Torch && name.starts_with("data_bn.running") {
            let values = IMAGENET.map(
                |(mean, deviation)| {
                    if name.ends_with("mean") { 255.0 * mean } else { (255.0 * deviation).powi(2) }
                },
            );
            imported.tensors.insert(name, Tensor::new(&values.map(|v| v as f32), &Device::Cpu)?);
            continue;
        }
        let Some(place) = candidates(source, found, &name).into_iter().find(|c| arrays.contains_key(c)) else {
            if required(source, &name) {
                return Err(Error::file(path, format!("has nothing for {name} of {found}: the file is not whole")));
            }
            imported.initial.push(name);
            continue;
        };
        let source_shape = arrays[&place].shape.clone();
        let (mut array, mut done) = in_order(source, &arrays[&place])?;
        if array.shape != shape {
            let message = format!("{place} is {source_shape:?}, {name} of {found} is {shape:?}");
            return Err(Error::file(path, message));
        }
        done.extend(adjust(path, source, &name, &place, &mut array, &arrays)?);
        let how = if done.is_empty() { "as it is".to_owned() } else { done.join(", ") };
        imported.tensors.insert(name.clone(), Tensor::from_vec(array.values, shape.as_slice(), &Device::Cpu)?);
        imported.matched.push(ImportedTensor { source: place.clone(), source_shape, name, shape, how });
        used.insert(place);
    }
    arrays.retain(|name, _| !used.contains(name));
    let known = |name: &str| {
        ["fc", "classifier"].iter().any(|prefix| name.starts_with(prefix))
            || name.ends_with("num_batches_tracked")
            || name.ends_with("bn[2]")
    };
    if let Some(stray) = arrays.keys().find(|name| source == Source::Torch && !known(name)) {
        let message = format!("holds {}, which {found} does not have: it is of another network", shown(stray));
        return Err(Error::file(path, message));
    }
    imported.left_out = arrays.iter().map(|(name, array)| format!("{} {:?}", shown(name), array.shape)).collect();
    Ok(imported)
}

fn detect(source: Source, arrays: &BTreeMap<String, Array>) -> Option<BackboneName> {
    let has = |name: &str| arrays.contains_key(name);
    match source {
        Source::Caffe => has("conv1[0]").then_some(BackboneName::AlexnetCvgj),
        Source::CaffeTensorflow => has("conv1[weights]").then_some(BackboneName::AlexnetCvgj),
        Source::Torch if has("features.0.weight") => Some(BackboneName::Alexnet),
        Source::Torch if has("layer1.0.conv3.weight") => Some(BackboneName::Resnet50),
        Source::Torch => has("layer1.0.conv1.weight").then_some(BackboneName::Resnet18),
    }
}

/// The widths of the file's network, narrower ones than the published are welcome; or a convolution that it lacks.
fn widths(
    source: Source,
    backbone: BackboneName,
    arrays: &BTreeMap<String, Array>,
) -> std::result::Result<[usize; 5], String> {
    let mut widths = [0; 5];
    for (place, width) in widths.iter_mut().enumerate() {
        let layer = match backbone {
            BackboneName::AlexnetCvgj | BackboneName::Alexnet => format!("conv{}.weight", place + 1),
            _ if place == 0 => "conv1.weight".to_owned(),
            _ => format!("layer{place}.0.conv1.weight"),
        };
        let names = candidates(source, backbone, &layer);
        let array = names.iter().find_map(|name| arrays.get(name)).filter(|array| !array.values.is_empty());
        let shape = array.map(|array| &*array.shape).unwrap_or_default();
        let outputs = if source == Source::CaffeTensorflow { shape.last() } else { shape.first() };
        *width = *outputs.ok_or(layer)?;
    }
    Ok(widths)
}

/// The names that a file may have for `name`.
fn candidates(source: Source, backbone: BackboneName, name: &str) -> Vec<String> {
    let Some((layer, kind)) = name.rsplit_once('.') else { return Vec::new() };
    match (source, backbone) {
        (Source::Caffe, _) => caffe_candidates(layer, kind),
        (Source::CaffeTensorflow, _) => converted_candidates(layer, kind),
        (Source::Torch, BackboneName::Alexnet) => {
            let place = ["conv1", "conv2", "conv3", "conv4", "conv5"].iter().position(|conv| *conv == layer);
            place.map(|place| format!("features.{}.{kind}", [0, 3, 6, 8, 10][place])).into_iter().collect()
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

/// The layer before the batch norm `layer`, where that is one.
fn normed(layer: &str) -> Option<&str> {
    if layer == "data_bn" { Some("data") } else { layer.strip_suffix(".bn") }
}

fn caffe_candidates(layer: &str, kind: &str) -> Vec<String> {
    let index = usize::from(["bias", "running_var"].contains(&kind));
    let layer_of = |stem: &str, what: &str| vec![format!("{stem}/{what}[{index}]"), format!("{stem}_{what}[{index}]")];
    match normed(layer) {
        None => vec![format!("{layer}[{index}]")],
        Some(stem) if kind.starts_with("running") => layer_of(stem, "bn"),
        Some(stem) => layer_of(stem, "scale"),
    }
}

/// The converter puts underscores for slashes and makes one layer of a batch norm and the scale after it; some versions
/// leave the scale alone. Batch norms that others trained are called after their number or `bn_LAYER`.
fn converted_candidates(layer: &str, kind: &str) -> Vec<String> {
    let Some(stem) = normed(layer) else {
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

/// Whether weights without `name` are of no use.
fn required(source: Source, name: &str) -> bool {
    match source {
        // A network without batch norm is welcome; its convolutions then start alone.
        Source::Caffe | Source::CaffeTensorflow => !name.contains("bn."),
        Source::Torch => !name.starts_with("data_bn."),
    }
}

/// The array with its axes in PyTorch's order, and what that took.
fn in_order(source: Source, array: &Array) -> Result<(Array, Vec<&'static str>)> {
    let (Source::CaffeTensorflow, [height, width, inputs, outputs], false) =
        (source, &*array.shape, array.values.is_empty())
    else {
        return Ok((array.clone(), Vec::new()));
    };
    let shape = vec![*outputs, *inputs, *height, *width];
    let strides = [1, *outputs, width * inputs * outputs, inputs * outputs];
    let turned = Array::strided(shape, &strides, 0, &array.values, array.values.len());
    let turned = turned.ok_or_else(|| Error::Internal(format!("an array of {:?} lacks numbers", array.shape)))?;
    Ok((turned, vec!["HWIO to OIHW"]))
}

/// Makes the values ours: Caffe's summed statistics over their factor, channels from BGR to RGB. Returns what was done.
fn adjust(
    path: &Path,
    source: Source,
    name: &str,
    place: &str,
    array: &mut Array,
    arrays: &BTreeMap<String, Array>,
) -> Result<Vec<&'static str>> {
    let mut done = Vec::new();
    if source == Source::Caffe && name.contains(".running_") {
        let factor = place.rsplit_once('[').and_then(|(layer, _)| arrays.get(&format!("{layer}[2]")));
        let factor = factor.and_then(|factor| factor.values.first()).copied().filter(|f| f.is_finite() && *f > 0.0);
        let factor = factor.ok_or_else(|| {
            Error::file(path, format!("{place} has no moving-average factor above 0 beside it: it was never trained"))
        })?;
        for value in &mut array.values {
            *value /= factor;
        }
        done.push("divided by its factor");
    }
    if source != Source::Torch && (name == "conv1.weight" || name.starts_with("data_bn.")) {
        // `[out, 3, k, k]` or `[3]`: what belongs to one output, cut into three.
        let area = array.shape.iter().skip(2).product::<usize>();
        for pixel in array.values.chunks_exact_mut(3 * area) {
            let (blue, rest) = pixel.split_at_mut(area);
            blue.swap_with_slice(&mut rest[area..]);
        }
        done.push("BGR to RGB");
    }
    Ok(done)
}
