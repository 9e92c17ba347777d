//! The correlation nets that are not the paper's: `Compared` of `gal_net.py`.

use super::super::network::Network;
use super::graph::{Attribute, Graph};
use super::layers::{gelu, layer_norm, linear, reduce, repeated, reshape, select, sum, transpose, unsqueeze};
use crate::attribute::COUNT;
use crate::variant::{Gat, Net, Scale};

/// Attention heads of the transformer.
const HEADS: usize = 4;
/// Most attention heads of a published layer.
const MOST_HEADS: usize = 8;

const ATTRIBUTES: i64 = COUNT as i64;

/// Inputs of a correlation net.
pub(super) struct Features<'a> {
    /// Logits of the feature learning net, `[B, 40, 2]`.
    pub(super) fln: &'a str,
    /// Features, `[B, 40 c, h, w]`.
    pub(super) gated: &'a str,
    /// The backbone's last map, `[B, channels, h, w]`.
    pub(super) maps: &'a str,
}

/// A correlation net that is not the paper's.
#[derive(Clone, Copy)]
pub(super) struct Compared<'a>(pub(super) &'a Network<'a>);

impl Compared<'_> {
    /// Logits `[B, 40, 2]` and mean attention `[B, 40, 40]`, if the net weighs attributes.
    pub(super) fn forward(self, g: &mut Graph, net: Net, features: &Features) -> (String, Option<String>) {
        let (tokens, attention) = match net {
            Net::Aux => {
                let (logits, influence) = aux(g, features.fln);
                return (logits, Some(influence));
            }
            Net::Linear => {
                let mean = reduce(g, "ReduceMean", features.maps, &[2, 3], false);
                let scores = linear(g, "cln.linear", &mean, true);
                return (of_scores(g, &scores), None);
            }
            Net::MlGcn => return (ml_gcn(g, features.maps), None),
            Net::GraphAttention(..) => unreachable!("the paper's net has a function of its own"),
            Net::DotProduct(scale) => {
                let nodes = self.nodes(g, features.gated);
                self.dot_product(g, &nodes, scale)
            }
            Net::Others => {
                let nodes = self.nodes(g, features.gated);
                self.others(g, &nodes)
            }
            Net::Gat(version) => {
                let nodes = self.nodes(g, features.gated);
                self.published(g, &nodes, version)
            }
            Net::Transformer(layers) => {
                let nodes = self.nodes(g, features.gated);
                self.transformer(g, &nodes, layers)
            }
            Net::KnownLabels => {
                let nodes = self.nodes(g, features.gated);
                self.transformer(g, &nodes, 1)
            }
        };
        let column = unsqueeze(g, &tokens, 3);
        let logits = g.op("MatMul", &["cln.fc.weight", &column], &[]);
        let logits = reshape(g, &logits, &[0, ATTRIBUTES, 2]);
        (g.op("Add", &[&logits, "cln.fc.bias"], &[]), Some(attention))
    }

    /// Values of a node.
    fn length(self) -> usize {
        self.0.meta.node * self.0.meta.positions
    }

    /// One node per attribute, `[B, 40, d]`, ordered by channel.
    fn nodes(self, g: &mut Graph, gated: &str) -> String {
        let features = reshape(g, gated, &[0, ATTRIBUTES, -1, self.0.meta.positions as i64]);
        let nodes = g.op("MatMul", &["cln.node.weight", &features], &[]);
        let bias = unsqueeze(g, "cln.node.bias", 2);
        let nodes = g.op("Add", &[&nodes, &bias], &[]);
        reshape(g, &nodes, &[0, ATTRIBUTES, -1])
    }

    fn dot_product(self, g: &mut Graph, nodes: &str, scale: Scale) -> (String, String) {
        let scores = match scale {
            Scale::Root => {
                let root = self.root(g);
                products(g, nodes, &root)
            }
            Scale::Temperature => products(g, nodes, "cln.temperature"),
            Scale::Cosine => {
                let squares = g.op("Mul", &[nodes, nodes], &[]);
                let squares = sum(g, &squares, 2, true);
                let least = g.float(1e-12);
                let squares = g.op("Add", &[&squares, &least], &[]);
                let lengths = g.op("Sqrt", &[&squares], &[]);
                let units = g.op("Div", &[nodes, &lengths], &[]);
                products(g, &units, "cln.temperature")
            }
        };
        let attention = softmax(g, &scores, 2);
        (g.op("MatMul", &[&attention, nodes], &[]), attention)
    }

    /// The weight of an attribute on itself is 0; its own node stands before the others' mean.
    fn others(self, g: &mut Graph, nodes: &str) -> (String, String) {
        let root = self.root(g);
        let scores = products(g, nodes, &root);
        let mut diagonal = vec![0.0; COUNT * COUNT];
        for value in diagonal.iter_mut().step_by(COUNT + 1) {
            *value = f32::NEG_INFINITY;
        }
        let diagonal = g.floats(&[COUNT, COUNT], &diagonal);
        let scores = g.op("Add", &[&scores, &diagonal], &[]);
        let attention = softmax(g, &scores, 2);
        let mean = g.op("MatMul", &[&attention, nodes], &[]);
        (g.op("Concat", &[nodes, &mean], &[("axis", Attribute::Int(2))]), attention)
    }

    /// One over the root of a node's length.
    fn root(self, g: &mut Graph) -> String {
        g.float((self.length() as f64).powf(-0.5) as f32)
    }

    /// GAT (Velickovic et al. 2018) or GATv2 (Brody et al. 2022).
    fn published(self, g: &mut Graph, nodes: &str, version: Gat) -> (String, String) {
        let heads = (1..=MOST_HEADS).rev().find(|heads| self.length().is_multiple_of(*heads)).unwrap_or(1) as i64;
        let (values, scores) = match version {
            Gat::First => {
                let values = linear(g, "cln.project", nodes, false);
                let values = by_head(g, &values, heads);
                // One number of each node, as a column and as a row.
                let mut number = |name: &str, axis| {
                    let weight = reshape(g, name, &[heads, 1, -1]);
                    let products = g.op("Mul", &[&values, &weight], &[]);
                    let numbers = sum(g, &products, 3, false);
                    unsqueeze(g, &numbers, axis)
                };
                let (source, target) = (number("cln.source.weight", 3), number("cln.target.weight", 2));
                let sums = g.op("Add", &[&source, &target], &[]);
                (values, leaky_relu(g, &sums))
            }
            Gat::Second => {
                let [left, values] = ["cln.left", "cln.right"].map(|name| {
                    let projected = linear(g, name, nodes, true);
                    by_head(g, &projected, heads)
                });
                let (column, row) = (unsqueeze(g, &left, 3), unsqueeze(g, &values, 2));
                let sums = g.op("Add", &[&column, &row], &[]);
                let sums = leaky_relu(g, &sums);
                let weight = reshape(g, "cln.attention.weight", &[heads, 1, 1, -1]);
                let products = g.op("Mul", &[&sums, &weight], &[]);
                (values, sum(g, &products, 4, false))
            }
        };
        let attention = softmax(g, &scores, 3);
        let tokens = weighted(g, &attention, &values);
        let tokens = g.op("Add", &[&tokens, "cln.bias"], &[]);
        (g.op("Elu", &[&tokens], &[]), reduce(g, "ReduceMean", &attention, &[1], false))
    }

    fn transformer(self, g: &mut Graph, nodes: &str, layers: usize) -> (String, String) {
        let tokens = linear(g, "cln.project", nodes, true);
        let mut tokens = g.op("Add", &[&tokens, "cln.embedding"], &[]);
        let width = self.0.tensors.get("cln.embedding").map_or(0, |embedding| embedding.dims()[1]);
        let root = g.float(((width / HEADS) as f64).powf(-0.5) as f32);
        let mut attention = Vec::new();
        for number in 1..=layers {
            let layer = format!("cln.layer{number}");
            let normed = layer_norm(g, &format!("{layer}.norm1"), &tokens);
            let [query, key, value] = ["query", "key", "value"].map(|name| {
                let projected = linear(g, &format!("{layer}.{name}"), &normed, true);
                by_head(g, &projected, HEADS as i64)
            });
            let key = transpose(g, &key, &[0, 1, 3, 2]);
            let scores = g.op("MatMul", &[&query, &key], &[]);
            let scores = g.op("Mul", &[&scores, &root], &[]);
            let weights = softmax(g, &scores, 3);
            let refined = weighted(g, &weights, &value);
            let refined = linear(g, &format!("{layer}.out"), &refined, true);
            tokens = g.op("Add", &[&tokens, &refined], &[]);
            let normed = layer_norm(g, &format!("{layer}.norm2"), &tokens);
            let hidden = linear(g, &format!("{layer}.up"), &normed, true);
            let hidden = gelu(g, &hidden);
            let change = linear(g, &format!("{layer}.down"), &hidden, true);
            tokens = g.op("Add", &[&tokens, &change], &[]);
            attention.push(reduce(g, "ReduceMean", &weights, &[1], false));
        }
        let attention: Vec<&str> = attention.iter().map(String::as_str).collect();
        let attention = g.op("Mean", &attention, &[]);
        (layer_norm(g, "cln.norm", &tokens), attention)
    }
}

