//! Label smoothing and mixup: targets that are not only 0 and 1, and the mixtures of images that belong to them.

use crate::random;
use rand::RngExt;
use rand_pcg::Pcg64Mcg;
use std::f64::consts::TAU;

/// The stream of mixup's random numbers.
const MIXUP: u64 = 3;

/// Spreads the share `smoothing` of two-class targets `[attributes, 2, batch]` evenly over both classes, as PyTorch's
/// `CrossEntropyLoss`. Targets of a label that is not known stay zeros; in a mixture with it, the known label's share is
/// spread.
pub(super) fn smooth(targets: &mut [f32], batch: usize, smoothing: f64) {
    // The shares of a mixture add up to 1, except for rounding.
    const WHOLE: f32 = 0.999_999;
    let (kept, spread) = ((1.0 - smoothing) as f32, (smoothing / 2.0) as f32);
    for pair in targets.chunks_exact_mut(2 * batch) {
        let (no, yes) = pair.split_at_mut(batch);
        for (no, yes) in no.iter_mut().zip(yes) {
            let weight = if *no + *yes > WHOLE { 1.0 } else { *no + *yes };
            *no = *no * kept + weight * spread;
            *yes = *yes * kept + weight * spread;
        }
    }
}

/// `share * own + (1 - share) * other`, in `own`.
pub(super) fn mix(own: &mut [f32], other: &[f32], share: f64) {
    let (share, rest) = (share as f32, (1.0 - share) as f32);
    own.iter_mut().zip(other).for_each(|(own, other)| *own = *own * share + *other * rest);
}

/// The share of each image in its mixture at training step `step`, from Beta(`alpha`, `alpha`).
pub(super) fn mixup_share(seed: u64, step: usize, alpha: f64) -> f64 {
    let mut random = random::generator(seed, &[MIXUP, step as u64]);
    // X / (X + Y) is Beta distributed if X and Y are Gamma distributed. Logarithms of both, as each may be below any f64.
    let (x, y) = (log_gamma_variate(&mut random, alpha), log_gamma_variate(&mut random, alpha));
    1.0 / (1.0 + libm::exp(y - x))
}

/// The logarithm of a Gamma distributed number (Marsaglia and Tsang 2000), for `shape` below 1 as the paper's section 6.
fn log_gamma_variate(random: &mut Pcg64Mcg, shape: f64) -> f64 {
    // In (0, 1]: the logarithm of 0 is not finite.
    let uniform = |random: &mut Pcg64Mcg| 1.0 - random.random::<f64>();
    if shape < 1.0 {
        return log_gamma_variate(random, shape + 1.0) + libm::log(uniform(random)) / shape;
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        // Box and Muller 1958.
        let radius = (-2.0 * libm::log(uniform(random))).sqrt();
        let normal = radius * libm::cos(TAU * random.random::<f64>());
        let cube = libm::pow(1.0 + c * normal, 3.0);
        if cube > 0.0 && libm::log(uniform(random)) < 0.5 * normal * normal + d - d * cube + d * libm::log(cube) {
            return libm::log(d * cube);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Tensor};

    /// Values of `tests/golden/soft_targets.py`, from PyTorch.
    #[derive(serde::Deserialize)]
    struct Golden {
        /// `[attributes, 2, batch]`.
        logits: Vec<Vec<Vec<f32>>>,
        /// `[attributes, batch]`.
        labels: Vec<Vec<usize>>,
        smoothing: f64,
        smoothed_loss: f32,
        share: f64,
        mixed_loss: f32,
        smoothed_mixed_loss: f32,
        /// `[attributes, batch]`.
        known: Vec<Vec<bool>>,
        masked_loss: f32,
    }

    impl Golden {
        fn read() -> Self {
            serde_json::from_str(include_str!("../../tests/golden/soft_targets.json")).unwrap()
        }

        /// One-hot targets in batch order, or in the reverse order.
        fn targets(&self, reversed: bool) -> Vec<f32> {
            let row = |labels: &Vec<usize>, class: usize| -> Vec<f32> {
                let mut row: Vec<f32> = labels.iter().map(|label| f32::from(u8::from(*label == class))).collect();
                if reversed {
                    row.reverse();
                }
                row
            };
            self.labels.iter().flat_map(|labels| [row(labels, 0), row(labels, 1)]).flatten().collect()
        }

        fn loss(&self, targets: Vec<f32>) -> f32 {
            let logits = Tensor::new(self.logits.clone(), &Device::Cpu).unwrap();
            let targets = Tensor::from_vec(targets, logits.shape(), &Device::Cpu).unwrap();
            crate::model::loss(&logits, &targets).unwrap().to_scalar().unwrap()
        }
    }

    #[test]
    fn losses_of_soft_targets_equal_pytorchs() {
        let golden = Golden::read();
        let mut smoothed = golden.targets(false);
        let batch = golden.labels[0].len();
        smooth(&mut smoothed, batch, golden.smoothing);
        let mut mixed = golden.targets(false);
        mix(&mut mixed, &golden.targets(true), golden.share);
        let mut both = mixed.clone();
        smooth(&mut both, batch, golden.smoothing);
        for (targets, expected) in
            [(smoothed, golden.smoothed_loss), (mixed, golden.mixed_loss), (both, golden.smoothed_mixed_loss)]
        {
            let found = golden.loss(targets);
            assert!((found - expected).abs() < 1e-5 * expected, "{found} for {expected}");
        }
    }

    #[test]
    fn labels_that_are_not_known_weigh_nothing_in_smoothed_mixtures() {
        let golden = Golden::read();
        let batch = golden.labels[0].len();
        let masked = |reversed: bool| {
            let mut targets = golden.targets(reversed);
            for (pair, known) in targets.chunks_mut(2 * batch).zip(&golden.known) {
                for position in (0..batch).filter(|&i| !known[if reversed { batch - 1 - i } else { i }]) {
                    (pair[position], pair[batch + position]) = (0.0, 0.0);
                }
            }
            targets
        };
        let mut targets = masked(false);
        mix(&mut targets, &masked(true), golden.share);
        smooth(&mut targets, batch, golden.smoothing);
        let found = golden.loss(targets);
        assert!((found - golden.masked_loss).abs() < 1e-5 * golden.masked_loss, "{found}");
    }

    #[test]
    fn shares_have_the_moments_of_their_beta_distribution() {
        const COUNT: usize = 20_000;
        for alpha in [0.05, 0.2, 1.0, 4.0] {
            let shares: Vec<f64> = (0..COUNT).map(|step| mixup_share(1, step, alpha)).collect();
            assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)));
            let mean = shares.iter().sum::<f64>() / COUNT as f64;
            let variance = shares.iter().map(|share| (share - 0.5).powi(2)).sum::<f64>() / COUNT as f64;
            let expected = 1.0 / (4.0 * (2.0 * alpha + 1.0));
            // Five standard errors; those of the variance are at most those of numbers of one size.
            let error = 5.0 / (COUNT as f64).sqrt();
            assert!((mean - 0.5).abs() < error * expected.sqrt(), "{alpha}: mean {mean}");
            assert!((variance - expected).abs() < error * 0.25, "{alpha}: variance {variance} for {expected}");
        }
    }

    #[test]
    fn a_share_is_a_function_of_seed_and_step() {
        let share = |seed, step| mixup_share(seed, step, 0.2).to_bits();
        assert_eq!(share(3, 8), share(3, 8));
        assert!(share(3, 8) != share(3, 9) && share(3, 8) != share(4, 8));
    }
}
