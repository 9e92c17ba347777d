//! Convolutions with 3x3 and 5x5 kernels and step 1 by Winograd's minimal filtering (Lavin, Gray 2015, arXiv
//! 1509.09308): 2x2 outputs of a channel at a time, from a tile of 4x4 or 6x6 inputs. A tile and a kernel are brought to
//! as many points, where the convolution is a product at each point, 2.25 or 2.78 times fewer multiplications than the
//! sum over the kernel; over channels and tiles these are one matrix product a point. In exact arithmetic the result is
//! the convolution; in f32 it is about as near to it as the sum itself (3x3: twice its error, 5x5: four times).
//!
//! The points are 0, 1, -1, infinity, and for 5x5 also 1/2 and -2: of small sets that one has the least error
//! (Barabasz, Anderson, Soodhalter, Gregg 2020, arXiv 1803.10986).

#![allow(clippy::inline_always, reason = "code is compiled for an instruction set only within the function that asks")]

use super::im2col::{Geometry, PARTS, copy_run, sum_parts};
use super::matmul::{self, View, Window};
use super::scratch;
use super::simd::{self, Channel};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use std::marker::PhantomData;
use std::ops::Range;

/// Tiles that are transformed side by side.
const LANES: usize = 16;
/// Images whose tiles lie in one line, at most.
const IMAGES: usize = 16;
/// Tiles of a task, about: its operands should stay near the core that works on them.
const TILES: usize = 224;
/// The fewest channels in and out of a group for which this is faster than the sum over the kernel.
const CHANNELS: usize = 16;

/// Whether a convolution is one of those that come here. The batch has no say in it, so that an image has the same result
/// in any.
pub(super) fn covers(g: &Geometry) -> bool {
    let channels = g.inputs.min(g.outputs) / g.groups;
    g.stride == 1 && matches!(g.kernel, 3 | 5) && g.padding < g.kernel && channels >= CHANNELS
}

/// A transform along one axis, of a vector of tiles at a time.
trait Axis<const N: usize, const M: usize> {
    fn apply<S: Simd>(simd: S, values: [S::f32s; N]) -> [S::f32s; M];
}

/// The transforms for a kernel of so many taps, of which a tile has one point more.
struct Filter<const KERNEL: usize>;
/// Inputs of a tile to points.
struct Input<F>(F);
/// Points to the two outputs of a tile.
struct Output<F>(F);
/// Gradients of the two outputs to those of the points.
struct Spread<F>(F);

impl Axis<4, 4> for Input<Filter<3>> {
    #[inline(always)]
    fn apply<S: Simd>(s: S, [a, b, c, d]: [S::f32s; 4]) -> [S::f32s; 4] {
        [s.sub_f32s(a, c), s.add_f32s(b, c), s.sub_f32s(c, b), s.sub_f32s(d, b)]
    }
}

impl Axis<4, 2> for Output<Filter<3>> {
    #[inline(always)]
    fn apply<S: Simd>(s: S, [a, b, c, d]: [S::f32s; 4]) -> [S::f32s; 2] {
        [s.add_f32s(a, s.add_f32s(b, c)), s.add_f32s(d, s.sub_f32s(b, c))]
    }
}

impl Axis<2, 4> for Spread<Filter<3>> {
    #[inline(always)]
    fn apply<S: Simd>(s: S, [a, b]: [S::f32s; 2]) -> [S::f32s; 4] {
        [a, s.add_f32s(a, b), s.sub_f32s(a, b), b]
    }
}

