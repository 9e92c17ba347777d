//! Loops over one token, bias with activation and layer norm, and over one row of attention scores.

use super::simd;
use multiversion::multiversion;
use std::f32::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, LOG2_E};

/// The function after a bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    Identity,
    /// `x` times the standard normal distribution function of `x` (Hendrycks and Gimpel 2016).
    Gelu,
    /// `exp(x) - 1` below 0 (Clevert et al. 2016).
    Elu,
}

/// `sum * x + factor` for all factors, from the first on.
#[inline]
fn polynomial(x: f32, factors: &[f32]) -> f32 {
    factors.iter().fold(0.0, |sum, factor| sum * x + factor)
}

/// The error function within 1e-7, as the rational function that Eigen and XLA use. A call for each value would keep the
/// loops from being vectorized, here and in [`exp`].
#[inline]
fn erf(x: f32) -> f32 {
    const ABOVE: [f32; 7] = [
        -2.726_142_3e-10,
        2.770_681_4e-8,
        -2.101_024e-6,
        -5.692_506_4e-5,
        -7.349_906_3e-4,
        -2.954_6e-3,
        -1.609_603_3e-2,
    ];
    const BELOW: [f32; 5] = [-1.456_607_2e-5, -2.133_740_5e-4, -1.682_827e-3, -7.373_329_2e-3, -1.426_473_9e-2];
    let x = x.clamp(-4.0, 4.0);
    x * polynomial(x * x, &ABOVE) / polynomial(x * x, &BELOW)
}

/// `exp(x)` of an `x` that is not positive, within 2e-7 of the result, with the polynomial of Cephes.
#[inline]
fn exp(x: f32) -> f32 {
    /// Adding it rounds to an integer, which its lowest bits then hold.
    const ROUND: f32 = 12_582_912.0;
    /// The natural logarithm of 2 in two parts, of which the first has few bits.
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    const FACTORS: [f32; 6] = [1.987_569_1e-4, 1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_65, 0.5];
    /// The result is 0 below it.
    const LEAST: f32 = -87.0;
    let clamped = x.clamp(LEAST, 0.0);
    let rounded = clamped * LOG2_E + ROUND;
    let n = rounded - ROUND;
    let rest = clamped - n * LN_2[0] - n * LN_2[1];
    let power = f32::from_bits((rounded.to_bits() << 23).wrapping_add(127 << 23));
    if x < LEAST { 0.0 } else { power * (polynomial(rest, &FACTORS) * rest * rest + rest + 1.0) }
}

/// The standard normal distribution function.
#[inline]
fn normal(x: f32) -> f32 {
    0.5 * (1.0 + erf(x * FRAC_1_SQRT_2))
}

/// Its derivative.
#[inline]
fn density(x: f32) -> f32 {
    0.5 * FRAC_1_SQRT_2 * FRAC_2_SQRT_PI * exp(-0.5 * x * x)
}

/// `y = activation(x + bias)`.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
pub(in crate::nn) fn activate(activation: Activation, x: &[f32], bias: &[f32], y: &mut [f32]) {
    for ((y, x), bias) in y.iter_mut().zip(x).zip(bias) {
        *y = x + bias;
    }
    match activation {
        Activation::Identity => {}
        Activation::Gelu => {
            for y in y {
                *y *= normal(*y);
            }
        }
        Activation::Elu => {
            for y in y {
                *y = if *y > 0.0 { *y } else { exp(*y) - 1.0 };
            }
        }
    }
}

/// Backward pass of [`activate`]: writes the gradient of `x`, and adds it to that of the bias.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
pub(in crate::nn) fn activate_backward(
    activation: Activation,
    (x, bias): (&[f32], &[f32]),
    dy: &[f32],
    dx: &mut [f32],
    d_bias: &mut [f32],
) {
    for ((dx, x), bias) in dx.iter_mut().zip(x).zip(bias) {
        *dx = x + bias;
    }
    match activation {
        Activation::Identity => dx.copy_from_slice(dy),
        Activation::Gelu => {
            for (dx, dy) in dx.iter_mut().zip(dy) {
                *dx = dy * (normal(*dx) + *dx * density(*dx));
            }
        }
        Activation::Elu => {
            for (dx, dy) in dx.iter_mut().zip(dy) {
                *dx = dy * if *dx > 0.0 { 1.0 } else { exp(*dx) };
            }
        }
    }
    simd::add_scaled(d_bias, dx, 1.0);
}

/// Mean and inverse standard deviation of a token.
fn scale(x: &[f32], eps: f32) -> (f32, f32) {
    let (mean, variance) = simd::moments(x);
    (mean, 1.0 / (variance + eps).sqrt())
}

/// `y = (x - mean) / deviation * weight + bias`.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
pub(in crate::nn) fn layer_norm(x: &[f32], weight: &[f32], bias: &[f32], eps: f32, y: &mut [f32]) {
    let (mean, reciprocal) = scale(x, eps);
    for (((y, x), weight), bias) in y.iter_mut().zip(x).zip(weight).zip(bias) {
        *y = (x - mean) * reciprocal * weight + bias;
    }
}

