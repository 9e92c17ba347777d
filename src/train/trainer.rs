//! The training loop: for each plan, steps with logging, validation and checkpoints, then the test split and the run
//! folders. A finished run is left alone; an unfinished one goes on from its last checkpoint.

use super::batches::{Batches, Faces, Preload};
use super::checkpoint::Checkpoint;
use super::device::check_batch;
use super::outputs::{Means, Scores, TrainingLine, ValidationLine, append_line, keep_lines, write_affinity};
use super::plan::{Plan, plans};
use super::session::Session;
use crate::attribute::COUNT;
use crate::config::{Profile, RunConfig, RunSummary};
use crate::dataset::{self, Split};
use crate::error::{Error, Result};
use crate::model::{Fln, Path as NetworkPath, VARIANTS, Variant};
use crate::progress::Progress;
use crate::{files, store};
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What to train, on what, and where to.
#[derive(Debug)]
pub struct Request<'a> {
    /// The prepared set.
    pub data: &'a store::Reader,
    /// Network, optimizer and schedules.
    pub profile: &'a Profile,
    /// The variants wanted.
    pub variants: &'a [Variant],
    /// Seed of weights, batches, crops and flips.
    pub seed: u64,
    /// The folder that holds run folders.
    pub runs: &'a Path,
    /// Where to compute, and what to call it in records.
    pub device: (&'a Device, &'a str),
    /// Replace runs that are there already.
    pub force: bool,
    /// The command that makes these runs again.
    pub command: &'a str,
}

/// What became of one variant.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// The run's folder.
    pub folder: PathBuf,
    /// Its record.
    pub summary: RunSummary,
    /// Whether it was there already.
    pub reused: bool,
}

/// One variant's place on disk.
struct Run {
    variant: Variant,
    config: RunConfig,
    folder: PathBuf,
}

impl Run {
    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The record of this very run, if it is finished; an error if the folder holds another one.
    fn finished(&self) -> Result<Option<RunSummary>> {
        let config = self.file("config.toml");
        if !config.exists() {
            return Ok(None);
        }
        if let Some(difference) = self.config.difference(&RunConfig::read(&config)?) {
            return Err(Error::Request(format!(
                "the run folder {} holds another run ({difference}): choose another --runs folder, or replace it with \
                 --force",
                self.folder.display()
            )));
        }
        let summary = self.file("summary.json");
        summary.exists().then(|| RunSummary::read(&summary)).transpose()
    }
}

/// Metadata of a network's checkpoint.
#[derive(Debug, Serialize, Deserialize)]
struct About {
    config: RunConfig,
}

/// Metadata of the state that an unfinished run goes on from.
#[derive(Debug, Serialize, Deserialize)]
struct Progressed {
    configs: Vec<RunConfig>,
    steps: usize,
    seconds: f64,
}

/// Trains what is not there yet; outcomes in the order of `request.variants`.
pub fn train(request: &Request, progress: &Progress) -> Result<Vec<Outcome>> {
    let dataset = dataset::Name::parse(&request.data.prepared.dataset)
        .ok_or_else(|| Error::Internal(format!("data set {}", request.data.prepared.dataset)))?;
    let mut outcomes: BTreeMap<&str, Outcome> = BTreeMap::new();
    let mut images = None;
    for plan in plans(request.variants, request.profile) {
        let mut open = Plan { variants: Vec::new(), ..plan.clone() };
        for variant in &plan.variants {
            let run = run(request, dataset, *variant);
            let finished = if request.force { None } else { run.finished()? };
            if let Some(summary) = finished {
                progress.say(format!("{} is trained already", run.folder.display()));
                outcomes.insert(variant.name, Outcome { folder: run.folder, summary, reused: true });
            } else {
                open.variants.push(*variant);
            }
        }
        if open.variants.is_empty() {
            continue;
        }
        let images = match &images {
            Some(images) => images,
            None => images.insert(Images::load(request, progress)?),
        };
        let trainer = Trainer::new(request, dataset, &open, images)?;
        for outcome in trainer.run(progress)? {
            outcomes
                .insert(VARIANTS.iter().find(|v| v.name == outcome.summary.variant).map_or("", |v| v.name), outcome);
        }
    }
    Ok(request.variants.iter().filter_map(|variant| outcomes.remove(variant.name)).collect())
}

