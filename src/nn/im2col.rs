//! Grouped two-dimensional convolution on the CPU, forward and backward, over activations in `[channel, batch, height,
//! width]` order: columns of the unfolded input (im2col) are made a tile at a time, small enough for the cache, and
//! multiplied by the weights. In this order a group is an offset, and the products write straight into the result.

use super::matmul::{self, View, Window};
use super::reference::ConvConfig;
use super::simd::{self, Channel};
use super::{scratch, winograd};
use candle_core::{Result, bail};
use rayon::prelude::*;
use std::ops::Range;

/// Floats of one tile of unfolded columns in the forward and input-gradient passes (1.5 MB).
const TILE: usize = 3 << 17;
/// The same in the weight-gradient pass, where longer products pay.
const WEIGHT_TILE: usize = 3 << 18;
/// Columns a tile holds at least, so that products are not too thin.
const COLUMNS: usize = 256;
/// Partial weight gradients, added up in a fixed order.
pub(super) const PARTS: usize = 4;

/// Everything about a convolution but its numbers. All maps and kernels are `height x width` and `kernel x kernel`.
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
    /// Of an input `[c, b, h, w]` and weights `[o, c / groups, k, k]`, which must fit each other.
    pub(super) fn new(x: &[usize], w: &[usize], ConvConfig { padding, stride, groups }: ConvConfig) -> Result<Self> {
        let (&[inputs, batch, height, width], &[outputs, per_group, kernel, kernel_width]) = (x, w) else {
            bail!("a convolution takes an input [c, b, h, w] and weights [o, i, k, k], found {x:?} and {w:?}")
        };
        let fits = height.min(width) + 2 * padding >= kernel;
        if per_group * groups != inputs || outputs % groups != 0 || kernel != kernel_width || !fits {
            bail!("weights {w:?} in {groups} groups do not fit an input of {x:?} with {padding} zeros around")
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

    /// Weights of one output channel.
    fn taps(&self) -> usize {
        self.inputs / self.groups * self.kernel * self.kernel
    }

    /// Output rows of all images, which tiles are cut from.
    fn out_rows(&self) -> usize {
        self.batch * self.out_height()
    }

    /// The input rows, over all images, that the output rows `first..last` read, and those between them.
    fn rows_read(&self, (first, last): (usize, usize)) -> Range<usize> {
        let (begin, end) = (first / self.out_height(), (last - 1) / self.out_height());
        let top = (first % self.out_height() * self.stride).saturating_sub(self.padding).min(self.height);
        let bottom = ((last - 1) % self.out_height() * self.stride + self.kernel).saturating_sub(self.padding);
        begin * self.height + top..end * self.height + bottom.min(self.height)
    }

    /// Floats that [`unfold`] needs room for.
    fn split(&self, rows: (usize, usize)) -> usize {
        if self.stride == 1 { 0 } else { self.rows_read(rows).len() * self.stride * self.phase_width() }
    }

    /// Columns of one phase of an input row.
    fn phase_width(&self) -> usize {
        self.width.div_ceil(self.stride)
    }

    fn tile_rows(&self, floats: usize) -> usize {
        let width = self.out_width();
        (floats / self.taps() / width).max(COLUMNS.div_ceil(width)).clamp(1, self.out_rows())
    }

    /// The output columns whose input column `x * stride + tap - padding` exists.
    fn valid(&self, tap: usize) -> (usize, usize) {
        let low = self.padding.saturating_sub(tap).div_ceil(self.stride);
        let high = match (self.width + self.padding).checked_sub(tap + 1) {
            Some(last) => (last / self.stride + 1).min(self.out_width()),
            None => 0,
        };
        (low.min(high), high)
    }

    /// The input row that `tap` of output row `row` (over all images) reads, if it is not padding.
    fn input_row(&self, row: usize, tap: usize) -> Option<usize> {
        let (image, y) = (row / self.out_height(), row % self.out_height());
        let y = (y * self.stride + tap).checked_sub(self.padding)?;
        (y < self.height).then_some(image * self.height + y)
    }
}

/// Copies a short run by moves of fixed width, the last one overlapping: a call of `memcpy` costs more than the run.
#[inline]
pub(super) fn copy_run(to: &mut [f32], from: &[f32]) {
    fn wide<const N: usize>(to: &mut [f32], from: &[f32]) -> bool {
        let (Some(last_to), Some(last_from)) = (to.last_chunk_mut::<N>(), from.last_chunk::<N>()) else {
            return false;
        };
        *last_to = *last_from;
        for (to, from) in to.as_chunks_mut::<N>().0.iter_mut().zip(from.as_chunks::<N>().0) {
            *to = *from;
        }
        true
    }
    if !(wide::<16>(to, from) || wide::<4>(to, from)) {
        for (to, from) in to.iter_mut().zip(from) {
            *to = *from;
        }
    }
}

/// Splits each input row into its `stride` phases: columns 0, s, 2s, .. then 1, s + 1, ..
fn phases(g: &Geometry, x: &[f32], split: &mut [f32]) {
    let width = g.phase_width();
    for (split, row) in split.chunks_exact_mut(g.stride * width).zip(x.chunks_exact(g.width)) {
        for (phase, to) in split.chunks_exact_mut(width).enumerate() {
            for (to, from) in to.iter_mut().zip(row[phase..].iter().step_by(g.stride)) {
                *to = *from;
            }
        }
    }
}

/// Unfolds the input of `group` for output rows `first..last` into `columns`, `[taps, (last - first) * out_width]`.
/// `split` is room for [`Geometry::split`] floats: with each row in its phases, what one tap reads for a row of outputs
/// lies side by side.
fn unfold(
    g: &Geometry,
    x: &[f32],
    group: usize,
    (first, last): (usize, usize),
    columns: &mut [f32],
    split: &mut [f32],
) {
    let (k, width) = (g.kernel, g.out_width());
    let channels = g.inputs / g.groups;
    let plane = g.batch * g.height * g.width;
    let read = g.rows_read((first, last));
    let mut lines = columns.chunks_exact_mut((last - first) * width);
    for channel in group * channels..(group + 1) * channels {
        let mut x = &x[channel * plane..][read.start * g.width..read.end * g.width];
        if g.stride > 1 {
            phases(g, x, split);
            x = split;
        }
        for tap in 0..k * k {
            let line = lines.next().expect("one line a tap");
            let (ky, kx) = (tap / k, tap % k);
            let (low, high) = g.valid(kx);
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

/// The transpose of [`unfold`]: adds the columns back onto the input of `group`. `dx` begins at channel
/// `group * channels` and is the caller's alone in the rows that `first..last` reads.
fn fold(g: &Geometry, dx: Window, group: usize, (first, last): (usize, usize), columns: &[f32]) {
    let (k, width) = (g.kernel, g.out_width());
    let channels = g.inputs / g.groups;
    let plane = g.batch * g.height * g.width;
    let mut lines = columns.chunks_exact((last - first) * width);
    for channel in group * channels..(group + 1) * channels {
        for tap in 0..k * k {
            let line = lines.next().expect("one line a tap");
            let (ky, kx) = (tap / k, tap % k);
            let (low, high) = g.valid(kx);
            for (row, column) in (first..last).zip(line.chunks_exact(width)) {
                let Some(input) = g.input_row(row, ky) else { continue };
                let start = low * g.stride + kx - g.padding;
                #[allow(unsafe_code, reason = "rows of different images are different tasks")]
                // SAFETY: a task owns the rows of its image and group.
                let to = unsafe { dx.at(channel * plane + input * g.width).slice(g.width) };
                for (to, value) in to[start..].iter_mut().step_by(g.stride).zip(&column[low..high]) {
                    *to += value;
                }
            }
        }
    }
}

/// How the last columns of a tile, fewer than a kernel of the matrix product takes at a time, are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BatchInvariance {
    /// As fast as can be. Their last bits may differ from those of the same columns elsewhere in a tile.
    Relaxed,
    /// As all others, so that an image has the same result in any batch.
    Exact,
}

/// `x * w` for `x` `[inputs, batch, height, width]` and `w` `[outputs, inputs / groups, kernel, kernel]`:
/// `[outputs, batch, out_height, out_width]`; with batch norm and ReLU on top where `norm` gives every output's.
pub(super) fn forward(
    g: &Geometry,
    x: &[f32],
    w: &[f32],
    invariance: BatchInvariance,
    norm: Option<&[Channel]>,
) -> Vec<f32> {
    if winograd::covers(g) {
        return winograd::forward(g, x, w, norm);
    }
    let (width, taps, plane) = (g.out_width(), g.taps(), g.out_plane());
    let outputs = g.outputs / g.groups;
    let mut tile = g.tile_rows(TILE);
    if invariance == BatchInvariance::Exact {
        // The rows, up to twice as many, whose columns leave the least of their last block empty.
        let empty = |rows: &usize| (rows * width).next_multiple_of(matmul::BLOCK) * 1000 / (rows * width);
        tile = (tile..=2 * tile).min_by_key(empty).unwrap_or(tile).min(g.out_rows());
    }
    let tiles = g.out_rows().div_ceil(tile);
    let one = |y: Window, task: usize| {
        let (group, first) = (task / tiles, task % tiles * tile);
        let last = (first + tile).min(g.out_rows());
        let n = (last - first) * width;
        let rest = if invariance == BatchInvariance::Exact { n % matmul::BLOCK } else { 0 };
        let out = y.at(group * outputs * plane + first * width);
        let w = View::new(&w[group * outputs * taps..], outputs, taps, taps);
        let whole = if rest > 0 { outputs * matmul::BLOCK } else { 0 };
        let split = g.split((first, last));
        // A whole block may begin near the end of the last line.
        scratch::with(taps * n + matmul::BLOCK + whole + split, |buffer| {
            let (columns, buffer) = buffer.split_at_mut(taps * n + matmul::BLOCK);
            let (whole, split) = buffer.split_at_mut(whole);
            unfold(g, x, group, (first, last), &mut columns[..taps * n], split);
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
                #[allow(unsafe_code, reason = "the columns of a tile are one task's")]
                // SAFETY: a task owns the columns of its tile and group, and has just written them.
                let line = unsafe { out.at(channel * plane).slice(n) };
                simd::scale_relu_in_place(line, norm.scale, norm.shift);
            }
        });
    };
    #[allow(unsafe_code, reason = "see `fill_uninit`")]
    // SAFETY: the tiles of all groups are the whole output.
    unsafe {
        matmul::fill_uninit(g.outputs * plane, plane, |y| {
            (0..tiles * g.groups).into_par_iter().for_each(|task| one(y, task));
        })
    }
}

/// Gradient with respect to the input, in its shape.
pub(super) fn input_gradient(g: &Geometry, w: &[f32], dy: &[f32]) -> Vec<f32> {
    // A small kernel: as a convolution of dy with the flipped, transposed weights. A larger one would unfold dy's many
    // channels kernel^2 times, where folding the product back costs less.
    if g.stride == 1 && (g.kernel <= 3 || winograd::covers(g)) {
        let flipped = Geometry {
            inputs: g.outputs,
            outputs: g.inputs,
            padding: g.kernel - 1 - g.padding,
            height: g.out_height(),
            width: g.out_width(),
            ..*g
        };
        return forward(&flipped, dy, &flip(g, w), BatchInvariance::Relaxed, None);
    }
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

/// Weights with both kernel axes reversed and input and output channels exchanged within each group.
fn flip(g: &Geometry, w: &[f32]) -> Vec<f32> {
    let (inputs, outputs, area) = (g.inputs / g.groups, g.outputs / g.groups, g.kernel * g.kernel);
    let mut flipped = vec![0.0; w.len()];
    for (kernel, from) in w.chunks_exact(area).enumerate() {
        let (output, input) = (kernel / inputs, kernel % inputs);
        let (group, output) = (output / outputs, output % outputs);
        let to = ((group * inputs + input) * outputs + output) * area;
        for (to, from) in flipped[to..to + area].iter_mut().zip(from.iter().rev()) {
            *to = *from;
        }
    }
    flipped
}

/// Gradient with respect to the weights, in their shape.
pub(super) fn weight_gradient(g: &Geometry, x: &[f32], dy: &[f32]) -> Vec<f32> {
    if winograd::covers(g) {
        return winograd::weight_gradient(g, x, dy);
    }
    let (width, taps, plane) = (g.out_width(), g.taps(), g.out_plane());
    let outputs = g.outputs / g.groups;
    let size = outputs * taps;
    // The parts depend on the shape alone, so that the sum does not depend on the number of threads.
    let part = g.out_rows().div_ceil(PARTS);
    let tile = g.tile_rows(WEIGHT_TILE).min(part);
    let mut parts = vec![0.0; PARTS * g.groups * size];
    parts.par_chunks_exact_mut(size).enumerate().for_each(|(task, dw)| {
        let (piece, group) = (task / g.groups, task % g.groups);
        let end = ((piece + 1) * part).min(g.out_rows());
        for first in (piece * part..end).step_by(tile) {
            let last = (first + tile).min(end);
            let n = (last - first) * width;
            scratch::with(taps * n + g.split((first, last)), |buffer| {
                let (columns, split) = buffer.split_at_mut(taps * n);
                unfold(g, x, group, (first, last), columns, split);
                matmul::multiply(
                    Window::new(dw, taps),
                    View::new(&dy[group * outputs * plane + first * width..], outputs, n, plane),
                    View::new(columns, taps, n, n).transposed(),
                    first > piece * part,
                );
            });
        }
    });
    sum_parts(&mut parts, g.groups * size);
    parts
}

/// Adds the others of several sums of one `size` to the first, in their order, and leaves that.
pub(super) fn sum_parts(parts: &mut Vec<f32>, size: usize) {
    const PIECE: usize = 1 << 14;
    let (total, others) = parts.split_at_mut(size);
    for other in others.chunks_exact(size) {
        total.par_chunks_mut(PIECE).zip(other.par_chunks(PIECE)).for_each(|(a, b)| simd::add_scaled(a, b, 1.0));
    }
    parts.truncate(size);
}
