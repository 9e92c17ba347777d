//! Scores of one head: by attribute, and their means.

use crate::attribute::{COUNT, NAMES};
use crate::metrics::confusion::Confusion;
use crate::metrics::interval::{Interval, wilson};
use crate::metrics::mean::mean;
use crate::metrics::scores::Scores;
use crate::variant::Head;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Scores of one head for one attribute. Shares are in [0, 1].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttributeResult {
    /// The attribute's name.
    pub attribute: String,
    /// Test images.
    pub n: usize,
    /// Correct predictions.
    pub correct: usize,
    /// Share of correct predictions.
    pub accuracy: f64,
    /// Wilson's 95 % interval of the accuracy.
    pub interval: Interval,
    /// Mean of the recalls of positives and negatives.
    pub balanced_accuracy: f64,
    /// The majority-class floor: accuracy on the same images of always predicting the most frequent training label.
    pub floor: f64,
    /// Scores beyond accuracy; empty in results of older versions.
    pub scores: Scores,
}

impl AttributeResult {
    /// Accuracy above the floor.
    pub fn gain(&self) -> f64 {
        self.accuracy - self.floor
    }

    /// Scores pairs of (label, probability); `majority` is the most frequent training label.
    fn new(attribute: &str, predictions: &[(bool, f32)], majority: bool) -> Self {
        let counts = Confusion::count(predictions.iter().copied());
        let n = counts.total();
        let floor = if majority { counts.positives() } else { counts.negatives() };
        Self {
            attribute: attribute.to_owned(),
            n,
            correct: counts.correct(),
            accuracy: counts.correct() as f64 / n as f64,
            interval: wilson(counts.correct(), n),
            balanced_accuracy: counts.balanced_accuracy(),
            floor: floor as f64 / n as f64,
            scores: Scores::new(predictions, counts),
        }
    }
}

/// Scores of one head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeadResult {
    /// Which head.
    pub head: Head,
    /// The 40 attributes in the order of [`NAMES`].
    pub attributes: Vec<AttributeResult>,
}

impl HeadResult {
    /// Mean accuracy over the attributes, the figure of the paper's Table 2.
    pub fn mean_accuracy(&self) -> f64 {
        self.mean_of(|a| a.accuracy)
    }

    /// Mean majority-class floor over the attributes.
    pub fn mean_floor(&self) -> f64 {
        self.mean_of(|a| a.floor)
    }

    /// Mean balanced accuracy over the attributes.
    pub fn mean_balanced_accuracy(&self) -> f64 {
        self.mean_of(|a| a.balanced_accuracy)
    }

    fn mean_of(&self, value: impl Fn(&AttributeResult) -> f64) -> f64 {
        mean(&self.attributes.iter().map(value).collect::<Vec<f64>>())
    }

    /// Mean of a score over the attributes that have it, `None` if none has.
    pub fn mean_score(&self, score: impl Fn(&Scores) -> Option<f64>) -> Option<f64> {
        let values: Vec<f64> = self.attributes.iter().filter_map(|a| score(&a.scores)).collect();
        (!values.is_empty()).then(|| mean(&values))
    }

    /// Scores the probabilities of one head (`[images * 40]`) against `labels`; `majority` is each attribute's most
    /// frequent training label.
    pub fn new(head: Head, labels: &[bool], probabilities: &[f32], majority: &[bool; COUNT]) -> Self {
        let of_attribute = |i: usize| {
            let predictions = labels.iter().copied().zip(probabilities.iter().copied()).skip(i).step_by(COUNT);
            AttributeResult::new(NAMES[i], &predictions.collect::<Vec<_>>(), majority[i])
        };
        Self { head, attributes: (0..COUNT).into_par_iter().map(of_attribute).collect() }
    }
}