impl Axis<6, 6> for Input<Filter<5>> {
    #[inline(always)]
    fn apply<S: Simd>(s: S, [a, b, c, d, e, f]: [S::f32s; 6]) -> [S::f32s; 6] {
        let (half, one_and_half) = (s.splat_f32s(0.5), s.splat_f32s(1.5));
        let (two, two_and_half) = (s.splat_f32s(2.0), s.splat_f32s(2.5));
        let (d_b, e_c) = (s.sub_f32s(d, b), s.sub_f32s(e, c));
        [
            // a - 2 c + e + 1.5 (d - b)
            s.mul_add_f32s(one_and_half, d_b, s.add_f32s(s.sub_f32s(a, c), e_c)),
            // e - b + 0.5 c + 2.5 d
            s.mul_add_f32s(half, c, s.mul_add_f32s(two_and_half, d, s.sub_f32s(e, b))),
            // e + b - 2.5 c + 0.5 d
            s.mul_add_f32s(half, d, s.sub_f32s(s.add_f32s(e, b), s.mul_f32s(two_and_half, c))),
            // e - c + 2 (d - b)
            s.mul_add_f32s(two, d_b, e_c),
            // e - c - 0.5 (d - b)
            s.sub_f32s(e_c, s.mul_f32s(half, d_b)),
            // b - 2 d + f + 1.5 (e - c)
            s.mul_add_f32s(one_and_half, e_c, s.sub_f32s(s.sub_f32s(f, d), d_b)),
        ]
    }
}

impl Axis<6, 2> for Output<Filter<5>> {
    #[inline(always)]
    fn apply<S: Simd>(s: S, [a, b, c, d, e, f]: [S::f32s; 6]) -> [S::f32s; 2] {
        let fractions = s.sub_f32s(s.mul_f32s(s.splat_f32s(0.5), d), s.mul_f32s(s.splat_f32s(2.0), e));
        [
            s.add_f32s(s.add_f32s(a, s.add_f32s(b, c)), s.add_f32s(d, e)),
            s.add_f32s(s.add_f32s(s.sub_f32s(b, c), fractions), f),
        ]
    }
}

impl Axis<2, 6> for Spread<Filter<5>> {
    #[inline(always)]
    fn apply<S: Simd>(s: S, [a, b]: [S::f32s; 2]) -> [S::f32s; 6] {
        let (half, minus_two) = (s.splat_f32s(0.5), s.splat_f32s(-2.0));
        [a, s.add_f32s(a, b), s.sub_f32s(a, b), s.mul_add_f32s(half, b, a), s.mul_add_f32s(minus_two, b, a), b]
    }
}

/// Squares of vectors to be transformed along both axes: square `block` is read at `from` plus its first tile, `down`
/// apart along a column and `right` along a row, and written with each vector `apart` after the one before, over `length`
/// tiles.
struct Squares<'a> {
    from: &'a [f32],
    down: usize,
    right: usize,
    to: &'a mut [f32],
    apart: usize,
    length: usize,
}

impl Squares<'_> {
    /// Transforms them by `Three` for a kernel of three taps, by `Five` for one of five.
    fn transform<Three, Five, const N: usize, const M: usize, const N5: usize, const M5: usize>(self, kernel: usize)
    where
        Three: Axis<N, M>,
        Five: Axis<N5, M5>,
    {
        match kernel {
            3 => Arch::new().dispatch(Both(self, PhantomData::<Three>)),
            _ => Arch::new().dispatch(Both(self, PhantomData::<Five>)),
        }
    }
}

/// A transform of squares.
struct Both<'a, T, const N: usize, const M: usize>(Squares<'a>, PhantomData<T>);

impl<T: Axis<N, M>, const N: usize, const M: usize> WithSimd for Both<'_, T, N, M> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Squares { from, down, right, to, apart, length } = self.0;
        let zero = simd.splat_f32s(0.0);
        for block in (0..length).step_by(S::F32_LANES) {
            let mut rows = [[zero; M]; N];
            for (y, row) in rows.iter_mut().enumerate() {
                let mut values = [zero; N];
                for (x, value) in values.iter_mut().enumerate() {
                    let at = y * down + x * right + block;
                    *value = S::as_simd_f32s(&from[at..at + S::F32_LANES]).0[0];
                }
                *row = T::apply(simd, values);
            }
            for x in 0..M {
                let mut values = [zero; N];
                for (value, row) in values.iter_mut().zip(&rows) {
                    *value = row[x];
                }
                for (y, value) in T::apply(simd, values).into_iter().enumerate() {
                    let at = (y * M + x) * apart + block;
                    S::as_mut_simd_f32s(&mut to[at..at + S::F32_LANES]).0[0] = value;
                }
            }
        }
    }
}

