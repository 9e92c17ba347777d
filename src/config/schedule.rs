//! Learning-rate schedules.

use serde::{Deserialize, Serialize};

/// The learning rate over the steps of a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Schedule {
    /// `initial * (1 - step / steps)^power`.
    Polynomial {
        /// Rate at step 0.
        initial: f64,
        /// Exponent; 1 is linear.
        power: f64,
    },
    /// Triangular (Smith 2017): from `minimum` to `maximum` in `half_cycle` steps and back, repeatedly.
    Cyclical {
        /// Rate at step 0.
        minimum: f64,
        /// Rate at the peak.
        maximum: f64,
        /// Steps from one to the other.
        half_cycle: usize,
    },
}

impl Schedule {
    /// Rate at step `step` (from 0) of `steps`.
    ///
    /// ```
    /// use gal_bench::config::Schedule;
    /// let lfwa = Schedule::Cyclical { minimum: 0.0, maximum: 0.005, half_cycle: 5000 };
    /// assert_eq!([0, 2500, 5000, 7500].map(|step| lfwa.rate(step, 10_000)), [0.0, 0.0025, 0.005, 0.0025]);
    /// ```
    pub fn rate(&self, step: usize, steps: usize) -> f64 {
        match *self {
            Self::Polynomial { initial, power } => initial * (1.0 - step as f64 / steps as f64).powf(power),
            Self::Cyclical { minimum, maximum, half_cycle } => {
                let phase = step % (2 * half_cycle);
                let share = phase.min(2 * half_cycle - phase) as f64 / half_cycle as f64;
                minimum + (maximum - minimum) * share
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::float_cmp, reason = "halves are exact")]
    fn the_polynomial_falls_to_zero_at_the_end() {
        let schedule = Schedule::Polynomial { initial: 0.5, power: 1.0 };
        assert_eq!([0, 50, 100].map(|step| schedule.rate(step, 100)), [0.5, 0.25, 0.0]);
    }
}
