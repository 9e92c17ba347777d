//! Inverted dropout of the pooled branch features (Srivastava et al. 2014). The mask is a function of seed, step and position
//! in the whole batch, so it depends neither on threads nor on ranks.

use crate::attribute::COUNT;
use crate::error::Result;
use crate::random;
use candle_core::{Device, Tensor};
use rand::RngExt;
use std::ops::Range;

/// The stream of dropout's random numbers.
const DROPOUT: u64 = 4;

/// The factors of the pooled features `[40, channels, images]` of the images at `positions` of the whole run, counted from
/// its first batch: 0 with probability `rate`, otherwise `1 / (1 - rate)`.
pub(super) fn mask(seed: u64, positions: Range<usize>, channels: usize, rate: f64, device: &Device) -> Result<Tensor> {
    let (images, kept) = (positions.len(), (1.0 / (1.0 - rate)) as f32);
    let mut factors = vec![0.0_f32; COUNT * channels * images];
    for (image, position) in positions.enumerate() {
        let mut random = random::generator(seed, &[DROPOUT, position as u64]);
        for factor in factors.iter_mut().skip(image).step_by(images) {
            *factor = if random.random_bool(rate) { 0.0 } else { kept };
        }
    }
    Ok(Tensor::from_vec(factors, (COUNT, channels, images), device)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn factors(seed: u64, positions: Range<usize>, rate: f64) -> Vec<Vec<Vec<f32>>> {
        mask(seed, positions, 7, rate, &Device::Cpu).unwrap().to_vec3().unwrap()
    }

    #[test]
    #[allow(clippy::float_cmp, reason = "factors are set, not computed")]
    fn factors_are_zero_or_the_inverse_and_one_on_average() {
        for rate in [0.1, 0.5, 0.75] {
            let factors = factors(1, 64..128, rate).concat().concat();
            let kept = (1.0 / (1.0 - rate)) as f32;
            assert!(factors.iter().all(|factor| *factor == 0.0 || *factor == kept));
            let (sum, count) = (factors.iter().map(|factor| f64::from(*factor)).sum::<f64>(), factors.len() as f64);
            // Five standard errors.
            let error = 5.0 * (rate / (1.0 - rate) / count).sqrt();
            assert!((sum / count - 1.0).abs() < error, "{rate}: {}", sum / count);
        }
    }

    #[test]
    fn ranks_draw_their_parts_of_the_whole_batchs_mask() {
        let (whole, parts) = (factors(3, 24..32, 0.5), [factors(3, 24..28, 0.5), factors(3, 28..32, 0.5)]);
        for (attribute, planes) in whole.iter().enumerate() {
            for (channel, images) in planes.iter().enumerate() {
                let joined = [&*parts[0][attribute][channel], &*parts[1][attribute][channel]].concat();
                assert!(*images == joined);
            }
        }
        assert!(whole != factors(3, 32..40, 0.5) && whole != factors(4, 24..32, 0.5));
    }
}