/// The tiles of one task: of some images, of some rows of tiles. Tiles of a row, of all images, lie side by side, filled
/// up with empty ones to whole [`LANES`].
#[derive(Debug, Clone)]
struct Part {
    images: Range<usize>,
    rows: Range<usize>,
    /// Tiles of one image in a row.
    across: usize,
}

impl Part {
    /// The tasks of a convolution.
    fn all(g: &Geometry) -> Vec<Self> {
        let (down, across) = (g.out_height().div_ceil(2), g.out_width().div_ceil(2));
        // The number of images that leaves the fewest lanes empty.
        let lanes = |images: usize| (images * across).next_multiple_of(LANES);
        let all = |images: usize| g.batch / images * lanes(images) + lanes(g.batch % images);
        let images = (1..=g.batch.min(IMAGES)).rev().min_by_key(|images| all(*images)).unwrap_or(1);
        let pieces = (down * lanes(images)).div_ceil(TILES).min(down);
        let rows = down.div_ceil(pieces);
        let starts =
            (0..g.batch).step_by(images).flat_map(|image| (0..down).step_by(rows).map(move |row| (image, row)));
        starts
            .map(|(image, row)| Self {
                images: image..(image + images).min(g.batch),
                rows: row..(row + rows).min(down),
                across,
            })
            .collect()
    }

    /// Tiles of a row.
    fn pitch(&self) -> usize {
        (self.images.len() * self.across).next_multiple_of(LANES)
    }

    /// All tiles.
    fn tiles(&self) -> usize {
        self.rows.len() * self.pitch()
    }

    /// Lines of a channel that are read for the tiles, where a tile reaches over `2 + extra` lines.
    fn lines(&self, extra: usize) -> usize {
        2 * self.rows.len() + extra
    }

    /// Floats that [`Part::gather`] fills.
    fn gathered(&self, extra: usize) -> usize {
        self.lines(extra) * (2 + extra) * self.pitch()
    }

    /// Copies what the tiles read of one channel `[batch, height, width]`: for each of their [`Part::lines`], and each of
    /// the `2 + extra` columns of a tile, that value of all tiles. `halves` is room for the lines of an image.
    fn gather(&self, map: Map, x: &[f32], extra: usize, out: &mut [f32], halves: &mut [f32]) {
        let (taps, pitch) = (2 + extra, self.pitch());
        let used = self.images.len() * self.across;
        // The lines of the map among those that the tiles reach over.
        let begin = 2 * self.rows.start;
        let there = begin.max(map.padding) - map.padding
            ..(begin + self.lines(extra)).saturating_sub(map.padding).min(map.height);
        for (line, out) in out.chunks_exact_mut(taps * pitch).enumerate() {
            if !there.contains(&(begin + line).wrapping_sub(map.padding)) {
                out.fill(0.0);
                continue;
            }
            out.chunks_exact_mut(pitch).for_each(|tap| tap[used..].fill(0.0));
        }
        // The tiles whose column `2 * tile + tap - padding` exists, by tap.
        let exist: Vec<Range<usize>> = (0..taps)
            .map(|tap| {
                let low = map.padding.saturating_sub(tap).div_ceil(2).min(self.across);
                low..(map.width + map.padding).saturating_sub(tap).div_ceil(2).clamp(low, self.across)
            })
            .collect();
        let half = (there.len() * map.width).div_ceil(2);
        for (place, image) in self.images.clone().enumerate() {
            let first = (image * map.height + there.start) * map.width;
            let lines = &x[first..][..there.len() * map.width];
            let (even, odd) = halves.split_at_mut(half);
            simd::halve(lines, even, odd);
            for (line, y) in there.clone().enumerate() {
                let out = &mut out[(y + map.padding - begin) * taps * pitch..][..taps * pitch];
                for (tap, out) in out.chunks_exact_mut(pitch).enumerate() {
                    let out = &mut out[place * self.across..][..self.across];
                    let Range { start: low, end: high } = exist[tap].clone();
                    if low > 0 || high < self.across {
                        out.fill(0.0);
                    }
                    if low < high {
                        let at = line * map.width + 2 * low + tap - map.padding;
                        let from = if at.is_multiple_of(2) { &even[at / 2..] } else { &odd[at / 2..] };
                        copy_run(&mut out[low..high], &from[..high - low]);
                    }
                }
            }
        }
    }

