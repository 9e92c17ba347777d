//! The network as an ONNX model. Each function is one module of `gal_net.py`, with the same tensors under the same names.
//!
//! No crate: those that write models, such as onnx-pb, need prost and its generated code for five messages.

mod correlation;
mod graph;
mod layers;

use super::network::Network;
use crate::attribute::COUNT;
use crate::error::{Error, Result};
use crate::variant::{Net, NodeLayout};
use correlation::{Compared, Features};
use graph::{Attribute, Graph};
use serde_json::Value;

/// Descriptions of input and outputs.
const PIXELS: &str = "RGB, 0 to 255, [batch, channel, row, column]: resized and cropped like the test images";
const FLN: &str = "logits of the feature learning net, \"no\" before \"yes\"; untrained in the variant cln-only";
const CLN: &str = "logits of the correlation learning net, \"no\" before \"yes\"";
const AFFINITY: &str = "weights between attributes; row i holds those of attribute i";
const PROBABILITIES: &str = "probabilities of the primary head: the CLN's if it has one, else the FLN's";

/// The bytes of the model.
pub(super) fn model(network: &Network) -> Result<Vec<u8>> {
    let meta = &network.meta;
    let mut graph = Graph::default();
    let g = &mut graph;
    let pixels = g.input("pixels", &[3, meta.input, meta.input], PIXELS);
    let views = if meta.mirror { with_mirror_images(g, &pixels) } else { pixels };
    let maps = backbone(g, network, &views);
    let (fln, gated) = branches(g, network, &maps);
    let features = Features { fln: &fln, gated: &gated, maps: &maps };
    let (cln, affinity) = match network.net {
        None => (None, None),
        Some(Net::GraphAttention(_, layout)) => {
            let (cln, affinity) = graph_attention(g, network, &gated, layout);
            (Some(cln), Some(affinity))
        }
        Some(net) => {
            let (cln, affinity) = Compared(network).forward(g, net, &features);
            (Some(cln), affinity)
        }
    };
    let softmax = g.op("Softmax", &[cln.as_ref().unwrap_or(&fln)], &[("axis", Attribute::Int(2))]);
    let mut probabilities = layers::select(g, &softmax, 1, 2);
    if meta.mirror {
        let [of_images, of_mirror_images] = halves(g, &probabilities);
        let sum = g.op("Add", &[&of_images, &of_mirror_images], &[]);
        let half = g.float(0.5);
        probabilities = g.op("Mul", &[&sum, &half], &[]);
    }
    let outputs = [("fln", Some(fln), 2, FLN), ("cln", cln, 2, CLN), ("affinity", affinity, COUNT, AFFINITY)];
    for (name, value, columns, description) in outputs {
        let Some(mut value) = value else { continue };
        if meta.mirror {
            [value, _] = halves(g, &value);
        }
        g.output(name, &value, &[COUNT, columns], description);
    }
    g.output("probabilities", &probabilities, &[COUNT], PROBABILITIES);
    graph.model("gal_net", &network.tensors, &properties(network)?)
}

/// The network's metadata, an entry a key: texts as they are, other values as JSON.
fn properties(network: &Network) -> Result<Vec<(String, String)>> {
    let meta = serde_json::to_value(&network.meta).map_err(|e| Error::Internal(e.to_string()))?;
    let Value::Object(meta) = meta else { return Err(Error::Internal("metadata has no keys".to_owned())) };
    let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Ok(meta.into_iter().map(|(key, value)| (key, text(value))).collect())
}

/// A batch of twice the size: the images, then their mirror images.
fn with_mirror_images(g: &mut Graph, pixels: &str) -> String {
    // From the last column on, backwards and past the first.
    let (start, end, axis, step) = (g.ints(&[-1]), g.ints(&[i64::MIN]), g.ints(&[3]), g.ints(&[-1]));
    let mirrored = g.op("Slice", &[pixels, &start, &end, &axis, &step], &[]);
    g.op("Concat", &[pixels, &mirrored], &[("axis", Attribute::Int(0))])
}

/// Both halves of a batch.
fn halves(g: &mut Graph, value: &str) -> [String; 2] {
    g.op_with("Split", &[value], &[("axis", Attribute::Int(0))])
}

