//! Labels with CelebA's rates and correlations, and the strengths with which an image shows them. A Gaussian copula:
//! `datasets/synthetic/fit_copula.py` fits it to the rates and phi coefficients of CelebA's training labels.
//!
//! A label is a standard normal latent cut at a threshold. The image is rendered from a second latent, which agrees with
//! the first only as well as annotators agree on the attribute (`noise.csv`). Near the threshold image and label may
//! differ, as they do in CelebA.

use super::levels::{self, AttributeLevels};
use crate::attribute::{COUNT, NAMES};
use crate::random;
use crate::{Error, Result};
use rand::{Rng, RngExt};

/// Thresholds, fidelities and the Cholesky factor of the latents' correlation.
const COPULA: &str = include_str!("../../datasets/synthetic/copula.csv");

/// Rates at which image and label disagree.
const NOISE: &str = include_str!("../../datasets/synthetic/noise.csv");

/// Strengths are clamped to this distance from the threshold.
const LIMIT: f32 = 6.0;

/// The distribution of labels and strengths.
#[derive(Debug, Clone)]
pub(super) struct Copula {
    threshold: [f64; COUNT],
    fidelity: [f64; COUNT],
    factor: Vec<[f64; COUNT]>,
    softness: [f32; COUNT],
}

/// Annotation and appearance of one face.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Face {
    /// Labels as an annotator would assign them, in the order of [`NAMES`].
    pub(super) labels: [bool; COUNT],
    /// Strengths shown in the image: standard deviations beyond the threshold.
    pub(super) strengths: [f32; COUNT],
}

impl Copula {
    /// The copula built into the program.
    ///
    /// # Errors
    /// Internal error if an embedded table is damaged.
    pub(super) fn built_in() -> Result<Self> {
        let rows = table(COPULA, "copula.csv", COUNT + 2)?;
        let noise = table(NOISE, "noise.csv", 1)?;
        Ok(Self {
            threshold: std::array::from_fn(|i| rows[i][0]),
            fidelity: std::array::from_fn(|i| rows[i][1]),
            factor: rows.iter().map(|row| std::array::from_fn(|j| row[2 + j])).collect(),
            // Annotators disagree on gradual attributes: these get a softer transition.
            softness: std::array::from_fn(|i| 0.12 + 1.5 * noise[i][0] as f32),
        })
    }

    /// The face at `row` under `seed`.
    pub(super) fn face(&self, seed: u64, row: u64) -> Face {
        let mut random = random::generator(seed, &[random::name("synthetic labels"), row]);
        let independent: [f64; COUNT] = std::array::from_fn(|_| normal(&mut random));
        let latent: [f64; COUNT] =
            std::array::from_fn(|i| self.factor[i].iter().zip(&independent).take(i + 1).map(|(a, b)| a * b).sum());
        let shown: [f64; COUNT] = std::array::from_fn(|i| {
            let own = self.fidelity[i];
            own * latent[i] + (1.0 - own * own).sqrt() * normal(&mut random)
        });
        Face {
            labels: std::array::from_fn(|i| latent[i] > self.threshold[i]),
            strengths: std::array::from_fn(|i| (shown[i] - self.threshold[i]) as f32),
        }
    }

    /// Correlation of every two latents, `[40][40]`; `None` on the diagonal.
    pub(super) fn latent_correlation(&self) -> Vec<[Option<f64>; COUNT]> {
        let product = |i: usize, j: usize| self.factor[i].iter().zip(&self.factor[j]).map(|(a, b)| a * b).sum::<f64>();
        let cell = |i, j| (i != j).then(|| product(i, j) / (product(i, i) * product(j, j)).sqrt());
        (0..COUNT).map(|i| std::array::from_fn(|j| cell(i, j))).collect()
    }

    /// Levels of the attributes for `strengths`.
    pub(super) fn levels(&self, strengths: &[f32; COUNT]) -> AttributeLevels {
        let clamped = |i: usize| strengths[i].clamp(-LIMIT, LIMIT);
        AttributeLevels::from(std::array::from_fn(|i| levels::level(clamped(i), self.softness[i])))
    }
}

/// Parses an embedded table with one row per attribute, in order.
fn table(text: &str, name: &str, columns: usize) -> Result<Vec<Vec<f64>>> {
    let broken = |line: usize, why: String| Error::Internal(format!("datasets/synthetic/{name}, line {line}: {why}"));
    let mut rows = Vec::with_capacity(COUNT);
    for (i, line) in text.lines().enumerate().skip(1) {
        let mut fields = line.split(',');
        let (found, expected) =
            (fields.next().unwrap_or_default(), NAMES.get(i - 1).copied().unwrap_or("no more rows"));
        if found != expected {
            return Err(broken(i + 1, format!("found attribute `{found}`, expected {expected}")));
        }
        let numbers: Vec<f64> = fields
            .map(str::parse)
            .collect::<std::result::Result<_, std::num::ParseFloatError>>()
            .map_err(|e| broken(i + 1, e.to_string()))?;
        if numbers.len() != columns {
            return Err(broken(i + 1, format!("has {} numbers, expected {columns}", numbers.len())));
        }
        rows.push(numbers);
    }
    if rows.len() == COUNT { Ok(rows) } else { Err(broken(rows.len() + 2, format!("expected {COUNT} attributes"))) }
}

/// A standard normal number (Box and Muller 1958). `rand_distr` is not used: its normal may change with its version.
fn normal(random: &mut impl Rng) -> f64 {
    let (radius, angle) = (1.0 - random.random::<f64>(), random.random::<f64>());
    (-2.0 * libm::log(radius)).sqrt() * libm::cos(std::f64::consts::TAU * angle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_of_a_damaged_table_names_the_line() {
        let wrong = table("attribute,disagreement\nBald,0.1\n", "noise.csv", 1).unwrap_err();
        assert_eq!(
            wrong.to_string(),
            "internal error: datasets/synthetic/noise.csv, line 2: found attribute `Bald`, expected 5_o_Clock_Shadow"
        );
    }

    /// Expected values: `tests/golden/correlation.py` (numpy).
    #[test]
    fn the_latent_correlation_is_numpys() {
        let golden: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/golden/correlation.json")).unwrap();
        let expected: Vec<Vec<f64>> = serde_json::from_value(golden["truth"].clone()).unwrap();
        for (i, row) in Copula::built_in().unwrap().latent_correlation().iter().enumerate() {
            for (j, cell) in row.iter().enumerate() {
                match cell {
                    Some(found) => assert!((found - expected[i][j]).abs() < 1e-12),
                    None => assert_eq!(i, j),
                }
            }
        }
    }

    #[test]
    fn image_and_label_disagree_at_the_rates_of_the_noise_table() {
        const DRAWS: u32 = 20_000;
        let copula = Copula::built_in().unwrap();
        let mut disagree = [0u32; COUNT];
        for row in 0..DRAWS {
            let face = copula.face(5, row.into());
            for (i, count) in disagree.iter_mut().enumerate() {
                *count += u32::from(face.labels[i] != (face.strengths[i] > 0.0));
            }
        }
        let stated = table(NOISE, "noise.csv", 1).unwrap();
        for (i, count) in disagree.iter().enumerate() {
            let (found, stated) = (f64::from(*count) / f64::from(DRAWS), stated[i][0]);
            // Four standard errors of a share of 20,000 draws.
            let tolerance = 4.0 * (stated * (1.0 - stated) / f64::from(DRAWS)).sqrt();
            assert!((found - stated).abs() < tolerance, "{}: {found} for {stated}", NAMES[i]);
        }
    }
}
