//! Stops runs on NaN or infinity: a correlation net alone, the FLN with all runs that share it.

use super::super::divergence::{StepContext, record_divergence, report_divergence};
use super::super::learner::Losses;
use super::super::run_dir::RunDir;
use super::Trainer;
use crate::config::run_dir::{self, DIVERGED_BATCH};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::store::Row;

impl<'a> Trainer<'a> {
    /// Checks the FLN's loss and, before a checkpoint, its parameters. Rank 0 ends the other ranks.
    pub(super) fn check_feature_net(&self, losses: &Losses, save: bool, step: usize, rate: f64) -> Result<()> {
        if !self.group.is_main() {
            return Ok(());
        }
        if losses.fln.is_some_and(|loss| !loss.is_finite()) {
            return Err(self.divergence_error("the loss is not finite", step, rate));
        }
        if save && !self.learner.is_feature_net_finite()? {
            return Err(self.divergence_error("a parameter is not finite", step, rate));
        }
        Ok(())
    }

    /// Stops the runs whose correlation net has a loss or, before a checkpoint, a parameter that is not finite. All ranks
    /// find the same ones, since losses and parameters are equal on all. Returns the stopped runs.
    pub(super) fn stop_diverged(
        &mut self,
        losses: &Losses,
        save: bool,
        step: usize,
        rate: f64,
        progress: &Progress,
    ) -> Result<Vec<RunDir>> {
        let is_infinite = |(name, loss): (&&'static str, &f64)| (!loss.is_finite()).then_some(*name);
        let by_loss: Vec<&str> = losses.cln.iter().filter_map(is_infinite).collect();
        self.learner.drop_heads(&by_loss);
        let by_parameter = if save { self.learner.infinite_heads()? } else { Vec::new() };
        self.learner.drop_heads(&by_parameter);
        let mut stopped = Vec::new();
        for (names, symptom) in [(by_loss, "the loss is not finite"), (by_parameter, "a parameter is not finite")] {
            for name in names {
                let Some(index) = self.runs.iter().position(|run| run.variant.name == name) else { continue };
                self.best.remove(index);
                let run = self.runs.remove(index);
                if self.group.is_main() {
                    self.record(&run, symptom, step, rate, progress)?;
                }
                stopped.push(run);
            }
        }
        Ok(stopped)
    }

    /// Records that `run` diverged.
    fn record(&mut self, run: &RunDir, symptom: &str, step: usize, rate: f64, progress: &Progress) -> Result<()> {
        let batch = self.batch_rows(step);
        let context = StepContext { step, rate, batch: &batch, checkpoint: None };
        self.diverged.push(record_divergence(run, symptom, context)?);
        let others = if self.runs.is_empty() { "" } else { "; the others go on" };
        progress.log(format!("{} diverged at step {step}: {symptom}{others}", run.folder.display()));
        Ok(())
    }

    /// The rows of step `step`'s batch in the manifest, with their indices.
    fn batch_rows(&self, step: usize) -> Vec<(usize, &'a Row)> {
        let images = self.loader(&self.splits.train).order(step).into_iter();
        let rows = images.map(|image| self.splits.train.rows()[image]);
        rows.map(|row| (row, &self.job.data.rows[row])).collect()
    }

    /// The error of runs whose FLN diverged at `step`.
    fn divergence_error(&self, what: &str, step: usize, rate: f64) -> Error {
        let batch = self.batch_rows(step);
        let state = run_dir::training_state(&self.runs[0].folder);
        let context = StepContext { step, rate, batch: &batch, checkpoint: state.exists().then_some(&*state) };
        report_divergence(&self.runs[0].file(DIVERGED_BATCH), what, context)
    }
}
