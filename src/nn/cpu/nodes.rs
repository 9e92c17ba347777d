//! Nodes of attributes: a 1x1 convolution of each attribute's features, stored image by image.

use super::matmul::{self, View, Window, fill_uninit};
use super::{scratch, simd};
use rayon::prelude::*;

/// Attributes, channels of a node and of a feature, images, and positions of the map.
#[derive(Debug, Clone, Copy)]
pub(in crate::nn) struct NodeSizes {
    pub(in crate::nn) a: usize,
    pub(in crate::nn) g: usize,
    pub(in crate::nn) c: usize,
    pub(in crate::nn) batch: usize,
    pub(in crate::nn) positions: usize,
}

impl NodeSizes {
    /// Length of a node's vector.
    pub(in crate::nn) fn node(self) -> usize {
        self.g * self.positions
    }

    /// Values of all nodes of one image.
    pub(in crate::nn) fn image(self) -> usize {
        self.a * self.node()
    }

    pub(in crate::nn) fn n(self) -> usize {
        self.batch * self.positions
    }

    /// All nodes, `[batch, a, g, positions]`, of features `[a, c, n]`.
    pub(in crate::nn) fn nodes(self, gated: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
        let Self { a, g, c, batch, positions } = self;
        let n = self.n();
        let fill = |out: Window| {
            (0..a).into_par_iter().for_each(|i| {
                scratch::with(g * n, |maps| {
                    let (weight, x) =
                        (View::new(&weight[i * g * c..], g, c, c), View::new(&gated[i * c * n..], c, n, n));
                    matmul::multiply(Window::new(maps, n), weight, x, false);
                    for (k, (map, bias)) in maps.chunks_exact_mut(n).zip(&bias[i * g..]).enumerate() {
                        simd::scale_shift_in_place(map, 1.0, *bias);
                        for (image, map) in map.chunks_exact(positions).enumerate() {
                            out.at(((image * a + i) * g + k) * positions).write(map);
                        }
                    }
                });
            });
        };
        #[allow(unsafe_code, reason = "see `fill_uninit`")]
        // SAFETY: all attributes, channels, images and positions are written.
        unsafe {
            fill_uninit(batch * self.image(), positions, fill)
        }
    }

    /// `[a * g, n]` of values `[batch, a, g, positions]`.
    pub(in crate::nn) fn by_channel(self, values: &[f32]) -> Vec<f32> {
        let (n, rows) = (self.n(), self.a * self.g);
        let fill = |out: Window| {
            values.par_chunks_exact(self.image()).enumerate().for_each(|(image, values)| {
                for (row, values) in values.chunks_exact(self.positions).enumerate() {
                    out.at(row * n + image * self.positions).write(values);
                }
            });
        };
        #[allow(unsafe_code, reason = "see `fill_uninit`")]
        // SAFETY: every image writes its positions of all rows.
        unsafe {
            fill_uninit(rows * n, n, fill)
        }
    }

    /// Writes the gradients of attribute `i`'s `weight` `[g, c]` and `bias` `[g]`, from those of all nodes, `[a * g, n]`.
    pub(in crate::nn) fn parameter_gradients(
        self,
        i: usize,
        d_nodes: &[f32],
        gated: &[f32],
        weight: &mut [f32],
        bias: &mut [f32],
    ) {
        let (g, c, n) = (self.g, self.c, self.n());
        let d_nodes = &d_nodes[i * g * n..(i + 1) * g * n];
        let features = View::new(&gated[i * c * n..], c, n, n);
        matmul::multiply(Window::new(weight, c), View::new(d_nodes, g, n, n), features.transposed(), false);
        for (bias, d_node) in bias.iter_mut().zip(d_nodes.chunks_exact(n)) {
            *bias = simd::sum(d_node);
        }
    }

    /// Gradients of the features, `[a, c, n]`.
    pub(in crate::nn) fn feature_gradients(self, d_nodes: &[f32], weight: &[f32]) -> Vec<f32> {
        let Self { a, g, c, .. } = self;
        let n = self.n();
        let fill = |out: Window| {
            (0..a).into_par_iter().for_each(|i| {
                let weight = View::new(&weight[i * g * c..], g, c, c).transposed();
                matmul::multiply(out.at(i * c * n), weight, View::new(&d_nodes[i * g * n..], g, n, n), false);
            });
        };
        #[allow(unsafe_code, reason = "see `fill_uninit`")]
        // SAFETY: all attributes are written.
        unsafe {
            fill_uninit(a * c * n, n, fill)
        }
    }
}
