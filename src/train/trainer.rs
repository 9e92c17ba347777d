//! The training loop: for each plan, steps with logging, validation and checkpoints, then the test split and the run
//! folders. A finished run is left alone; an unfinished one goes on from its last checkpoint.

use super::checkpoint::Checkpoint;
use super::device::{NamedDevice, check_batch};
use super::divergence;
use super::features::{Features, pictures};
use super::learner::{Accuracy, Learner};
use super::loader::{DataLoader, ImageCache, LabelledImages, ahead, targets};
use super::outputs::{
    Masks, Means, NOTABLE, Scores, TrainingLine, ValidationLine, append_line, keep_lines, write_affinity,
};
use super::run::{BEST, METRICS, PREDICTIONS, RESUME, Run, SUMMARY, baseline};
use super::shared_run::{SharedRun, shared_runs};
use super::trained_model::CHECKPOINT;
use crate::attribute::COUNT;
use crate::config::{Profile, RunConfig, RunSummary};
use crate::dataset::{DatasetName, Split};
use crate::distributed::{ProcessGroup, Rendezvous, Setting};
use crate::error::{Error, Result};
use crate::io::{self, Lock};
use crate::progress::{Bar, Progress};
use crate::store;
use crate::tensorboard::{self, Value, heat_map};
use crate::variant::{Fln, VARIANTS, Variant};
use crate::weights::PretrainedWeights;
use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What to train, on what, and where to.
#[derive(Debug)]
pub struct TrainJob<'a> {
    /// The prepared set.
    pub data: &'a store::Reader,
    /// Network, optimizer and schedules.
    pub profile: &'a Profile,
    /// The variants wanted.
    pub variants: &'a [Variant],
    /// Seeds of weights, batches, crops and flips: every variant is trained with each.
    pub seeds: &'a [u64],
    /// The folder that holds run folders.
    pub runs: &'a Path,
    /// The device to train on.
    pub device: &'a NamedDevice,
    /// Where other processes are met that train the same; none where this one trains by itself.
    pub rendezvous: Option<&'a Rendezvous>,
    /// Replace runs that are there already.
    pub force: bool,
    /// The command that makes these runs again.
    pub command: &'a str,
}

/// What became of one variant.
#[derive(Debug, Clone, Serialize)]
pub struct TrainedRun {
    /// The run's folder.
    pub folder: PathBuf,
    /// Its record.
    pub summary: RunSummary,
    /// Whether it was there already.
    pub reused: bool,
}

/// Metadata of the state that an unfinished run goes on from.
#[derive(Debug, Serialize, Deserialize)]
struct Progressed {
    configs: Vec<RunConfig>,
    steps: usize,
    seconds: f64,
    /// The best validation accuracy so far, by run.
    best: Vec<f64>,
}

/// Trains what is not there yet; outcomes seed by seed, in the order of `request.variants`. Of several ranks, rank 0 alone
/// has outcomes.
pub fn train(request: &TrainJob, progress: &Progress) -> Result<Vec<TrainedRun>> {
    let dataset = DatasetName::parse(&request.data.prepared.dataset)
        .ok_or_else(|| Error::Internal(format!("data set {}", request.data.prepared.dataset)))?;
    let Some(rendezvous) = request.rendezvous else {
        return train_among(&ProcessGroup::single(), request, dataset, progress);
    };
    // A batch that cannot be shared out is no reason to meet.
    request.share(dataset)?;
    let ranks = ProcessGroup::init(rendezvous, request.settings(dataset), &request.device.device, progress)?;
    // One rank is enough to speak.
    let progress = if ranks.is_main() { *progress } else { Progress::new(true) };
    let outcomes = train_among(&ranks, request, dataset, &progress);
    if let Err(error) = &outcomes {
        ranks.abort(error);
    }
    outcomes
}

