//! The answers that are wrong and most sure of themselves: where a label, a picture or the network deserves a look.

use crate::attribute::COUNT;
use crate::metrics::confusion::THRESHOLD;

/// A wrong answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mistake {
    /// Position of the attribute.
    pub attribute: usize,
    /// Position of the image among the predictions.
    pub image: usize,
    /// What the label says.
    pub label: bool,
    /// Probability of the positive label that was answered.
    pub probability: f32,
}

/// Of each attribute in turn up to `each` wrong answers, the furthest from one half first; of equally far ones the
/// first images. `labels` and `probabilities` are `[images * 40]`.
pub fn most_confident(labels: &[bool], probabilities: &[f32], each: usize) -> Vec<Mistake> {
    let of_attribute = |attribute: usize| {
        let answers = labels.iter().zip(probabilities).skip(attribute).step_by(COUNT).enumerate();
        let mut wrong: Vec<Mistake> = answers
            .filter(|(_, (label, probability))| **label != (**probability > THRESHOLD))
            .map(|(image, (&label, &probability))| Mistake { attribute, image, label, probability })
            .collect();
        wrong.sort_by(|a, b| (b.probability - THRESHOLD).abs().total_cmp(&(a.probability - THRESHOLD).abs()));
        wrong.truncate(each);
        wrong
    };
    (0..COUNT).flat_map(of_attribute).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_surest_wrong_answers_come_first_and_right_ones_never() {
        // Four images; attribute 1 is all that anyone is unsure of.
        let mut labels = vec![false; 4 * COUNT];
        let mut probabilities = vec![0.0; 4 * COUNT];
        for (image, (label, probability)) in
            [(true, 0.4), (false, 0.95), (true, 0.99), (true, 0.05)].into_iter().enumerate()
        {
            labels[image * COUNT + 1] = label;
            probabilities[image * COUNT + 1] = probability;
        }
        let found = most_confident(&labels, &probabilities, 2);
        assert_eq!(found.iter().map(|m| (m.attribute, m.image)).collect::<Vec<_>>(), [(1, 1), (1, 3)]);
        assert_eq!(most_confident(&labels, &probabilities, 9).len(), 3);
    }
}
