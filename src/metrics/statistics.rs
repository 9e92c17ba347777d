//! The statistics of a report, each a function of plain numbers: counts of right and wrong answers, Wilson's interval
//! (Wilson 1927), balanced accuracy, F1, mean and sample standard deviation.

use serde::{Deserialize, Serialize};

/// The normal quantile of a two-sided 95 % interval.
const Z_95: f64 = 1.959_963_984_540_054;

/// An answer is "yes" above this probability of the positive label; at exactly this it is "no", as the argmax of two
/// equal logits takes the first.
pub const THRESHOLD: f32 = 0.5;

/// Answers of one classifier to one question, counted by what was right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Confusion {
    /// Positive images answered "yes".
    pub true_positive: usize,
    /// Negative images answered "yes".
    pub false_positive: usize,
    /// Negative images answered "no".
    pub true_negative: usize,
    /// Positive images answered "no".
    pub false_negative: usize,
}

impl Confusion {
    /// Counts pairs of (label, probability of the positive label).
    pub fn count(answers: impl IntoIterator<Item = (bool, f32)>) -> Self {
        let mut counts = Self::default();
        for (label, probability) in answers {
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

    /// Images in all.
    pub fn total(self) -> usize {
        self.positives() + self.negatives()
    }

    /// Right answers.
    pub fn correct(self) -> usize {
        self.true_positive + self.true_negative
    }

    /// Mean of the shares of positives and of negatives answered rightly; a class without images is left out, as
    /// scikit-learn does.
    pub fn balanced_accuracy(self) -> f64 {
        let recalls = [(self.true_positive, self.positives()), (self.true_negative, self.negatives())];
        let present: Vec<f64> =
            recalls.iter().filter(|(_, of)| *of > 0).map(|&(right, of)| right as f64 / of as f64).collect();
        mean(&present)
    }

    /// Harmonic mean of precision and recall of the positive label; missing where it is neither present nor answered.
    pub fn f1(self) -> Option<f64> {
        let either = 2 * self.true_positive + self.false_positive + self.false_negative;
        (either > 0).then(|| (2 * self.true_positive) as f64 / either as f64)
    }
}

/// Bounds of an interval of shares.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}

/// Wilson's score interval at 95 % for `correct` successes in `n` trials; all of [0, 1] without a trial.
pub fn wilson(correct: usize, n: usize) -> Interval {
    if n == 0 {
        return Interval { low: 0.0, high: 1.0 };
    }
    let trials = n as f64;
    let share = correct as f64 / trials;
    let z2 = Z_95 * Z_95;
    let center = (share + z2 / (2.0 * trials)) / (1.0 + z2 / trials);
    let half = Z_95 / (1.0 + z2 / trials) * (share * (1.0 - share) / trials + z2 / (4.0 * trials * trials)).sqrt();
    // At 0 and n successes one bound is exactly the share; rounding would leave it a hair off.
    Interval {
        low: if correct == 0 { 0.0 } else { center - half },
        high: if correct == n { 1.0 } else { center + half },
    }
}

/// Arithmetic mean; 0 of nothing.
pub fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}

/// A mean with the sample standard deviation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeanStd {
    /// The mean.
    pub mean: f64,
    /// The sample standard deviation, if there are at least two values.
    pub deviation: Option<f64>,
}

impl MeanStd {
    /// Of `values`.
    pub fn of(values: &[f64]) -> Self {
        Self { mean: mean(values), deviation: sample_deviation(values) }
    }
}

/// Standard deviation of a sample (division by n - 1), which two values at least have.
pub fn sample_deviation(values: &[f64]) -> Option<f64> {
    (values.len() > 1).then(|| {
        let center = mean(values);
        let squares: f64 = values.iter().map(|v| (v - center).powi(2)).sum();
        (squares / (values.len() - 1) as f64).sqrt()
    })
}

#[cfg(test)]
mod tests {
    //! Expected values: `tests/golden/statistics.py` (statsmodels, scipy, scikit-learn, numpy).

    use super::*;

    #[derive(Deserialize)]
    struct Golden {
        wilson: Vec<GoldenWilson>,
        balanced: Vec<GoldenBalanced>,
        spread: Vec<GoldenSpread>,
    }

    #[derive(Deserialize)]
    struct GoldenWilson {
        correct: usize,
        n: usize,
        low: f64,
        high: f64,
    }

    #[derive(Deserialize)]
    struct GoldenBalanced {
        labels: Vec<bool>,
        probabilities: Vec<f32>,
        correct: usize,
        accuracy: f64,
        balanced_accuracy: f64,
    }

    #[derive(Deserialize)]
    struct GoldenSpread {
        values: Vec<f64>,
        mean: f64,
        deviation: f64,
    }

    fn golden() -> Golden {
        serde_json::from_str(include_str!("../../tests/golden/statistics.json")).unwrap()
    }

    #[track_caller]
    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
    }

    #[test]
    fn wilson_intervals_are_those_of_statsmodels_and_scipy() {
        for case in golden().wilson {
            let interval = wilson(case.correct, case.n);
            close(interval.low, case.low);
            close(interval.high, case.high);
        }
    }

    #[test]
    fn accuracies_are_those_of_scikit_learn() {
        for case in golden().balanced {
            let counts = Confusion::count(case.labels.iter().copied().zip(case.probabilities.iter().copied()));
            assert_eq!(counts.correct(), case.correct);
            close(counts.correct() as f64 / counts.total() as f64, case.accuracy);
            close(counts.balanced_accuracy(), case.balanced_accuracy);
        }
    }

    #[test]
    fn mean_and_sample_deviation_are_those_of_numpy() {
        for case in golden().spread {
            close(mean(&case.values), case.mean);
            close(sample_deviation(&case.values).unwrap(), case.deviation);
        }
    }

    #[test]
    fn one_value_has_no_sample_deviation() {
        assert_eq!(sample_deviation(&[0.5]), None);
    }

    #[test]
    fn a_probability_of_exactly_one_half_is_answered_no() {
        assert_eq!(Confusion::count([(false, 0.5)]).true_negative, 1);
    }
}