impl TrainJob<'_> {
    /// The places of a batch that this process computes.
    fn share(&self, dataset: DatasetName) -> Result<Range<usize>> {
        let batch = self.profile.training(dataset)?.batch;
        self.rendezvous.map_or(Ok(0..batch), |rendezvous| rendezvous.local_range(batch))
    }

    /// What all ranks must have in common.
    fn settings(&self, dataset: DatasetName) -> Vec<Setting> {
        let config = Run::new(self, dataset, VARIANTS[0], 0).config;
        let join = |words: &mut dyn Iterator<Item = String>| words.collect::<Vec<_>>().join(",");
        let weights = config.profile.initial_weights.as_ref();
        let settings = [
            ("prepared set", format!("{} {}", config.dataset, config.data_digest)),
            ("choice of variants", join(&mut self.variants.iter().map(|variant| variant.name.to_owned()))),
            ("choice of seeds", join(&mut self.seeds.iter().map(ToString::to_string))),
            ("start", weights.map_or("random weights".to_owned(), |w| format!("{} from {}", w.digest, w.origin))),
            ("profile", toml::to_string(&config.profile).unwrap_or_default()),
        ];
        settings.map(|(name, value)| Setting { name: name.to_owned(), value }).into()
    }
}

/// Trains what rank 0 does not have yet.
fn train_among(
    ranks: &ProcessGroup,
    request: &TrainJob,
    dataset: DatasetName,
    progress: &Progress,
) -> Result<Vec<TrainedRun>> {
    let (open, mut outcomes) =
        if ranks.is_main() { open_plans(request, dataset, progress)? } else { (Vec::new(), Vec::new()) };
    let open = if ranks.world_size() == 1 { open } else { agree(ranks, &open, request.profile)? };
    if !open.is_empty() {
        say_plans(&open, progress);
        let images = Images::load(request, ranks, progress)?;
        for (seed, plan) in &open {
            outcomes.extend(Trainer::new(request, ranks, dataset, plan, *seed, &images)?.run(progress)?);
        }
    }
    let place = |outcome: &TrainedRun| {
        let of = |summary: &RunSummary| request.variants.iter().position(|v| v.name == summary.variant);
        (request.seeds.iter().position(|seed| *seed == outcome.summary.seed), of(&outcome.summary))
    };
    outcomes.sort_by_key(place);
    Ok(outcomes)
}

/// Plans with their seeds.
type Plans = Vec<(u64, SharedRun)>;

/// What is to be trained, and the outcomes that are there already.
fn open_plans(request: &TrainJob, dataset: DatasetName, progress: &Progress) -> Result<(Plans, Vec<TrainedRun>)> {
    let mut outcomes: Vec<TrainedRun> = Vec::new();
    let mut open = Plans::new();
    for (seed, mut plan) in request
        .seeds
        .iter()
        .flat_map(|seed| shared_runs(request.variants, request.profile).into_iter().map(move |plan| (*seed, plan)))
    {
        let mut missing = Vec::new();
        for variant in plan.variants {
            let run = Run::new(request, dataset, variant, seed);
            match if request.force { None } else { run.finished()? } {
                Some(summary) => {
                    progress.say(format!("{} is trained already", run.folder.display()));
                    outcomes.push(TrainedRun { folder: run.folder, summary, reused: true });
                }
                None => missing.push(variant),
            }
        }
        plan.variants = missing;
        if !plan.variants.is_empty() {
            open.push((seed, plan));
        }
    }
    Ok((open, outcomes))
}

/// The plans that rank 0 has open, on every rank.
fn agree(ranks: &ProcessGroup, open: &Plans, profile: &Profile) -> Result<Plans> {
    let internal = |e: serde_json::Error| Error::Internal(e.to_string());
    let names = |plan: &SharedRun| plan.variants.iter().map(|variant| variant.name).collect::<Vec<_>>();
    let told = open.iter().map(|(seed, plan)| (*seed, names(plan))).collect::<Vec<_>>();
    let told = ranks.broadcast(|| serde_json::to_vec(&told).map_err(internal))?;
    let told: Vec<(u64, Vec<String>)> = serde_json::from_slice(&told).map_err(internal)?;
    let all = told.into_iter().flat_map(|(seed, names)| {
        let variants: Vec<Variant> = names.iter().filter_map(|name| Variant::named(name)).collect();
        shared_runs(&variants, profile).into_iter().map(move |plan| (seed, plan))
    });
    Ok(all.collect())
}