    /// Puts the outputs of a row of tiles, `[2, 2, pitch]`, where they belong in one channel `[batch, height, width]`.
    /// `room` is for two lines of them.
    fn scatter(&self, row: usize, outputs: &[f32], (height, width): (usize, usize), y: Window, room: &mut [f32]) {
        let lines = &mut room[..(height - 2 * row).min(2) * width];
        for (place, image) in self.images.clone().enumerate() {
            for (line, outputs) in lines.chunks_exact_mut(width).zip(outputs.chunks_exact(2 * self.pitch())) {
                let (even, odd) = outputs.split_at(self.pitch());
                let tiles = place * self.across..(place + 1) * self.across;
                let (even, odd) = (&even[tiles.clone()], &odd[tiles]);
                let (pairs, last) = line.as_chunks_mut::<2>();
                for (to, (even, odd)) in pairs.iter_mut().zip(even.iter().zip(odd)) {
                    *to = [*even, *odd];
                }
                if let [last] = last {
                    *last = even[self.across - 1];
                }
            }
            y.at((image * height + 2 * row) * width).write(lines);
        }
    }
}

/// What a tile is read from.
#[derive(Debug, Clone, Copy)]
struct Map {
    height: usize,
    width: usize,
    /// Zeros around it.
    padding: usize,
}

/// How far the values of one point lie after those of the one before, where there are `size`: one vector more, as the
/// points of a tile would share a cache set otherwise.
fn apart(size: usize) -> usize {
    size + LANES
}

/// From what [`Part::gather`] copied of a channel to the points of its tiles, which lie `apart`.
fn input_points(kernel: usize, gathered: &[f32], length: usize, to: &mut [f32], apart: usize) {
    let taps = kernel + 1;
    let rows = (gathered.len() / (taps * length) - (kernel - 1)) / 2;
    let (down, right) = (taps * length, length);
    for row in 0..rows {
        let (from, to) = (&gathered[2 * row * down..], &mut to[row * length..]);
        Squares { from, down, right, to, apart, length }
            .transform::<Input<Filter<3>>, Input<Filter<5>>, 4, 4, 6, 6>(kernel);
    }
}

/// As [`input_points`] from the gradients of the outputs, of which a tile has two a line and column.
fn spread_points(kernel: usize, gathered: &[f32], length: usize, to: &mut [f32], apart: usize) {
    let (down, right) = (2 * length, length);
    for (from, at) in gathered.chunks_exact(4 * length).zip((0..).step_by(length)) {
        let to = &mut to[at..];
        Squares { from, down, right, to, apart, length }
            .transform::<Spread<Filter<3>>, Spread<Filter<5>>, 2, 4, 2, 6>(kernel);
    }
}

/// The outputs `[2, 2, length]` of one row of tiles from their points, which lie `apart`.
fn outputs(kernel: usize, from: &[f32], apart: usize, length: usize, to: &mut [f32]) {
    let (down, right) = ((kernel + 1) * apart, apart);
    let apart = length;
    Squares { from, down, right, to, apart, length }
        .transform::<Output<Filter<3>>, Output<Filter<5>>, 4, 2, 6, 2>(kernel);
}

/// Kernel taps to points, `[points][taps]`.
const THREE: [[f32; 3]; 4] = [[1.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.0, 0.0, 1.0]];
const FIVE: [[f32; 5]; 6] = {
    const T: f32 = 1.0 / 3.0;
    const F: f32 = 1.0 / 15.0;
    [
        [1.0, 0.0, 0.0, 0.0, 0.0],
        [T, T, T, T, T],
        [-T, T, -T, T, -T],
        [-16.0 * F, -8.0 * F, -4.0 * F, -2.0 * F, -F],
        [F, -2.0 * F, 4.0 * F, -8.0 * F, 16.0 * F],
        [0.0, 0.0, 0.0, 0.0, 1.0],
    ]
};

