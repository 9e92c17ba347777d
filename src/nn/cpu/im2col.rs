//! Grouped convolution through im2col, forward and backward, for `[channel, batch, height, width]` activations. Columns
//! of the unfolded input are made one cache-sized tile at a time and multiplied by the weights. In this layout a group
//! is an offset, and products are written straight into the result.

use super::matmul::{self, PARTS, View, Window, sum_parts};
use super::scratch;
use super::simd::{self, Channel, copy_run};
use crate::nn::geometry::Geometry;
use rayon::prelude::*;
use std::ops::Range;

/// Floats of a tile of unfolded columns in the forward and input-gradient passes (1.5 MB).
const TILE: usize = 3 << 17;
/// Floats of a tile in the weight-gradient pass, where longer products are faster.
const WEIGHT_TILE: usize = 3 << 18;
/// Minimum columns of a tile: thinner products are slow.
const MIN_COLUMNS: usize = 256;

impl Geometry {
    /// The unfolded input is the input itself.
    pub(in crate::nn) fn is_pointwise(&self) -> bool {
        self.kernel == 1 && self.stride == 1 && self.padding == 0
    }

    /// Weights of one output channel.
    pub(in crate::nn) fn taps(&self) -> usize {
        self.inputs / self.groups * self.kernel * self.kernel
    }

    /// Output rows over all images; a tile is a range of them.
    fn out_rows(&self) -> usize {
        self.batch * self.out_height()
    }

    /// Range of input rows, over all images, that contains every row that output rows `first..last` read.
    fn rows_read(&self, (first, last): (usize, usize)) -> Range<usize> {
        let (begin, end) = (first / self.out_height(), (last - 1) / self.out_height());
        let top = (first % self.out_height() * self.stride).saturating_sub(self.padding).min(self.height);
        let bottom = ((last - 1) % self.out_height() * self.stride + self.kernel).saturating_sub(self.padding);
        begin * self.height + top..end * self.height + bottom.min(self.height)
    }

    /// Length of the `phases` buffer of [`unfold`].
    fn phases_len(&self, rows: (usize, usize)) -> usize {
        if self.stride == 1 { 0 } else { self.rows_read(rows).len() * self.stride * self.phase_width() }
    }

    /// Columns of one stride phase of an input row.
    fn phase_width(&self) -> usize {
        self.width.div_ceil(self.stride)
    }

    /// Output rows of a tile of about `floats` unfolded values.
    fn tile_rows(&self, floats: usize) -> usize {
        let width = self.out_width();
        (floats / self.taps() / width).max(MIN_COLUMNS.div_ceil(width)).clamp(1, self.out_rows())
    }

    /// Range of output columns `x` whose input column `x * stride + tap - padding` exists.
    fn valid_columns(&self, tap: usize) -> (usize, usize) {
        let low = self.padding.saturating_sub(tap).div_ceil(self.stride);
        let high = match (self.width + self.padding).checked_sub(tap + 1) {
            Some(last) => (last / self.stride + 1).min(self.out_width()),
            None => 0,
        };
        (low.min(high), high)
    }

    /// Input row, over all images, that `tap` of output row `row` reads. `None` if it is padding.
    fn input_row(&self, row: usize, tap: usize) -> Option<usize> {
        let (image, y) = (row / self.out_height(), row % self.out_height());
        let y = (y * self.stride + tap).checked_sub(self.padding)?;
        (y < self.height).then_some(image * self.height + y)
    }
}

/// Splits each input row into its `stride` phases: columns 0, s, 2s, .., then 1, s + 1, ..
fn split_phases(g: &Geometry, x: &[f32], phases: &mut [f32]) {
    let width = g.phase_width();
    for (phases, row) in phases.chunks_exact_mut(g.stride * width).zip(x.chunks_exact(g.width)) {
        for (phase, to) in phases.chunks_exact_mut(width).enumerate() {
            for (to, from) in to.iter_mut().zip(row[phase..].iter().step_by(g.stride)) {
                *to = *from;
            }
        }
    }
}

