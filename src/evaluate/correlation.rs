//! What an affinity and a set of predictions say of how attributes depend on each other, set beside the labels and,
//! where faces are synthetic, beside the correlation that the labels were drawn with.

use super::labels::Labels;
use crate::attribute::COUNT;
use crate::metrics::clustering::{average_linkage, leaves};
use crate::metrics::statistics::{THRESHOLD, mean};
use crate::random;
use rand::{Rng, RngExt};

/// How often attributes are relabelled at random for one p-value.
pub const PERMUTATIONS: usize = 9_999;

/// Cells of a 40 x 40 matrix, nothing where one is undefined.
pub type Cells = Vec<[Option<f64>; COUNT]>;

/// Where the weights of a mean affinity lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Concentration {
    /// Mean weight of an attribute on itself, from 0 to 1.
    pub diagonal: f64,
    /// Mean entropy of a row in nats.
    pub entropy: f64,
}

impl Concentration {
    /// Measures `affinity`, each row of which is brought to a sum of 1 first.
    pub fn of(affinity: &[[f64; COUNT]]) -> Self {
        let rows: Vec<[f64; COUNT]> = affinity
            .iter()
            .map(|row| {
                let total: f64 = row.iter().sum();
                row.map(|weight| if total > 0.0 { weight / total } else { 0.0 })
            })
            .collect();
        let entropy = |row: &[f64; COUNT]| -row.iter().filter(|w| **w > 0.0).map(|w| w * libm::log(*w)).sum::<f64>();
        Self {
            diagonal: mean(&rows.iter().enumerate().map(|(i, row)| row[i]).collect::<Vec<f64>>()),
            // Of all rows on one attribute each: 0, not the -0 of an empty sum.
            entropy: mean(&rows.iter().map(entropy).collect::<Vec<f64>>()).abs(),
        }
    }

    /// As how many equal weights would have that entropy.
    pub fn neighbours(self) -> f64 {
        libm::exp(self.entropy)
    }
}

/// How far two matrices order pairs of different attributes alike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Agreement {
    /// Spearman's rank correlation of the cells off the diagonal.
    pub rho: f64,
    /// Mantel's test (1967): the chance of a rank correlation at least as high if the attributes of one matrix were
    /// relabelled at random, from [`PERMUTATIONS`] of them.
    pub p: f64,
}

impl Agreement {
    /// Compares the cells of `a` and `b`; attributes without any defined cell off the diagonal are left out. Nothing
    /// where one matrix has the same value everywhere, as identity and uniform affinities have.
    pub fn of(a: &[[f64; COUNT]], b: &Cells, seed: u64) -> Option<Self> {
        let kept: Vec<usize> = (0..COUNT).filter(|&i| (0..COUNT).any(|j| i != j && b[i][j].is_some())).collect();
        let cells = |value: &dyn Fn(usize, usize) -> f64| -> Vec<f64> {
            kept.iter().flat_map(|&i| kept.iter().map(move |&j| (i, j))).map(|(i, j)| value(i, j)).collect()
        };
        let (a, b) = (cells(&|i, j| a[i][j]), cells(&|i, j| b[i][j].unwrap_or(0.0)));
        mantel(kept.len(), &a, &b, &mut random::generator(seed, &[random::name("mantel")]))
    }
}

/// Mantel's one-sided test on ranks of two matrices `[n * n]`, whose diagonals do not count.
fn mantel(n: usize, a: &[f64], b: &[f64], random: &mut impl Rng) -> Option<Agreement> {
    let (a, b) = (centred_ranks(n, a)?, centred_ranks(n, b)?);
    let rho = |order: &[usize]| -> f64 {
        let row = |i: usize| (0..n).map(|j| a[i * n + j] * b[order[i] * n + order[j]]).sum::<f64>();
        (0..n).map(row).sum()
    };
    let mut order: Vec<usize> = (0..n).collect();
    let found = rho(&order);
    let mut as_high = 1;
    for _ in 0..PERMUTATIONS {
        for last in (1..n).rev() {
            order.swap(last, random.random_range(0..=last));
        }
        // A hair's width for what another order of summation rounds otherwise.
        as_high += usize::from(rho(&order) >= found - 1e-12);
    }
    Some(Agreement { rho: found, p: as_high as f64 / (PERMUTATIONS + 1) as f64 })
}

