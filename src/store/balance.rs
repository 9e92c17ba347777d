//! Balanced numbers of copies: more of training images with rare attributes.
//!
//! The copies of an image are proportional to the sum of 1/rate over its positive attributes. Rate is an attribute's
//! positive rate among the training images. Each image gets at least one copy, the undistorted one, and at
//! most [`MAX_COPIES_RATIO`] times the mean. The proportion is chosen so that the total is as requested. Copies left by
//! rounding go to the images with the largest fractions, in the table's order. The rule uses no random numbers.

use crate::attribute::NAMES;
use crate::dataset::{Row, Split};
use serde::{Deserialize, Serialize};

/// Maximum copies of an image as a multiple of the mean: with more, one face would fill the batches.
pub(super) const MAX_COPIES_RATIO: usize = 4;

/// An attribute's positive rate among the training images of a balanced set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// The attribute's name.
    pub attribute: String,
    /// Rate among the data set's images.
    pub before: f64,
    /// Rate among the prepared set's images.
    pub after: f64,
}

/// Copies of each row of the table: `total` of all training images together, and one of each other image. `total` is at
/// least the number of training images.
pub(super) fn balanced(rows: &[Row], total: usize) -> Vec<u32> {
    let weights = weights(rows);
    let max = (MAX_COPIES_RATIO * total).div_ceil(weights.len().max(1));
    let share = |proportion: f64, weight: f64| (proportion * weight).clamp(1.0, max as f64);
    let sum = |proportion: f64| weights.iter().map(|weight| share(proportion, *weight)).sum::<f64>();
    // The sum grows with the proportion; sixty bisections reach the precision of f64.
    let (mut low, mut high) = (0.0, max as f64);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if sum(middle) < total as f64 { low = middle } else { high = middle }
    }
    let shares: Vec<f64> = weights.iter().map(|weight| share(low, *weight)).collect();
    let mut copies: Vec<u32> = shares.iter().map(|share| *share as u32).collect();
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by(|a, b| shares[*b].fract().total_cmp(&shares[*a].fract()));
    let mut left = total.saturating_sub(copies.iter().map(|count| *count as usize).sum());
    // The maxima of all images exceed the total, so some image is always below.
    for index in order.iter().cycle() {
        if left == 0 {
            break;
        }
        if (copies[*index] as usize) < max {
            copies[*index] += 1;
            left -= 1;
        }
    }
    let mut copies = copies.into_iter();
    rows.iter().map(|row| if row.split == Split::Train { copies.next().unwrap_or(1) } else { 1 }).collect()
}

/// The sum of 1/rate over the positive attributes of each training image.
fn weights(rows: &[Row]) -> Vec<f64> {
    let training = || rows.iter().filter(|row| row.split == Split::Train);
    let inverse = |attribute: usize| {
        let labels = || training().filter_map(|row| row.labels[attribute]);
        labels().count() as f64 / labels().filter(|label| *label).count().max(1) as f64
    };
    let inverse: Vec<f64> = (0..NAMES.len()).map(inverse).collect();
    let weight = |row: &Row| {
        inverse.iter().zip(row.labels).filter(|(_, label)| *label == Some(true)).map(|(inverse, _)| inverse).sum()
    };
    training().map(weight).collect()
}

/// The rates of the 40 attributes before and after copying.
pub(super) fn rates(rows: &[Row], copies: &[u32]) -> Vec<Rate> {
    let rate = |attribute: usize, weight: &dyn Fn(usize) -> usize| {
        let training = rows.iter().enumerate().filter(|(_, row)| row.split == Split::Train);
        let known = training.filter_map(|(index, row)| Some((index, row.labels[attribute]?)));
        let (positive, all) = known.fold((0, 0), |(positive, all), (index, label)| {
            let weight = weight(index);
            (positive + if label { weight } else { 0 }, all + weight)
        });
        positive as f64 / all.max(1) as f64
    };
    let rates = |(attribute, name): (usize, &&str)| Rate {
        attribute: (*name).to_owned(),
        before: rate(attribute, &|_| 1),
        after: rate(attribute, &|index| copies[index] as usize),
    };
    NAMES.iter().enumerate().map(rates).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::COUNT;

    /// 90 training images with the first attribute, 10 with the second, and a test image with neither.
    fn rows() -> Vec<Row<'static>> {
        let row = |index: usize| {
            let mut labels = [Some(false); COUNT];
            labels[usize::from(index >= 90)] = Some(true);
            Row { source: "", split: Split::Train, identity: None, labels }
        };
        let test = Row { source: "", split: Split::Test, identity: None, labels: [Some(false); COUNT] };
        (0..100).map(row).chain([test]).collect()
    }

    #[test]
    fn two_attributes_get_as_close_as_the_bound_allows() {
        // At the proportion 10 / (10/9) = 9 both would have 150 images; the bound of 4 * 3 = 12 copies allows 120.
        let copies = balanced(&rows(), 300);
        assert_eq!(copies.iter().sum::<u32>(), 300 + 1);
        assert!(copies[90..100].iter().all(|count| *count == 12), "{copies:?}");
        assert!(copies[..90].iter().all(|count| *count == 2), "{copies:?}");
        let rates = rates(&rows(), &copies);
        assert_eq!((rates[1].before, rates[1].after), (0.1, 0.4));
    }

    #[test]
    fn copies_that_no_rare_image_can_take_go_to_the_others() {
        // A tenth of the images has a positive label.
        let mut rows = rows();
        rows[..90].iter_mut().for_each(|row| row.labels = [Some(false); COUNT]);
        let copies = balanced(&rows, 1000);
        assert_eq!(copies[..100].iter().sum::<u32>(), 1000);
        assert!(copies[90..100].iter().all(|count| *count == 40), "{copies:?}");
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
        let plain = Row { source: "", split: Split::Train, identity: None, labels: [Some(false); COUNT] };
        assert_eq!(balanced(&[plain; 4], 10), [3, 3, 2, 2]);
    }
}