/// Says which networks are trained together.
fn say_plans(plans: &[(u64, SharedRun)], progress: &Progress) {
    let networks: usize = plans.iter().map(|(_, plan)| plan.variants.len()).sum();
    let trunks = plans.iter().filter(|(_, plan)| plan.fln == Fln::Trained).count();
    progress.say(format!("training {networks} networks: {trunks} trunks to train, {} to reuse", plans.len() - trunks));
    for (seed, plan) in plans {
        let names = plan.variants.iter().map(|variant| variant.title).collect::<Vec<_>>().join(", ");
        progress.say(match plan.fln {
            Fln::Trained => format!("  seed {seed}: one trunk with {names}"),
            Fln::FrozenBaseline => format!("  seed {seed}: {names} on Baseline's trunk"),
        });
    }
}

impl LabelledImages for store::Reader {
    fn labels(&self, row: usize) -> &[bool; COUNT] {
        &self.rows[row].labels
    }

    fn pixels(&self, row: usize, side: usize) -> Result<Vec<u8>> {
        self.resized(row, side)
    }
}

/// The images of each split.
struct Images<'a> {
    train: ImageCache<'a>,
    val: ImageCache<'a>,
    test: ImageCache<'a>,
}

impl<'a> Images<'a> {
    fn load(request: &TrainJob<'a>, ranks: &ProcessGroup, progress: &Progress) -> Result<Self> {
        let of = |split: Split, title: &str| {
            // Validation and test are rank 0's.
            let wanted = ranks.is_main() || split == Split::Train;
            let rows = request.data.rows.iter().enumerate().filter(|(_, row)| wanted && row.split == split);
            let side = request.profile.images.resize;
            ImageCache::new(request.data, rows.map(|(index, _)| index).collect(), side, title, progress)
        };
        let images = Self {
            train: of(Split::Train, "Decoding training images")?,
            val: of(Split::Val, "Decoding validation images")?,
            test: of(Split::Test, "Decoding test images")?,
        };
        for (name, split) in [("training", &images.train), ("test", &images.test)] {
            if split.is_empty() && (ranks.is_main() || name == "training") {
                return Err(Error::Request(format!("the prepared set holds no {name} images: prepare it again")));
            }
        }
        Ok(images)
    }
}

/// The mean affinity by variant, `[40 * 40]`.
type Affinities = BTreeMap<&'static str, Vec<f32>>;

/// What the networks of a plan say of a split.
struct Scored {
    /// By run.
    scores: Vec<Scores>,
    affinity: Affinities,
    masks: Masks,
}

/// How far a run has come, for log and progress.
struct Course {
    bar: Bar,
    /// Losses since the last line of the log, and when that was.
    means: Means,
    since: Instant,
    /// Time in which the device waited for images, of all that the steps took.
    waited: Duration,
    stepped: Duration,
    started: Instant,
    /// Seconds spent by earlier processes.
    before: f64,
}

impl Course {
    fn seconds(&self) -> f64 {
        self.before + self.started.elapsed().as_secs_f64()
    }
}

/// One plan being carried out.
struct Trainer<'a> {
    request: &'a TrainJob<'a>,
    ranks: &'a ProcessGroup,
    dataset: DatasetName,
    seed: u64,
    runs: Vec<Run>,
    /// Of the run folders, on rank 0.
    _locks: Vec<Lock>,
    images: &'a Images<'a>,
    learner: Learner,
    /// The best validation accuracy so far, by run.
    best: Vec<f64>,
    batch: usize,
    /// The places of a batch that are computed here.
    own: Range<usize>,
    steps: usize,
}

