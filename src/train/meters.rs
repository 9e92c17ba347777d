//! Averages and times of the steps since the last log line, and of the whole run.

use super::learner::Losses;
use crate::progress::{Bar, Progress};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Averages over some steps.
#[derive(Debug, Default)]
pub(super) struct StepMeter {
    steps: usize,
    fln: Option<f64>,
    cln: BTreeMap<&'static str, f64>,
    data_wait: Duration,
}

impl StepMeter {
    pub(super) fn steps(&self) -> usize {
        self.steps
    }

    /// Mean loss of the FLN.
    pub(super) fn fln(&self) -> Option<f64> {
        self.fln.map(|sum| sum / self.steps as f64)
    }

    /// Mean loss of a variant's correlation net.
    pub(super) fn cln(&self, variant: &str) -> Option<f64> {
        self.cln.get(variant).map(|sum| sum / self.steps as f64)
    }

    /// Share of `elapsed` in which the device waited for data.
    pub(super) fn data_wait(&self, elapsed: Duration) -> f64 {
        share(self.data_wait, elapsed)
    }
}

/// Meters of a run.
pub(super) struct TrainingMeters {
    pub(super) bar: Bar,
    /// Averages since the last log line.
    pub(super) recent: StepMeter,
    recent_since: Instant,
    data_wait: Duration,
    elapsed: Duration,
    started: Instant,
    /// Seconds spent by earlier processes.
    seconds_before: f64,
}

impl TrainingMeters {
    /// Meters of a run from step `first`; `started` is the start of this process's work on it.
    pub(super) fn new(
        title: &str,
        first: usize,
        steps: usize,
        started: Instant,
        seconds_before: f64,
        progress: &Progress,
    ) -> Self {
        let mut bar = progress.bar(title, "steps", steps);
        bar.resume(first);
        Self {
            bar,
            recent: StepMeter::default(),
            recent_since: Instant::now(),
            data_wait: Duration::ZERO,
            elapsed: Duration::ZERO,
            started,
            seconds_before,
        }
    }

    pub(super) fn add_data_wait(&mut self, waited: Duration) {
        self.recent.data_wait += waited;
    }

    pub(super) fn add_step(&mut self, losses: &Losses) {
        self.recent.steps += 1;
        if let Some(loss) = losses.fln {
            *self.recent.fln.get_or_insert(0.0) += loss;
        }
        for (variant, loss) in &losses.cln {
            *self.recent.cln.entry(variant).or_default() += loss;
        }
    }

    /// Time since the last log line, without validation.
    pub(super) fn recent_elapsed(&self) -> Duration {
        self.recent_since.elapsed()
    }

    /// Starts the next log line after one about `elapsed`.
    pub(super) fn reset(&mut self, elapsed: Duration) {
        self.data_wait += self.recent.data_wait;
        self.elapsed += elapsed;
        self.recent = StepMeter::default();
        self.recent_since = Instant::now();
    }

    /// Excludes a validation of this length from the time since the last log line.
    pub(super) fn exclude(&mut self, validation: Duration) {
        self.recent_since += validation;
    }

    /// Share of all steps' time in which the device waited for data.
    pub(super) fn data_wait(&self) -> f64 {
        share(self.data_wait, self.elapsed)
    }

    /// Wall time of the run in seconds, earlier processes included.
    pub(super) fn seconds(&self) -> f64 {
        self.seconds_before + self.started.elapsed().as_secs_f64()
    }
}

fn share(part: Duration, whole: Duration) -> f64 {
    if whole.is_zero() { 0.0 } else { part.as_secs_f64() / whole.as_secs_f64() }
}
