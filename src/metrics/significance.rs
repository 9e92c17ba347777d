//! Significance of a difference between two classifiers: McNemar's exact test (McNemar 1947), Holm's correction for many
//! tests (Holm 1979), and the p-value of a bootstrap.

/// Level of every test: a p-value up to this shows a difference.
pub const LEVEL: f64 = 0.05;

/// Two-sided p-value of McNemar's exact test, 1 if the classifiers never differ. `only_a` images are predicted correctly
/// by the first classifier only, `only_b` by the second only.
pub fn mcnemar(only_a: usize, only_b: usize) -> f64 {
    /// A power of two with room for products and sums above it.
    const SHIFT: i32 = 512;
    let (least, n) = (only_a.min(only_b), only_a + only_b);
    // Sum of C(n, i) for i up to `least`, as sum * 2^shift: for 19,962 images it exceeds any f64.
    let (mut term, mut sum, mut shift) = (1.0_f64, 1.0_f64, 0);
    for i in 1..=least {
        term *= (n - i + 1) as f64 / i as f64;
        sum += term;
        if sum > libm::ldexp(1.0, SHIFT) {
            (term, sum) = (libm::ldexp(term, -SHIFT), libm::ldexp(sum, -SHIFT));
            shift += SHIFT;
        }
    }
    libm::ldexp(sum, shift + 1 - n as i32).min(1.0)
}

/// Holm's correction: p-values to compare with the level of the whole family of tests.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut corrected = vec![0.0; p.len()];
    let mut largest = 0.0_f64;
    for (rank, &i) in order.iter().enumerate() {
        largest = largest.max(p[i] * (p.len() - rank) as f64).min(1.0);
        corrected[i] = largest;
    }
    corrected
}

/// Two-sided p-value of a bootstrapped difference: twice the smaller share of resamples on either side of zero, which
/// itself counts on both. One more resample counts against a difference, so that p is never 0 (Davison and Hinkley 1997,
/// section 4.2).
pub fn bootstrap_p(differences: &[f64]) -> f64 {
    let below = differences.iter().filter(|d| **d <= 0.0).count();
    let above = differences.iter().filter(|d| **d >= 0.0).count();
    (2.0 * (below.min(above) + 1) as f64 / (differences.len() + 1) as f64).min(1.0)
}

#[cfg(test)]
mod tests {
    //! Expected values: `tests/golden/statistics.py` (statsmodels, scipy, numpy).

    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Golden {
        mcnemar: Vec<(usize, usize, f64)>,
        holm: Vec<Family>,
    }

    #[derive(Deserialize)]
    struct Family {
        p: Vec<f64>,
        corrected: Vec<f64>,
    }

    fn golden() -> Golden {
        serde_json::from_str(include_str!("../../tests/golden/statistics.json")).unwrap()
    }

    #[test]
    fn mcnemars_exact_test_is_that_of_statsmodels_and_scipy() {
        for (only_a, only_b, expected) in golden().mcnemar {
            let found = mcnemar(only_a, only_b);
            assert!((found - expected).abs() <= 1e-10 * expected, "{only_a}, {only_b}: {found} is not {expected}");
        }
    }

    #[test]
    fn holms_correction_is_that_of_statsmodels() {
        for family in golden().holm {
            for (found, expected) in holm(&family.p).into_iter().zip(family.corrected) {
                assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
            }
        }
    }

    #[test]
    fn classifiers_that_never_differ_are_not_shown_to() {
        assert!(mcnemar(0, 0) >= 1.0);
        assert!(bootstrap_p(&[0.0; 100]) >= 1.0);
    }

    #[test]
    fn a_difference_in_every_resample_has_the_smallest_p_that_their_number_allows() {
        assert!((bootstrap_p(&[0.01; 1999]) - 0.001).abs() < 1e-15);
    }
}
