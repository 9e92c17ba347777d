//! 3x3 max-pooling with stride 2 and no padding, forward and backward.

use super::matmul::{self, Window};
use super::scratch;
use super::simd::{self, Channel};
use crate::nn::geometry::Geometry;
use multiversion::multiversion;
use rayon::prelude::*;

/// Pools all maps of a convolution's output.
pub(in crate::nn) fn pool(g: &Geometry, z: &[f32]) -> Vec<f32> {
    let (height, width) = (g.out_height(), g.out_width());
    let (out_height, out_width) = pooled_size(height, width);
    let (plane, out_plane) = (height * width, out_height * out_width);
    let pool_map = |y: Window, (map, z): (usize, &[f32])| {
        scratch::with(out_plane + 2 * width + 1, |buffer| {
            let (pooled, buffer) = buffer.split_at_mut(out_plane);
            pool_values(z, width, pooled, out_width, buffer);
            y.at(map * out_plane).write(pooled);
        });
    };
    #[allow(unsafe_code, reason = "see `fill_uninit`")]
    // SAFETY: the maps cover the output.
    unsafe {
        matmul::fill_uninit(z.len() / plane * out_plane, 0, |y| {
            z.par_chunks_exact(plane).enumerate().for_each(|map| pool_map(y, map));
        })
    }
}

/// [`pool`], and the index of each output as in [`pool_plane`].
pub(in crate::nn) fn pool_with_indices(g: &Geometry, z: &[f32]) -> (Vec<f32>, Vec<u8>) {
    let (height, width) = (g.out_height(), g.out_width());
    let (out_height, out_width) = pooled_size(height, width);
    let (plane, out_plane) = (height * width, out_height * out_width);
    let mut indices = vec![0; z.len() / plane * out_plane];
    let fill = |y: Window| {
        z.par_chunks_exact(plane).zip(indices.par_chunks_exact_mut(out_plane)).enumerate().for_each(
            |(map, (z, indices))| {
                scratch::with(out_plane, |pooled| {
                    pool_plane(z, width, pooled, indices, out_width);
                    y.at(map * out_plane).write(pooled);
                });
            },
        );
    };
    #[allow(unsafe_code, reason = "see `fill_uninit`")]
    // SAFETY: the maps cover the output.
    let y = unsafe { matmul::fill_uninit(z.len() / plane * out_plane, 0, fill) };
    (y, indices)
}

/// Height and width of a pooled map.
pub(in crate::nn) fn pooled_size(height: usize, width: usize) -> (usize, usize) {
    ((height - 3) / 2 + 1, (width - 3) / 2 + 1)
}

/// ReLU of the normalized map `z` in a border of `padding` zeros. Returns the length of a row.
pub(in crate::nn) fn pad_rectified(
    z: &[f32],
    to: &mut [f32],
    Channel { scale, shift, .. }: Channel,
    width: usize,
    padding: usize,
) -> usize {
    if padding == 0 {
        simd::scale_relu(z, &mut to[..z.len()], scale, shift);
        return width;
    }
    let pitch = width + 2 * padding;
    let rows = z.len() / width + 2 * padding;
    to[..rows * pitch].fill(0.0);
    for (z, to) in z.chunks_exact(width).zip(to.chunks_exact_mut(pitch).skip(padding)) {
        simd::scale_relu(z, &mut to[padding..padding + width], scale, shift);
    }
    pitch
}

/// Pools one map of rows of `width` and stores for each output the index of its input, `3 * row + column` in the window.
/// The choice among equal values does not matter: after ReLU only zeros are equal, and they carry no gradient.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
pub(in crate::nn) fn pool_plane(x: &[f32], width: usize, y: &mut [f32], indices: &mut [u8], out_width: usize) {
    let mut best = vec![0.0_f32; width];
    let mut choice = vec![0_i32; width];
    let rows = y.chunks_exact_mut(out_width).zip(indices.chunks_exact_mut(out_width));
    for (row, (y, indices)) in rows.enumerate() {
        let three = &x[2 * row * width..(2 * row + 3) * width];
        let (top, rest) = three.split_at(width);
        let (middle, bottom) = rest.split_at(width);
        // Down the columns first: this loop vectorizes.
        for column in 0..width {
            let (value, tap) = if middle[column] > top[column] { (middle[column], 3) } else { (top[column], 0) };
            let lower = bottom[column] > value;
            best[column] = if lower { bottom[column] } else { value };
            choice[column] = if lower { 6 } else { tap };
        }
        for ((column, y), index) in (0..).step_by(2).zip(y).zip(indices) {
            let (values, taps) = (&best[column..column + 3], &choice[column..column + 3]);
            let (value, tap) = if values[1] > values[0] { (values[1], taps[1] + 1) } else { (values[0], taps[0]) };
            let right = values[2] > value;
            *y = if right { values[2] } else { value };
            *index = (if right { taps[2] + 2 } else { tap }) as u8;
        }
    }
}

