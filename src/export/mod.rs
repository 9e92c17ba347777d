//! Exports a trained network to PyTorch: weights with the names and layouts of PyTorch's own layers, and a module that
//! loads them.

use crate::attribute::{COUNT, NAMES};
use crate::error::{Error, Result};
use crate::io::{self, OutputFolder};
use crate::model::BackboneName;
use crate::train::TrainedModel;
use crate::variant::{Affinity, Gat, Net, NodeLayout, Scale};
use candle_core::{Device, Tensor};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// The module; it loads the weights from its own folder.
const MODULE: &str = include_str!("gal_net.py");
const MODULE_FILE: &str = "gal_net.py";
const WEIGHTS_FILE: &str = "gal_net.safetensors";

/// Key of the metadata entry.
const METADATA_KEY: &str = "gal-bench";

/// The written files.
#[derive(Debug, Clone, Serialize)]
pub struct Exported {
    /// The module.
    #[serde(serialize_with = "crate::io::serialize_path")]
    pub module: PathBuf,
    /// Its weights.
    #[serde(serialize_with = "crate::io::serialize_path")]
    pub weights: PathBuf,
    /// Number of values, running statistics and a fixed affinity included.
    pub values: usize,
}

/// Metadata from which the module builds the network.
#[derive(Debug, Serialize)]
struct ExportMeta<'a> {
    run: String,
    variant: &'a str,
    input: usize,
    stride: usize,
    widths: [usize; 5],
    last_pool: bool,
    branch: usize,
    node: usize,
    /// Positions of the backbone's last map.
    positions: usize,
    eps: f64,
    /// Kind of the correlation net; `None` without one.
    net: Option<&'a str>,
    /// `learned` or `fixed`; `None` unless the net is the paper's.
    affinity: Option<&'a str>,
    node_layout: &'a str,
    /// Side of the prepared images.
    prepared: u32,
    /// Side that images are resized to before the center crop.
    resize: usize,
    /// Averages the probabilities of an image and its mirror image.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    mirror: bool,
    attributes: &'a [&'a str],
    /// Attributes without a training label.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    untrained: &'a [String],
}

/// Writes module and weights of the network in the run folder `run` to `folder`.
///
/// # Errors
/// No finished run, a network that the module does not support, or a folder that is not empty without `force`.
pub fn export(run: &Path, folder: &Path, force: bool) -> Result<Exported> {
    let trained = TrainedModel::open(run)?;
    // Checks that the network is complete.
    trained.learner(run, &Device::Cpu)?;
    let (module, weights) = (folder.join(MODULE_FILE), folder.join(WEIGHTS_FILE));
    let output = OutputFolder::claim_empty(folder, force)?;
    let affinity = match trained.variant.net {
        Some(Net::GraphAttention(affinity, _)) => Some(affinity),
        _ => None,
    };
    let fixed = affinity.and_then(|affinity| affinity.fixed(trained.config.seed));
    let mut tensors = BTreeMap::new();
    for (name, tensor) in &trained.tensors {
        if affinity.is_none() && name.starts_with("cln.") {
            // The module's other nets have our names and shapes.
            tensors.insert(name.clone(), tensor.clone());
            continue;
        }
        let (name, tensor) = converted(name, tensor)?.ok_or_else(|| {
            Error::Request(format!(
                "the network in {} has a tensor {name} that the module does not support: only the paper's backbone \
                 (alexnet-cvgj) can be exported",
                run.display()
            ))
        })?;
        tensors.insert(name, tensor);
    }
    let kind = affinity.map(|affinity| if affinity == Affinity::Learned { "learned" } else { "fixed" });
    if let Some(fixed) = fixed {
        tensors.insert("cln.affinity".to_owned(), Tensor::from_vec(fixed, (COUNT, COUNT), &Device::Cpu)?);
    }
    let meta = serde_json::to_string(&metadata(&trained, kind)?).map_err(|e| Error::Internal(e.to_string()))?;
    let bytes = safetensors::serialize(&tensors, Some(HashMap::from([(METADATA_KEY.to_owned(), meta)])))
        .map_err(|e| Error::Internal(format!("the weights cannot be serialized: {e}")))?;
    io::write(&weights, &bytes)?;
    io::write(&module, MODULE.as_bytes())?;
    output.record()?;
    Ok(Exported { module, weights, values: tensors.values().map(Tensor::elem_count).sum() })
}