/// MCNN-AUX's layer on the FLN's scores, and the size of each weight relative to the sum of its row.
fn aux(g: &mut Graph, fln: &str) -> (String, String) {
    let (yes, no) = (select(g, fln, 1, 2), select(g, fln, 0, 2));
    let scores = g.op("Sub", &[&yes, &no], &[]);
    let change = linear(g, "cln.aux", &scores, true);
    let scores = g.op("Add", &[&scores, &change], &[]);
    let mut identity = vec![0.0; COUNT * COUNT];
    identity.iter_mut().step_by(COUNT + 1).for_each(|value| *value = 1.0);
    let identity = g.floats(&[COUNT, COUNT], &identity);
    let weight = g.op("Add", &["cln.aux.weight", &identity], &[]);
    let sizes = g.op("Abs", &[&weight], &[]);
    let total = sum(g, &sizes, 1, true);
    let influence = g.op("Div", &[&sizes, &total], &[]);
    (of_scores(g, &scores), repeated(g, &influence, &[ATTRIBUTES, ATTRIBUTES], fln))
}

/// Classifiers from a graph convolution over the labels, on the largest value of each channel.
fn ml_gcn(g: &mut Graph, maps: &str) -> String {
    let hidden = g.op("MatMul", &["cln.edges", "cln.first.weight"], &[]);
    let hidden = leaky_relu(g, &hidden);
    let hidden = g.op("MatMul", &[&hidden, "cln.second.weight"], &[]);
    let classifiers = g.op("MatMul", &["cln.edges", &hidden], &[]);
    let classifiers = transpose(g, &classifiers, &[1, 0]);
    let largest = reduce(g, "ReduceMax", maps, &[2, 3], false);
    let scores = g.op("MatMul", &[&largest, &classifiers], &[]);
    of_scores(g, &scores)
}

