//! The graph of ML-GCN (Chen et al. 2019) from the labels of the training images, and ML-GCN itself.

use super::{Builder, CorrelationNet, NetInput, ZERO, of_scores};
use crate::attribute::COUNT;
use crate::model::init::glorot;
use crate::nn::{CorrelationOutput, leaky_relu};
use candle_core::{Result, Tensor};

/// An attribute follows another if it is positive in this share of the other's images at least (Chen et al.'s 0.4).
const THRESHOLD: f64 = 0.4;
/// Weight of all attributes that follow another, relative to itself.
const NEIGHBOURS: f64 = 0.25;
/// Values between both graph convolutions.
const HIDDEN: usize = 1024;

/// How often two attributes are positive in the same image.
#[derive(Debug, Clone)]
pub struct LabelCounts {
    /// `[row * 40 + column]`; the diagonal counts one attribute.
    both: Vec<u64>,
}

impl Default for LabelCounts {
    fn default() -> Self {
        Self { both: vec![0; COUNT * COUNT] }
    }
}

impl LabelCounts {
    /// Counts one image.
    pub fn add(&mut self, labels: &[bool; COUNT]) {
        let positive: Vec<usize> = (0..COUNT).filter(|attribute| labels[*attribute]).collect();
        for (row, column) in positive.iter().flat_map(|row| positive.iter().map(move |column| (row, column))) {
            self.both[row * COUNT + column] += 1;
        }
    }

    /// The re-weighted graph of the authors' code: the identity plus edges to attributes that follow, which share
    /// [`NEIGHBOURS`] in each column.
    fn graph(&self) -> Vec<f64> {
        let follows = |row: usize, column: usize| {
            let (both, alone) = (self.both[row * COUNT + column], self.both[row * COUNT + row]);
            row != column && alone > 0 && both as f64 >= THRESHOLD * alone as f64
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
