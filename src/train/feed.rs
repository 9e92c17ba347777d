//! The source of training steps: decoded images, or stored features of a frozen backbone.

use super::features::Features;
use super::learner::Learner;
use super::loader::{Batch, DataLoader, target_tensor};
use super::soft_targets::{mixup_share, smooth};
use crate::config::Regularization;
use crate::error::Result;
use candle_core::{Device, Tensor};

/// The source of training batches.
pub(super) struct Feed<'a> {
    pub(super) loader: DataLoader<'a>,
    /// Read in place of images if they are stored.
    pub(super) features: Option<Features>,
    /// Mixup applies to images only.
    pub(super) regularization: Regularization,
}

/// A training batch on the CPU.
pub(super) enum FeedBatch {
    Images(Batch),
    Features {
        /// `[c, batch, h, w]`.
        features: Tensor,
        /// `[40, 2, batch]`.
        targets: Vec<f32>,
    },
}

impl Feed<'_> {
    /// The local batch of training step `step`.
    pub(super) fn next(&self, step: usize) -> Result<FeedBatch> {
        let mut batch = self.plain(step)?;
        let smoothing = self.regularization.label_smoothing;
        if smoothing > 0.0 {
            match &mut batch {
                FeedBatch::Images(Batch { targets, images, .. }) => smooth(targets, images.len(), smoothing),
                FeedBatch::Features { targets, features } => smooth(targets, features.dim(1)?, smoothing),
            }
        }
        Ok(batch)
    }

    /// The batch before label smoothing.
    fn plain(&self, step: usize) -> Result<FeedBatch> {
        let (loader, mixup) = (&self.loader, self.regularization.mixup);
        if let Some(stored) = &self.features {
            let (images, targets) = loader.flip_indices(step);
            return Ok(FeedBatch::Features { features: stored.batch(&images)?, targets });
        }
        if mixup > 0.0 {
            return loader.mixed_batch(step, mixup_share(loader.seed, step, mixup)).map(FeedBatch::Images);
        }
        loader.training_batch(step).map(FeedBatch::Images)
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
            Self::Features { features, targets } => Ok((features.to_device(device)?, target_tensor(targets, device)?)),
        }
    }
}