/// Backward pass of [`layer_norm`]: writes the gradient of `x`, and adds those of the weight and of the bias.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
pub(in crate::nn) fn layer_norm_backward(
    x: &[f32],
    weight: &[f32],
    eps: f32,
    dy: &[f32],
    dx: &mut [f32],
    (d_weight, d_bias): (&mut [f32], &mut [f32]),
) {
    let (mean, reciprocal) = scale(x, eps);
    // `dx` first holds the products of the normalized token and its gradient, then that gradient.
    for (((dx, x), weight), dy) in dx.iter_mut().zip(x).zip(weight).zip(dy) {
        *dx = dy * weight * (x - mean) * reciprocal;
    }
    let along = simd::sum(dx) / x.len() as f32;
    for ((dx, weight), dy) in dx.iter_mut().zip(weight).zip(dy) {
        *dx = dy * weight;
    }
    let shift = simd::sum(dx) / x.len() as f32;
    for ((dx, x), (dy, d_weight)) in dx.iter_mut().zip(x).zip(dy.iter().zip(d_weight)) {
        let normed = (x - mean) * reciprocal;
        *dx = reciprocal * (*dx - shift - normed * along);
        *d_weight += dy * normed;
    }
    simd::add_scaled(d_bias, dy, 1.0);
}

const LANES: usize = 8;

/// Softmax of one row of scores.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
pub(in crate::nn) fn softmax(row: &mut [f32]) {
    let (chunks, rest) = row.as_chunks::<LANES>();
    let mut peaks = [f32::NEG_INFINITY; LANES];
    for chunk in chunks {
        for (peak, value) in peaks.iter_mut().zip(chunk) {
            *peak = if *value > *peak { *value } else { *peak };
        }
    }
    let peak = peaks.iter().chain(rest).copied().fold(f32::NEG_INFINITY, f32::max);
    for value in row.iter_mut() {
        *value = exp(*value - peak);
    }
    let reciprocal = 1.0 / simd::sum(row);
    for value in row {
        *value *= reciprocal;
    }
}

/// From the gradient `d` of one row of softmax weights `w` to that of its scores.
pub(in crate::nn) fn softmax_gradient(d: &mut [f32], w: &[f32]) {
    let mean = simd::dot(d, w);
    for (d, w) in d.iter_mut().zip(w) {
        *d = w * (*d - mean);
    }
}

/// Slope of the leaky ReLU below 0.
pub(in crate::nn) const SLOPE: f32 = 0.2;

/// GATv2's scores of one token and head: adds the sums over the head's values of `weight` times the leaky ReLU of `left`
/// plus `right`. `right` holds the values of all tokens, `[values, tokens]`.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
pub(in crate::nn) fn additive_scores(left: &[f32], right: &[f32], weight: &[f32], scores: &mut [f32]) {
    for ((left, weight), right) in left.iter().zip(weight).zip(right.chunks_exact(scores.len())) {
        for (score, right) in scores.iter_mut().zip(right) {
            let sum = left + right;
            *score += weight * if sum > 0.0 { sum } else { SLOPE * sum };
        }
    }
}

/// Backward pass of [`additive_scores`]: adds the gradients of `left` and `right` divided by the weight, and that of the
/// weight. The values of a head in tokens of `right` lie `stride` apart.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
pub(in crate::nn) fn additive_scores_backward(
    gradient: &[f32],
    left: &[f32],
    right: &[f32],
    d_left: &mut [f32],
    d_right: &mut [f32],
    d_weight: &mut [f32],
    stride: usize,
) {
    let width = left.len();
    let tokens = right.chunks(stride).zip(d_right.chunks_mut(stride));
    for (gradient, (right, d_right)) in gradient.iter().zip(tokens) {
        let inputs = left.iter().zip(&right[..width]);
        let outputs = d_left.iter_mut().zip(&mut d_right[..width]).zip(d_weight.iter_mut());
        for ((left, right), ((d_left, d_right), d_weight)) in inputs.zip(outputs) {
            let sum = left + right;
            let d = if sum > 0.0 { *gradient } else { SLOPE * gradient };
            *d_left += d;
            *d_right += d;
            *d_weight += d * sum;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{exp, normal};

    #[test]
    fn the_normal_distribution_function_has_its_tabled_values() {
        // scipy.stats.norm.cdf of these numbers.
        for (x, expected) in [
            (-9.0, 0.0),
            (-2.5, 0.006_209_665),
            (-1.0, 0.158_655_25),
            (0.0, 0.5),
            (0.3, 0.617_911_4),
            (1.7, 0.955_434_5),
            (3.1, 0.999_032_4),
            (9.0, 1.0),
        ] {
            let found = normal(x);
            assert!((found - expected).abs() < 2e-7_f32, "{x}: {found}, expected {expected}");
        }
    }

    #[test]
    fn the_exponential_function_is_that_of_the_standard_library() {
        for i in 0..87_000 {
            let x = -0.001 * i as f32;
            assert!((exp(x) / x.exp() - 1.0).abs() < 3e-7, "{x}: {}, expected {}", exp(x), x.exp());
        }
        assert!(exp(-87.1) == 0.0 && exp(f32::NEG_INFINITY) == 0.0);
        assert!(exp(f32::NAN).is_nan() && normal(f32::NAN).is_nan());
    }
}