fn run(request: &Request, dataset: dataset::Name, variant: Variant) -> Run {
    let config = RunConfig {
        dataset: dataset.label().to_owned(),
        data_digest: request.data.prepared.manifest_digest.clone(),
        variant: variant.name.to_owned(),
        seed: request.seed,
        profile: request.profile.clone(),
    };
    let folder = request.runs.join(config.id());
    Run { variant, config, folder }
}

impl Faces for store::Reader {
    fn labels(&self, row: usize) -> &[bool; COUNT] {
        &self.rows[row].labels
    }

    fn pixels(&self, row: usize, side: usize) -> Result<Vec<u8>> {
        self.resized(row, side)
    }
}

/// The images of each split.
struct Images<'a> {
    train: Preload<'a>,
    val: Preload<'a>,
    test: Preload<'a>,
}

impl<'a> Images<'a> {
    fn load(request: &Request<'a>, progress: &Progress) -> Result<Self> {
        let of = |split: Split, title: &str| {
            let rows = request.data.rows.iter().enumerate().filter(|(_, row)| row.split == split);
            let side = request.profile.images.resize;
            Preload::new(request.data, rows.map(|(index, _)| index).collect(), side, title, progress)
        };
        let images = Self {
            train: of(Split::Train, "Decoding training images")?,
            val: of(Split::Val, "Decoding validation images")?,
            test: of(Split::Test, "Decoding test images")?,
        };
        for (name, split) in [("training", &images.train), ("test", &images.test)] {
            if split.is_empty() {
                return Err(Error::Request(format!("the prepared set holds no {name} images: prepare it again")));
            }
        }
        Ok(images)
    }
}

/// The mean affinity by variant, `[40 * 40]`.
type Affinities = BTreeMap<&'static str, Vec<f32>>;

/// One plan being carried out.
struct Trainer<'a> {
    request: &'a Request<'a>,
    dataset: dataset::Name,
    runs: Vec<Run>,
    images: &'a Images<'a>,
    session: Session,
    batch: usize,
    steps: usize,
}

impl<'a> Trainer<'a> {
    fn new(request: &'a Request, dataset: dataset::Name, plan: &Plan, images: &'a Images<'a>) -> Result<Self> {
        let training = request.profile.training(dataset)?;
        let runs: Vec<Run> = plan.variants.iter().map(|variant| run(request, dataset, *variant)).collect();
        let (device, _) = request.device;
        let profile = request.profile;
        check_batch(device, &profile.network, training.batch)?;
        let mut session =
            Session::new(&profile.network, plan, &profile.optimizer, request.seed, NetworkPath::Fast, device)?;
        if plan.fln == Fln::FrozenBaseline {
            session.load_trunk(&baseline(request, dataset)?)?;
        }
        for run in &runs {
            files::create_folder(&run.folder)?;
            if request.force {
                // What a replaced run left must not be taken for this one's.
                for name in ["summary.json", RESUME, "metrics.jsonl", "predictions.parquet", "affinity.csv"] {
                    remove(&run.file(name))?;
                }
            }
            let text = toml::to_string(&run.config).map_err(|e| Error::Internal(e.to_string()))?;
            files::write(&run.file("config.toml"), text.as_bytes())?;
        }
        Ok(Self { request, dataset, runs, images, session, batch: training.batch, steps: training.steps })
    }

