//! Winograd's transforms of tiles and filters (Lavin, Gray 2015). The points are 0, 1, -1 and infinity, and for 5x5 also
//! 1/2 and -2. Among small sets of points, this one has the least error (Barabasz et al. 2020, arXiv 1803.10986).

#![allow(
    clippy::inline_always,
    reason = "vector code must be inlined into the function compiled for its instruction set"
)]

use super::tile::LANES;
use crate::nn::cpu::matmul::{self, View};
use pulp::{Arch, Simd, WithSimd};
use std::marker::PhantomData;

/// A one-dimensional transform of a vector of tiles.
trait Axis<const N: usize, const M: usize> {
    fn apply<S: Simd>(simd: S, values: [S::f32s; N]) -> [S::f32s; M];
}

/// The transforms for a filter of `KERNEL` taps and tiles of `KERNEL + 1` points.
struct Filter<const KERNEL: usize>;
/// From the inputs of a tile to its points.
struct InputTransform<F>(F);
/// From the points of a tile to its two outputs.
struct OutputTransform<F>(F);
/// From the gradients of the two outputs to the gradients of the points.
struct OutputGradTransform<F>(F);

impl Axis<4, 4> for InputTransform<Filter<3>> {
    #[inline(always)]
    fn apply<S: Simd>(s: S, [a, b, c, d]: [S::f32s; 4]) -> [S::f32s; 4] {
        [s.sub_f32s(a, c), s.add_f32s(b, c), s.sub_f32s(c, b), s.sub_f32s(d, b)]
    }
}

impl Axis<4, 2> for OutputTransform<Filter<3>> {
    #[inline(always)]
    fn apply<S: Simd>(s: S, [a, b, c, d]: [S::f32s; 4]) -> [S::f32s; 2] {
        [s.add_f32s(a, s.add_f32s(b, c)), s.add_f32s(d, s.sub_f32s(b, c))]
    }
}

impl Axis<2, 4> for OutputGradTransform<Filter<3>> {
    #[inline(always)]
    fn apply<S: Simd>(s: S, [a, b]: [S::f32s; 2]) -> [S::f32s; 4] {
        [a, s.add_f32s(a, b), s.sub_f32s(a, b), b]
    }
}

impl Axis<6, 6> for InputTransform<Filter<5>> {
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

impl Axis<6, 2> for OutputTransform<Filter<5>> {
    #[inline(always)]
    fn apply<S: Simd>(s: S, [a, b, c, d, e, f]: [S::f32s; 6]) -> [S::f32s; 2] {
        let fractions = s.sub_f32s(s.mul_f32s(s.splat_f32s(0.5), d), s.mul_f32s(s.splat_f32s(2.0), e));
        [
            s.add_f32s(s.add_f32s(a, s.add_f32s(b, c)), s.add_f32s(d, e)),
            s.add_f32s(s.add_f32s(s.sub_f32s(b, c), fractions), f),
        ]
    }
}

impl Axis<2, 6> for OutputGradTransform<Filter<5>> {
    #[inline(always)]
    fn apply<S: Simd>(s: S, [a, b]: [S::f32s; 2]) -> [S::f32s; 6] {
        let (half, minus_two) = (s.splat_f32s(0.5), s.splat_f32s(-2.0));
        [a, s.add_f32s(a, b), s.sub_f32s(a, b), s.mul_add_f32s(half, b, a), s.mul_add_f32s(minus_two, b, a), b]
    }
}

/// A row of tiles to be transformed along both axes.
struct TileBlock<'a> {
    from: &'a [f32],
    /// Distance in `from` between the rows of a tile.
    down: usize,
    /// Distance in `from` between the columns of a tile.
    right: usize,
    to: &'a mut [f32],
    /// Distance in `to` between the results of a tile.
    stride: usize,
    /// Number of tiles, a multiple of [`LANES`].
    length: usize,
}

impl TileBlock<'_> {
    /// Transforms by `T3` for 3x3 filters and by `T5` for 5x5.
    fn transform<T3, T5, const N: usize, const M: usize, const N5: usize, const M5: usize>(self, kernel: usize)
    where
        T3: Axis<N, M>,
        T5: Axis<N5, M5>,
    {
        match kernel {
            3 => Arch::new().dispatch(Transform2d(self, PhantomData::<T3>)),
            _ => Arch::new().dispatch(Transform2d(self, PhantomData::<T5>)),
        }
    }
}

