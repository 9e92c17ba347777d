//! The shape of a two-dimensional convolution over `[channel, batch, height, width]` activations.

use candle_core::{Result, bail};

/// The fixed part of a convolution, as candle's `Conv2dConfig`.
#[derive(Debug, Clone, Copy)]
pub(super) struct ConvConfig {
    pub(super) padding: usize,
    pub(super) stride: usize,
    pub(super) groups: usize,
}

/// All sizes of a convolution. Maps are `height x width`, filters `kernel x kernel`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Geometry {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) groups: usize,
    pub(super) kernel: usize,
    pub(super) stride: usize,
    pub(super) padding: usize,
    pub(super) batch: usize,
    pub(super) height: usize,
    pub(super) width: usize,
}

impl Geometry {
    /// Checks that an input `[c, b, h, w]` and weights `[o, c / groups, k, k]` fit each other.
    pub(super) fn new(x: &[usize], w: &[usize], ConvConfig { padding, stride, groups }: ConvConfig) -> Result<Self> {
        let (&[inputs, batch, height, width], &[outputs, per_group, kernel, kernel_width]) = (x, w) else {
            bail!("a convolution takes an input [c, b, h, w] and weights [o, i, k, k], found {x:?} and {w:?}")
        };
        let fits = height.min(width) + 2 * padding >= kernel;
        if per_group * groups != inputs || outputs % groups != 0 || kernel != kernel_width || !fits {
            bail!("weights {w:?} in {groups} groups do not fit an input of {x:?} with padding {padding}")
        }
        Ok(Self { inputs, outputs, groups, kernel, stride, padding, batch, height, width })
    }

    pub(super) fn out_height(&self) -> usize {
        (self.height + 2 * self.padding - self.kernel) / self.stride + 1
    }

    pub(super) fn out_width(&self) -> usize {
        (self.width + 2 * self.padding - self.kernel) / self.stride + 1
    }

    /// Elements of one output channel over the whole batch.
    pub(super) fn out_plane(&self) -> usize {
        self.batch * self.out_height() * self.out_width()
    }
}
