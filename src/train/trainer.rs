//! The training loop of a shared run: steps with logging, validation and checkpoints, then the test split and the run
//! folders. An unfinished run resumes from its last checkpoint.

mod finish;
mod stop;

use super::checkpoint::Checkpoint;
use super::device::check_batch;
use super::dropout;
use super::evaluation::SplitPredictions;
use super::features::{Features, forward_passes};
use super::feed::Feed;
use super::image_cache::ImageCache;
use super::job::{DivergedRun, TrainJob, TrainOutcome};
use super::known_labels;
use super::learner::Learner;
use super::loader::{DataLoader, frozen_seed, prefetch};
use super::loss_weights::balanced_weights;
use super::meters::TrainingMeters;
use super::outputs::{AffinityLine, DATA_WAIT_NOTICE, TrainingLine, ValidationLine, append_line, truncate_after_step};
use super::plan_runs::PlannedRun;
use super::run_dir::{RunDir, baseline};
use super::shared_run::{SharedRun, shared_runs};
use super::splits::Splits;
use super::summary::{positive_rates, sources};
use super::weight_average::WeightAverage;
use crate::config::RunConfig;
use crate::config::run_dir::{self, BEST_MODEL, METRICS};
use crate::dataset::DatasetName;
use crate::distributed::ProcessGroup;
use crate::error::{Error, Result};
use crate::io::{self, Lock};
use crate::model::error_affinity;
use crate::progress::Progress;
use crate::tensorboard::{self, Value, heat_map};
use crate::variant::{Fln, Layers, LossWeights, Variant};
use crate::weights::PretrainedWeights;
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Metadata of a training state.
#[derive(Debug, Serialize, Deserialize)]
struct ResumeMeta {
    configs: Vec<RunConfig>,
    steps: usize,
    /// Wall time.
    seconds: f64,
    /// The best validation accuracy of each run; `None` before the first.
    best: Vec<Option<f64>>,
    /// Sentences on lines of the metrics that an interruption has lost or changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    lost: Vec<String>,
    /// The digest of each run's metrics; absent in states of earlier versions.
    #[serde(default)]
    metrics: Vec<Option<String>>,
}

/// Trains one shared run.
pub(super) struct Trainer<'a> {
    job: &'a TrainJob<'a>,
    group: &'a ProcessGroup,
    dataset: DatasetName,
    seed: u64,
    /// The runs that have not diverged.
    runs: Vec<RunDir>,
    diverged: Vec<DivergedRun>,
    /// The folders of all runs that share this FLN, also of those that have ended: a training state may lie in any.
    siblings: Vec<PathBuf>,
    /// Locks of the run folders, on rank 0.
    _locks: Vec<Lock>,
    splits: &'a Splits<'a>,
    learner: Learner,
    /// The mean of the weights on rank 0, if the profile has one.
    average: Option<WeightAverage>,
    /// The best validation accuracy of each run; `None` before the first.
    best: Vec<Option<f64>>,
    /// Sentences on lines of the metrics that an interruption has lost or changed.
    lost: Vec<String>,
    batch: usize,
    /// The positions in a batch that this process computes.
    local: Range<usize>,
    steps: usize,
}

