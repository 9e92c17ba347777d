//! Convolutions with 3x3 and 5x5 filters and stride 1 by Winograd's minimal filtering (Lavin, Gray 2015, arXiv
//! 1509.09308). Each tile of 4x4 or 6x6 inputs gives 2x2 outputs of a channel. Tiles and filters are transformed to 16 or
//! 36 points, where the convolution is one matrix product per point over channels and tiles. This takes 0.44 (3x3) or
//! 0.36 (5x5) of the direct sum's multiplications. The rounding error is 2 times (3x3) or 4 times (5x5) that of the
//! direct sum in f32.

mod tile;
mod transform;

use super::matmul::{self, PARTS, View, Window, sum_parts};
use super::scratch;
use super::simd::{self, Channel};
use crate::nn::geometry::Geometry;
use rayon::prelude::*;
use tile::{Map, OVERRUN, TileTask};
use transform::{
    point_stride, transform_filter, transform_filter_grad, transform_input, transform_output, transform_output_grad,
};

/// Minimum channels in and out of a group: below, the direct sum is faster.
const MIN_CHANNELS: usize = 16;

/// Returns whether this module computes a convolution. The batch must not matter, so that an image has the same bits in
/// any batch.
pub(super) fn supports(g: &Geometry) -> bool {
    let channels = g.inputs.min(g.outputs) / g.groups;
    g.stride == 1 && matches!(g.kernel, 3 | 5) && g.padding < g.kernel && channels >= MIN_CHANNELS
}

/// Buffers of one task.
struct Workspace<'a> {
    /// Points of the inputs, `[points, inputs, tiles]`, with [`point_stride`].
    v: &'a mut [f32],
    /// Points of the outputs, in the same layout.
    m: &'a mut [f32],
    /// Output of [`TileTask::gather`].
    copied: &'a mut [f32],
    /// Buffer of [`TileTask::gather`] and of [`TileTask::scatter`].
    halves: &'a mut [f32],
}

/// Runs `work` with the points of the inputs of `group` in the tiles of `task`.
fn with_inputs(g: &Geometry, x: &[f32], group: usize, task: &TileTask, work: impl FnOnce(Workspace)) {
    let (inputs, outputs, kernel) = (g.inputs / g.groups, g.outputs / g.groups, g.kernel);
    let (points, plane, tiles) = ((kernel + 1) * (kernel + 1), g.batch * g.height * g.width, task.tiles());
    let map = Map { height: g.height, width: g.width, padding: g.padding };
    let (v_stride, m_stride) = (point_stride(inputs * tiles), point_stride(outputs * tiles));
    let gathered = task.gathered(kernel - 1) + OVERRUN;
    // The buffer is of the inputs, of the gradients of the outputs, or of the pairs of a row.
    let of_outputs = Map { height: g.out_height(), width: g.out_width(), padding: 0 };
    let halves = task.halves(map, kernel - 1).max(task.halves(of_outputs, 0)).max(2 * task.pitch());
    scratch::with(gathered + points * (v_stride + m_stride) + halves, |buffer| {
        let (copied, rest) = buffer.split_at_mut(gathered);
        let (v, rest) = rest.split_at_mut(points * v_stride);
        let (m, halves) = rest.split_at_mut(points * m_stride);
        for channel in 0..inputs {
            let x = &x[(group * inputs + channel) * plane..][..plane];
            task.gather(map, x, kernel - 1, copied, halves);
            transform_input(kernel, &copied[..gathered - OVERRUN], task.pitch(), &mut v[channel * tiles..], v_stride);
        }
        work(Workspace { v, m, copied, halves });
    });
}

