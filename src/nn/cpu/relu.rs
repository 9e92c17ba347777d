//! Backward pass of ReLU from its output.

use super::matmul::{self, Window};
use super::{scratch, simd};
use rayon::prelude::*;

/// `dy` where the output `y` of a ReLU is positive, in parallel pieces of `piece` values.
pub(in crate::nn) fn relu_gradient(y: &[f32], dy: &[f32], piece: usize) -> Vec<f32> {
    const LENGTH: usize = 1 << 12;
    let fill = |d: Window| {
        y.par_chunks(piece).zip(dy.par_chunks(piece)).enumerate().for_each(|(index, (y, dy))| {
            scratch::with(LENGTH, |buffer| {
                for (run, (y, dy)) in y.chunks(LENGTH).zip(dy.chunks(LENGTH)).enumerate() {
                    simd::relu_backward(y, dy, &mut buffer[..y.len()]);
                    d.at(index * piece + run * LENGTH).write(&buffer[..y.len()]);
                }
            });
        });
    };
    #[allow(unsafe_code, reason = "see `fill_uninit`")]
    // SAFETY: the pieces cover all values.
    unsafe {
        matmul::fill_uninit(y.len(), 0, fill)
    }
}
