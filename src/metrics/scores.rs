//! Scores beyond accuracy at one threshold: ranking (area under the ROC curve, average precision) and calibration
//! (expected calibration error).

use super::confusion::Confusion;
use super::reliability;
use serde::{Deserialize, Serialize};

/// Scores of one head's probabilities for one attribute, as scikit-learn defines them; `None` if undefined.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Harmonic mean of precision and recall of the positive class; `None` if it is neither present nor predicted.
    pub f1: Option<f64>,
    /// Mean precision over the recalls of all thresholds; `None` without a positive.
    pub average_precision: Option<f64>,
    /// Probability that a positive image is ranked above a negative one, ties counting half; `None` if a class has no
    /// image.
    pub auroc: Option<f64>,
    /// [`calibration_error`].
    pub calibration_error: Option<f64>,
}

impl Scores {
    /// Scores pairs of (label, probability of the positive label); `counts` are their confusion counts.
    pub fn new(predictions: &[(bool, f32)], counts: Confusion) -> Self {
        let ties = ties(predictions);
        Self {
            f1: counts.f1(),
            average_precision: average_precision(&ties),
            auroc: auroc(&ties),
            calibration_error: calibration_error(predictions),
        }
    }
}

/// Number of images of one probability, by label.
#[derive(Debug, Clone, Copy, Default)]
struct Tie {
    positives: u64,
    negatives: u64,
}

/// The images by descending probability, equal probabilities together.
fn ties(predictions: &[(bool, f32)]) -> Vec<Tie> {
    let mut sorted: Vec<(bool, f32)> = predictions.to_vec();
    sorted.sort_unstable_by(|a, b| b.1.total_cmp(&a.1));
    // Compared by value, so that 0 and -0 are one probability.
    let equal = sorted.chunk_by(|a, b| a.1 >= b.1 && b.1 >= a.1);
    equal
        .map(|tied| {
            let positives = tied.iter().filter(|(label, _)| *label).count() as u64;
            Tie { positives, negatives: tied.len() as u64 - positives }
        })
        .collect()
}

fn auroc(ties: &[Tie]) -> Option<f64> {
    let negatives: u64 = ties.iter().map(|tie| tie.negatives).sum();
    let positives: u64 = ties.iter().map(|tie| tie.positives).sum();
    let (mut below, mut halves) = (negatives, 0);
    for tie in ties {
        below -= tie.negatives;
        halves += tie.positives * (2 * below + tie.negatives);
    }
    (positives > 0 && negatives > 0).then(|| halves as f64 / (2 * positives * negatives) as f64)
}

fn average_precision(ties: &[Tie]) -> Option<f64> {
    let positives: u64 = ties.iter().map(|tie| tie.positives).sum();
    let (mut correct, mut predicted, mut sum) = (0, 0, 0.0);
    for tie in ties {
        correct += tie.positives;
        predicted += tie.positives + tie.negatives;
        sum += tie.positives as f64 * correct as f64 / predicted as f64;
    }
    (positives > 0).then(|| sum / positives as f64)
}

/// Expected calibration error of the probability of the positive label, in [`reliability::BINS`] bins; `None` without an
/// image. The probability of the predicted class would hide a rare attribute's errors among its many sure negatives.
pub fn calibration_error(predictions: &[(bool, f32)]) -> Option<f64> {
    reliability::calibration_error(&reliability::bins(predictions.iter().copied()))
}

#[cfg(test)]
mod tests {
    //! Expected values: `tests/golden/statistics.py` (scikit-learn, numpy).

    use super::*;

    #[derive(Deserialize)]
    struct Golden {
        scores: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        labels: Vec<bool>,
        probabilities: Vec<f32>,
        #[serde(flatten)]
        expected: Scores,
    }

    #[test]
    fn scores_are_those_of_scikit_learn() {
        let golden: Golden = serde_json::from_str(include_str!("../../tests/golden/statistics.json")).unwrap();
        assert_eq!(golden.scores.len(), 7);
        for case in golden.scores {
            let predictions: Vec<(bool, f32)> = case.labels.into_iter().zip(case.probabilities).collect();
            let found = Scores::new(&predictions, Confusion::count(predictions.iter().copied()));
            let pairs = [
                (found.f1, case.expected.f1),
                (found.average_precision, case.expected.average_precision),
                (found.auroc, case.expected.auroc),
                (found.calibration_error, case.expected.calibration_error),
            ];
            for (found, expected) in pairs {
                match (found, expected) {
                    (Some(found), Some(expected)) => assert!((found - expected).abs() < 1e-9, "{found}, {expected}"),
                    (found, expected) => assert_eq!(found, expected),
                }
            }
        }
    }

    #[test]
    fn a_probability_of_one_is_in_the_last_bin() {
        assert_eq!(calibration_error(&[(true, 1.0), (false, 0.0)]), Some(0.0));
    }
}
