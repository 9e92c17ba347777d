//! Counts of labels: positive rates, the phi coefficient of every pair of attributes, and contradictory labels.

use super::confusion::THRESHOLD;
use crate::attribute::{COUNT, index, pairs};

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
    /// Number of images, for each of [`CONTRADICTIONS`].
    pub contradictions: [usize; CONTRADICTIONS.len()],
}

impl Labels {
    /// Counts `rows`, each in the order of [`crate::attribute::NAMES`].
    pub fn count<'a>(rows: impl IntoIterator<Item = &'a [bool; COUNT]>) -> Self {
        let mask = |names: &[&str]| names.iter().filter_map(|name| index(name)).fold(0_u64, |mask, i| mask | 1 << i);
        let rules = CONTRADICTIONS.map(|rule| (mask(&[rule.one]), mask(rule.any)));
        let mut labels = Self { images: 0, both: vec![[0; COUNT]; COUNT], contradictions: [0; CONTRADICTIONS.len()] };
        for row in rows {
            let set: Vec<usize> = (0..COUNT).filter(|i| row[*i]).collect();
            for &i in &set {
                for &j in &set {
                    labels.both[i][j] += 1;
                }
            }
            let bits = set.iter().fold(0_u64, |bits, i| bits | 1 << i);
            for (count, (one, any)) in labels.contradictions.iter_mut().zip(rules) {
                *count += usize::from(bits & one != 0 && bits & any != 0);
            }
            labels.images += 1;
        }
        labels
    }

    /// Counts labels, `[images * 40]`.
    pub fn of_images(labels: &[bool]) -> Self {
        Self::count(labels.as_chunks::<COUNT>().0)
    }

    /// Counts the labels that probabilities, `[images * 40]`, predict.
    pub fn predicted(probabilities: &[f32]) -> Self {
        let rows = probabilities.as_chunks::<COUNT>().0.iter().map(|row| row.map(|p| p > THRESHOLD));
        Self::count(&rows.collect::<Vec<[bool; COUNT]>>())
    }

    /// Share of images with `attribute`, 0 to 1; `None` without images.
    pub fn rate(&self, attribute: usize) -> Option<f64> {
        (self.images > 0).then(|| self.both[attribute][attribute] as f64 / self.images as f64)
    }

    /// Pearson's correlation of two attributes' labels; `None` if one of them is constant.
    pub fn phi(&self, i: usize, j: usize) -> Option<f64> {
        let (n, a, b) = (self.images as f64, self.both[i][i] as f64, self.both[j][j] as f64);
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn phi_is_numpys_correlation_and_absent_where_a_label_never_changes() {
        let golden: Value = serde_json::from_str(include_str!("../../tests/golden/phi.json")).unwrap();
        let rows: Vec<[bool; COUNT]> = golden["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| std::array::from_fn(|i| row.as_str().unwrap().as_bytes()[i] == b'1'))
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
    fn contradictions_are_counted_by_image() {
        let with = |names: &[&str]| {
            let mut row = [false; COUNT];
            for name in names {
                row[index(name).unwrap()] = true;
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
