//! Labels that are given to a correlation net in training, as C-Tran's (Lanchantin et al. 2021): its loss is that of the
//! others. Which ones is a function of seed, step and position in the whole batch, so it depends neither on threads nor on
//! ranks.

use crate::attribute::COUNT;
use crate::error::Result;
use crate::random;
use candle_core::{Device, Tensor};
use rand::RngExt;
use rand::seq::index::sample;
use std::ops::Range;

/// The stream of random numbers.
const KNOWN_LABELS: u64 = 5;
/// The largest number of labels of an image that are given: three quarters.
const MAX: usize = COUNT * 3 / 4;

/// Factors `[40, 1, images]`, 1 for a label that is given and 0 for another, of the images at `positions` of the whole run,
/// counted from its first batch. Each image has a number of given labels from 0 to three quarters, equally likely.
pub(super) fn mask(seed: u64, positions: Range<usize>, device: &Device) -> Result<Tensor> {
    let images = positions.len();
    let mut factors = vec![0.0_f32; COUNT * images];
    for (image, position) in positions.enumerate() {
        let mut random = random::generator(seed, &[KNOWN_LABELS, position as u64]);
        let count = random.random_range(0..=MAX as u32) as usize;
        for attribute in sample(&mut random, COUNT, count) {
            factors[attribute * images + image] = 1.0;
        }
    }
    Ok(Tensor::from_vec(factors, (COUNT, 1, images), device)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn factors(seed: u64, positions: Range<usize>) -> Vec<Vec<f32>> {
        mask(seed, positions, &Device::Cpu).unwrap().squeeze(1).unwrap().to_vec2().unwrap()
    }

    #[test]
    fn up_to_three_quarters_of_the_labels_are_given_and_each_as_often() {
        const IMAGES: usize = 3100;
        let factors = factors(1, 0..IMAGES);
        let mut images = [0; COUNT + 1];
        for image in 0..IMAGES {
            images[factors.iter().filter(|row| row[image] > 0.5).count()] += 1;
        }
        // Five standard errors of the hundred images that each number has on average.
        assert!(images[..=MAX].iter().all(|count| (50..150).contains(count)), "{images:?}");
        assert!(images[MAX + 1..].iter().all(|count| *count == 0));
        for row in factors {
            let share = f64::from(row.iter().sum::<f32>()) / IMAGES as f64;
            assert!((share - 0.375).abs() < 0.045, "{share}");
        }
    }

    #[test]
    fn ranks_draw_their_parts_of_the_whole_batch() {
        let (whole, parts) = (factors(3, 24..32), [factors(3, 24..28), factors(3, 28..32)]);
        assert!(whole.iter().zip(parts[0].iter().zip(&parts[1])).all(|(all, (a, b))| *all == [&**a, b].concat()));
        assert!(whole != factors(3, 32..40) && whole != factors(4, 24..32));
    }
}