/// The matrix that brings all taps of a kernel `[k, k]` to all points, `[points, taps]`.
fn taps_to_points(kernel: usize) -> Vec<f32> {
    fn square<const K: usize>(one: &[[f32; K]]) -> Vec<f32> {
        let mut matrix = Vec::new();
        for (a, b) in one.iter().flat_map(|a| one.iter().map(move |b| (a, b))) {
            matrix.extend(a.iter().flat_map(|a| b.iter().map(move |b| a * b)));
        }
        matrix
    }
    if kernel == 3 { square(&THREE) } else { square(&FIVE) }
}

/// Kernels `[outputs, inputs, k, k]` at their points, `[points, outputs, inputs]`.
fn kernel_points(w: &[f32], kernel: usize) -> Vec<f32> {
    let (taps, points) = (kernel * kernel, (kernel + 1) * (kernel + 1));
    let matrix = taps_to_points(kernel);
    matmul::product(View::new(&matrix, points, taps, taps), View::new(w, w.len() / taps, taps, taps).transposed())
}

/// Gradients of kernels `[outputs, inputs, k, k]` from those of their points, `[points, outputs, inputs]`.
fn kernel_gradient(at_points: &[f32], kernel: usize) -> Vec<f32> {
    let (taps, points) = (kernel * kernel, (kernel + 1) * (kernel + 1));
    let (matrix, count) = (taps_to_points(kernel), at_points.len() / points);
    let at_points = View::new(at_points, points, count, count).transposed();
    matmul::product(at_points, View::new(&matrix, points, taps, taps))
}

/// What a task works with.
struct Workspace<'a> {
    /// The inputs' points, `[points, inputs, tiles]`, each point [`apart`] of the next.
    v: &'a mut [f32],
    /// Room for the outputs' points, in the same way.
    m: &'a mut [f32],
    /// Room for what [`Part::gather`] copies, and for the lines of an image.
    copied: &'a mut [f32],
    halves: &'a mut [f32],
}

/// Runs `work` with the points of the inputs of `group` in the tiles of `part`.
fn with_inputs(g: &Geometry, x: &[f32], group: usize, part: &Part, work: impl FnOnce(Workspace)) {
    let (inputs, outputs, kernel) = (g.inputs / g.groups, g.outputs / g.groups, g.kernel);
    let (points, plane, tiles) = ((kernel + 1) * (kernel + 1), g.batch * g.height * g.width, part.tiles());
    let map = Map { height: g.height, width: g.width, padding: g.padding };
    let (v_apart, m_apart) = (apart(inputs * tiles), apart(outputs * tiles));
    let gathered = part.gathered(kernel - 1);
    let room = part.lines(kernel - 1) * g.width.max(g.out_width()) + 2;
    scratch::with(gathered + points * (v_apart + m_apart) + room, |buffer| {
        let (copied, rest) = buffer.split_at_mut(gathered);
        let (v, rest) = rest.split_at_mut(points * v_apart);
        let (m, halves) = rest.split_at_mut(points * m_apart);
        for channel in 0..inputs {
            let x = &x[(group * inputs + channel) * plane..][..plane];
            part.gather(map, x, kernel - 1, copied, halves);
            input_points(kernel, copied, part.pitch(), &mut v[channel * tiles..], v_apart);
        }
        work(Workspace { v, m, copied, halves });
    });
}