/// Unfolds the input of `group` for output rows `first..last` into `columns`, `[taps, (last - first) * out_width]`.
/// `phases` holds [`Geometry::phases_len`] floats: in a row split into phases, the values that one tap reads for a row
/// of outputs are contiguous.
fn unfold(
    g: &Geometry,
    x: &[f32],
    group: usize,
    (first, last): (usize, usize),
    columns: &mut [f32],
    phases: &mut [f32],
) {
    let (k, width) = (g.kernel, g.out_width());
    let channels = g.inputs / g.groups;
    let plane = g.batch * g.height * g.width;
    let read = g.rows_read((first, last));
    let mut lines = columns.chunks_exact_mut((last - first) * width);
    for channel in group * channels..(group + 1) * channels {
        let mut x = &x[channel * plane..][read.start * g.width..read.end * g.width];
        if g.stride > 1 {
            split_phases(g, x, phases);
            x = phases;
        }
        for tap in 0..k * k {
            let line = lines.next().expect("one line a tap");
            let (ky, kx) = (tap / k, tap % k);
            let (low, high) = g.valid_columns(kx);
            for (row, out) in (first..last).zip(line.chunks_exact_mut(width)) {
                let Some(input) = g.input_row(row, ky) else {
                    out.fill(0.0);
                    continue;
                };
                out[..low].fill(0.0);
                out[high..].fill(0.0);
                let start = low * g.stride + kx - g.padding;
                let from = ((input - read.start) * g.stride + start % g.stride) * g.phase_width() + start / g.stride;
                copy_run(&mut out[low..high], &x[from..from + high - low]);
            }
        }
    }
}

/// The transpose of [`unfold`]: adds the columns onto the input gradient `dx` of `group`. No other task may touch the
/// rows of `dx` that output rows `first..last` read.
fn fold(g: &Geometry, dx: Window, group: usize, (first, last): (usize, usize), columns: &[f32]) {
    let (k, width) = (g.kernel, g.out_width());
    let channels = g.inputs / g.groups;
    let plane = g.batch * g.height * g.width;
    let mut lines = columns.chunks_exact((last - first) * width);
    for channel in group * channels..(group + 1) * channels {
        for tap in 0..k * k {
            let line = lines.next().expect("one line a tap");
            let (ky, kx) = (tap / k, tap % k);
            let (low, high) = g.valid_columns(kx);
            for (row, column) in (first..last).zip(line.chunks_exact(width)) {
                let Some(input) = g.input_row(row, ky) else { continue };
                let start = low * g.stride + kx - g.padding;
                #[allow(unsafe_code, reason = "each task has its own rows")]
                // SAFETY: no other task has the rows of this image and group.
                let to = unsafe { dx.at(channel * plane + input * g.width).slice(g.width) };
                for (to, value) in to[start..].iter_mut().step_by(g.stride).zip(&column[low..high]) {
                    *to += value;
                }
            }
        }
    }
}

/// How the last columns of a tile are computed if they do not fill a [`matmul::BLOCK`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::nn) enum BatchInvariance {
    /// The fastest way: their last bits may depend on their position in the tile.
    Relaxed,
    /// In a whole block, so that an image has the same bits in any batch.
    Exact,
}

/// See [`super::conv::forward`].
pub(super) fn forward(
    g: &Geometry,
    x: &[f32],
    w: &[f32],
    invariance: BatchInvariance,
    norm: Option<&[Channel]>,
) -> Vec<f32> {
    let (width, taps, plane) = (g.out_width(), g.taps(), g.out_plane());
    let outputs = g.outputs / g.groups;
    let mut tile = g.tile_rows(TILE);
    if invariance == BatchInvariance::Exact {
        // The tile height, up to twice the default, that leaves the least of its last block empty.
        let empty = |rows: &usize| (rows * width).next_multiple_of(matmul::BLOCK) * 1000 / (rows * width);
        tile = (tile..=2 * tile).min_by_key(empty).unwrap_or(tile).min(g.out_rows());
    }
    let tiles = g.out_rows().div_ceil(tile);
    let compute_tile = |y: Window, task: usize| {
        let (group, first) = (task / tiles, task % tiles * tile);
        let last = (first + tile).min(g.out_rows());
        let n = (last - first) * width;
        let rest = if invariance == BatchInvariance::Exact { n % matmul::BLOCK } else { 0 };
        let out = y.at(group * outputs * plane + first * width);
        let w = View::new(&w[group * outputs * taps..], outputs, taps, taps);
        let whole = if rest > 0 { outputs * matmul::BLOCK } else { 0 };
        if g.is_pointwise() && norm.is_none() && rest == 0 {
            matmul::multiply(out, w, View::new(&x[group * taps * plane + first * width..], taps, n, plane), false);
            return;
        }
        let phases = g.phases_len((first, last));
        // The last block may start near the end of the last line.
        scratch::with(taps * n + matmul::BLOCK + whole + phases, |buffer| {
            let (columns, buffer) = buffer.split_at_mut(taps * n + matmul::BLOCK);
            let (whole, phases) = buffer.split_at_mut(whole);
            unfold(g, x, group, (first, last), &mut columns[..taps * n], phases);
            matmul::multiply(out, w, View::new(columns, taps, n - rest, n), false);
            if rest > 0 {
                let rest_of = View::new(&columns[n - rest..], taps, matmul::BLOCK, n);
                matmul::multiply(Window::new(whole, matmul::BLOCK), w, rest_of, false);
                for (channel, line) in whole.chunks_exact(matmul::BLOCK).enumerate() {
                    out.at(channel * plane + n - rest).write(&line[..rest]);
                }
            }
            let Some(norm) = norm else { return };
            for (channel, norm) in norm[group * outputs..][..outputs].iter().enumerate() {
                #[allow(unsafe_code, reason = "each task has its own columns")]
                // SAFETY: no other task has the columns of this tile and group, and they were written above.
                let line = unsafe { out.at(channel * plane).slice(n) };
                simd::scale_relu_in_place(line, norm.scale, norm.shift);
            }
        });
    };
    #[allow(unsafe_code, reason = "see `fill_uninit`")]
    // SAFETY: the tiles of all groups cover the output.
    unsafe {
        matmul::fill_uninit(g.outputs * plane, plane, |y| {
            (0..tiles * g.groups).into_par_iter().for_each(|task| compute_tile(y, task));
        })
    }
}

