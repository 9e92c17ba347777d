//! The end of a shared run: the network of each run is chosen, tested and stored.

use super::super::evaluation::SplitPredictions;
use super::super::job::{TrainOutcome, TrainedRun};
use super::super::meters::TrainingMeters;
use super::super::outputs::write_affinity;
use super::super::run_dir::{RunDir, has_ended};
use super::super::summary::{RunSizes, summarize};
use super::Trainer;
use crate::config::run_dir::{self, AFFINITY, MASKS, MODEL, PREDICTIONS, PREDICTIONS_PLAIN};
use crate::config::{CheckpointChoice, Record};
use crate::error::Result;
use crate::io;
use crate::tensorboard::{self, Value, heat_map};

impl Trainer<'_> {
    /// Predicts the test split and writes the results of every run that has not diverged.
    pub(super) fn finish(mut self, meters: &TrainingMeters) -> Result<TrainOutcome> {
        let mut outcome = TrainOutcome { finished: Vec::new(), diverged: std::mem::take(&mut self.diverged) };
        if self.runs.is_empty() || !self.group.is_main() {
            return Ok(outcome);
        }
        self.test()?;
        let wall_seconds = meters.seconds();
        for run in &self.runs {
            let sizes = RunSizes {
                local_batch: self.local.len(),
                train_images: self.splits.train.len(),
                test_images: self.splits.test.len(),
                parameters: self.learner.parameter_count(&run.variant),
            };
            let mut summary = summarize(self.job, self.dataset, run, &sizes, wall_seconds)?;
            summary.data_notes.extend(self.lost.iter().cloned());
            Record::write(&run.folder, &summary)?;
            outcome.finished.push(TrainedRun { folder: run.folder.clone(), summary, reused: false });
        }
        self.runs.iter().try_for_each(RunDir::unlock)?;
        // An interruption may have left the training state with a run that had ended.
        let ended = self.siblings.iter().filter(|folder| has_ended(folder));
        ended.map(|folder| run_dir::training_state(folder)).try_for_each(|state| io::remove(&state))?;
        Ok(outcome)
    }

    /// Tests the networks. Runs share one, unless each chooses its own checkpoint.
    fn test(&mut self) -> Result<()> {
        if self.job.profile.evaluation.checkpoint == CheckpointChoice::Best {
            for index in 0..self.runs.len() {
                let run = &self.runs[index];
                self.learner.load_network(&run.variant, &run.best_network(self.device())?)?;
                self.update_bn()?;
                self.write_results(index, &self.predict(&self.splits.test)?)?;
            }
            return Ok(());
        }
        self.average.iter_mut().try_for_each(|average| average.swap(&self.learner))?;
        self.update_bn()?;
        let predictions = self.predict(&self.splits.test)?;
        (0..self.runs.len()).try_for_each(|index| self.write_results(index, &predictions))
    }

    /// Recomputes the running statistics over the batches that would have been trained next, if the profile asks for that:
    /// the whole ones if batch norm is synchronized, their local parts otherwise.
    fn update_bn(&mut self) -> Result<()> {
        let (profile, device) = (self.job.profile, self.device());
        let steps = self.steps..self.steps + profile.evaluation.update_bn;
        let mut loader = self.loader(&self.splits.train);
        if profile.compute.sync_bn {
            loader.local = 0..self.batch;
        }
        self.learner.update_bn(&loader, steps, device)
    }

    /// Writes predictions and network of the run at `index`.
    fn write_results(&self, index: usize, predictions: &SplitPredictions) -> Result<()> {
        let run = &self.runs[index];
        predictions.tables[index].write(&run.file(PREDICTIONS))?;
        if let Some(plain) = &predictions.plain {
            plain[index].write(&run.file(PREDICTIONS_PLAIN))?;
        }
        if let Some(affinity) = predictions.affinity.get(run.variant.name) {
            write_affinity(&run.file(AFFINITY), affinity)?;
            let image = Value::image(&heat_map(affinity))?;
            tensorboard::append(&run.events(), self.steps, &[("affinity/test", image)])?;
        }
        if !predictions.masks.is_empty() {
            predictions.masks.write(&run.file(MASKS))?;
        }
        run.write_network(MODEL, self.learner.network(&run.variant))
    }
}