    fn batches(&self, images: &'a Preload<'a>) -> Batches<'a> {
        let profile = self.request.profile;
        Batches {
            images,
            input: profile.network.input,
            policy: &profile.images,
            size: self.batch,
            seed: self.request.seed,
        }
    }

    fn run(mut self, progress: &Progress) -> Result<Vec<Outcome>> {
        let started = Instant::now();
        let names = self.runs.iter().map(|run| run.variant.title).collect::<Vec<_>>().join(", ");
        let (first, before) = self.resume(progress)?;
        let bar = progress.bar(&names, "steps", self.steps);
        bar.advance(first);
        let schedule = self.request.profile.training(self.dataset)?.schedule;
        let profile = self.request.profile;
        let mut means = Means::default();
        let mut since = Instant::now();
        self.batches(&self.images.train).each(first..self.steps, |step, batch| {
            let rate = schedule.rate(step, self.steps);
            let (pixels, targets) = batch.tensors(self.request.device.0)?;
            let losses = self.session.step(&pixels, &targets, rate)?;
            if losses.fln.iter().chain(losses.cln.values()).any(|loss| !loss.is_finite()) {
                return Err(Error::Request(format!(
                    "training diverged at step {step} (losses {losses:?}, learning rate {rate}): lower the rate in the \
                     profile's schedule and start again with --force"
                )));
            }
            means.add(&losses);
            let done = step + 1;
            if done.is_multiple_of(profile.log_every) || done == self.steps {
                let speed = (means.steps() * self.batch) as f64 / since.elapsed().as_secs_f64();
                self.log(done, rate, &means, speed)?;
                let loss = means.fln().or_else(|| self.runs.first().and_then(|run| means.cln(run.variant.name)));
                bar.message(format!("loss {:.3}, {speed:.0} images/s", loss.unwrap_or_default()));
                means = Means::default();
                since = Instant::now();
            }
            bar.advance(1);
            if !self.images.val.is_empty() && (done.is_multiple_of(profile.validate_every) || done == self.steps) {
                self.validate(done)?;
                since = Instant::now();
            }
            if done.is_multiple_of(profile.checkpoint_every) && done < self.steps {
                self.checkpoint(done, before + started.elapsed().as_secs_f64())?;
            }
            Ok(())
        })?;
        bar.finish();
        self.finish(before, started)
    }

    fn log(&self, step: usize, lr: f64, means: &Means, images_per_second: f64) -> Result<()> {
        let epoch = (step * self.batch) as f64 / self.images.train.len() as f64;
        for run in &self.runs {
            let line = TrainingLine {
                step,
                epoch,
                lr,
                loss_fln: means.fln(),
                loss_cln: means.cln(run.variant.name),
                images_per_second,
            };
            append_line(&run.file("metrics.jsonl"), &line)?;
        }
        Ok(())
    }

    fn validate(&self, step: usize) -> Result<()> {
        let (scores, _) = self.score(&self.images.val)?;
        for (run, scores) in self.runs.iter().zip(scores) {
            let line = ValidationLine {
                step,
                validation_accuracy_fln: scores.accuracy(&scores.fln),
                validation_accuracy_cln: scores.cln.as_ref().map(|cln| scores.accuracy(cln)),
            };
            append_line(&run.file("metrics.jsonl"), &line)?;
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
        let about = Progressed { configs: self.configs(), steps, seconds };
        Checkpoint { tensors: self.session.state(), about }.write(&self.state_file())
    }

    /// The steps done and the seconds spent by an earlier process, whose state is loaded; a checkpoint of another
    /// selection of variants is not used.
    fn resume(&mut self, progress: &Progress) -> Result<(usize, f64)> {
        let mut found = (0, 0.0);
        if self.state_file().exists() {
            let state = Checkpoint::<Progressed>::read(&self.state_file(), self.request.device.0)?;
            if state.about.configs == self.configs() {
                self.session.load_state(&state.tensors)?;
                found = (state.about.steps, state.about.seconds);
                progress.say(format!("going on from step {}", found.0));
            }
        }
        for run in &self.runs {
            keep_lines(&run.file("metrics.jsonl"), found.0)?;
        }
        Ok(found)
    }

    /// Probabilities on a split, and the mean affinity, of each run.
    fn score(&self, images: &'a Preload<'a>) -> Result<(Vec<Scores>, Affinities)> {
        let batches = self.batches(images);
        let rows = images.rows().iter().map(|row| &self.request.data.rows[*row]);
        let mut scores: Vec<Scores> = self
            .runs
            .iter()
            .map(|run| Scores {
                images: rows.clone().map(|row| row.source.clone()).collect(),
                labels: rows.clone().flat_map(|row| row.labels).collect(),
                fln: Vec::new(),
                cln: run.variant.affinity.map(|_| Vec::new()),
            })
            .collect();
        let mut affinity = Affinities::new();
        for first in (0..images.len()).step_by(self.batch) {
            let range = first..(first + self.batch).min(images.len());
            let (pixels, _) = batches.testing(range)?.tensors(self.request.device.0)?;
            let predictions = self.session.predict(&pixels)?;
            for (run, scores) in self.runs.iter().zip(&mut scores) {
                scores.fln.extend(&predictions.fln);
                if let (Some(cln), Some(own)) = (&mut scores.cln, predictions.cln.get(run.variant.name)) {
                    cln.extend(own);
                }
            }
            for (variant, sum) in predictions.affinity {
                let total = affinity.entry(variant).or_insert_with(|| vec![0.0; COUNT * COUNT]);
                total.iter_mut().zip(sum).for_each(|(total, sum)| *total += sum / images.len() as f32);
            }
        }
        Ok((scores, affinity))
    }

    fn finish(self, before: f64, started: Instant) -> Result<Vec<Outcome>> {
        let (scores, affinity) = self.score(&self.images.test)?;
        let state = self.state_file();
        let wall_seconds = before + started.elapsed().as_secs_f64();
        let mut outcomes = Vec::new();
        for (run, scores) in self.runs.iter().zip(scores) {
            scores.write(&run.file("predictions.parquet"))?;
            if let Some(affinity) = affinity.get(run.variant.name) {
                write_affinity(&run.file("affinity.csv"), affinity)?;
            }
            let tensors = self.session.network(&run.variant);
            Checkpoint { tensors, about: About { config: run.config.clone() } }
                .write(&run.file("checkpoint.safetensors"))?;
            let summary = self.summary(run, wall_seconds)?;
            let text = serde_json::to_string_pretty(&summary).map_err(|e| Error::Internal(e.to_string()))?;
            files::write(&run.file("summary.json"), text.as_bytes())?;
            outcomes.push(Outcome { folder: run.folder.clone(), summary, reused: false });
        }
        remove(&state)?;
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
        if !prepared.split_official && self.dataset != dataset::Name::Synthetic {
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
            seed: request.seed,
            device: request.device.1.to_owned(),
            cpu_features: cpu_features(),
            threads: rayon::current_num_threads(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: env!("GAL_BENCH_COMMIT").to_owned(),
            command: request.command.to_owned(),
            wall_seconds: (wall_seconds * 10.0).round() / 10.0,
            steps: self.steps,
            batch: self.batch,
            input: request.profile.network.input,
            train_images: self.images.train.len(),
            train_sources: sources.len(),
            test_images: self.images.test.len(),
            parameters: self.session.count(&run.variant),
            train_positive_rate: (0..COUNT).map(rate).collect(),
            deviations,
        })
    }
}

/// The state that an unfinished run goes on from.
const RESUME: &str = "resume.safetensors";

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", path)(error)),
        _ => Ok(()),
    }
}

/// The trained Baseline of the same data, profile and seed.
fn baseline(request: &Request, dataset: dataset::Name) -> Result<BTreeMap<String, Tensor>> {
    let baseline = run(request, dataset, VARIANTS[0]);
    if baseline.finished()?.is_none() {
        return Err(Error::Request(format!(
            "GAL-c starts from a trained Baseline, and there is none in {}: add --variant baseline",
            baseline.folder.display()
        )));
    }
    Ok(Checkpoint::<About>::read(&baseline.file("checkpoint.safetensors"), request.device.0)?.tensors)
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
