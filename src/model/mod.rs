//! The network of the paper (arXiv 1810.09162). The feature learning net (FLN) is a shared backbone with forty branches.
//! The correlation learning net (CLN) is a graph attention layer over the branches' features.
//!
//! [`FeatureNet`] and each correlation net list the names and shapes of their parameters. Running statistics of batch norm
//! are stored separately, as they are not trained.

mod architecture;
mod backbone;
mod backend;
mod correlation;
mod feature_net;
mod head;
mod init;
mod layers;
mod running;

pub use crate::nn::CorrelationOutput;
pub use architecture::{Architecture, BackboneName};
pub use backend::{Backend, Mode};
pub use correlation::{CorrelationNet, LabelCounts, NetInput, correlation_net, error_affinity, is_fixed_graph};
pub use feature_net::{FeatureNet, FeatureOutput};

use candle_core::{D, Result, Tensor};

/// Softmax cross-entropy over two classes, averaged over the batch and summed over the attributes. `logits` and `targets`
/// are `[attributes, 2, batch]`. Targets are one-hot, or zeros for a label that is not known, which has no loss and no
/// gradient. The divisor stays the size of the batch: each known label weighs the same, in every batch and on every rank.
pub fn loss(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if logits.device().is_cuda() {
        return crate::nn::cross_entropy(logits, targets);
    }
    let batch = logits.dim(2)?;
    (candle_nn::ops::log_softmax(logits, 1)? * targets)?.sum_all()?.neg()? / batch as f64
}

/// Probability of the positive class, `[batch, attributes]`, from logits `[attributes, 2, batch]`.
pub fn probabilities(logits: &Tensor) -> Result<Tensor> {
    let logits = logits.detach().transpose(1, 2)?.contiguous()?;
    candle_nn::ops::softmax(&logits, D::Minus1)?.narrow(2, 1, 1)?.squeeze(2)?.t()?.contiguous()
}

/// Returns whether weight decay applies to a parameter: to weights, never to biases or a normalization.
pub fn has_weight_decay(name: &str) -> bool {
    name.ends_with(".weight") && !name.contains("bn.") && !name.contains("norm")
}

/// Returns whether a parameter or running statistic of the feature learning net is above its backbone.
pub fn is_above_backbone(name: &str) -> bool {
    name.starts_with("branch.") || name.starts_with("head.")
}

/// Returns whether a parameter belongs to the classifiers of the branches.
pub fn is_fln_classifier(name: &str) -> bool {
    name.starts_with("branch.fc.")
}