/// As [`super::im2col::forward`].
pub(super) fn forward(g: &Geometry, x: &[f32], w: &[f32], norm: Option<&[Channel]>) -> Vec<f32> {
    let (inputs, outputs, kernel) = (g.inputs / g.groups, g.outputs / g.groups, g.kernel);
    let (points, out_plane) = ((kernel + 1) * (kernel + 1), g.out_plane());
    let kernels: Vec<Vec<f32>> =
        w.chunks_exact(outputs * inputs * kernel * kernel).map(|w| kernel_points(w, kernel)).collect();
    let parts = Part::all(g);
    let one = |y: Window, task: usize| {
        let (group, part) = (task % g.groups, &parts[task / g.groups]);
        let (pitch, tiles) = (part.pitch(), part.tiles());
        let (v_apart, m_apart) = (apart(inputs * tiles), apart(outputs * tiles));
        with_inputs(g, x, group, part, |Workspace { v, m, copied, halves }| {
            for point in 0..points {
                let u = View::new(&kernels[group][point * outputs * inputs..], outputs, inputs, inputs);
                let v = View::new(&v[point * v_apart..], inputs, tiles, tiles);
                matmul::multiply(Window::new(&mut m[point * m_apart..], tiles), u, v, false);
            }
            for channel in 0..outputs {
                let y = y.at((group * outputs + channel) * out_plane);
                for (place, row) in part.rows.clone().enumerate() {
                    let (m, values) = (&m[channel * tiles + place * pitch..], &mut copied[..4 * pitch]);
                    self::outputs(kernel, m, m_apart, pitch, values);
                    if let Some(norm) = norm {
                        let Channel { scale, shift, .. } = norm[group * outputs + channel];
                        simd::scale_relu_in_place(values, scale, shift);
                    }
                    part.scatter(row, values, (g.out_height(), g.out_width()), y, halves);
                }
            }
        });
    };
    #[allow(unsafe_code, reason = "see `fill_uninit`")]
    // SAFETY: the tiles of all parts and groups are the whole output.
    unsafe {
        matmul::fill_uninit(g.outputs * out_plane, 0, |y| {
            (0..parts.len() * g.groups).into_par_iter().for_each(|task| one(y, task));
        })
    }
}

