//! Counts of labels: positive rates, the phi coefficient of every pair of attributes, and contradictory labels.

use super::confusion::THRESHOLD;
use crate::attribute::{COUNT, ImageLabels, index, pairs};

/// Labels that exclude each other: one attribute with any of several others.
#[derive(Debug, Clone, Copy)]
pub struct Contradiction {
    /// The contradiction in words.
    pub words: &'static str,
    /// This attribute is positive,
    one: &'static str,
    /// and at least one of these.
    any: &'static [&'static str],
}

/// The contradictions that are counted. Hair of two colours is none: hair is dyed, greying or in between.
pub const CONTRADICTIONS: [Contradiction; 7] = [
    Contradiction {
        words: "bald with a hair colour",
        one: "Bald",
        any: &["Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair"],
    },
    Contradiction { words: "bald with bangs", one: "Bald", any: &["Bangs"] },
    Contradiction { words: "no beard with a goatee", one: "No_Beard", any: &["Goatee"] },
    Contradiction { words: "no beard with a moustache", one: "No_Beard", any: &["Mustache"] },
    Contradiction { words: "no beard with a 5 o'clock shadow", one: "No_Beard", any: &["5_o_Clock_Shadow"] },
    Contradiction { words: "no beard with sideburns", one: "No_Beard", any: &["Sideburns"] },
    Contradiction { words: "straight and wavy hair", one: "Straight_Hair", any: &["Wavy_Hair"] },
];

/// Counts of the labels of some images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    /// Number of images.
    pub images: usize,
    /// `both[i][j]`: number of images with attributes `i` and `j`; on the diagonal, with `i`.
    both: Vec<[usize; COUNT]>,
    /// `unknown[i][j]`: number of images with neither a label of `i` nor of `j`; on the diagonal, without one of `i`.
    unknown: Vec<[usize; COUNT]>,
    /// `alone[i][j]`: number of images with attribute `i` and without a label of `j`.
    alone: Vec<[usize; COUNT]>,
    /// Number of images, for each of [`CONTRADICTIONS`].
    pub contradictions: [usize; CONTRADICTIONS.len()],
}

impl Labels {
    /// Counts `rows`. Labels that are not known are left out: of rates and phi, and of contradictions as if negative.
    pub fn count<'a>(rows: impl IntoIterator<Item = &'a ImageLabels>) -> Self {
        let mask = |names: &[&str]| names.iter().filter_map(|name| index(name)).fold(0_u64, |mask, i| mask | 1 << i);
        let rules = CONTRADICTIONS.map(|rule| (mask(&[rule.one]), mask(rule.any)));
        let zeros = || vec![[0; COUNT]; COUNT];
        let mut labels = Self {
            images: 0,
            both: zeros(),
            unknown: zeros(),
            alone: zeros(),
            contradictions: [0; CONTRADICTIONS.len()],
        };
        for row in rows {
            let with = |label: Option<bool>| (0..COUNT).filter(|i| row[*i] == label).collect::<Vec<usize>>();
            let (set, unknown) = (with(Some(true)), with(None));
            add_pairs(&mut labels.both, &set, &set);
            add_pairs(&mut labels.unknown, &unknown, &unknown);
            add_pairs(&mut labels.alone, &set, &unknown);
            let bits = set.iter().fold(0_u64, |bits, i| bits | 1 << i);
            for (count, (one, any)) in labels.contradictions.iter_mut().zip(rules) {
                *count += usize::from(bits & one != 0 && bits & any != 0);
            }
            labels.images += 1;
        }
        labels
    }

    /// Counts labels, `[images * 40]`.
    pub fn of_images(labels: &[Option<bool>]) -> Self {
        Self::count(labels.as_chunks::<COUNT>().0)
    }

    /// Counts the labels that probabilities predict in the place of known `labels`, `[images * 40]` each.
    pub fn predicted(labels: &[Option<bool>], probabilities: &[f32]) -> Self {
        let predicted = labels.iter().zip(probabilities).map(|(label, p)| label.map(|_| *p > THRESHOLD));
        Self::of_images(&predicted.collect::<Vec<Option<bool>>>())
    }

    /// Number of images whose label of `attribute` is known.
    pub fn known(&self, attribute: usize) -> usize {
        self.images - self.unknown[attribute][attribute]
    }

    /// Share of images with `attribute` among those with a known label, 0 to 1; `None` without such images.
    pub fn rate(&self, attribute: usize) -> Option<f64> {
        let known = self.known(attribute);
        (known > 0).then(|| self.both[attribute][attribute] as f64 / known as f64)
    }

    /// Pearson's correlation of two attributes' labels over the images with both; `None` if one of them is constant there.
    pub fn phi(&self, i: usize, j: usize) -> Option<f64> {
        let n = (self.known(i) + self.unknown[i][j] - self.unknown[j][j]) as f64;
        let (a, b) = (self.both[i][i] - self.alone[i][j], self.both[j][j] - self.alone[j][i]);
        let (a, b) = (a as f64, b as f64);
        let spread = a * (n - a) * b * (n - b);
        (spread > 0.0).then(|| (n * self.both[i][j] as f64 - a * b) / spread.sqrt())
    }

    /// Pairs of different attributes with their phi, the most negative first; ties in the order of the attributes.
    pub fn pairs(&self) -> Vec<(usize, usize, f64)> {
        let mut pairs: Vec<_> = pairs().filter_map(|(i, j)| Some((i, j, self.phi(i, j)?))).collect();
        pairs.sort_by(|a, b| a.2.total_cmp(&b.2));
        pairs
    }
}

