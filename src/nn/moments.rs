//! Moments of channels, for batch norm.

use candle_core::{Device, Result, Tensor};

/// Mean and biased variance of each channel, `[channels]`.
#[derive(Debug, Clone)]
pub struct Moments {
    /// Mean of the values.
    pub mean: Tensor,
    /// Mean squared distance from the mean.
    pub variance: Tensor,
}

impl Moments {
    pub(super) fn new(mean: Vec<f32>, variance: Vec<f32>, device: &Device) -> Result<Self> {
        let channels = mean.len();
        Ok(Self {
            mean: Tensor::from_vec(mean, channels, device)?,
            variance: Tensor::from_vec(variance, channels, device)?,
        })
    }
}

/// Statistics that batch norm normalizes with.
#[derive(Debug, Clone)]
pub enum Statistics {
    /// Moments of the batch, in training.
    Batch,
    /// Running averages, in evaluation and in a frozen network.
    Running(Moments),
}
