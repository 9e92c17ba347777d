//! Options of a profile for the network that is tested, and for its predictions. Each is off by default, and not serialized
//! then.

use serde::{Deserialize, Serialize};

/// How networks are tested.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluationPolicy {
    /// Averages the probabilities of an image and its mirror image.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub mirror: bool,
    /// The weights that are tested and stored.
    #[serde(skip_serializing_if = "CheckpointChoice::is_last")]
    pub checkpoint: CheckpointChoice,
    /// Training batches over which the running statistics of batch norm are recomputed before the test; 0 keeps those of
    /// training.
    #[serde(skip_serializing_if = "is_off")]
    pub update_bn: usize,
}

/// A choice among the weights of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckpointChoice {
    /// Those after the last step.
    #[default]
    Last,
    /// Those with the best validation accuracy of the run's primary head, the first of several.
    Best,
}

impl CheckpointChoice {
    fn is_last(&self) -> bool {
        *self == Self::Last
    }
}

fn is_off(batches: &usize) -> bool {
    *batches == 0
}

impl EvaluationPolicy {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// A sentence for each option that is on, as the paper uses none.
    pub(super) fn deviations(self) -> impl Iterator<Item = String> {
        let mirror = self
            .mirror
            .then(|| "Predictions: averaged over the image and its mirror image (paper: the image alone).".to_owned());
        let best = (self.checkpoint == CheckpointChoice::Best)
            .then(|| "Tested weights: those with the best validation accuracy (paper: the last).".to_owned());
        let batches = self.update_bn;
        let update_bn = (batches > 0).then(|| {
            format!(
                "Running statistics of batch norm: recomputed over {batches} training batches (paper: of training)."
            )
        });
        [mirror, best, update_bn].into_iter().flatten()
    }
}
