//! Grouped convolution on the CPU, forward and backward: by Winograd's minimal filtering if [`winograd::supports`] the
//! shape, otherwise through im2col.
//!
//! Why not oneDNN: this code gives the same bits on any number of threads and needs no C++ library. On this network it is
//! faster than PyTorch with oneDNN (`benches/train.rs`).

use super::im2col::{self, BatchInvariance};
use super::simd::Channel;
use super::winograd;
use crate::nn::geometry::Geometry;

/// Convolves `x` `[inputs, batch, height, width]` with `w` `[outputs, inputs / groups, kernel, kernel]`:
/// `[outputs, batch, out_height, out_width]`. Applies batch norm and ReLU if `norm` holds a value per output.
pub(in crate::nn) fn forward(
    g: &Geometry,
    x: &[f32],
    w: &[f32],
    invariance: BatchInvariance,
    norm: Option<&[Channel]>,
) -> Vec<f32> {
    // Winograd's result for an image never depends on the batch.
    if winograd::supports(g) { winograd::forward(g, x, w, norm) } else { im2col::forward(g, x, w, invariance, norm) }
}

/// Gradient with respect to the input, in its shape.
pub(in crate::nn) fn input_gradient(g: &Geometry, w: &[f32], dy: &[f32]) -> Vec<f32> {
    // A small kernel: the convolution of dy with the flipped, transposed weights. For a larger one, unfolding dy's many
    // channels kernel^2 times costs more than folding the product back.
    if g.stride == 1 && (g.kernel <= 3 || winograd::supports(g)) {
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
    im2col::input_gradient(g, w, dy)
}

/// Gradient with respect to the weights, in their shape.
pub(in crate::nn) fn weight_gradient(g: &Geometry, x: &[f32], dy: &[f32]) -> Vec<f32> {
    if winograd::supports(g) { winograd::weight_gradient(g, x, dy) } else { im2col::weight_gradient(g, x, dy) }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::geometry::ConvConfig;
    use crate::random;
    use rand::RngExt;

    /// Kernel, padding, groups and `[batch, height, width]`. Maps are odd and even, smaller than a tile and wider than a
    /// row of lanes. Channels do not fill a vector.
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
        assert!(winograd::supports(&g));
        g
    }

    /// Calls `term(y, x, w)` with the indices of every product in the sum that defines a convolution.
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
            assert_close(&format!("{case:?} value"), &forward(&g, &x, &w, BatchInvariance::Relaxed, None), &y, 3e-6);
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
            let all = forward(&many, &x, &w, BatchInvariance::Relaxed, None);
            for image in [0, 17, 36] {
                let alone: Vec<f32> = x.chunks(37 * plane).flat_map(|c| c[image * plane..][..plane].to_vec()).collect();
                let own: Vec<f32> = all.chunks(37 * plane).flat_map(|c| c[image * plane..][..plane].to_vec()).collect();
                assert!(forward(&one, &alone, &w, BatchInvariance::Relaxed, None) == own, "kernel {k}, image {image}");
            }
        }
    }
}