/// Ranks of the cells off the diagonal, of mean 0 and length 1; 0 on the diagonal. Nothing if all are equal.
fn centred_ranks(n: usize, values: &[f64]) -> Option<Vec<f64>> {
    let places: Vec<usize> = (0..n * n).filter(|cell| cell / n != cell % n).collect();
    let ranks = unit(ranks(&places.iter().map(|&cell| values[cell]).collect::<Vec<f64>>()))?;
    let mut cells = vec![0.0; n * n];
    places.into_iter().zip(ranks).for_each(|(cell, rank)| cells[cell] = rank);
    Some(cells)
}

/// Ranks from 1; equal values share the mean of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&i, &j| values[i].total_cmp(&values[j]));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    // Compared by value, so that 0 and -0 are equal.
    for tied in order.chunk_by(|&i, &j| values[i] >= values[j]) {
        let rank = before as f64 + (tied.len() + 1) as f64 / 2.0;
        for &i in tied {
            ranks[i] = rank;
        }
        before += tied.len();
    }
    ranks
}

/// Moved to mean 0 and scaled to length 1; nothing if all values are equal.
fn unit(values: Vec<f64>) -> Option<Vec<f64>> {
    let centre = mean(&values);
    let moved: Vec<f64> = values.into_iter().map(|value| value - centre).collect();
    let length = moved.iter().map(|value| value * value).sum::<f64>().sqrt();
    (length > 1e-9).then(|| moved.into_iter().map(|value| value / length).collect())
}

/// Pearson's correlation; nothing where one side never changes.
fn pearson(a: Vec<f64>, b: Vec<f64>) -> Option<f64> {
    Some(unit(a)?.into_iter().zip(unit(b)?).map(|(a, b)| a * b).sum())
}

/// How the correlation of predictions differs from that of their labels, over the pairs of attributes for which both
/// have one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Residual {
    /// How many pairs those are, of 780.
    pub pairs: usize,
    /// Mean absolute difference of phi.
    pub difference: f64,
    /// Pearson's correlation of the phi of predictions and of labels.
    pub correlation: Option<f64>,
    /// Mean absolute phi of the labels.
    pub labels: f64,
    /// Mean absolute phi of the predictions.
    pub predictions: f64,
}

impl Residual {
    /// Compares the phi of predictions with that of labels; nothing without a pair.
    pub fn of(labels: &Cells, predictions: &Cells) -> Option<Self> {
        let pairs = (0..COUNT).flat_map(|i| (i + 1..COUNT).map(move |j| (i, j)));
        let (a, b): (Vec<f64>, Vec<f64>) = pairs.filter_map(|(i, j)| labels[i][j].zip(predictions[i][j])).unzip();
        let strength = |values: &[f64]| mean(&values.iter().map(|phi| phi.abs()).collect::<Vec<f64>>());
        let differences: Vec<f64> = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).collect();
        (!a.is_empty()).then(|| Self {
            pairs: a.len(),
            difference: mean(&differences),
            labels: strength(&a),
            predictions: strength(&b),
            correlation: pearson(a, b),
        })
    }
}

/// The phi coefficient of every pair of attributes; the diagonal is empty.
pub fn phi(labels: &Labels) -> Cells {
    (0..COUNT).map(|i| std::array::from_fn(|j| if i == j { None } else { labels.phi(i, j) })).collect()
}

/// Counts labels, `[images * 40]`.
pub fn count_labels(labels: &[bool]) -> Labels {
    Labels::count(labels.as_chunks::<COUNT>().0)
}

/// Counts answers at the threshold of one half, from probabilities `[images * 40]`.
pub fn count_answers(probabilities: &[f32]) -> Labels {
    let rows: Vec<[bool; COUNT]> =
        probabilities.as_chunks::<COUNT>().0.iter().map(|row| row.map(|p| p > THRESHOLD)).collect();
    Labels::count(&rows)
}

/// The attributes in an order in which those that go together are neighbours: average linkage by 1 - |phi|, an undefined
/// phi counting as 0.
pub fn order(phi: &Cells) -> Vec<usize> {
    leaves(&average_linkage(COUNT, |i, j| 1.0 - phi[i][j].map_or(0.0, f64::abs)))
}

/// The absolute value of every cell.
pub fn absolute(cells: &Cells) -> Cells {
    cells.iter().map(|row| row.map(|cell| cell.map(f64::abs))).collect()
}

