//! Which answers of a run were right: all that tests of a difference need of its predictions, in eight bytes an image
//! and head.

use super::Head;
use super::predictions::Predictions;
use crate::attribute::COUNT;
use crate::metrics::statistics::THRESHOLD;

/// One bit an attribute, the first of [`crate::attribute::NAMES`] lowest.
pub type Mask = u64;

/// The answers to the test images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    /// The images' names, each once.
    pub images: Vec<String>,
    /// Whose face each image shows, where the predictions say so.
    pub identities: Option<Vec<Option<String>>>,
    /// What is true of each image.
    pub labels: Vec<Mask>,
    /// Of each head: which attributes of each image it answered rightly.
    pub right: Vec<(Head, Vec<Mask>)>,
}

impl Answers {
    /// Compares predictions with their labels.
    pub fn new(predictions: Predictions) -> Self {
        let labels: Vec<Mask> = predictions.labels.chunks(COUNT).map(|image| mask(image.iter().copied())).collect();
        let heads = [(Head::Fln, predictions.fln), (Head::Cln, predictions.cln)];
        let right = heads.into_iter().filter_map(|(head, p)| Some((head, right(&labels, &p?)))).collect();
        Self { images: predictions.images, identities: predictions.identities, labels, right }
    }

    /// One head's right answers, where the run has that head.
    pub fn of_head(&self, head: Head) -> Option<&[Mask]> {
        self.right.iter().find(|(of, _)| *of == head).map(|(_, right)| right.as_slice())
    }

    /// Whether both are answers to the same images in the same order, with the same labels.
    pub fn same_test(&self, other: &Self) -> bool {
        self.images == other.images && self.labels == other.labels
    }

    /// The right answers of the head by which the run is judged: the CLN's where there is one, else the FLN's.
    pub fn judged(&self) -> &[Mask] {
        self.right.last().map_or(&[], |(_, right)| right)
    }
}

/// Which of `probabilities` (`[images * 40]`) are on the side of the label.
pub fn right(labels: &[Mask], probabilities: &[f32]) -> Vec<Mask> {
    let answers = probabilities.chunks(COUNT).map(|image| mask(image.iter().map(|p| *p > THRESHOLD)));
    labels.iter().zip(answers).map(|(labels, answers)| !(labels ^ answers) & ALL).collect()
}

/// All attributes.
pub const ALL: Mask = (1 << COUNT) - 1;

fn mask(bits: impl Iterator<Item = bool>) -> Mask {
    bits.enumerate().fold(0, |mask, (i, bit)| mask | Mask::from(bit) << i)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_right_where_it_is_on_the_side_of_the_label() {
        let mut probabilities = vec![0.1; COUNT];
        (probabilities[0], probabilities[2]) = (0.9, 0.9);
        // Attributes 0 and 1 are true: the answers to 0 and to all but 1 and 2 are right.
        assert_eq!(right(&[0b11], &probabilities), [ALL & !0b110]);
    }
}
