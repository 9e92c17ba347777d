//! The graph of ML-GCN (Chen et al. 2019) from the labels of the training images, and ML-GCN itself.

use super::parts::{Builder, CorrelationNet, NetInput, of_scores};
use crate::attribute::{COUNT, ImageLabels};
use crate::model::init::{ZERO, glorot};
use crate::nn::{CorrelationOutput, leaky_relu};
use candle_core::{Result, Tensor};

/// An attribute follows another if it is positive in this share of the other's images at least (Chen et al.'s 0.4).
const THRESHOLD: f64 = 0.4;
/// Weight of all attributes that follow another, relative to itself.
const NEIGHBOURS: f64 = 0.25;
/// Values between both graph convolutions.
const HIDDEN: usize = 1024;

/// How often an attribute is positive in the images of another. Labels that are not known do not count.
#[derive(Debug, Clone)]
pub struct LabelCounts {
    /// Images with both attributes, `[row * 40 + column]`.
    both: Vec<u64>,
    /// Images with the attribute of the row in which that of the column is known.
    known: Vec<u64>,
}

impl Default for LabelCounts {
    fn default() -> Self {
        Self { both: vec![0; COUNT * COUNT], known: vec![0; COUNT * COUNT] }
    }
}

impl LabelCounts {
    /// Counts one image.
    pub fn add(&mut self, labels: &ImageLabels) {
        for row in (0..COUNT).filter(|row| labels[*row] == Some(true)) {
            for (column, label) in labels.iter().enumerate() {
                self.both[row * COUNT + column] += u64::from(*label == Some(true));
                self.known[row * COUNT + column] += u64::from(label.is_some());
            }
        }
    }

    /// The re-weighted graph of the authors' code: the identity plus edges to attributes that follow, which share
    /// [`NEIGHBOURS`] in each column.
    fn graph(&self) -> Vec<f64> {
        let follows = |row: usize, column: usize| {
            let (both, known) = (self.both[row * COUNT + column], self.known[row * COUNT + column]);
            row != column && known > 0 && both as f64 >= THRESHOLD * known as f64
        };
        let mut graph = vec![0.0; COUNT * COUNT];
        for column in 0..COUNT {
            let edges = (0..COUNT).filter(|row| follows(*row, column)).count();
            for row in 0..COUNT {
                let edge = if follows(row, column) { NEIGHBOURS / (edges as f64 + 1e-6) } else { 0.0 };
                graph[row * COUNT + column] = edge + if row == column { 1.0 } else { 0.0 };
            }
        }
        graph
    }

    /// The graph with rows that sum to 1, `[row * 40 + column]`.
    pub fn affinity(&self) -> Vec<f32> {
        let graph = self.graph();
        graph
            .chunks_exact(COUNT)
            .flat_map(|row| {
                let sum: f64 = row.iter().sum();
                row.iter().map(move |weight| (weight / sum) as f32)
            })
            .collect()
    }

    /// The graph as ML-GCN normalizes it: the transpose of `A D^-1/2`, times `D^-1/2`, for row sums `D`.
    pub fn normalized(&self) -> Vec<f32> {
        let graph = self.graph();
        let root: Vec<f64> = graph.chunks_exact(COUNT).map(|row| row.iter().sum::<f64>().powf(-0.5)).collect();
        let entry = |row: usize, column: usize| graph[column * COUNT + row] * root[row] * root[column];
        (0..COUNT * COUNT).map(|index| entry(index / COUNT, index % COUNT) as f32).collect()
    }
}

/// ML-GCN: two graph convolutions over one-hot attributes give a classifier of the backbone's largest features for each.
/// Parameters: `edges` `[40, 40]` (from the labels), `first.weight` `[40, 1024]`, `second.weight` `[1024, channels]`.
#[derive(Debug)]
pub(super) struct MlGcn {
    edges: Tensor,
    first: Tensor,
    second: Tensor,
}

impl MlGcn {
    pub(super) fn new(builder: &Builder) -> Result<Self> {
        let (vb, channels) = (&builder.vb, builder.architecture.map_channels());
        Ok(Self {
            edges: vb.get_with_hints((COUNT, COUNT), "edges", ZERO)?,
            first: vb.pp("first").get_with_hints((COUNT, HIDDEN), "weight", glorot(COUNT, HIDDEN, 1.0))?,
            second: vb.pp("second").get_with_hints((HIDDEN, channels), "weight", glorot(HIDDEN, channels, 1.0))?,
        })
    }
}

impl CorrelationNet for MlGcn {
    fn forward(&self, input: &NetInput) -> Result<CorrelationOutput> {
        let edges = self.edges.detach();
        let hidden = leaky_relu(&edges.matmul(&self.first)?)?;
        let classifiers = edges.matmul(&hidden.matmul(&self.second)?)?;
        // [channels, batch].
        let largest = input.map.flatten_from(2)?.max(2)?;
        let scores = classifiers.matmul(&largest)?;
        Ok(CorrelationOutput { logits: of_scores(&scores)?, affinity: None, products: None })
    }
}
