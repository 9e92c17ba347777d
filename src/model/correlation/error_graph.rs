//! The affinity of fully-adaptive feature sharing (Lu et al. 2017): how often a network errs on two attributes together.

use crate::attribute::COUNT;

/// The affinity `[row * 40 + column]` from labels `[images * 40]` and the probabilities of the positive class. An error is
/// a distance of the probability from its label that is at least the attribute's mean distance. A pair's weight is the
/// share of images with an error on both attributes or on neither, among those in which both labels are known; each row is
/// divided by its sum.
pub fn error_affinity(labels: &[Option<bool>], probabilities: &[f32]) -> Vec<f32> {
    let distance = |label: Option<bool>, probability: f32| {
        label.map(|label| (f64::from(u8::from(label)) - f64::from(probability)).abs())
    };
    let distances: Vec<Option<f64>> =
        labels.iter().zip(probabilities).map(|(label, probability)| distance(*label, *probability)).collect();
    let mean = |attribute: usize| {
        let known = || distances.iter().skip(attribute).step_by(COUNT).flatten();
        known().sum::<f64>() / known().count() as f64
    };
    let means: Vec<f64> = (0..COUNT).map(mean).collect();
    let (mut alike, mut known) = (vec![0.0; COUNT * COUNT], vec![0.0; COUNT * COUNT]);
    for image in distances.chunks_exact(COUNT) {
        let errors: Vec<Option<bool>> =
            image.iter().zip(&means).map(|(distance, mean)| distance.map(|distance| distance >= *mean)).collect();
        for (row, first) in errors.iter().enumerate() {
            for (column, second) in errors.iter().enumerate() {
                if let (Some(first), Some(second)) = (first, second) {
                    known[row * COUNT + column] += 1.0;
                    alike[row * COUNT + column] += f64::from(u8::from(first == second));
                }
            }
        }
    }
    let mut affinity = Vec::with_capacity(COUNT * COUNT);
    for row in 0..COUNT {
        // An attribute whose labels are not known keeps its weight on itself.
        let share = |column: usize| match (row == column, known[row * COUNT + column]) {
            (true, _) => 1.0,
            (false, 0.0) => 0.0,
            (false, known) => alike[row * COUNT + column] / known,
        };
        let sum: f64 = (0..COUNT).map(share).sum();
        affinity.extend((0..COUNT).map(|column| (share(column) / sum) as f32));
    }
    affinity
}
