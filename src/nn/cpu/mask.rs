//! The spatial mask of one branch (the paper's PSE module), forward and backward.
//!
//! Its batch norm normalizes sixteen scaled copies of one map, so that moments and gradient have a closed form.

use super::simd;

/// Hidden maps of a mask.
pub const HIDDEN: usize = 16;
/// Packed parameters of one mask: weight, bias, gamma, beta, output weight, output bias.
pub(super) const MASK_PARAMETERS: usize = 5 * HIDDEN + 1;

/// Parameters of one mask, without the first bias: batch norm cancels it, or the running mean contains it.
pub(super) struct MaskParameters<'a> {
    weight: &'a [f32],
    gamma: &'a [f32],
    beta: &'a [f32],
    out_weight: &'a [f32],
    out_bias: f32,
}

impl<'a> MaskParameters<'a> {
    /// Splits [`MASK_PARAMETERS`] packed values.
    pub(super) fn new(packed: &'a [f32]) -> Self {
        let part = |index: usize| &packed[index * HIDDEN..(index + 1) * HIDDEN];
        Self { weight: part(0), gamma: part(2), beta: part(3), out_weight: part(4), out_bias: packed[5 * HIDDEN] }
    }

    /// Writes the mask of `mean_map` to `out` and returns mean and variance of its hidden maps (without bias).
    pub(super) fn forward(
        &self,
        mean_map: &[f32],
        out: &mut [f32],
        running: Option<(&[f32], &[f32])>,
        eps: f32,
    ) -> [(f32, f32); HIDDEN] {
        let (mean, variance) = simd::moments(mean_map);
        out.fill(self.out_bias);
        let moments = std::array::from_fn(|q| {
            let w = self.weight[q];
            let (mean, variance) = match running {
                None => (w * mean, w * w * variance),
                Some((means, variances)) => (means[q], variances[q]),
            };
            let scale = self.gamma[q] / (variance + eps).sqrt();
            simd::add_scaled_relu(out, mean_map, (scale * w, self.beta[q] - scale * mean), self.out_weight[q]);
            (mean, variance)
        });
        for value in out {
            *value = 1.0 / (1.0 + (-*value).exp());
        }
        moments
    }

    /// From the gradient of the mask's logits, writes the gradients of the packed parameters to `d` and of the mean map
    /// to `d_map`.
    pub(super) fn backward(&self, mean_map: &[f32], d_logits: &[f32], eps: f32, d: &mut [f32], d_map: &mut [f32]) {
        let (mean, variance) = simd::moments(mean_map);
        d.fill(0.0);
        d[5 * HIDDEN] = simd::sum(d_logits);
        d_map.fill(0.0);
        let mut d_variance = 0.0;
        for q in 0..HIDDEN {
            let w = self.weight[q];
            // The normalized hidden map is (map - mean) * w / sqrt(w^2 variance + eps).
            let denominator = w * w * variance + eps;
            let unit = w / denominator.sqrt();
            let scale = self.gamma[q] * unit;
            let sums = simd::mask_backward(
                mean_map,
                d_logits,
                d_map,
                (scale, self.beta[q] - scale * mean, mean),
                self.out_weight[q],
            );
            d[4 * HIDDEN + q] = sums.out_weight;
            d[3 * HIDDEN + q] = sums.shift;
            d[2 * HIDDEN + q] = sums.scale * unit;
            let d_unit = sums.scale * self.gamma[q];
            let cubed = denominator * denominator.sqrt();
            d[q] = d_unit * eps / cubed;
            d_variance -= 0.5 * d_unit * w * w * w / cubed;
        }
        let n = mean_map.len() as f32;
        let d_mean = simd::sum(d_map) / n;
        for (d, value) in d_map.iter_mut().zip(mean_map) {
            *d += d_variance * 2.0 * (value - mean) / n - d_mean;
        }
    }
}
