//! Counts of correct and wrong predictions, and the measures that follow from them: balanced accuracy, F1.

use super::mean::mean;

/// A prediction is positive above this probability. At exactly this it is negative, like the argmax of two equal logits.
pub const THRESHOLD: f32 = 0.5;

/// Counts of one classifier's predictions for one attribute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Confusion {
    /// Positive images predicted positive.
    pub true_positive: usize,
    /// Negative images predicted positive.
    pub false_positive: usize,
    /// Negative images predicted negative.
    pub true_negative: usize,
    /// Positive images predicted negative.
    pub false_negative: usize,
}

impl Confusion {
    /// Counts pairs of (label, probability of the positive label).
    pub fn count(predictions: impl IntoIterator<Item = (bool, f32)>) -> Self {
        let mut counts = Self::default();
        for (label, probability) in predictions {
            match (label, probability > THRESHOLD) {
                (true, true) => counts.true_positive += 1,
                (false, true) => counts.false_positive += 1,
                (false, false) => counts.true_negative += 1,
                (true, false) => counts.false_negative += 1,
            }
        }
        counts
    }

    /// Images with a positive label.
    pub fn positives(self) -> usize {
        self.true_positive + self.false_negative
    }

    /// Images with a negative label.
    pub fn negatives(self) -> usize {
        self.true_negative + self.false_positive
    }

    /// All images.
    pub fn total(self) -> usize {
        self.positives() + self.negatives()
    }

    /// Correct predictions.
    pub fn correct(self) -> usize {
        self.true_positive + self.true_negative
    }

    /// Mean recall of the two classes. A class without images is left out, as in scikit-learn.
    pub fn balanced_accuracy(self) -> f64 {
        let recalls = [(self.true_positive, self.positives()), (self.true_negative, self.negatives())];
        let present: Vec<f64> =
            recalls.iter().filter(|(_, of)| *of > 0).map(|&(correct, of)| correct as f64 / of as f64).collect();
        mean(&present)
    }

    /// Harmonic mean of precision and recall of the positive class; `None` if it is neither present nor predicted.
    pub fn f1(self) -> Option<f64> {
        let either = 2 * self.true_positive + self.false_positive + self.false_negative;
        (either > 0).then(|| (2 * self.true_positive) as f64 / either as f64)
    }
}

#[cfg(test)]
mod tests {
    //! Expected values: `tests/golden/statistics.py` (scikit-learn).

    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Golden {
        balanced: Vec<GoldenBalanced>,
    }

    #[derive(Deserialize)]
    struct GoldenBalanced {
        labels: Vec<bool>,
        probabilities: Vec<f32>,
        correct: usize,
        accuracy: f64,
        balanced_accuracy: f64,
    }

    #[track_caller]
    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
    }

    #[test]
    fn accuracies_are_those_of_scikit_learn() {
        let golden: Golden = serde_json::from_str(include_str!("../../tests/golden/statistics.json")).unwrap();
        for case in golden.balanced {
            let counts = Confusion::count(case.labels.iter().copied().zip(case.probabilities.iter().copied()));
            assert_eq!(counts.correct(), case.correct);
            close(counts.correct() as f64 / counts.total() as f64, case.accuracy);
            close(counts.balanced_accuracy(), case.balanced_accuracy);
        }
    }

    #[test]
    fn a_probability_of_exactly_one_half_is_predicted_negative() {
        assert_eq!(Confusion::count([(false, 0.5)]).true_negative, 1);
    }
}