impl<'a> Trainer<'a> {
    pub(super) fn new(
        job: &'a TrainJob,
        group: &'a Arc<ProcessGroup>,
        dataset: DatasetName,
        PlannedRun { seed, shared }: &PlannedRun,
        splits: &'a Splits<'a>,
    ) -> Result<Self> {
        let (profile, seed, device) = (job.profile, *seed, &job.device.device);
        let training = profile.training(dataset)?;
        let local = job.local_range(dataset)?;
        let runs: Vec<RunDir> =
            shared.variants.iter().map(|variant| RunDir::new(job, dataset, *variant, seed)).collect();
        let network = profile.network.with_layers(shared.layers());
        let is_synchronized = profile.compute.sync_bn && group.world_size() > 1;
        // Rank 0 alone recomputes synchronized statistics.
        let largest = if is_synchronized && profile.evaluation.update_bn > 0 { training.batch } else { local.len() };
        check_batch(device, &network, largest)?;
        let backend = profile.compute.backend();
        let mut learner = Learner::new(&profile.network, shared, &profile.optimizer, seed, backend, device)?;
        if is_synchronized {
            learner.synchronize_batch_norm(group);
        }
        let mut locks = Vec::new();
        // The other ranks receive rank 0's initial state.
        if group.is_main() {
            if shared.fln == Fln::FrozenBaseline {
                learner.load_feature_net(&baseline(job, dataset, seed)?)?;
            } else if let Some(weights) = &profile.initial_weights {
                learner.load_backbone(&PretrainedWeights::open(weights)?, &network)?;
            }
            if let Some(init) = job.init {
                init.load(&mut learner, shared)?;
            }
            for run in &runs {
                locks.push(run.lock(job.force)?);
                run.create(job.force)?;
            }
        }
        if shared.variants.iter().any(|variant| variant.loss_weights == LossWeights::Balanced) {
            learner.set_loss_weights(&balanced_weights(&positive_rates(&job.data.rows)), device)?;
        }
        let (best, batch, steps) = (vec![None; runs.len()], training.batch, training.steps);
        let mut trainer = Self {
            job,
            group,
            dataset,
            seed,
            siblings: siblings(job, dataset, seed, shared),
            runs,
            diverged: Vec::new(),
            _locks: locks,
            splits,
            learner,
            average: None,
            best,
            lost: Vec::new(),
            batch,
            local,
            steps,
        };
        if group.is_main() {
            trainer.learner.set_graphs(sources(&job.data.rows), || trainer.error_affinity())?;
            let decay = Some(profile.regularization.ema_decay).filter(|decay| *decay > 0.0);
            trainer.average = decay.map(|decay| WeightAverage::new(&trainer.learner, decay)).transpose()?;
        }
        Ok(trainer)
    }

    /// The affinity from the FLN's errors on the validation images or, if the prepared set has none, on the training images.
    fn error_affinity(&self) -> Result<Vec<f32>> {
        let images = if self.splits.val.is_empty() { &self.splits.train } else { &self.splits.val };
        let predictions = self.predict(images)?;
        let table = &predictions.tables[0];
        Ok(error_affinity(&table.labels, table.fln.as_deref().unwrap_or_default()))
    }

    fn has_branches(&self) -> bool {
        self.runs.iter().all(|run| run.variant.layers == Layers::Branches)
    }