fn metadata<'a>(trained: &'a TrainedModel, affinity: Option<&'a str>) -> Result<ExportMeta<'a>> {
    let profile = &trained.config.profile;
    let network = &profile.network;
    if network.backbone != BackboneName::AlexnetCvgj {
        return Err(Error::Request(format!(
            "a network with the backbone {} cannot be exported: only {} can",
            network.backbone,
            BackboneName::AlexnetCvgj
        )));
    }
    let side = network.map_size().map_err(Error::Internal)?;
    Ok(ExportMeta {
        run: trained.config.id(),
        variant: trained.variant.name,
        input: network.input_size,
        stride: network.stride,
        widths: network.widths,
        last_pool: network.last_pool,
        branch: network.branch_channels,
        node: network.node_channels,
        positions: side * side,
        eps: network.bn_eps,
        net: trained.variant.net.map(net_name),
        affinity,
        node_layout: match trained.variant.net {
            Some(Net::GraphAttention(_, NodeLayout::AuthorsCode)) => "joined",
            _ => "own",
        },
        prepared: trained.preprocessing.size,
        resize: profile.images.resize,
        mirror: profile.evaluation.mirror,
        attributes: &NAMES,
        untrained: &trained.untrained,
    })
}

/// The module's name for a kind of correlation net.
fn net_name(net: Net) -> &'static str {
    match net {
        Net::GraphAttention(..) => "graph-attention",
        Net::DotProduct(Scale::Root) => "scaled",
        Net::DotProduct(Scale::Temperature) => "temperature",
        Net::DotProduct(Scale::Cosine) => "cosine",
        Net::Others => "others",
        Net::Gat(Gat::First) => "gat",
        Net::Gat(Gat::Second) => "gatv2",
        Net::Transformer(_) => "transformer",
        Net::Aux => "aux",
        Net::MlGcn => "ml-gcn",
        Net::Linear => "linear",
    }
}

/// A tensor with PyTorch's name and layout: each attribute becomes one group of a convolution. `None` if the module has
/// no such tensor.
fn converted(name: &str, tensor: &Tensor) -> Result<Option<(String, Tensor)>> {
    let dims = tensor.dims();
    let (layer, rest) = name.split_once('.').unwrap_or((name, ""));
    let backbone = ["conv1", "conv2", "conv3", "conv4", "conv5"].contains(&layer);
    let reshaped = |dims: &[usize]| -> Result<_> { Ok(Some((name.to_owned(), tensor.reshape(dims)?))) };
    match (layer, rest, dims) {
        (_, "weight" | "bias", _) if backbone => Ok(Some((format!("{layer}.conv.{rest}"), tensor.clone()))),
        ("data_bn", _, [3]) => Ok(Some((name.to_owned(), tensor.clone()))),
        (_, _, _) if backbone && rest.starts_with("bn.") => Ok(Some((name.to_owned(), tensor.clone()))),
        ("branch", "conv.weight" | "fc.weight", &[count, outputs, inputs])
        | ("cln", "node.weight" | "fc.weight", &[count, outputs, inputs]) => reshaped(&[count * outputs, inputs, 1, 1]),
        ("cln", "edges", _) => Ok(Some(("cln.affinity".to_owned(), tensor.clone()))),
        ("branch", "pse.conv1.weight", &[count, outputs]) => reshaped(&[count * outputs, 1, 1, 1]),
        ("branch", "pse.conv2.weight", &[count, inputs]) => reshaped(&[count, inputs, 1, 1]),
        ("branch", "conv.bias" | "fc.bias" | "pse.conv1.bias" | "pse.conv2.bias", _)
        | ("cln", "node.bias" | "fc.bias", _) => reshaped(&[tensor.elem_count()]),
        ("branch", _, _) if rest.starts_with("bn.") || rest.starts_with("pse.bn.") => reshaped(&[tensor.elem_count()]),
        _ => Ok(None),
    }
}