/// As [`super::im2col::weight_gradient`].
pub(super) fn weight_gradient(g: &Geometry, x: &[f32], dy: &[f32]) -> Vec<f32> {
    let (inputs, outputs, kernel) = (g.inputs / g.groups, g.outputs / g.groups, g.kernel);
    let (points, out_plane) = ((kernel + 1) * (kernel + 1), g.out_plane());
    let map = Map { height: g.out_height(), width: g.out_width(), padding: 0 };
    let parts = Part::all(g);
    let size = points * outputs * inputs;
    let mut sums = vec![0.0; PARTS * g.groups * size];
    let share = parts.len().div_ceil(PARTS);
    sums.par_chunks_exact_mut(size).enumerate().for_each(|(task, sum)| {
        let (piece, group) = (task / g.groups, task % g.groups);
        for part in parts.iter().skip(piece * share).take(share) {
            let tiles = part.tiles();
            let (v_apart, m_apart) = (apart(inputs * tiles), apart(outputs * tiles));
            with_inputs(g, x, group, part, |Workspace { v, m, copied, halves }| {
                let copied = &mut copied[..part.gathered(0)];
                for channel in 0..outputs {
                    let dy = &dy[(group * outputs + channel) * out_plane..][..out_plane];
                    part.gather(map, dy, 0, copied, halves);
                    spread_points(kernel, copied, part.pitch(), &mut m[channel * tiles..], m_apart);
                }
                for (point, sum) in sum.chunks_exact_mut(outputs * inputs).enumerate() {
                    let m = View::new(&m[point * m_apart..], outputs, tiles, tiles);
                    let v = View::new(&v[point * v_apart..], inputs, tiles, tiles);
                    matmul::multiply(Window::new(sum, inputs), m, v.transposed(), true);
                }
            });
        }
    });
    sum_parts(&mut sums, g.groups * size);
    sums.chunks_exact(size).flat_map(|sum| kernel_gradient(sum, kernel)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::im2col::input_gradient;
    use crate::nn::reference::ConvConfig;
    use crate::random;
    use rand::RngExt;

    /// Kernel, padding, groups, and the map: batch, height, width. Odd and even, less than a tile and more than a row of
    /// lanes, channels that fill no vector.
    const CASES: [(usize, usize, usize, [usize; 3]); 7] = [
        (3, 1, 1, [3, 13, 13]),
        (3, 1, 2, [5, 6, 7]),
        (3, 0, 1, [1, 3, 4]),
        (3, 2, 1, [2, 1, 2]),
        (5, 2, 2, [2, 13, 12]),
        (5, 2, 1, [1, 5, 2]),
        (5, 4, 1, [2, 3, 40]),
    ];
    const INPUTS: usize = 19;
    const OUTPUTS: usize = 17;

    fn random(seed: u64, length: usize) -> Vec<f32> {
        let mut random = random::generator(5, &[seed]);
        (0..length).map(|_| random.random::<f32>() - 0.5).collect()
    }

    fn geometry((k, padding, groups, [b, h, w]): (usize, usize, usize, [usize; 3])) -> Geometry {
        let shape = [groups * OUTPUTS, INPUTS, k, k];
        let g = Geometry::new(&[groups * INPUTS, b, h, w], &shape, ConvConfig { padding, stride: 1, groups }).unwrap();
        assert!(covers(&g));
        g
    }

    /// Calls `term(y, x, w)` with the places of every product of the sum that defines a convolution.
    fn terms(g: &Geometry, mut term: impl FnMut(usize, usize, usize)) {
        let (inputs, outputs, k) = (g.inputs / g.groups, g.outputs / g.groups, g.kernel);
        let (height, width) = (g.out_height(), g.out_width());
        for place in 0..g.outputs * g.batch * height * width {
            let (out, y, x) = (place / (g.batch * height * width), place / width % height, place % width);
            let image = place / (height * width) % g.batch;
            for tap in 0..inputs * k * k {
                let (input, ky, kx) = (out / outputs * inputs + tap / (k * k), tap / k % k, tap % k);
                let (Some(iy), Some(ix)) = ((y + ky).checked_sub(g.padding), (x + kx).checked_sub(g.padding)) else {
                    continue;
                };
                if iy < g.height && ix < g.width {
                    let from = ((input * g.batch + image) * g.height + iy) * g.width + ix;
                    term(place, from, out * inputs * k * k + tap);
                }
            }
        }
    }

    fn assert_close(what: &str, found: &[f32], expected: &[f64], most: f64) {
        let largest = expected.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
        assert_eq!(found.len(), expected.len(), "{what}");
        for (found, expected) in found.iter().zip(expected) {
            assert!((f64::from(*found) - expected).abs() <= most * largest, "{what}: {found} is not {expected}");
        }
    }

    #[test]
    fn values_and_both_gradients_are_those_of_the_defining_sum() {
        for case in CASES {
            let g = geometry(case);
            let x = random(1, g.inputs * g.batch * g.height * g.width);
            let w = random(2, g.outputs * INPUTS * g.kernel * g.kernel);
            let dy = random(3, g.outputs * g.out_plane());
            let (mut y, mut dx, mut dw) = (vec![0.0; dy.len()], vec![0.0; x.len()], vec![0.0; w.len()]);
            terms(&g, |to, from, tap| {
                y[to] += f64::from(x[from]) * f64::from(w[tap]);
                dx[from] += f64::from(dy[to]) * f64::from(w[tap]);
                dw[tap] += f64::from(dy[to]) * f64::from(x[from]);
            });
            assert_close(&format!("{case:?} value"), &forward(&g, &x, &w, None), &y, 3e-6);
            assert_close(&format!("{case:?} input gradient"), &input_gradient(&g, &w, &dy), &dx, 3e-6);
            assert_close(&format!("{case:?} weight gradient"), &weight_gradient(&g, &x, &dy), &dw, 1e-5);
        }
    }

    #[test]
    #[allow(clippy::float_cmp, reason = "the same bits are what is claimed")]
    fn an_image_has_the_same_result_in_any_batch() {
        for (k, padding, side) in [(3, 1, 13), (5, 2, 13), (3, 1, 6)] {
            let many = geometry((k, padding, 1, [37, side, side]));
            let one = geometry((k, padding, 1, [1, side, side]));
            let plane = side * side;
            let x = random(1, INPUTS * 37 * plane);
            let w = random(2, OUTPUTS * INPUTS * k * k);
            let all = forward(&many, &x, &w, None);
            for image in [0, 17, 36] {
                let alone: Vec<f32> = x.chunks(37 * plane).flat_map(|c| c[image * plane..][..plane].to_vec()).collect();
                let own: Vec<f32> = all.chunks(37 * plane).flat_map(|c| c[image * plane..][..plane].to_vec()).collect();
                assert!(forward(&one, &alone, &w, None) == own, "kernel {k}, image {image}");
            }
        }
    }
}