    fn device(&self) -> &'a Device {
        &self.job.device.device
    }

    fn loader(&self, images: &'a ImageCache<'a>) -> DataLoader<'a> {
        let profile = self.job.profile;
        let (input_size, policy, local) = (profile.network.input_size, &profile.images, self.local.clone());
        let seed = if self.learner.is_frozen() { frozen_seed(self.seed) } else { self.seed };
        DataLoader { images, input_size, policy, batch_size: self.batch, local, seed }
    }

    /// Trains all steps that are missing, or until every run has diverged. Only rank 0 returns runs.
    pub(super) fn run(mut self, progress: &Progress) -> Result<TrainOutcome> {
        let started = Instant::now();
        let (first, seconds_before) = if self.group.is_main() { self.resume(progress)? } else { (0, 0.0) };
        let first = self.broadcast_state(first)?;
        let of_errors = self.runs.iter().find(|run| run.variant.takes_errors());
        if let Some(run) = of_errors.filter(|_| self.group.is_main() && self.splits.val.is_empty()) {
            progress.log(format!(
                "{}: the prepared set has no validation images, so the graph comes from Baseline's errors on its training \
                 images; `prepare --val-split 0.1` gives it some",
                run.variant.title
            ));
        }
        let feed = self.feed(progress)?;
        let title = self.runs.iter().map(|run| run.variant.title).collect::<Vec<_>>().join(", ");
        let mut meters =
            TrainingMeters::new(&format!("Training {title}"), first, self.steps, started, seconds_before, progress);
        prefetch((first..self.steps).map(|step| Ok((step, feed.next(step)?))), |(step, batch), waited| {
            meters.add_data_wait(waited);
            let (features, targets) = batch.features(&self.learner, self.device())?;
            self.step(step, &features, &targets, &mut meters, progress)?;
            Ok(if self.runs.is_empty() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        self.group.barrier()?;
        meters.bar.finish();
        if meters.data_wait() >= DATA_WAIT_NOTICE {
            progress.log(format!(
                "the device waited for data {:.0} % of the time; more --threads would help, or a prepared set of format npy, \
                 which is neither decoded nor rendered",
                100.0 * meters.data_wait()
            ));
        }
        self.finish(&meters)
    }

    /// Stored features if the backbone is frozen and they save forward passes, images otherwise.
    fn feed(&self, progress: &Progress) -> Result<Feed<'a>> {
        let (loader, regularization) = (self.loader(&self.splits.train), self.job.profile.regularization);
        let passes = self.steps * self.local.len();
        let fewer = forward_passes(loader.policy, loader.images.len(), passes)
            .filter(|_| self.learner.is_frozen() && self.job.profile.repeats_images());
        let Some(fewer) = fewer else { return Ok(Feed { loader, features: None, regularization }) };
        progress.detail(format!("the frozen backbone computes {fewer} images once, instead of {passes} in all steps"));
        let folder = if self.group.is_main() { &self.runs[0].folder } else { self.job.runs };
        io::create_folder(folder)?;
        let features = Features::compute(&self.learner, &loader, folder, self.device(), progress)?;
        Ok(Feed { loader, features: Some(features), regularization })
    }

    /// Trains one step. Rank 0 also logs, validates and saves when due.
    fn step(
        &mut self,
        step: usize,
        features: &Tensor,
        targets: &Tensor,
        meters: &mut TrainingMeters,
        progress: &Progress,
    ) -> Result<()> {
        let profile = self.job.profile;
        let rate = profile.training(self.dataset)?.schedule.rate(step, self.steps);
        self.learner.set_dropout(self.dropout(step)?);
        self.learner.set_known_labels(self.known_labels(step)?);
        let losses = self.learner.step_distributed(self.group, features, targets, rate)?;
        let done = step + 1;
        let is_due = |interval: usize| done.is_multiple_of(interval) || done == self.steps;
        let (log, save, validate) =
            (is_due(profile.log_every), is_due(profile.checkpoint_every), is_due(profile.validate_every));
        let stopped = self.stop_diverged(&losses, save, step, rate, progress)?;
        if !self.group.is_main() {
            return Ok(());
        }
        if let Some(average) = &mut self.average {
            average.update(&self.learner, done)?;
        }
        meters.add_step(&losses);
        if log {
            let elapsed = meters.recent_elapsed();
            meters.bar.set_message(self.log(done, rate, meters, elapsed)?);
            meters.reset(elapsed);
        }
        meters.bar.advance(1);
        if validate && !self.runs.is_empty() {
            let started = Instant::now();
            if self.splits.val.is_empty() {
                self.log_affinity(done)?;
            } else {
                self.validate(done)?;
            }
            meters.exclude(started.elapsed());
        }
        // The state of before knows the stopped runs, and may lie in the folder of one.
        if (save && done < self.steps || !stopped.is_empty()) && !self.runs.is_empty() {
            self.save(done, meters.seconds())?;
        }
        stopped.iter().try_for_each(RunDir::unlock)
    }

    /// Factors of the pooled features in training step `step`, if the profile drops any.
    fn dropout(&self, step: usize) -> Result<Option<Tensor>> {
        let profile = self.job.profile;
        let rate = profile.regularization.dropout;
        if rate == 0.0 || self.learner.is_frozen() || !self.has_branches() {
            return Ok(None);
        }
        dropout::mask(self.seed, self.positions(step), profile.network.branch_channels, rate, self.device()).map(Some)
    }

    /// Which labels are given in training step `step`, if a correlation net takes any.
    fn known_labels(&self, step: usize) -> Result<Option<Tensor>> {
        let takes_any = self.runs.iter().any(|run| run.variant.takes_known_labels());
        takes_any.then(|| known_labels::mask(self.seed, self.positions(step), self.device())).transpose()
    }

    /// The positions of the local batch of training step `step`, counted from the run's first batch.
    fn positions(&self, step: usize) -> Range<usize> {
        let first = step * self.batch;
        first + self.local.start..first + self.local.end
    }

    /// Logs the steps since the last log line, which took `elapsed`. Returns the text for the progress bar.
    fn log(&self, step: usize, lr: f64, meters: &TrainingMeters, elapsed: Duration) -> Result<String> {
        let (accuracy, recent) = (self.learner.accuracy()?, &meters.recent);
        let mut text = String::new();
        for run in &self.runs {
            let line = TrainingLine {
                step,
                epoch: (step * self.batch) as f64 / self.splits.train.len() as f64,
                lr,
                loss_fln: recent.fln(),
                loss_cln: recent.cln(run.variant.name),
                training_accuracy_fln: accuracy.fln,
                training_accuracy_cln: accuracy.cln.get(run.variant.name).copied(),
                images_per_second: (recent.steps() * self.batch) as f64 / elapsed.as_secs_f64(),
                data_wait: recent.data_wait(elapsed),
                affinity: AffinityLine::new(
                    self.learner.outputs().and_then(|outputs| outputs.cln.get(run.variant.name)),
                )?,
            };
            append_line(&run.file(METRICS), &line)?;
            tensorboard::append(&run.events(), step, &line.values())?;
            if text.is_empty() {
                text = line.progress_line();
            }
        }
        Ok(text)
    }

    /// Logs the affinity on the last batch, for sets without a validation split.
    fn log_affinity(&self, step: usize) -> Result<()> {
        for run in &self.runs {
            let output = self.learner.outputs().and_then(|outputs| outputs.cln.get(run.variant.name));
            if let Some(affinity) = output.and_then(|output| output.affinity.as_ref()) {
                let image = Value::image(&heat_map(&affinity.flatten_all()?.to_vec1()?))?;
                tensorboard::append(&run.events(), step, &[("affinity/training", image)])?;
            }
        }
        Ok(())
    }

    /// Validates the mean of the weights, or the weights if there is no mean.
    fn validate(&mut self, step: usize) -> Result<()> {
        self.average.iter_mut().try_for_each(|average| average.swap(&self.learner))?;
        self.validate_weights(step)?;
        self.average.iter_mut().try_for_each(|average| average.swap(&self.learner))
    }

    fn validate_weights(&mut self, step: usize) -> Result<()> {
        let predictions = self.predict(&self.splits.val)?;
        for ((run, table), best) in self.runs.iter().zip(predictions.tables).zip(&mut self.best) {
            let line = ValidationLine {
                step,
                validation_accuracy_fln: table.fln.as_ref().and_then(|fln| table.accuracy(fln)),
                validation_accuracy_cln: table.cln.as_ref().and_then(|cln| table.accuracy(cln)),
            };
            append_line(&run.file(METRICS), &line)?;
            tensorboard::append(&run.events(), step, &line.values(predictions.affinity.get(run.variant.name))?)?;
            let primary = line.validation_accuracy_cln.or(line.validation_accuracy_fln);
            if primary > *best {
                *best = primary;
                run.write_network(BEST_MODEL, self.learner.network(&run.variant))?;
            }
        }
        Ok(())
    }

    fn predict(&self, images: &'a ImageCache<'a>) -> Result<SplitPredictions> {
        let variants: Vec<Variant> = self.runs.iter().map(|run| run.variant).collect();
        let loader = self.loader(images);
        let mirror = self.job.profile.evaluation.mirror;
        SplitPredictions::compute(&self.learner, &variants, &loader, &self.job.data.rows, mirror, self.device())
    }

    fn configs(&self) -> Vec<RunConfig> {
        self.runs.iter().map(|run| run.config.clone()).collect()
    }

    /// Writes the training state of the shared run, to the folder of its first run.
    fn save(&self, steps: usize, seconds: f64) -> Result<()> {
        // The state counts on the lines up to its step.
        for run in &self.runs {
            io::sync(&run.file(METRICS))?;
            io::sync(&run.events())?;
        }
        let (best, lost) = (self.best.clone(), self.lost.clone());
        let metrics = self.runs.iter().map(metrics_digest).collect::<Result<_>>()?;
        let meta = ResumeMeta { configs: self.configs(), steps, seconds, best, lost, metrics };
        let mut tensors = self.learner.state_dict();
        tensors.extend(self.average.iter().flat_map(WeightAverage::state_dict));
        Checkpoint { tensors, meta }.write(&self.runs[0].file(run_dir::TRAINING_STATE))
    }

    /// Loads the latest training state of an earlier process that holds all runs; returns its steps and seconds. Others in
    /// it do not matter, such as one that diverged after it was written, in whose folder it may lie.
    fn resume(&mut self, progress: &Progress) -> Result<(usize, f64)> {
        let mut done = (0, 0.0);
        let mut digests = vec![None; self.runs.len()];
        let mut latest: Option<(PathBuf, Checkpoint<ResumeMeta>)> = None;
        for path in self.siblings.iter().map(|folder| run_dir::training_state(folder)).filter(|path| path.exists()) {
            let state = Checkpoint::<ResumeMeta>::read(&path, &Device::Cpu).map_err(|error| {
                Error::Request(format!(
                    "{error}; delete this file to train the run from its start: the steps that it has done are lost"
                ))
            })?;
            let missing = self.runs.iter().find(|run| !state.meta.configs.contains(&run.config));
            if let Some(run) = missing {
                progress.warn(format!("{} is not resumed from, since it does not hold {}", path.display(), run.id()));
            } else if latest.as_ref().is_none_or(|(_, other)| other.meta.steps < state.meta.steps) {
                latest = Some((path, state));
            }
        }
        if let Some((path, state)) = latest {
            let state = state.onto(self.device())?;
            let stored = |run: &RunDir| state.meta.configs.iter().position(|config| *config == run.config);
            self.learner.load_state_dict(&state.tensors)?;
            if let Some(average) = &mut self.average {
                average.load_state_dict(&state.tensors, &self.job.device.device)?;
            }
            done = (state.meta.steps, state.meta.seconds);
            self.best = self.runs.iter().map(|run| state.meta.best.get(stored(run)?).copied().flatten()).collect();
            self.check_best_networks(&path)?;
            let digest = |run| state.meta.metrics.get(stored(run)?).cloned().flatten();
            digests = self.runs.iter().map(digest).collect();
            self.lost = state.meta.lost;
            progress.log(format!("resuming from step {}", done.0));
        }
        for (run, digest) in self.runs.iter().zip(digests) {
            if let Some(fault) = self.resume_metrics(run, done.0, digest.as_deref())? {
                progress.log(&fault);
                self.lost.push(fault);
            }
            tensorboard::truncate_after_step(&run.events(), done.0)?;
        }
        Ok(done)
    }

    /// Removes the metrics after `step`. Returns a sentence if some of the others are missing, or if their digest is not that
    /// of the training state.
    fn resume_metrics(&self, run: &RunDir, step: usize, digest: Option<&str>) -> Result<Option<String>> {
        let kept = truncate_after_step(&run.file(METRICS), step)?;
        let (logged, title) = (step / self.job.profile.log_every, run.variant.title);
        if kept < logged {
            let lines = format!("{} of {logged} lines of {METRICS} of {title}", logged - kept);
            return Ok(Some(format!("{lines} up to step {step} were lost when the training was interrupted")));
        }
        if digest.is_some() && metrics_digest(run)?.as_deref() != digest {
            return Ok(Some(format!("{METRICS} of {title} was changed up to step {step} after it was written")));
        }
        Ok(None)
    }

    /// Reads the networks with the best validation accuracies, which may be needed only after the last step.
    fn check_best_networks(&self, state: &Path) -> Result<()> {
        for (run, _) in self.runs.iter().zip(&self.best).filter(|(_, best)| best.is_some()) {
            run.best_network(&Device::Cpu).map_err(|error| {
                let state = state.display();
                Error::Request(format!("{error}; restore it, or delete {state} to train the run from its start"))
            })?;
        }
        Ok(())
    }

    /// Sends rank 0's state after `first` steps to all ranks; returns that number.
    fn broadcast_state(&mut self, first: usize) -> Result<usize> {
        if self.group.world_size() == 1 {
            return Ok(first);
        }
        let tensors = self.learner.state_dict();
        // The values, and a header that names them.
        let limit = 4 * tensors.values().map(Tensor::elem_count).sum::<usize>() + (4096 * (1 + tensors.len()));
        let state = self.group.broadcast(limit, || Checkpoint { tensors, meta: first }.to_bytes())?;
        if self.group.is_main() {
            return Ok(first);
        }
        let state = Checkpoint::<usize>::from_bytes(&state).map_err(Error::Internal)?.onto(self.device())?;
        self.learner.load_state_dict(&state.tensors)?;
        Ok(state.meta)
    }
}

/// The run folders of the job's variants that share an FLN with those of `shared`.
fn siblings(job: &TrainJob, dataset: DatasetName, seed: u64, shared: &SharedRun) -> Vec<PathBuf> {
    let is_shared = |run: &SharedRun| run.variants.iter().any(|variant| shared.variants.contains(variant));
    let groups = shared_runs(job.variants, job.profile).into_iter().filter(is_shared);
    groups.flat_map(|run| run.variants).map(|variant| RunDir::new(job, dataset, variant, seed).folder).collect()
}

/// The digest of a run's metrics, if there are any.
fn metrics_digest(run: &RunDir) -> Result<Option<String>> {
    let path = run.file(METRICS);
    path.exists().then(|| io::digest(&path, io::TABLE_BYTES)).transpose()
}