impl<'a> Trainer<'a> {
    fn new(
        request: &'a TrainJob,
        ranks: &'a ProcessGroup,
        dataset: DatasetName,
        plan: &SharedRun,
        seed: u64,
        images: &'a Images<'a>,
    ) -> Result<Self> {
        let training = request.profile.training(dataset)?;
        let own = request.share(dataset)?;
        let runs: Vec<Run> = plan.variants.iter().map(|variant| Run::new(request, dataset, *variant, seed)).collect();
        let device = &request.device.device;
        let profile = request.profile;
        check_batch(device, &profile.network, own.len())?;
        let mut learner =
            Learner::new(&profile.network, plan, &profile.optimizer, seed, profile.compute.backend(), device)?;
        let mut locks = Vec::new();
        // The other ranks are given the state that rank 0 begins with.
        if ranks.is_main() {
            if plan.fln == Fln::FrozenBaseline {
                learner.load_trunk(&baseline(request, dataset, seed)?)?;
            } else if let Some(weights) = &profile.initial_weights {
                learner.start_from(&PretrainedWeights::open(weights)?, &profile.network)?;
            }
            for run in &runs {
                locks.push(run.lock(request.force)?);
                run.create(request.force)?;
            }
        }
        let (best, batch, steps) = (vec![0.0; runs.len()], training.batch, training.steps);
        Ok(Self { request, ranks, dataset, seed, runs, _locks: locks, images, learner, best, batch, own, steps })
    }