/// See [`super::conv::forward`].
pub(super) fn forward(g: &Geometry, x: &[f32], w: &[f32], norm: Option<&[Channel]>) -> Vec<f32> {
    let (inputs, outputs, kernel) = (g.inputs / g.groups, g.outputs / g.groups, g.kernel);
    let (points, out_plane) = ((kernel + 1) * (kernel + 1), g.out_plane());
    let kernels: Vec<Vec<f32>> =
        w.chunks_exact(outputs * inputs * kernel * kernel).map(|w| transform_filter(w, kernel)).collect();
    let tasks = TileTask::all(g);
    let compute = |y: Window, index: usize| {
        let (group, task) = (index % g.groups, &tasks[index / g.groups]);
        let (pitch, tiles) = (task.pitch(), task.tiles());
        let (v_stride, m_stride) = (point_stride(inputs * tiles), point_stride(outputs * tiles));
        with_inputs(g, x, group, task, |Workspace { v, m, copied, halves }| {
            for point in 0..points {
                let u = View::new(&kernels[group][point * outputs * inputs..], outputs, inputs, inputs);
                let v = View::new(&v[point * v_stride..], inputs, tiles, tiles);
                matmul::multiply(Window::new(&mut m[point * m_stride..], tiles), u, v, false);
            }
            for channel in 0..outputs {
                let y = y.at((group * outputs + channel) * out_plane);
                for (index, row) in task.rows.clone().enumerate() {
                    let (m, values) = (&m[channel * tiles + index * pitch..], &mut copied[..4 * pitch]);
                    transform_output(kernel, m, m_stride, pitch, values);
                    if let Some(norm) = norm {
                        let Channel { scale, shift, .. } = norm[group * outputs + channel];
                        simd::scale_relu_in_place(values, scale, shift);
                    }
                    task.scatter(row, values, (g.out_height(), g.out_width()), y, halves);
                }
            }
        });
    };
    #[allow(unsafe_code, reason = "see `fill_uninit`")]
    // SAFETY: the tiles of all tasks and groups cover the output.
    unsafe {
        matmul::fill_uninit(g.outputs * out_plane, 0, |y| {
            (0..tasks.len() * g.groups).into_par_iter().for_each(|index| compute(y, index));
        })
    }
}

/// See [`super::conv::weight_gradient`].
pub(super) fn weight_gradient(g: &Geometry, x: &[f32], dy: &[f32]) -> Vec<f32> {
    let (inputs, outputs, kernel) = (g.inputs / g.groups, g.outputs / g.groups, g.kernel);
    let (points, out_plane) = ((kernel + 1) * (kernel + 1), g.out_plane());
    let map = Map { height: g.out_height(), width: g.out_width(), padding: 0 };
    let tasks = TileTask::all(g);
    let size = points * outputs * inputs;
    let share = tasks.len().div_ceil(PARTS);
    let parts: Vec<&[TileTask]> = tasks.chunks(share).collect();
    let sum_part = |sums: Window, index: usize| {
        let (part, group) = (parts[index / g.groups], index % g.groups);
        for (number, task) in part.iter().enumerate() {
            let tiles = task.tiles();
            let (v_stride, m_stride) = (point_stride(inputs * tiles), point_stride(outputs * tiles));
            with_inputs(g, x, group, task, |Workspace { v, m, copied, halves }| {
                for channel in 0..outputs {
                    let dy = &dy[(group * outputs + channel) * out_plane..][..out_plane];
                    task.gather(map, dy, 0, copied, halves);
                    transform_output_grad(
                        kernel,
                        &copied[..task.gathered(0)],
                        task.pitch(),
                        &mut m[channel * tiles..],
                        m_stride,
                    );
                }
                for point in 0..points {
                    let sum = sums.at(index * size + point * outputs * inputs);
                    let m = View::new(&m[point * m_stride..], outputs, tiles, tiles);
                    let v = View::new(&v[point * v_stride..], inputs, tiles, tiles);
                    matmul::multiply(sum, m, v.transposed(), number > 0);
                }
            });
        }
    };
    #[allow(unsafe_code, reason = "see `fill_uninit`")]
    // SAFETY: every part has a task, and its first one writes the part's whole sum.
    let mut sums = unsafe {
        matmul::fill_uninit(parts.len() * g.groups * size, inputs, |sums| {
            (0..parts.len() * g.groups).into_par_iter().for_each(|index| sum_part(sums, index));
        })
    };
    sum_parts(&mut sums, g.groups * size);
    sums.chunks_exact(size).flat_map(|sum| transform_filter_grad(sum, kernel)).collect()
}
