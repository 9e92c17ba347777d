//! Scores of one head: by attribute, and their means.

use crate::attribute::{COUNT, NAMES};
use crate::metrics::confusion::Confusion;
use crate::metrics::interval::{Interval, wilson};
use crate::metrics::mean::mean;
use crate::metrics::scores::Scores;
use crate::variant::Head;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Scores of one head for one attribute. Shares are in [0, 1]. An attribute without a training label or without a test
/// label has none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttributeResult {
    /// The attribute's name.
    pub attribute: String,
    /// Test images whose label is known; 0 for an attribute that was not trained.
    pub n: usize,
    /// Correct predictions.
    pub correct: usize,
    /// Share of correct predictions.
    pub accuracy: Option<f64>,
    /// Wilson's 95 % interval of the accuracy; `None` from too few people or images, too.
    pub interval: Option<Interval>,
    /// Mean of the recalls of positives and negatives; `None` if a class has no image.
    pub balanced_accuracy: Option<f64>,
    /// The majority-class floor: accuracy on the same images of always predicting the most frequent training label.
    pub floor: Option<f64>,
    /// Scores beyond accuracy; empty in results of older versions.
    pub scores: Scores,
}

impl AttributeResult {
    /// Accuracy above the floor.
    pub fn gain(&self) -> Option<f64> {
        Some(self.accuracy? - self.floor?)
    }

    /// Scores pairs of (label, probability); `majority` is the most frequent training label.
    fn new(attribute: &str, predictions: &[(bool, f32)], majority: bool) -> Self {
        let counts = Confusion::count(predictions.iter().copied());
        let n = counts.total();
        let share = |count: usize| (n > 0).then(|| count as f64 / n as f64);
        let has_both = counts.positives() > 0 && counts.negatives() > 0;
        Self {
            attribute: attribute.to_owned(),
            n,
            correct: counts.correct(),
            accuracy: share(counts.correct()),
            interval: (n > 0).then(|| wilson(counts.correct(), n)),
            balanced_accuracy: has_both.then(|| counts.balanced_accuracy()),
            floor: share(if majority { counts.positives() } else { counts.negatives() }),
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
    /// Mean accuracy over the scored attributes, the figure of the paper's Table 2.
    pub fn mean_accuracy(&self) -> f64 {
        self.mean_of(|a| a.accuracy).unwrap_or_default()
    }

    /// Mean majority-class floor over the scored attributes.
    pub fn mean_floor(&self) -> f64 {
        self.mean_of(|a| a.floor).unwrap_or_default()
    }

    /// Mean balanced accuracy over the attributes that have it, `None` if none has.
    pub fn mean_balanced_accuracy(&self) -> Option<f64> {
        self.mean_of(|a| a.balanced_accuracy)
    }

    /// Mean of a value over the attributes that have it, `None` if none has.
    pub fn mean_of(&self, value: impl Fn(&AttributeResult) -> Option<f64>) -> Option<f64> {
        let values: Vec<f64> = self.attributes.iter().filter_map(value).collect();
        (!values.is_empty()).then(|| mean(&values))
    }

    /// The same without intervals, for which the test images are too few.
    pub fn without_intervals(mut self) -> Self {
        self.attributes.iter_mut().for_each(|a| a.interval = None);
        self
    }

    /// Number of attributes with an accuracy.
    pub fn scored(&self) -> usize {
        self.attributes.iter().filter(|a| a.accuracy.is_some()).count()
    }

    /// Scores the probabilities of one head (`[images * 40]`) against the known `labels`; `majority` is each attribute's
    /// most frequent training label.
    pub fn new(head: Head, labels: &[Option<bool>], probabilities: &[f32], majority: &[bool; COUNT]) -> Self {
        let of_attribute = |i: usize| {
            let predictions = labels.iter().zip(probabilities).skip(i).step_by(COUNT);
            let known = predictions.filter_map(|(label, probability)| Some(((*label)?, *probability)));
            AttributeResult::new(NAMES[i], &known.collect::<Vec<_>>(), majority[i])
        };
        Self { head, attributes: (0..COUNT).into_par_iter().map(of_attribute).collect() }
    }
}
