//! Mantel's test (1967): whether two matrices rank pairs of attributes alike.

use super::mean::standardized;
use super::phi::AttributeMatrix;
use crate::attribute::COUNT;
use crate::random;
use rand::{Rng, RngExt};

/// Number of random relabellings for one p-value.
pub const PERMUTATIONS: usize = 9_999;

/// The least p-value that so many permutations give.
pub const LEAST_P: f64 = 1.0 / (PERMUTATIONS + 1) as f64;

/// The fewest attributes that are compared: the relabellings of four are 24, so that no p-value is below 1/24.
pub const LEAST_ATTRIBUTES: usize = 5;

/// Agreement of two matrices on the order of pairs of attributes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MantelTest {
    /// Spearman's rank correlation of the cells off the diagonal.
    pub rho: f64,
    /// One-sided p-value: the probability of a rank correlation at least as high under random relabelling of one
    /// matrix's attributes, estimated from [`PERMUTATIONS`] of them.
    pub p: f64,
}

impl MantelTest {
    /// Compares the cells of `a` and `b`, without attributes that have no defined cell off the diagonal. `None` if fewer than
    /// [`LEAST_ATTRIBUTES`] are left, or all cells of a matrix are equal, as in identity and uniform affinities.
    pub fn of(a: &[[f64; COUNT]], b: &AttributeMatrix, seed: u64) -> Option<Self> {
        let kept: Vec<usize> = (0..COUNT).filter(|&i| (0..COUNT).any(|j| i != j && b[i][j].is_some())).collect();
        if kept.len() < LEAST_ATTRIBUTES {
            return None;
        }
        let cells = |value: &dyn Fn(usize, usize) -> f64| -> Vec<f64> {
            kept.iter().flat_map(|&i| kept.iter().map(move |&j| (i, j))).map(|(i, j)| value(i, j)).collect()
        };
        let (a, b) = (cells(&|i, j| a[i][j]), cells(&|i, j| b[i][j].unwrap_or(0.0)));
        mantel(kept.len(), &a, &b, &mut random::generator(seed, &[random::name("mantel")]))
    }
}

/// Mantel's one-sided test on ranks of two matrices `[n * n]`, without their diagonals.
fn mantel(n: usize, a: &[f64], b: &[f64], random: &mut impl Rng) -> Option<MantelTest> {
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
        // Tolerates the rounding of another order of summation.
        as_high += usize::from(rho(&order) >= found - 1e-12);
    }
    Some(MantelTest { rho: found, p: as_high as f64 / (PERMUTATIONS + 1) as f64 })
}

/// Standardized ranks of the cells off the diagonal, 0 on it; `None` if all are equal.
fn centred_ranks(n: usize, values: &[f64]) -> Option<Vec<f64>> {
    let places: Vec<usize> = (0..n * n).filter(|cell| cell / n != cell % n).collect();
    let ranks = standardized(ranks(&places.iter().map(|&cell| values[cell]).collect::<Vec<f64>>()))?;
    let mut cells = vec![0.0; n * n];
    places.into_iter().zip(ranks).for_each(|(cell, rank)| cells[cell] = rank);
    Some(cells)
}

/// Ranks from 1; equal values have the mean of their ranks.
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

#[cfg(test)]
mod tests {
    //! Expected values: `tests/golden/correlation.py` (scipy, numpy).

    use super::super::golden::{close, correlation, square};
    use super::*;

    fn some(cells: &[[f64; COUNT]]) -> AttributeMatrix {
        cells.iter().map(|row| row.map(Some)).collect()
    }

    #[test]
    fn rank_correlation_is_scipys_and_mantels_p_is_another_programs_within_chance() {
        let golden = correlation();
        let affinity = square(&golden["affinity"]);
        for case in golden["agreement"].as_array().unwrap() {
            let found = MantelTest::of(&affinity, &some(&square(&case["other"])), 7).unwrap();
            close(found.rho, &case["rho"]);
            // Five standard errors of a share of 9,999 draws.
            let p = case["p"].as_f64().unwrap();
            let tolerance = 5.0 * (p * (1.0 - p) / PERMUTATIONS as f64).sqrt() + 1.0 / PERMUTATIONS as f64;
            assert!((found.p - p).abs() < tolerance, "{} is not {p}", found.p);
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_p() {
        let golden = correlation();
        let (affinity, other) = (square(&golden["affinity"]), some(&square(&golden["agreement"][1]["other"])));
        assert_eq!(MantelTest::of(&affinity, &other, 3), MantelTest::of(&affinity, &other, 3));
        assert_ne!(MantelTest::of(&affinity, &other, 3), MantelTest::of(&affinity, &other, 4));
    }

    #[test]
    fn an_attribute_without_a_correlation_is_left_out() {
        let golden = correlation();
        let affinity = square(&golden["affinity"]);
        let mut other = some(&square(&golden["agreement"][0]["other"]));
        other[5] = [None; COUNT];
        for row in &mut other {
            row[5] = None;
        }
        close(MantelTest::of(&affinity, &other, 0).unwrap().rho, &golden["agreement"][0]["rho_without_5"]);
    }

    #[test]
    fn four_attributes_are_too_few() {
        let affinity = square(&correlation()["affinity"]);
        for (kept, is_tested) in [(LEAST_ATTRIBUTES - 1, false), (LEAST_ATTRIBUTES, true)] {
            let cell = |i: usize, j: usize| (i.max(j) < kept).then(|| affinity[j][i]);
            let other: AttributeMatrix = (0..COUNT).map(|i| std::array::from_fn(|j| cell(i, j))).collect();
            assert_eq!(MantelTest::of(&affinity, &other, 0).is_some(), is_tested);
        }
    }

    #[test]
    fn a_uniform_affinity_ranks_nothing() {
        let uniform = vec![[0.025; COUNT]; COUNT];
        assert_eq!(MantelTest::of(&uniform, &some(&square(&correlation()["affinity"])), 0), None);
    }
}
