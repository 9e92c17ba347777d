//! A trained network in the terms of PyTorch: its sizes, and its tensors with the names and layouts of PyTorch's own layers.

use crate::attribute::{COUNT, NAMES};
use crate::error::{Error, Result};
use crate::model::BackboneName;
use crate::train::TrainedModel;
use crate::variant::{Affinity, Gat, Layers, Net, NodeLayout, Scale};
use candle_core::{Device, Tensor};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// The network's sizes and the preprocessing of its input.
#[derive(Debug, Serialize)]
pub(super) struct ExportMeta<'a> {
    pub(super) run: String,
    pub(super) variant: &'a str,
    pub(super) input: usize,
    pub(super) stride: usize,
    pub(super) widths: [usize; 5],
    pub(super) last_pool: bool,
    pub(super) branch: usize,
    pub(super) node: usize,
    /// Positions of the backbone's last map.
    pub(super) positions: usize,
    pub(super) eps: f64,
    /// Kind of the correlation net; `None` without one.
    pub(super) net: Option<&'a str>,
    /// `learned` or `fixed`; `None` unless the net is the paper's.
    pub(super) affinity: Option<&'a str>,
    pub(super) node_layout: &'a str,
    /// Side of the prepared images.
    pub(super) prepared: u32,
    /// Side that images are resized to before the center crop.
    pub(super) resize: usize,
    /// Averages the probabilities of an image and its mirror image.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) mirror: bool,
    pub(super) attributes: &'a [&'a str],
    /// Attributes without a training label.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(super) untrained: &'a [String],
}

/// A network that can be exported.
pub(super) struct Network<'a> {
    /// Written beside the weights.
    pub(super) meta: ExportMeta<'a>,
    /// The correlation net.
    pub(super) net: Option<Net>,
    /// Weights, running statistics and a fixed affinity, by the names of the Python module.
    pub(super) tensors: BTreeMap<String, Tensor>,
}

impl<'a> Network<'a> {
    /// The network of the run folder `run`, read as `trained`.
    ///
    /// # Errors
    /// A network that is not complete, or that the Python module does not support.
    pub(super) fn new(trained: &'a TrainedModel, run: &Path) -> Result<Self> {
        if trained.variant.layers != Layers::Branches {
            return Err(Error::Request(format!(
                "the variant {} cannot be exported: only networks with the paper's branches can",
                trained.variant.name
            )));
        }
        // Checks that the network is complete.
        trained.learner(run, &Device::Cpu)?;
        let affinity = match trained.variant.net {
            Some(Net::GraphAttention(affinity, _)) => Some(affinity),
            _ => None,
        };
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
        if let Some(fixed) = affinity.and_then(|affinity| affinity.fixed(trained.config.seed)) {
            tensors.insert("cln.affinity".to_owned(), Tensor::from_vec(fixed, (COUNT, COUNT), &Device::Cpu)?);
        }
        // No label is given to an exported network: that state of a token is a part of its embedding.
        if let Some(states) = tensors.remove("cln.states")
            && let Some(embedding) = tensors.get_mut("cln.embedding")
        {
            *embedding = embedding.broadcast_add(&states.get(0)?)?;
        }
        let kind = affinity.map(|affinity| if affinity == Affinity::Learned { "learned" } else { "fixed" });
        Ok(Self { meta: metadata(trained, kind)?, net: trained.variant.net, tensors })
    }

    /// Number of values, running statistics and a fixed affinity included.
    pub(super) fn values(&self) -> usize {
        self.tensors.values().map(Tensor::elem_count).sum()
    }
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
        Net::Transformer(_) | Net::KnownLabels => "transformer",
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
