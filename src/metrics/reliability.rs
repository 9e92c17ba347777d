//! The reliability diagram (Guo et al. 2017, arXiv 1706.04599): in bins of equal width, the mean probability beside the
//! share of positive labels.

/// Bins of a diagram, each 1/15 wide.
pub const BINS: usize = 15;

/// The predictions in one bin.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Bin {
    /// Number of predictions.
    pub count: usize,
    /// Number of these with a positive label.
    pub positives: usize,
    /// Sum of their probabilities.
    pub probability: f64,
}

impl Bin {
    /// Mean probability and share of positives; `None` for an empty bin.
    pub fn point(self) -> Option<(f64, f64)> {
        let count = self.count as f64;
        (self.count > 0).then(|| (self.probability / count, self.positives as f64 / count))
    }
}

/// Puts pairs of (label, probability of the positive label) into bins by that probability. The last bin includes its
/// upper bound.
pub fn bins(predictions: impl IntoIterator<Item = (bool, f32)>) -> [Bin; BINS] {
    let mut bins = [Bin::default(); BINS];
    for (label, probability) in predictions {
        let probability = f64::from(probability);
        let bin = &mut bins[((probability * BINS as f64) as usize).min(BINS - 1)];
        bin.count += 1;
        bin.positives += usize::from(label);
        bin.probability += probability;
    }
    bins
}

/// Expected calibration error: the distance between mean probability and share of positives, averaged over the
/// predictions; `None` without predictions.
pub fn calibration_error(bins: &[Bin]) -> Option<f64> {
    let total: usize = bins.iter().map(|bin| bin.count).sum();
    let distance: f64 = bins.iter().map(|bin| (bin.probability - bin.positives as f64).abs()).sum();
    (total > 0).then(|| distance / total as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    /// Expected values: `tests/golden/correlation.py` (numpy).
    #[test]
    fn bins_are_numpys_histograms() {
        let golden: Value = serde_json::from_str(include_str!("../../tests/golden/correlation.json")).unwrap();
        let labels: Vec<bool> = golden["residual"]["labels"].as_str().unwrap().bytes().map(|b| b == b'1').collect();
        let probabilities: Vec<f32> = serde_json::from_value(golden["residual"]["probabilities"].clone()).unwrap();
        let expected = &golden["reliability"];
        for (i, bin) in bins(labels.into_iter().zip(probabilities)).iter().enumerate() {
            assert_eq!(bin.count as u64, expected["count"][i].as_u64().unwrap());
            assert_eq!(bin.positives as u64, expected["positives"][i].as_u64().unwrap());
            assert!((bin.probability - expected["probability"][i].as_f64().unwrap()).abs() < 1e-9);
        }
    }

    #[test]
    fn a_probability_of_one_is_in_the_last_bin() {
        assert_eq!(bins([(true, 1.0)])[BINS - 1], Bin { count: 1, positives: 1, probability: 1.0 });
    }

    #[test]
    fn predictions_that_are_correct_as_often_as_predicted_have_no_calibration_error() {
        let half = [Bin { count: 4, positives: 2, probability: 2.0 }];
        assert_eq!(calibration_error(&half), Some(0.0));
        assert_eq!(calibration_error(&[Bin { count: 4, positives: 4, probability: 2.0 }]), Some(0.5));
        assert_eq!(calibration_error(&[]), None);
    }
}
