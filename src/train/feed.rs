//! The source of training steps: decoded images, or stored features of a frozen backbone.

use super::features::Features;
use super::learner::Learner;
use super::loader::{Batch, DataLoader, one_hot};
use crate::error::Result;
use candle_core::{Device, Tensor};

/// The source of training batches.
pub(super) enum Feed<'a> {
    Images(DataLoader<'a>),
    Features(DataLoader<'a>, Features),
}

/// A training batch on the CPU.
pub(super) enum FeedBatch {
    Images(Batch),
    Features {
        /// `[c, batch, h, w]`.
        features: Tensor,
        /// One-hot, `[40, 2, batch]`.
        targets: Vec<f32>,
    },
}

impl Feed<'_> {
    /// The local batch of training step `step`.
    pub(super) fn next(&self, step: usize) -> Result<FeedBatch> {
        match self {
            Self::Images(loader) => loader.training_batch(step).map(FeedBatch::Images),
            Self::Features(loader, stored) => {
                let (images, targets) = loader.flip_indices(step);
                Ok(FeedBatch::Features { features: stored.batch(&images)?, targets })
            }
        }
    }
}

impl FeedBatch {
    /// The backbone's features and the targets `[40, 2, batch]` on `device`.
    pub(super) fn features(&self, learner: &Learner, device: &Device) -> Result<(Tensor, Tensor)> {
        match self {
            Self::Images(batch) => {
                let (pixels, targets) = batch.tensors(device)?;
                Ok((learner.features(&pixels)?, targets))
            }
            Self::Features { features, targets } => Ok((features.to_device(device)?, one_hot(targets, device)?)),
        }
    }
}
