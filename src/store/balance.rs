//! How many images are made of each training image: the same number of each, or, balanced, more of those that carry
//! rare attributes.
//!
//! The balanced rule: the copies of an image are in proportion to the sum of 1/rate over the attributes that it carries
//! (rate: the attribute's positive rate among the training images), but at least one, the undistorted one, and at most
//! [`MOST`] times the mean. The proportion is the one that makes the sum what was asked for; the fractions of copies
//! that rounding leaves go to the images with the largest, in the order of the table. No randomness is in it.

use crate::attribute::NAMES;
use crate::dataset::{Row, Split};
use serde::{Deserialize, Serialize};

/// Copies of an image at most, in multiples of the mean: beyond it one face would fill the batches.
pub(super) const MOST: usize = 4;

/// An attribute's positive rate among the training images of a balanced set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// Its name.
    pub attribute: String,
    /// Of the data set's images.
    pub before: f64,
    /// Of the prepared set's images.
    pub after: f64,
}

/// Copies of each row of the table, together `total` of the training images and one of each other; `total` is at least
/// the number of training images.
pub(super) fn balanced(rows: &[Row], total: usize) -> Vec<u32> {
    let weights = weights(rows);
    let most = (MOST * total).div_ceil(weights.len().max(1)) as f64;
    let share = |proportion: f64, weight: f64| (proportion * weight).clamp(1.0, most);
    let sum = |proportion: f64| weights.iter().map(|weight| share(proportion, *weight)).sum::<f64>();
    // The sum grows with the proportion; sixty halvings leave nothing of it open.
    let (mut low, mut high) = (0.0, most);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if sum(middle) < total as f64 { low = middle } else { high = middle }
    }
    let shares: Vec<f64> = weights.iter().map(|weight| share(low, *weight)).collect();
    let mut copies: Vec<u32> = shares.iter().map(|share| *share as u32).collect();
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by(|a, b| shares[*b].fract().total_cmp(&shares[*a].fract()));
    let open = total.saturating_sub(copies.iter().map(|count| *count as usize).sum());
    order.iter().cycle().take(open).for_each(|place| copies[*place] += 1);
    let mut copies = copies.into_iter();
    rows.iter().map(|row| if row.split == Split::Train { copies.next().unwrap_or(1) } else { 1 }).collect()
}

/// The sum of 1/rate over the attributes of each training image.
fn weights(rows: &[Row]) -> Vec<f64> {
    let training = || rows.iter().filter(|row| row.split == Split::Train);
    let count = training().count() as f64;
    let inverse: Vec<f64> = (0..NAMES.len())
        .map(|attribute| count / training().filter(|row| row.labels[attribute]).count().max(1) as f64)
        .collect();
    let carried =
        |row: &Row| inverse.iter().zip(row.labels).filter(|(_, label)| *label).map(|(inverse, _)| inverse).sum();
    training().map(carried).collect()
}

/// What the copies do to the rates of the 40 attributes.
pub(super) fn rates(rows: &[Row], copies: &[u32]) -> Vec<Rate> {
    let rate = |attribute: usize, weight: &dyn Fn(usize) -> usize| {
        let training = rows.iter().enumerate().filter(|(_, row)| row.split == Split::Train);
        let (positive, all) = training.fold((0, 0), |(positive, all), (place, row)| {
            let weight = weight(place);
            (positive + if row.labels[attribute] { weight } else { 0 }, all + weight)
        });
        positive as f64 / all.max(1) as f64
    };
    let of = |(attribute, name): (usize, &&str)| Rate {
        attribute: (*name).to_owned(),
        before: rate(attribute, &|_| 1),
        after: rate(attribute, &|place| copies[place] as usize),
    };
    NAMES.iter().enumerate().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::COUNT;

    /// 90 images with the first attribute, 10 with the second, a test image with neither.
    fn rows() -> Vec<Row<'static>> {
        let row = |place: usize| {
            let mut labels = [false; COUNT];
            labels[usize::from(place >= 90)] = true;
            Row { source: "", split: Split::Train, identity: None, labels }
        };
        let test = Row { source: "", split: Split::Test, identity: None, labels: [false; COUNT] };
        (0..100).map(row).chain([test]).collect()
    }

    #[test]
    fn two_attributes_are_brought_as_near_as_the_bound_allows() {
        // In proportion 10 / (10/9) = 9 both would have 150 images; at most 4 * 3 = 12 of each allow 120.
        let copies = balanced(&rows(), 300);
        assert_eq!(copies.iter().sum::<u32>(), 300 + 1);
        assert!(copies[90..100].iter().all(|count| *count == 12), "{copies:?}");
        assert!(copies[..90].iter().all(|count| *count == 2), "{copies:?}");
        let rates = rates(&rows(), &copies);
        assert_eq!((rates[1].before, rates[1].after), (0.1, 0.4));
    }

    #[test]
    fn every_image_keeps_one_and_the_sum_is_met() {
        for total in [100, 101, 155, 999, 12_345] {
            let copies = balanced(&rows(), total);
            assert_eq!(copies[..100].iter().map(|count| *count as usize).sum::<usize>(), total);
            assert!(copies.iter().all(|count| *count >= 1));
            assert_eq!(copies[100], 1);
        }
    }

    #[test]
    fn images_without_any_attribute_are_copied_evenly() {
        let plain = Row { source: "", split: Split::Train, identity: None, labels: [false; COUNT] };
        assert_eq!(balanced(&[plain; 4], 10), [3, 3, 2, 2]);
    }
}
