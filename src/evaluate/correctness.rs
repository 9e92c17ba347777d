//! Which predictions of a run are correct: everything that tests of a difference need, in eight bytes an image and head.

use super::Head;
use super::predictions::Predictions;
use crate::attribute::COUNT;
use crate::metrics::bootstrap::{ImageBits, TestImages};
use crate::metrics::confusion::THRESHOLD;
use crate::metrics::mean::mean;

/// The predictions for the test images, compared with their labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correctness {
    /// The images.
    pub images: TestImages,
    /// The positive labels of each image, the first of [`crate::attribute::NAMES`] lowest.
    pub labels: Vec<ImageBits>,
    /// The known labels of each image.
    pub known: Vec<ImageBits>,
    /// The correct predictions of known labels of each image, by head.
    pub correct: Vec<(Head, Vec<ImageBits>)>,
}

impl Predictions {
    /// The known labels of each image.
    pub(super) fn known(&self) -> Vec<ImageBits> {
        self.labels.chunks(COUNT).map(|image| bits(image.iter().map(Option::is_some))).collect()
    }
}

impl Correctness {
    /// Compares predictions with their labels.
    pub fn new(predictions: Predictions) -> Self {
        let known = predictions.known();
        let positive = |image: &[Option<bool>]| bits(image.iter().map(|label| *label == Some(true)));
        let labels: Vec<ImageBits> = predictions.labels.chunks(COUNT).map(positive).collect();
        let of_head = |(head, probabilities)| (head, correct(&labels, &known, probabilities));
        let correct = predictions.heads().map(of_head).collect();
        Self { images: predictions.images, labels, known, correct }
    }

    /// The correct predictions of one head, if the run has that head.
    pub fn of_head(&self, head: Head) -> Option<&[ImageBits]> {
        self.correct.iter().find(|(of, _)| *of == head).map(|(_, correct)| correct.as_slice())
    }

    /// Mean accuracy, over attributes with known labels, of always predicting the most frequent label by its share in some
    /// training split.
    pub fn floor(&self, train_positive_rate: &[Option<f64>]) -> f64 {
        let of_attribute = |attribute: usize| {
            let is_set = |bits: &ImageBits| bits >> attribute & 1 == 1;
            let known = || self.labels.iter().zip(&self.known).filter(|(_, known)| is_set(known));
            let majority = train_positive_rate[attribute].is_some_and(|rate| rate > 0.5);
            let correct = known().filter(|(labels, _)| is_set(labels) == majority).count();
            (known().count() > 0).then(|| correct as f64 / known().count() as f64)
        };
        mean(&(0..COUNT).filter_map(of_attribute).collect::<Vec<f64>>())
    }

    /// Number of attributes with a known label.
    pub fn scored(&self) -> usize {
        self.known.iter().fold(0, |any, known| any | known).count_ones() as usize
    }

    /// True if both have the same images in the same order, with the same labels.
    pub fn same_test(&self, other: &Self) -> bool {
        self.images.names == other.images.names && self.labels == other.labels && self.known == other.known
    }
}

/// The correct predictions among `probabilities` (`[images * 40]`).
fn correct(labels: &[ImageBits], known: &[ImageBits], probabilities: &[f32]) -> Vec<ImageBits> {
    let predictions = probabilities.chunks(COUNT).map(|image| bits(image.iter().map(|p| *p > THRESHOLD)));
    let images = labels.iter().zip(known).zip(predictions);
    images.map(|((labels, known), predictions)| !(labels ^ predictions) & known).collect()
}

fn bits(values: impl Iterator<Item = bool>) -> ImageBits {
    values.enumerate().fold(0, |bits, (i, value)| bits | ImageBits::from(value) << i)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prediction_is_correct_if_it_is_on_the_side_of_the_label() {
        let mut probabilities = vec![0.1; COUNT];
        (probabilities[0], probabilities[2]) = (0.9, 0.9);
        // Attributes 0 and 1 are true, 3 is not known: all other predictions but those of 1 and 2 are correct.
        let known = ((1 << COUNT) - 1) & !0b1000;
        assert_eq!(correct(&[0b11], &[known], &probabilities), [known & !0b110]);
    }
}