/// Logits `[B, 40, 2]` of scores `[B, 40]`: 0 for "no", the score for "yes".
fn of_scores(g: &mut Graph, scores: &str) -> String {
    let column = unsqueeze(g, scores, 2);
    let pads = g.ints(&[0, 0, 1, 0, 0, 0]);
    g.op("Pad", &[&column, &pads], &[])
}

/// Dot products of nodes `[B, 40, d]` with one another, times `scale`.
fn products(g: &mut Graph, nodes: &str, scale: &str) -> String {
    let scaled = g.op("Mul", &[nodes, scale], &[]);
    let transposed = transpose(g, nodes, &[0, 2, 1]);
    g.op("MatMul", &[&scaled, &transposed], &[])
}

fn softmax(g: &mut Graph, scores: &str, axis: i64) -> String {
    g.op("Softmax", &[scores], &[("axis", Attribute::Int(axis))])
}

fn leaky_relu(g: &mut Graph, x: &str) -> String {
    g.op("LeakyRelu", &[x], &[("alpha", Attribute::Float(0.2))])
}

/// `[B, 40, d]` to `[B, heads, 40, d / heads]`.
fn by_head(g: &mut Graph, x: &str, heads: i64) -> String {
    let split = reshape(g, x, &[0, ATTRIBUTES, heads, -1]);
    transpose(g, &split, &[0, 2, 1, 3])
}

/// Means of values `[B, heads, 40, f]` weighted by `attention` `[B, heads, 40, 40]`, as `[B, 40, heads f]`.
fn weighted(g: &mut Graph, attention: &str, values: &str) -> String {
    let means = g.op("MatMul", &[attention, values], &[]);
    let means = transpose(g, &means, &[0, 2, 1, 3]);
    reshape(g, &means, &[0, ATTRIBUTES, -1])
}
