//! Stops runs on NaN or infinity: a correlation net alone, an FLN with all runs that share it.

use super::super::divergence::{StepContext, record_divergence, report_divergence};
use super::super::learner::Losses;
use super::super::run_dir::RunDir;
use super::Trainer;
use crate::config::run_dir::{self, DIVERGED_BATCH};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::store::Row;

const LOSS: &str = "the loss is not finite";
const PARAMETER: &str = "a parameter is not finite";

impl<'a> Trainer<'a> {
    /// Stops the runs whose correlation net has a loss or, before a checkpoint, a parameter that is not finite. All ranks
    /// find the same ones, since losses and parameters are equal on all. Returns the stopped runs.
    ///
    /// # Errors
    /// The FLN of a run with branches is not finite, unless the correlation net trains it. Rank 0 ends the other ranks.
    pub(super) fn stop_diverged(
        &mut self,
        losses: &Losses,
        save: bool,
        step: usize,
        rate: f64,
        progress: &Progress,
    ) -> Result<Vec<RunDir>> {
        let infinite = losses.cln.iter().filter(|(_, loss)| !loss.is_finite());
        let mut found: Vec<(&'static str, &'static str)> = infinite.map(|(name, _)| (*name, LOSS)).collect();
        match self.feature_net_symptom(losses, save)? {
            // The run of this FLN ends alone.
            Some(symptom) if self.learner.has_joined_streams() || !self.has_branches() => {
                found = self.runs.iter().map(|run| (run.variant.name, symptom)).collect();
            }
            Some(symptom) if self.group.is_main() => return Err(self.divergence_error(symptom, step, rate)),
            _ => {}
        }
        self.learner.drop_heads(&found.iter().map(|(name, _)| *name).collect::<Vec<_>>());
        if save {
            let names = self.learner.infinite_heads()?;
            self.learner.drop_heads(&names);
            found.extend(names.into_iter().map(|name| (name, PARAMETER)));
        }
        let mut stopped = Vec::new();
        for (name, symptom) in found {
            let Some(index) = self.runs.iter().position(|run| run.variant.name == name) else { continue };
            self.best.remove(index);
            let run = self.runs.remove(index);
            if self.group.is_main() {
                self.record(&run, symptom, step, rate, progress)?;
            }
            stopped.push(run);
        }
        Ok(stopped)
    }

    /// The symptom of an FLN whose loss or, before a checkpoint, a parameter is not finite.
    fn feature_net_symptom(&self, losses: &Losses, save: bool) -> Result<Option<&'static str>> {
        if losses.fln.is_some_and(|loss| !loss.is_finite()) {
            return Ok(Some(LOSS));
        }
        Ok(if save && !self.learner.is_feature_net_finite()? { Some(PARAMETER) } else { None })
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
