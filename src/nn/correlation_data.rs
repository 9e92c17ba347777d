//! Edges, parameters and results of correlation nets.

use candle_core::Tensor;

/// The weights between nodes.
#[derive(Debug, Clone)]
pub enum Edges {
    /// Softmax over each row of the nodes' dot products, per image.
    Learned,
    /// The same `[a, a]` matrix for every image.
    Fixed(Tensor),
}

/// Parameters of `a` nodes with `g` channels over features of `c` channels.
#[derive(Debug, Clone)]
pub struct CorrelationParameters {
    /// `[a, g, c]`.
    pub weight: Tensor,
    /// `[a, g]`.
    pub bias: Tensor,
    /// Classifiers, `[a, outputs, positions * g]`. A node's vector holds the `g` channels of the first position, then those
    /// of the next.
    pub out_weight: Tensor,
    /// `[a, outputs]`.
    pub out_bias: Tensor,
}

/// Output of a correlation net for a batch.
#[derive(Debug, Clone)]
pub struct CorrelationOutput {
    /// Logits `[a, outputs, batch]`; class 1 is "has the attribute".
    pub logits: Tensor,
    /// Weights between attributes, rows summing to 1, averaged over the batch, without a gradient: `[a, a]`. `None` for a net
    /// without such weights.
    pub affinity: Option<Tensor>,
    /// Size of the dot products, averaged over attributes and batch: a node's with itself, and its largest with another,
    /// `[2]`. `None` for fixed edges.
    pub products: Option<Tensor>,
}

impl CorrelationOutput {
    /// The same values without gradients.
    pub fn detach(&self) -> Self {
        let [affinity, products] = [&self.affinity, &self.products].map(|tensor| tensor.as_ref().map(Tensor::detach));
        Self { logits: self.logits.detach(), affinity, products }
    }
}