/// Counts every pair of one of `rows` with one of `columns`.
fn add_pairs(counts: &mut [[usize; COUNT]], rows: &[usize], columns: &[usize]) {
    for &i in rows {
        for &j in columns {
            counts[i][j] += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn phi_is_numpys_correlation_and_absent_where_a_label_never_changes() {
        let golden: Value = serde_json::from_str(include_str!("../../tests/golden/phi.json")).unwrap();
        let rows: Vec<ImageLabels> = golden["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| std::array::from_fn(|i| Some(row.as_str().unwrap().as_bytes()[i] == b'1')))
            .collect();
        let labels = Labels::count(&rows);
        let mut absent = 0;
        for i in 0..COUNT {
            for j in 0..COUNT {
                match (golden["phi"][i][j].as_f64(), labels.phi(i, j)) {
                    (Some(expected), Some(found)) => assert!((expected - found).abs() < 1e-12, "{i} {j}"),
                    (None, None) => absent += 1,
                    other => panic!("{i} {j}: {other:?}"),
                }
            }
        }
        // Attributes 3 and 7 are constant in the golden table.
        assert_eq!(absent, 4 * COUNT - 4);
    }

    #[test]
    fn phi_and_rates_are_those_of_the_images_with_known_labels() {
        let label = |row: usize, i: usize| (row * (2 * i + 3) / 7).is_multiple_of(3);
        let known = |row: usize, i: usize| i != 5 && !(row * (i + 1) / 4).is_multiple_of(3);
        let rows: Vec<ImageLabels> =
            (0..200).map(|row| std::array::from_fn(|i| known(row, i).then(|| label(row, i)))).collect();
        let labels = Labels::count(&rows);
        assert_eq!((labels.known(5), labels.rate(5), labels.phi(5, 6)), (0, None, None));
        for (i, j) in pairs().filter(|pair| pair.0 != 5 && pair.1 != 5) {
            let both: Vec<(bool, bool)> = rows.iter().filter_map(|row| row[i].zip(row[j])).collect();
            let of_both: Vec<ImageLabels> = both
                .iter()
                .map(|pair| std::array::from_fn(|k| Some(if k == i { pair.0 } else { k == j && pair.1 })))
                .collect();
            assert_eq!(labels.phi(i, j), Labels::count(&of_both).phi(i, j), "{i} {j}");
        }
        let of_first: Vec<bool> = rows.iter().filter_map(|row| row[0]).collect();
        let positive = of_first.iter().filter(|label| **label).count();
        assert_eq!(labels.rate(0), Some(positive as f64 / of_first.len() as f64));
    }

    #[test]
    fn contradictions_are_counted_by_image() {
        let with = |names: &[&str]| {
            let mut row = [Some(false); COUNT];
            for name in names {
                row[index(name).unwrap()] = Some(true);
            }
            row
        };
        // Two colours on one bald head are one contradiction.
        let rows = [
            with(&["Bald", "Black_Hair", "Gray_Hair"]),
            with(&["Bald"]),
            with(&["No_Beard", "Goatee", "Mustache"]),
            with(&["Straight_Hair", "Wavy_Hair"]),
            with(&["Straight_Hair"]),
            with(&["No_Beard", "Sideburns"]),
        ];
        assert_eq!(Labels::count(&rows).contradictions, [1, 0, 1, 1, 0, 1, 1]);
    }
}
