//! The most confident errors: images whose label, content or prediction deserves a look.

use crate::attribute::COUNT;
use crate::metrics::confusion::THRESHOLD;

/// A wrong prediction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mistake {
    /// Index of the attribute.
    pub attribute: usize,
    /// Index of the image.
    pub image: usize,
    /// The label.
    pub label: bool,
    /// The predicted probability of the positive label.
    pub probability: f32,
}

/// Up to `each` errors on known labels of every attribute in turn, the furthest from one half first, ties in the order of the images.
/// `labels` and `probabilities` are `[images * 40]`.
pub fn most_confident(labels: &[Option<bool>], probabilities: &[f32], each: usize) -> Vec<Mistake> {
    let of_attribute = |attribute: usize| {
        let pairs = labels.iter().zip(probabilities).skip(attribute).step_by(COUNT).enumerate();
        let mut wrong: Vec<Mistake> = pairs
            .filter_map(|(image, (label, &probability))| {
                let label = (*label)?;
                (label != (probability > THRESHOLD)).then_some(Mistake { attribute, image, label, probability })
            })
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
    fn the_most_confident_errors_come_first_and_correct_predictions_never() {
        // Four images with errors in attribute 1 only.
        let mut labels = vec![Some(false); 4 * COUNT];
        let mut probabilities = vec![0.0; 4 * COUNT];
        for (image, (label, probability)) in
            [(true, 0.4), (false, 0.95), (true, 0.99), (true, 0.05)].into_iter().enumerate()
        {
            labels[image * COUNT + 1] = Some(label);
            probabilities[image * COUNT + 1] = probability;
        }
        // A prediction without a label is no error.
        (labels[2], probabilities[2]) = (None, 0.9);
        let found = most_confident(&labels, &probabilities, 2);
        assert_eq!(found.iter().map(|m| (m.attribute, m.image)).collect::<Vec<_>>(), [(1, 1), (1, 3)]);
        assert_eq!(most_confident(&labels, &probabilities, 9).len(), 3);
    }
}
