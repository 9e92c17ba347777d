//! Intervals of shares: Wilson's score interval (Wilson 1927), and percentiles of resamples.

use serde::{Deserialize, Serialize};

/// The normal quantile of a two-sided 95 % interval.
const Z_95: f64 = 1.959_963_984_540_054;

/// Bounds of an interval of shares.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}

impl Interval {
    /// The interval with these bounds, if both exist.
    pub fn of_bounds(low: Option<f64>, high: Option<f64>) -> Option<Self> {
        Some(Self { low: low?, high: high? })
    }
}

/// Wilson's score interval at 95 % for `correct` successes in `n` trials; all of [0, 1] without a trial.
pub fn wilson(correct: usize, n: usize) -> Interval {
    if n == 0 {
        return Interval { low: 0.0, high: 1.0 };
    }
    let trials = n as f64;
    let share = correct as f64 / trials;
    let z2 = Z_95 * Z_95;
    let center = (share + z2 / (2.0 * trials)) / (1.0 + z2 / trials);
    let half = Z_95 / (1.0 + z2 / trials) * (share * (1.0 - share) / trials + z2 / (4.0 * trials * trials)).sqrt();
    // At 0 and n successes one bound is exactly the share, which rounding would miss.
    Interval {
        low: if correct == 0 { 0.0 } else { center - half },
        high: if correct == n { 1.0 } else { center + half },
    }
}

/// The middle 95 % of `values`, linearly interpolated between neighbours as numpy does. Sorts `values`.
pub fn percentile_interval_95(values: &mut [f64]) -> Interval {
    values.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let rank = share * (values.len() - 1) as f64;
        let below = rank as usize;
        let above = (below + 1).min(values.len() - 1);
        values[below] + (values[above] - values[below]) * (rank - below as f64)
    };
    Interval { low: at(0.025), high: at(0.975) }
}

#[cfg(test)]
mod tests {
    //! Expected values: `tests/golden/statistics.py` (statsmodels, scipy, numpy).

    use super::*;

    #[derive(Deserialize)]
    struct Golden {
        wilson: Vec<GoldenWilson>,
        percentiles: Vec<Percentiles>,
    }

    #[derive(Deserialize)]
    struct GoldenWilson {
        correct: usize,
        n: usize,
        low: f64,
        high: f64,
    }

    #[derive(Deserialize)]
    struct Percentiles {
        values: Vec<f64>,
        low: f64,
        high: f64,
    }

    fn golden() -> Golden {
        serde_json::from_str(include_str!("../../tests/golden/statistics.json")).unwrap()
    }

    #[track_caller]
    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
    }

    #[test]
    fn wilson_intervals_are_those_of_statsmodels_and_scipy() {
        for case in golden().wilson {
            let interval = wilson(case.correct, case.n);
            close(interval.low, case.low);
            close(interval.high, case.high);
        }
    }

    #[test]
    fn percentiles_are_those_of_numpy() {
        for mut case in golden().percentiles {
            let found = percentile_interval_95(&mut case.values);
            close(found.low, case.low);
            close(found.high, case.high);
        }
    }
}
