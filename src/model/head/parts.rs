//! The trait of layers without branches, and their widths.

use crate::model::architecture::Architecture;
use crate::model::backbone::ForwardCtx;
use candle_core::{Result, Tensor};
use std::fmt;

/// Layers without branches.
pub(in crate::model) trait Head: fmt::Debug + Send + Sync {
    /// Logits `[40, 2, batch]` from the backbone's last map `[channels, batch, side, side]`.
    fn forward(&self, map: &Tensor, ctx: &ForwardCtx) -> Result<Tensor>;
}

impl Architecture {
    /// A published width times the factor by which this network's last map is narrower than as published.
    pub(super) fn scaled(&self, width: usize) -> usize {
        let (_, published) = self.backbone.published();
        (width * self.widths[4]).div_ceil(published[4])
    }
}
