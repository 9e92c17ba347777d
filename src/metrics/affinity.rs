//! The distribution of an affinity's weights: the share on the diagonal and the entropy of a row.

use super::mean::mean;
use crate::attribute::COUNT;

/// How concentrated the weights of a mean affinity are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AffinityConcentration {
    /// Mean weight of an attribute on itself, from 0 to 1.
    pub diagonal: f64,
    /// Mean entropy of a row in nats.
    pub entropy: f64,
}

impl AffinityConcentration {
    /// Measures `affinity`, with each row normalized to a sum of 1.
    pub fn of(affinity: &[[f64; COUNT]]) -> Self {
        let rows: Vec<[f64; COUNT]> = affinity
            .iter()
            .map(|row| {
                let total: f64 = row.iter().sum();
                row.map(|weight| if total > 0.0 { weight / total } else { 0.0 })
            })
            .collect();
        let entropy = |row: &[f64; COUNT]| -row.iter().filter(|w| **w > 0.0).map(|w| w * libm::log(*w)).sum::<f64>();
        Self {
            diagonal: mean(&rows.iter().enumerate().map(|(i, row)| row[i]).collect::<Vec<f64>>()),
            // One weight a row gives 0, not the -0 of an empty sum.
            entropy: mean(&rows.iter().map(entropy).collect::<Vec<f64>>()).abs(),
        }
    }

    /// Number of equal weights with that entropy.
    pub fn neighbours(self) -> f64 {
        libm::exp(self.entropy)
    }
}

#[cfg(test)]
mod tests {
    //! Expected values: `tests/golden/correlation.py` (scipy, numpy).

    use super::super::golden::{close, correlation, square};
    use super::*;

    #[test]
    fn entropy_and_diagonal_are_numpys_and_scipys() {
        let golden = correlation();
        let concentration = AffinityConcentration::of(&square(&golden["affinity"]));
        close(concentration.diagonal, &golden["diagonal"]);
        close(concentration.entropy, &golden["entropy"]);
        close(concentration.neighbours(), &golden["neighbours"]);
    }

    #[test]
    fn a_uniform_affinity_has_forty_neighbours_and_an_identity_one() {
        let uniform = vec![[0.025; COUNT]; COUNT];
        assert!((AffinityConcentration::of(&uniform).neighbours() - 40.0).abs() < 1e-9);
        let identity: Vec<[f64; COUNT]> =
            (0..COUNT).map(|i| std::array::from_fn(|j| f64::from(u8::from(i == j)))).collect();
        assert_eq!(AffinityConcentration::of(&identity), AffinityConcentration { diagonal: 1.0, entropy: 0.0 });
    }
}