/// Pools one map without storing indices. `buffer` holds `2 * width + 1` values.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn pool_values(x: &[f32], width: usize, y: &mut [f32], out_width: usize, buffer: &mut [f32]) {
    let (best, halves) = buffer.split_at_mut(width);
    let (even, odd) = halves.split_at_mut(width.div_ceil(2));
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    for (row, y) in y.chunks_exact_mut(out_width).enumerate() {
        let (top, rest) = x[2 * row * width..(2 * row + 3) * width].split_at(width);
        let (middle, bottom) = rest.split_at(width);
        for (best, ((a, b), c)) in best.iter_mut().zip(top.iter().zip(middle).zip(bottom)) {
            *best = larger(larger(*a, *b), *c);
        }
        // Split into even and odd columns, the row vectorizes too.
        simd::halve(best, even, odd);
        for (y, ((a, b), c)) in y.iter_mut().zip(even.iter().zip(&*odd).zip(&even[1..])) {
            *y = larger(larger(*a, *b), *c);
        }
    }
}

/// [`simd::norm_relu_backward`] through the pool, which pads the map: only the positions in `indices` carry a gradient.
pub(in crate::nn) fn pooled_backward(
    z: &mut [f32],
    dy: &[f32],
    indices: &[u8],
    channel: Channel,
    ((height, width), padding): ((usize, usize), usize),
    (out_height, out_width): (usize, usize),
) -> (f32, f32) {
    let Channel { mean, reciprocal, scale, shift } = channel;
    let (mut dgamma, mut dbeta) = (0.0, 0.0);
    let mut active = Vec::with_capacity(dy.len());
    let lines = dy.chunks_exact(out_width).zip(indices.chunks_exact(out_width));
    for (line, (dy, indices)) in lines.enumerate() {
        let (image, row) = (line / out_height, line % out_height);
        for (column, (dy, index)) in dy.iter().zip(indices).enumerate() {
            let index = usize::from(*index);
            let (y, x) = ((2 * row + index / 3).wrapping_sub(padding), (2 * column + index % 3).wrapping_sub(padding));
            if y >= height || x >= width {
                // Padding is chosen among zeros only.
                continue;
            }
            let at = (image * height + y) * width + x;
            if z[at] * scale + shift > 0.0 {
                dbeta += dy;
                dgamma += dy * (z[at] - mean);
                active.push((at, scale * dy));
            }
        }
    }
    dgamma *= reciprocal;
    let count = z.len() as f32;
    let slope = -scale * dgamma / count * reciprocal;
    simd::scale_shift_in_place(z, slope, -scale * dbeta / count - slope * mean);
    for (at, d) in active {
        z[at] += d;
    }
    (dgamma, dbeta)
}

/// Backward pass of ReLU and pool for one map of rows of `width`: from the pooled output `y` and its gradient `dy` to the
/// gradient `dz` before ReLU.
pub(in crate::nn) fn unpool_relu(
    y: &[f32],
    dy: &[f32],
    indices: &[u8],
    out_width: usize,
    dz: &mut [f32],
    width: usize,
) {
    dz.fill(0.0);
    let rows = y.chunks_exact(out_width).zip(dy.chunks_exact(out_width)).zip(indices.chunks_exact(out_width));
    for (row, ((y, dy), indices)) in rows.enumerate() {
        for (column, ((y, dy), index)) in y.iter().zip(dy).zip(indices).enumerate() {
            if *y > 0.0 {
                let index = usize::from(*index);
                dz[(2 * row + index / 3) * width + 2 * column + index % 3] += dy;
            }
        }
    }
}
