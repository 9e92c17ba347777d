//! The interface of a backbone, before and after it is built.

use super::builder::Builder;
use super::context::ForwardCtx;
use crate::model::architecture::Architecture;
use candle_core::{Result, Tensor};
use std::fmt;

/// Properties of a backbone that follow from its sizes.
pub(in crate::model) trait BackboneSpec: Sync {
    /// Stride of the first convolution and the five widths as published.
    fn published(&self) -> (usize, [usize; 5]);
    /// Channels of the last map.
    fn channels(&self, architecture: &Architecture) -> usize;
    /// Side of the last map, or a sentence on why the sizes give none.
    fn output_size(&self, architecture: &Architecture) -> std::result::Result<usize, String>;
    /// Kernel and stride of every convolution and pool from the pixels to the last map.
    fn windows(&self, architecture: &Architecture) -> Vec<(usize, usize)>;
    /// Largest number of values that a convolution unfolds for a group of one image, or outputs.
    fn max_elements(&self, architecture: &Architecture) -> usize;
    /// Builds the network, with parameters and running statistics from `builder`.
    fn build(&self, architecture: &Architecture, builder: &mut Builder) -> Result<Box<dyn Backbone>>;
}

/// A backbone that computes.
pub(in crate::model) trait Backbone: fmt::Debug + Send + Sync {
    /// Maps standardized pixels `[3, batch, side, side]` to the map that branches read, `[channels, batch, side', side']`.
    /// `data` are scale and shift (`[3]` each) that are not yet applied to the pixels.
    fn forward(&self, x: &Tensor, data: &(Tensor, Tensor), ctx: &ForwardCtx) -> Result<Tensor>;
}

/// Side in pixels of the square of the input that a value of the last map depends on, padding included.
pub(super) fn receptive_field(windows: &[(usize, usize)]) -> usize {
    let grown = |(field, step), &(kernel, stride): &(usize, usize)| (field + (kernel.max(1) - 1) * step, step * stride);
    windows.iter().fold((1, 1), grown).0
}

/// Side of a convolution's or pool's output. `None` if the input is too small.
pub(super) fn conv_output_size(side: usize, kernel: usize, stride: usize, padding: usize) -> Option<usize> {
    (stride > 0).then(|| (side + 2 * padding).checked_sub(kernel).map(|rest| rest / stride + 1))?
}

/// Values that a convolution of `inputs` channels unfolds for one image, or outputs if that is more.
pub(super) fn unfolded(side: usize, inputs: usize, kernel: usize, outputs: usize) -> usize {
    side * side * (inputs * kernel * kernel).max(outputs)
}