/// Gradient with respect to the input, in its shape: products of the transposed weights, folded back.
pub(super) fn input_gradient(g: &Geometry, w: &[f32], dy: &[f32]) -> Vec<f32> {
    let (width, taps, plane) = (g.out_width(), g.taps(), g.out_plane());
    let outputs = g.outputs / g.groups;
    let tile = g.tile_rows(TILE).min(g.out_height());
    let mut dx = vec![0.0; g.inputs * g.batch * g.height * g.width];
    let window = Window::new(&mut dx, 0);
    (0..g.batch * g.groups).into_par_iter().for_each(|task| {
        let (group, image) = (task / g.batch, task % g.batch);
        for first in (image * g.out_height()..(image + 1) * g.out_height()).step_by(tile) {
            let last = (first + tile).min((image + 1) * g.out_height());
            let n = (last - first) * width;
            scratch::with(taps * n, |columns| {
                matmul::multiply(
                    Window::new(columns, n),
                    View::new(&w[group * outputs * taps..], outputs, taps, taps).transposed(),
                    View::new(&dy[group * outputs * plane + first * width..], outputs, n, plane),
                    false,
                );
                fold(g, window, group, (first, last), columns);
            });
        }
    });
    dx
}

/// Gradient with respect to the weights, in their shape.
pub(super) fn weight_gradient(g: &Geometry, x: &[f32], dy: &[f32]) -> Vec<f32> {
    let (width, taps, plane) = (g.out_width(), g.taps(), g.out_plane());
    let outputs = g.outputs / g.groups;
    let size = outputs * taps;
    // The number of parts is fixed, so that the sum does not depend on the number of threads.
    let part = g.out_rows().div_ceil(PARTS);
    let pieces = g.out_rows().div_ceil(part);
    let tile = g.tile_rows(WEIGHT_TILE).min(part);
    let sum_part = |dw: Window, task: usize| {
        let (piece, group) = (task / g.groups, task % g.groups);
        let end = ((piece + 1) * part).min(g.out_rows());
        for first in (piece * part..end).step_by(tile) {
            let last = (first + tile).min(end);
            let n = (last - first) * width;
            let dy = View::new(&dy[group * outputs * plane + first * width..], outputs, n, plane);
            let accumulate = first > piece * part;
            if g.is_pointwise() {
                let x = View::new(&x[group * taps * plane + first * width..], taps, n, plane);
                matmul::multiply(dw, dy, x.transposed(), accumulate);
                continue;
            }
            scratch::with(taps * n + g.phases_len((first, last)), |buffer| {
                let (columns, phases) = buffer.split_at_mut(taps * n);
                unfold(g, x, group, (first, last), columns, phases);
                matmul::multiply(dw, dy, View::new(columns, taps, n, n).transposed(), accumulate);
            });
        }
    };
    #[allow(unsafe_code, reason = "see `fill_uninit`")]
    // SAFETY: every part has rows, and the first of them write its whole sum.
    let mut parts = unsafe {
        matmul::fill_uninit(pieces * g.groups * size, taps, |dw| {
            (0..pieces * g.groups).into_par_iter().for_each(|task| sum_part(dw.at(task * size), task));
        })
    };
    sum_parts(&mut parts, g.groups * size);
    parts
}