    fn loader(&self, images: &'a ImageCache<'a>) -> DataLoader<'a> {
        let profile = self.request.profile;
        let (input, policy, own) = (profile.network.input_size, &profile.images, self.own.clone());
        DataLoader { images, input, policy, size: self.batch, own, seed: self.seed }
    }

    fn run(mut self, progress: &Progress) -> Result<Vec<TrainedRun>> {
        let started = Instant::now();
        let (first, before) = if self.ranks.is_main() { self.resume(progress)? } else { (0, 0.0) };
        let first = self.begin_together(first)?;
        let names = self.runs.iter().map(|run| run.variant.title).collect::<Vec<_>>().join(", ");
        let loader = self.loader(&self.images.train);
        let features = self.features(&loader, progress)?;
        let mut course = Course {
            bar: progress.bar(&names, "steps", self.steps),
            means: Means::default(),
            since: Instant::now(),
            waited: Duration::ZERO,
            stepped: Duration::ZERO,
            started,
            before,
        };
        course.bar.advance(first);
        let device = &self.request.device.device;
        let steps = first..self.steps;
        match &features {
            Some(features) => ahead(
                steps,
                |step| {
                    let (images, targets) = loader.mirrored(step);
                    Ok((features.batch(&images)?, targets))
                },
                |step, (features, wanted), waited| {
                    course.means.wait(waited);
                    self.step(step, &features.to_device(device)?, &targets(&wanted, device)?, &mut course)
                },
            )?,
            None => ahead(
                steps,
                |step| loader.training(step),
                |step, batch, waited| {
                    course.means.wait(waited);
                    let (pixels, targets) = batch.tensors(device)?;
                    let features = self.learner.features(&pixels)?;
                    self.step(step, &features, &targets, &mut course)
                },
            )?,
        }
        self.ranks.barrier()?;
        course.bar.finish();
        let waiting = share(course.waited, course.stepped);
        if waiting >= NOTABLE {
            progress.say(format!(
                "the device waited for images {:.0} % of the time: more --threads, or a prepared set of format npy, which \
                 need not be decoded or drawn, would make it faster",
                100.0 * waiting
            ));
        }
        self.finish(&course)
    }

    /// The features of all training images, where the backbone is frozen and they are less work than the steps.
    fn features(&self, loader: &DataLoader, progress: &Progress) -> Result<Option<Features>> {
        let seen = self.steps * self.own.len();
        let fewer = self.learner.frozen().then(|| pictures(loader.policy, loader.images.len(), seen)).flatten();
        let Some(pictures) = fewer else { return Ok(None) };
        progress.say(format!("the frozen backbone sees {pictures} pictures once, instead of {seen} in all steps"));
        let folder = if self.ranks.is_main() { &self.runs[0].folder } else { self.request.runs };
        io::create_folder(folder)?;
        Features::compute(&self.learner, loader, folder, &self.request.device.device, progress).map(Some)
    }

    /// One step, and on rank 0 what is due after it.
    fn step(&mut self, step: usize, features: &Tensor, targets: &Tensor, course: &mut Course) -> Result<()> {
        let profile = self.request.profile;
        let rate = profile.training(self.dataset)?.schedule.rate(step, self.steps);
        let losses = self.learner.step_distributed(self.ranks, features, targets, rate)?;
        if !self.ranks.is_main() {
            return Ok(());
        }
        if losses.fln.iter().chain(losses.cln.values()).any(|loss| !loss.is_finite()) {
            return Err(self.diverged("the loss is not a number", step, rate));
        }
        course.means.add(&losses);
        let done = step + 1;
        if done.is_multiple_of(profile.log_every) || done == self.steps {
            let accuracy = self.learner.accuracy()?;
            let elapsed = course.since.elapsed();
            course.bar.message(self.log(done, rate, &course.means, elapsed, &accuracy)?);
            course.waited += course.means.waited();
            course.stepped += elapsed;
            course.means = Means::default();
            course.since = Instant::now();
        }
        course.bar.advance(1);
        let saving = done.is_multiple_of(profile.checkpoint_every) || done == self.steps;
        if saving && !self.learner.is_finite()? {
            return Err(self.diverged("a parameter is not a number", step, rate));
        }
        if done.is_multiple_of(profile.validate_every) || done == self.steps {
            if self.images.val.is_empty() {
                self.picture(done)?;
            } else {
                self.validate(done)?;
            }
            course.since = Instant::now();
        }
        if saving && done < self.steps {
            self.checkpoint(done, course.seconds())?;
        }
        Ok(())
    }

    /// The end of a run at a step.
    fn diverged(&self, what: &str, step: usize, rate: f64) -> Error {
        let images = self.loader(&self.images.train).order(step);
        let rows = images.iter().map(|image| self.images.train.rows()[*image]);
        let batch: Vec<(usize, &store::Row)> = rows.map(|row| (row, &self.request.data.rows[row])).collect();
        let state = self.state_file();
        let checkpoint = state.exists().then_some(&*state);
        let place = divergence::Place { step, rate, batch: &batch, checkpoint };
        divergence::stop(&self.runs[0].file(divergence::FILE), what, place)
    }

    /// Writes down what came of the steps since the last time, which took `elapsed`, and gives the news for the bar.
    fn log(&self, step: usize, lr: f64, means: &Means, elapsed: Duration, accuracy: &Accuracy) -> Result<String> {
        let epoch = (step * self.batch) as f64 / self.images.train.len() as f64;
        let images_per_second = (means.steps() * self.batch) as f64 / elapsed.as_secs_f64();
        let waiting = share(means.waited(), elapsed);
        let mut news = String::new();
        for run in &self.runs {
            let line = TrainingLine {
                step,
                epoch,
                lr,
                loss_fln: means.fln(),
                loss_cln: means.cln(run.variant.name),
                training_accuracy_fln: accuracy.fln,
                training_accuracy_cln: accuracy.cln.get(run.variant.name).copied(),
                images_per_second,
                waiting,
            };
            append_line(&run.file(METRICS), &line)?;
            tensorboard::append(&run.events(), step, &line.values())?;
            if news.is_empty() {
                news = line.news();
            }
        }
        Ok(news)
    }

    /// Without a validation split, the affinity on the batch of the last step is what can be looked at.
    fn picture(&self, step: usize) -> Result<()> {
        for run in &self.runs {
            let output = self.learner.outputs().and_then(|outputs| outputs.cln.get(run.variant.name));
            if let Some(output) = output {
                let picture = Value::image(&heat_map(&output.affinity.flatten_all()?.to_vec1()?))?;
                tensorboard::append(&run.events(), step, &[("affinity/training", picture)])?;
            }
        }
        Ok(())
    }

    fn validate(&mut self, step: usize) -> Result<()> {
        let scored = self.score(&self.images.val)?;
        for ((run, scores), best) in self.runs.iter().zip(scored.scores).zip(&mut self.best) {
            let line = ValidationLine {
                step,
                validation_accuracy_fln: scores.accuracy(&scores.fln),
                validation_accuracy_cln: scores.cln.as_ref().map(|cln| scores.accuracy(cln)),
            };
            append_line(&run.file(METRICS), &line)?;
            tensorboard::append(&run.events(), step, &line.values(scored.affinity.get(run.variant.name))?)?;
            let judged = line.validation_accuracy_cln.unwrap_or(line.validation_accuracy_fln);
            if judged > *best {
                *best = judged;
                run.write_network(BEST, self.learner.network(&run.variant))?;
            }
        }
        Ok(())
    }

    /// The state file lies with the first run, for all that share the trunk.
    fn state_file(&self) -> PathBuf {
        self.runs[0].file(RESUME)
    }

    fn configs(&self) -> Vec<RunConfig> {
        self.runs.iter().map(|run| run.config.clone()).collect()
    }

    fn checkpoint(&self, steps: usize, seconds: f64) -> Result<()> {
        let about = Progressed { configs: self.configs(), steps, seconds, best: self.best.clone() };
        Checkpoint { tensors: self.learner.state(), about }.write(&self.state_file())
    }

    /// The steps done and the seconds spent by an earlier process, whose state is loaded; a checkpoint of another
    /// selection of variants is not used.
    fn resume(&mut self, progress: &Progress) -> Result<(usize, f64)> {
        let mut found = (0, 0.0);
        if self.state_file().exists() {
            let state = Checkpoint::<Progressed>::read(&self.state_file(), &self.request.device.device)?;
            if state.about.configs == self.configs() {
                self.learner.load_state(&state.tensors)?;
                found = (state.about.steps, state.about.seconds);
                self.best = state.about.best;
                progress.say(format!("going on from step {}", found.0));
            }
        }
        for run in &self.runs {
            keep_lines(&run.file(METRICS), found.0)?;
            tensorboard::keep(&run.events(), found.0)?;
        }
        Ok(found)
    }

    /// Brings all ranks to the state of rank 0, which has done `first` steps; that number.
    fn begin_together(&mut self, first: usize) -> Result<usize> {
        if self.ranks.world_size() == 1 {
            return Ok(first);
        }
        let state = self.ranks.broadcast(|| Checkpoint { tensors: self.learner.state(), about: first }.to_bytes())?;
        if self.ranks.is_main() {
            return Ok(first);
        }
        let state = Checkpoint::<usize>::from_bytes(&state, &self.request.device.device).map_err(Error::Internal)?;
        self.learner.load_state(&state.tensors)?;
        Ok(state.about)
    }

    /// What each run says of a split.
    fn score(&self, images: &'a ImageCache<'a>) -> Result<Scored> {
        let loader = self.loader(images);
        let rows = images.rows().iter().map(|row| &self.request.data.rows[*row]);
        let mut scores: Vec<Scores> = self
            .runs
            .iter()
            .map(|run| Scores {
                images: rows.clone().map(|row| row.source.clone()).collect(),
                identities: rows.clone().map(|row| row.identity.clone()).collect(),
                labels: rows.clone().flat_map(|row| row.labels).collect(),
                fln: Vec::new(),
                cln: run.variant.affinity.map(|_| Vec::new()),
            })
            .collect();
        let mut affinity = Affinities::new();
        let mut masks = Masks::default();
        let batch = self.own.len();
        for first in (0..images.len()).step_by(batch) {
            let range = first..(first + batch).min(images.len());
            let (pixels, _) = loader.centred(range, false)?.tensors(&self.request.device.device)?;
            let predictions = self.learner.predict(&pixels)?;
            for (run, scores) in self.runs.iter().zip(&mut scores) {
                scores.fln.extend(&predictions.fln);
                if let (Some(cln), Some(own)) = (&mut scores.cln, predictions.cln.get(run.variant.name)) {
                    cln.extend(own);
                }
            }
            masks.add(&predictions.masks, pixels.dim(1)?, images.len());
            for (variant, sum) in predictions.affinity {
                let total = affinity.entry(variant).or_insert_with(|| vec![0.0; COUNT * COUNT]);
                total.iter_mut().zip(sum).for_each(|(total, sum)| *total += sum / images.len() as f32);
            }
        }
        Ok(Scored { scores, affinity, masks })
    }

    fn finish(self, course: &Course) -> Result<Vec<TrainedRun>> {
        if !self.ranks.is_main() {
            return Ok(Vec::new());
        }
        let Scored { scores, affinity, masks } = self.score(&self.images.test)?;
        let state = self.state_file();
        let wall_seconds = course.seconds();
        let mut outcomes = Vec::new();
        for (run, scores) in self.runs.iter().zip(scores) {
            scores.write(&run.file(PREDICTIONS))?;
            if let Some(affinity) = affinity.get(run.variant.name) {
                write_affinity(&run.file("affinity.csv"), affinity)?;
                let picture = Value::image(&heat_map(affinity))?;
                tensorboard::append(&run.events(), self.steps, &[("affinity/test", picture)])?;
            }
            masks.write(&run.file("masks.npy"))?;
            run.write_network(CHECKPOINT, self.learner.network(&run.variant))?;
            let summary = self.summary(run, wall_seconds)?;
            io::write_json(&run.file(SUMMARY), &summary)?;
            outcomes.push(TrainedRun { folder: run.folder.clone(), summary, reused: false });
        }
        io::remove(&state)?;
        self.runs.iter().try_for_each(Run::free)?;
        Ok(outcomes)
    }

    fn summary(&self, run: &Run, wall_seconds: f64) -> Result<RunSummary> {
        let request = self.request;
        let prepared = &request.data.prepared;
        let sources: Vec<&[bool; COUNT]> =
            request.data.rows.iter().filter(|r| r.split == Split::Train && r.copy == 0).map(|r| &r.labels).collect();
        let rate =
            |attribute: usize| sources.iter().filter(|labels| labels[attribute]).count() as f64 / sources.len() as f64;
        let mut deviations = request.profile.deviations(self.dataset)?;
        let mut device = request.device.name.clone();
        let ranks = self.ranks.world_size();
        if ranks > 1 {
            device = format!("{ranks} ranks, rank 0 on {device}");
            deviations.push(format!(
                "Batch norm in training is over shares of {} images of a batch of {}, a share for each of {ranks} ranks; \
                 the paper's is over the whole batch.",
                self.own.len(),
                self.batch
            ));
        }
        if !prepared.split_official && self.dataset != DatasetName::Synthetic {
            deviations.push(format!("The partition is not known to be the official one: {}", prepared.split));
        }
        Ok(RunSummary {
            id: run.config.id(),
            dataset: run.config.dataset.clone(),
            split_official: prepared.split_official,
            split: prepared.split.clone(),
            data_digest: run.config.data_digest.clone(),
            data_notes: prepared.notes.clone(),
            profile: request.profile.name.clone(),
            variant: run.variant.name.to_owned(),
            seed: self.seed,
            device,
            cpu_features: cpu_features(),
            threads: rayon::current_num_threads(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: env!("GAL_BENCH_COMMIT").to_owned(),
            command: request.command.to_owned(),
            wall_seconds: (wall_seconds * 1000.0).round() / 1000.0,
            steps: self.steps,
            batch: self.batch,
            input: request.profile.network.input_size,
            train_images: self.images.train.len(),
            train_sources: sources.len(),
            test_images: self.images.test.len(),
            parameters: self.learner.count(&run.variant),
            train_positive_rate: (0..COUNT).map(rate).collect(),
            deviations,
        })
    }
}

/// How large a part of `whole` is.
fn share(part: Duration, whole: Duration) -> f64 {
    if whole.is_zero() { 0.0 } else { part.as_secs_f64() / whole.as_secs_f64() }
}

/// The processor's vector extensions that decide which loops run.
pub fn cpu_features() -> Vec<String> {
    #[cfg(target_arch = "x86_64")]
    let found = [
        ("avx2", std::arch::is_x86_feature_detected!("avx2")),
        ("fma", std::arch::is_x86_feature_detected!("fma")),
        ("avx512f", std::arch::is_x86_feature_detected!("avx512f")),
        ("avx512vl", std::arch::is_x86_feature_detected!("avx512vl")),
    ];
    #[cfg(target_arch = "aarch64")]
    let found = [("neon", std::arch::is_aarch64_feature_detected!("neon"))];
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let found: [(&str, bool); 0] = [];
    found.into_iter().filter(|(_, there)| *there).map(|(name, _)| name.to_owned()).collect()
}