/// The transform of a block along both axes by the one-dimensional `T`.
struct Transform2d<'a, T, const N: usize, const M: usize>(TileBlock<'a>, PhantomData<T>);

impl<T: Axis<N, M>, const N: usize, const M: usize> WithSimd for Transform2d<'_, T, N, M> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let TileBlock { from, down, right, to, stride, length } = self.0;
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
                    let at = (y * M + x) * stride + block;
                    S::as_mut_simd_f32s(&mut to[at..at + S::F32_LANES]).0[0] = value;
                }
            }
        }
    }
}

/// Distance between the values of consecutive points of `size` values each. Without the extra vector, the points of a
/// tile would share a cache set.
pub(super) fn point_stride(size: usize) -> usize {
    size + LANES
}

/// Transforms one channel, gathered by [`super::tile::TileTask::gather`], to the points of its tiles.
pub(super) fn transform_input(kernel: usize, gathered: &[f32], length: usize, to: &mut [f32], stride: usize) {
    let taps = kernel + 1;
    let rows = (gathered.len() / (taps * length) - (kernel - 1)) / 2;
    let (down, right) = (taps * length, length);
    for row in 0..rows {
        let (from, to) = (&gathered[2 * row * down..], &mut to[row * length..]);
        TileBlock { from, down, right, to, stride, length }
            .transform::<InputTransform<Filter<3>>, InputTransform<Filter<5>>, 4, 4, 6, 6>(kernel);
    }
}

/// Transforms the gathered output gradients of one channel, 2x2 a tile, to the gradients of its points.
pub(super) fn transform_output_grad(kernel: usize, gathered: &[f32], length: usize, to: &mut [f32], stride: usize) {
    let (down, right) = (2 * length, length);
    for (from, at) in gathered.chunks_exact(4 * length).zip((0..).step_by(length)) {
        let to = &mut to[at..];
        TileBlock { from, down, right, to, stride, length }
            .transform::<OutputGradTransform<Filter<3>>, OutputGradTransform<Filter<5>>, 2, 4, 2, 6>(kernel);
    }
}

/// Transforms the points of one row of tiles to outputs `[2, 2, length]`.
pub(super) fn transform_output(kernel: usize, from: &[f32], stride: usize, length: usize, to: &mut [f32]) {
    let (down, right) = ((kernel + 1) * stride, stride);
    let stride = length;
    TileBlock { from, down, right, to, stride, length }
        .transform::<OutputTransform<Filter<3>>, OutputTransform<Filter<5>>, 4, 2, 6, 2>(kernel);
}

/// Transform of filter taps, `[points][taps]`.
const FILTER_3: [[f32; 3]; 4] = [[1.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.0, 0.0, 1.0]];
const FILTER_5: [[f32; 5]; 6] = {
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

/// The two-dimensional filter transform, `[points, taps]`.
fn filter_matrix(kernel: usize) -> Vec<f32> {
    fn square<const K: usize>(one: &[[f32; K]]) -> Vec<f32> {
        let mut matrix = Vec::new();
        for (a, b) in one.iter().flat_map(|a| one.iter().map(move |b| (a, b))) {
            matrix.extend(a.iter().flat_map(|a| b.iter().map(move |b| a * b)));
        }
        matrix
    }
    if kernel == 3 { square(&FILTER_3) } else { square(&FILTER_5) }
}

/// Transforms filters `[outputs, inputs, k, k]` to `[points, outputs, inputs]`.
pub(super) fn transform_filter(w: &[f32], kernel: usize) -> Vec<f32> {
    let (taps, points) = (kernel * kernel, (kernel + 1) * (kernel + 1));
    let matrix = filter_matrix(kernel);
    matmul::product(View::new(&matrix, points, taps, taps), View::new(w, w.len() / taps, taps, taps).transposed())
}

/// Gradient of filters `[outputs, inputs, k, k]` from that of their points, `[points, outputs, inputs]`.
pub(super) fn transform_filter_grad(at_points: &[f32], kernel: usize) -> Vec<f32> {
    let (taps, points) = (kernel * kernel, (kernel + 1) * (kernel + 1));
    let (matrix, count) = (filter_matrix(kernel), at_points.len() / points);
    let at_points = View::new(at_points, points, count, count).transposed();
    matmul::product(at_points, View::new(&matrix, points, taps, taps))
}