/// Maps pixels `[B, 3, side, side]` to `[B, widths[4], h, w]`.
fn backbone(g: &mut Graph, network: &Network, pixels: &str) -> String {
    let meta = &network.meta;
    let blocks = [
        layers::ConvBlock { kernel: 11, stride: meta.stride, padding: 0, groups: 1, pool: true },
        layers::ConvBlock { kernel: 5, stride: 1, padding: 2, groups: 2, pool: true },
        layers::ConvBlock { kernel: 3, stride: 1, padding: 1, groups: 1, pool: false },
        layers::ConvBlock { kernel: 3, stride: 1, padding: 1, groups: 2, pool: false },
        layers::ConvBlock { kernel: 3, stride: 1, padding: 1, groups: 2, pool: meta.last_pool },
    ];
    let mut x = layers::batch_norm(g, "data_bn", pixels, meta.eps);
    for (block, number) in blocks.into_iter().zip(1..) {
        x = block.forward(g, &format!("conv{number}"), &x, meta.eps);
    }
    x
}

/// Logits `[B, 40, 2]` and gated features `[B, 40 c, h, w]`.
fn branches(g: &mut Graph, network: &Network, maps: &str) -> (String, String) {
    let eps = network.meta.eps;
    let features = layers::conv(g, "branch.conv", maps, 1);
    let features = layers::batch_norm(g, "branch.bn", &features, eps);
    let features = g.op("Relu", &[&features], &[]);
    let side = network.meta.positions.isqrt() as i64;
    let by_attribute = layers::reshape(g, &features, &[0, COUNT as i64, -1, side, side]);
    let summary = layers::reduce(g, "ReduceMean", &by_attribute, &[2], false);
    let mask = mask(g, &summary, eps);
    let mask = layers::unsqueeze(g, &mask, 2);
    let gated = g.op("Mul", &[&by_attribute, &mask], &[]);
    let gated = layers::reshape(g, &gated, &[0, -1, side, side]);
    let mean = layers::reduce(g, "ReduceMean", &gated, &[2, 3], true);
    let logits = layers::conv(g, "branch.fc", &mean, COUNT);
    (layers::reshape(g, &logits, &[0, COUNT as i64, 2]), gated)
}

/// One spatial mask per attribute: `[B, 40, h, w]` to the same shape, in (0, 1).
fn mask(g: &mut Graph, summary: &str, eps: f64) -> String {
    let hidden = layers::conv(g, "branch.pse.conv1", summary, COUNT);
    let hidden = layers::batch_norm(g, "branch.pse.bn", &hidden, eps);
    let hidden = g.op("Relu", &[&hidden], &[]);
    let mask = layers::conv(g, "branch.pse.conv2", &hidden, COUNT);
    g.op("Sigmoid", &[&mask], &[])
}

/// The paper's correlation net: logits `[B, 40, 2]` and affinity `[B, 40, 40]`.
fn graph_attention(g: &mut Graph, network: &Network, gated: &str, layout: NodeLayout) -> (String, String) {
    let (count, node, positions) = (COUNT as i64, network.meta.node as i64, network.meta.positions as i64);
    let nodes = layers::conv(g, "cln.node", gated, COUNT);
    let by_attribute = layers::reshape(g, &nodes, &[0, count, node, positions]);
    let vectors = layers::transpose(g, &by_attribute, &[0, 1, 3, 2]);
    let vectors = layers::reshape(g, &vectors, &[0, count, -1]);
    let affinity = if network.tensors.contains_key("cln.affinity") {
        layers::repeated(g, "cln.affinity", &[count, count], gated)
    } else {
        let transposed = layers::transpose(g, &vectors, &[0, 2, 1]);
        let products = g.op("MatMul", &[&vectors, &transposed], &[]);
        g.op("Softmax", &[&products], &[("axis", Attribute::Int(2))])
    };
    let vectors = match layout {
        NodeLayout::Own => vectors,
        NodeLayout::AuthorsCode => {
            let cut = layers::reshape(g, &nodes, &[0, node, count, positions]);
            let cut = layers::transpose(g, &cut, &[0, 2, 3, 1]);
            layers::reshape(g, &cut, &[0, count, -1])
        }
    };
    let refined = g.op("MatMul", &[&affinity, &vectors], &[]);
    let refined = layers::reshape(g, &refined, &[0, -1, 1, 1]);
    let logits = layers::conv(g, "cln.fc", &refined, COUNT);
    (layers::reshape(g, &logits, &[0, count, 2]), affinity)
}
