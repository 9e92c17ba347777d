//! Mean and sample standard deviation.

/// Arithmetic mean, 0 without values.
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
    /// Mean and deviation of `values`.
    pub fn of(values: &[f64]) -> Self {
        Self { mean: mean(values), deviation: sample_deviation(values) }
    }
}

/// Sample standard deviation (division by n - 1); `None` for fewer than two values.
pub fn sample_deviation(values: &[f64]) -> Option<f64> {
    (values.len() > 1).then(|| {
        let center = mean(values);
        let squares: f64 = values.iter().map(|v| (v - center).powi(2)).sum();
        (squares / (values.len() - 1) as f64).sqrt()
    })
}

/// Values shifted to mean 0 and scaled to length 1; `None` if all are equal.
pub(super) fn standardized(values: Vec<f64>) -> Option<Vec<f64>> {
    let centre = mean(&values);
    let moved: Vec<f64> = values.into_iter().map(|value| value - centre).collect();
    let length = moved.iter().map(|value| value * value).sum::<f64>().sqrt();
    (length > 1e-9).then(|| moved.into_iter().map(|value| value / length).collect())
}

#[cfg(test)]
mod tests {
    //! Expected values: `tests/golden/statistics.py` (numpy).

    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Golden {
        spread: Vec<Sample>,
    }

    #[derive(Deserialize)]
    struct Sample {
        values: Vec<f64>,
        mean: f64,
        deviation: f64,
    }

    #[test]
    fn mean_and_sample_deviation_are_those_of_numpy() {
        let golden: Golden = serde_json::from_str(include_str!("../../tests/golden/statistics.json")).unwrap();
        for case in golden.spread {
            let found = MeanStd::of(&case.values);
            assert!((found.mean - case.mean).abs() < 1e-12, "{} is not {}", found.mean, case.mean);
            let deviation = found.deviation.unwrap();
            assert!((deviation - case.deviation).abs() < 1e-12, "{deviation} is not {}", case.deviation);
        }
    }

    #[test]
    fn one_value_has_no_sample_deviation() {
        assert_eq!(MeanStd::of(&[0.5]), MeanStd { mean: 0.5, deviation: None });
    }
}