#[cfg(test)]
mod tests {
    //! Expected values: `tests/golden/correlation.py` (scipy, numpy).

    use super::*;
    use serde_json::Value;

    fn golden() -> Value {
        serde_json::from_str(include_str!("../../tests/golden/correlation.json")).unwrap()
    }

    fn numbers(value: &Value) -> Vec<f64> {
        serde_json::from_value(value.clone()).unwrap()
    }

    fn square(value: &Value) -> Vec<[f64; COUNT]> {
        value.as_array().unwrap().iter().map(|row| numbers(row).try_into().unwrap()).collect()
    }

    fn some(cells: &[[f64; COUNT]]) -> Cells {
        cells.iter().map(|row| row.map(Some)).collect()
    }

    #[track_caller]
    fn close(found: f64, expected: &Value) {
        let expected = expected.as_f64().unwrap();
        assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
    }

    #[test]
    fn entropy_and_diagonal_are_numpys_and_scipys() {
        let golden = golden();
        let concentration = Concentration::of(&square(&golden["affinity"]));
        close(concentration.diagonal, &golden["diagonal"]);
        close(concentration.entropy, &golden["entropy"]);
        close(concentration.neighbours(), &golden["neighbours"]);
    }

    #[test]
    fn a_uniform_affinity_has_forty_neighbours_and_an_identity_one() {
        let uniform = vec![[0.025; COUNT]; COUNT];
        assert!((Concentration::of(&uniform).neighbours() - 40.0).abs() < 1e-9);
        let identity: Vec<[f64; COUNT]> =
            (0..COUNT).map(|i| std::array::from_fn(|j| f64::from(u8::from(i == j)))).collect();
        assert_eq!(Concentration::of(&identity), Concentration { diagonal: 1.0, entropy: 0.0 });
        assert_eq!(Agreement::of(&uniform, &some(&identity), 0), None);
    }

    #[test]
    fn rank_correlation_is_scipys_and_mantels_p_is_another_programs_within_chance() {
        let golden = golden();
        let affinity = square(&golden["affinity"]);
        for case in golden["agreement"].as_array().unwrap() {
            let found = Agreement::of(&affinity, &some(&square(&case["other"])), 7).unwrap();
            close(found.rho, &case["rho"]);
            // Five standard errors of a share of 9,999 draws.
            let p = case["p"].as_f64().unwrap();
            let tolerance = 5.0 * (p * (1.0 - p) / PERMUTATIONS as f64).sqrt() + 1.0 / PERMUTATIONS as f64;
            assert!((found.p - p).abs() < tolerance, "{} is not {p}", found.p);
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_p() {
        let golden = golden();
        let (affinity, other) = (square(&golden["affinity"]), some(&square(&golden["agreement"][1]["other"])));
        assert_eq!(Agreement::of(&affinity, &other, 3), Agreement::of(&affinity, &other, 3));
        assert_ne!(Agreement::of(&affinity, &other, 3), Agreement::of(&affinity, &other, 4));
    }

    #[test]
    fn an_attribute_without_a_correlation_is_left_out() {
        let golden = golden();
        let affinity = square(&golden["affinity"]);
        let mut other = some(&square(&golden["agreement"][0]["other"]));
        other[5] = [None; COUNT];
        for row in &mut other {
            row[5] = None;
        }
        close(Agreement::of(&affinity, &other, 0).unwrap().rho, &golden["agreement"][0]["rho_without_5"]);
    }

    #[test]
    fn predictions_differ_from_labels_by_numpys_figures() {
        let golden = golden();
        let rows: Vec<bool> =
            golden["residual"]["labels"].as_str().unwrap().bytes().map(|label| label == b'1').collect();
        let probabilities: Vec<f32> = numbers(&golden["residual"]["probabilities"]).iter().map(|p| *p as f32).collect();
        let (labels, answers) = (count_labels(&rows), count_answers(&probabilities));
        let found = Residual::of(&phi(&labels), &phi(&answers)).unwrap();
        close(found.pairs as f64, &golden["residual"]["pairs"]);
        close(found.difference, &golden["residual"]["difference"]);
        close(found.correlation.unwrap(), &golden["residual"]["correlation"]);
        close(found.labels, &golden["residual"]["strength_labels"]);
        close(found.predictions, &golden["residual"]["strength_predictions"]);
    }
}
