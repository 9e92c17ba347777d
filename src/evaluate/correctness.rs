//! Which predictions of a run are correct: everything that tests of a difference need, in eight bytes an image and head.

use super::Head;
use super::predictions::Predictions;
use crate::attribute::COUNT;
use crate::metrics::confusion::THRESHOLD;

/// One bit an attribute, the first of [`crate::attribute::NAMES`] lowest.
pub type AttributeBits = u64;

/// All attributes.
const ALL: AttributeBits = (1 << COUNT) - 1;

/// The predictions for the test images, compared with their labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correctness {
    /// The images' names, each once.
    pub images: Vec<String>,
    /// The identity of each image, if the predictions have identities.
    pub identities: Option<Vec<Option<String>>>,
    /// The labels of each image.
    pub labels: Vec<AttributeBits>,
    /// The correct attributes of each image, by head.
    pub correct: Vec<(Head, Vec<AttributeBits>)>,
}

impl Correctness {
    /// Compares predictions with their labels.
    pub fn new(predictions: Predictions) -> Self {
        let labels: Vec<AttributeBits> =
            predictions.labels.chunks(COUNT).map(|image| bits(image.iter().copied())).collect();
        let correct =
            predictions.heads().map(|(head, probabilities)| (head, correct(&labels, probabilities))).collect();
        Self { images: predictions.images, identities: predictions.identities, labels, correct }
    }

    /// The correct predictions of one head, if the run has that head.
    pub fn of_head(&self, head: Head) -> Option<&[AttributeBits]> {
        self.correct.iter().find(|(of, _)| *of == head).map(|(_, correct)| correct.as_slice())
    }

    /// True if both have the same images in the same order, with the same labels.
    pub fn same_test(&self, other: &Self) -> bool {
        self.images == other.images && self.labels == other.labels
    }
}

/// The correct predictions among `probabilities` (`[images * 40]`).
fn correct(labels: &[AttributeBits], probabilities: &[f32]) -> Vec<AttributeBits> {
    let predictions = probabilities.chunks(COUNT).map(|image| bits(image.iter().map(|p| *p > THRESHOLD)));
    labels.iter().zip(predictions).map(|(labels, predictions)| !(labels ^ predictions) & ALL).collect()
}

fn bits(values: impl Iterator<Item = bool>) -> AttributeBits {
    values.enumerate().fold(0, |bits, (i, value)| bits | AttributeBits::from(value) << i)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prediction_is_correct_if_it_is_on_the_side_of_the_label() {
        let mut probabilities = vec![0.1; COUNT];
        (probabilities[0], probabilities[2]) = (0.9, 0.9);
        // Attributes 0 and 1 are true: all predictions but those of 1 and 2 are correct.
        assert_eq!(correct(&[0b11], &probabilities), [ALL & !0b110]);
    }
}
