//! One file for each subcommand: calls into the library, without logic.

mod augment;
mod compare;
mod completions;
mod distributed;
mod doctor;
mod evaluate;
mod export;
mod faces;
mod inspect;
mod man;
mod memory;
mod predict;
mod prepare;
mod profile;
mod report;
mod run_all;
mod run_task;
mod train;
mod verify;
mod weights;

use crate::cli::{Command, DataArgs, OutputArgs, OverrideArgs, RunArgs, SelectionArgs, SourceArgs};
use gal_bench::augment::Pipeline;
use gal_bench::config::{self, InitParts, Overrides, Profile};
use gal_bench::dataset::user_table::{self, TableOptions};
use gal_bench::dataset::{self, Dataset, DatasetName, celeba, lfwa, synthetic};
use gal_bench::progress::Progress;
use gal_bench::train::InitialRun;
use gal_bench::untrusted::{terminal, terminal_json};
use gal_bench::variant::{REGISTRY, Variant};
use gal_bench::{Error, Result, io};
use serde::Serialize;
use std::io::{ErrorKind, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Runs a command.
pub(crate) fn run(command: &Command) -> Result<()> {
    match command {
        Command::Prepare(args) => prepare::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Augment(args) => augment::run(args),
        Command::Train(args) => train::run(args),
        Command::Evaluate(args) => evaluate::run(args),
        Command::Compare(args) => compare::run(args),
        Command::Report(args) => report::run(args),
        Command::RunAll(args) => run_all::run(args),
        Command::RunTask(args) => run_task::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Predict(args) => predict::run(args),
        Command::Export(args) => export::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Weights(command) => weights::run(command),
        Command::Profile(args) => profile::run(args),
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::run(args),
    }
}

impl OutputArgs {
    fn progress(&self) -> Progress {
        Progress::new(self.quiet).verbose(self.verbose)
    }

    /// Prints the result: as JSON if `--json` is set, otherwise `text` unless `--quiet` is set.
    fn result(&self, result: &impl Serialize, text: impl FnOnce() -> String) -> Result<()> {
        if self.json {
            let json = serde_json::to_string(result).map_err(|e| Error::Internal(e.to_string()))?;
            return print(&format!("{}\n", terminal_json(&json)));
        }
        if self.quiet { Ok(()) } else { print(&format!("{}\n", terminal(&text()))) }
    }
}

/// Writes a result to standard output. A closed pipe (`| head`) is not an error.
fn print(text: &str) -> Result<()> {
    print_part(text).map(drop)
}

/// Like [`print`], for a part of a result; breaks if the pipe is closed.
fn print_part(text: &str) -> Result<ControlFlow<()>> {
    let mut output = std::io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        Err(e) => Err(Error::Request(format!("the result cannot be written to standard output: {e}"))),
    }
}

impl DataArgs {
    /// Folder of the prepared set.
    fn prepared(&self) -> PathBuf {
        self.prepared.clone().unwrap_or_else(|| PathBuf::from("datasets/prepared").join(self.dataset.label()))
    }
}

impl SourceArgs {
    /// Folder of the official files.
    fn root(&self, dataset: DatasetName) -> PathBuf {
        self.root.clone().unwrap_or_else(|| PathBuf::from("datasets").join(dataset.label()))
    }

    fn options(&self) -> dataset::Options {
        dataset::Options { allow_missing: self.allow_missing }
    }

    /// The options of a user's table; `seed` draws its splits.
    fn table_options(&self, seed: u64) -> TableOptions<'_> {
        TableOptions { table: self.table.as_deref(), shares: self.split, seed, common: self.options() }
    }

    /// Refuses options of another data set than `dataset`.
    fn check(&self, dataset: DatasetName) -> Result<()> {
        let given = [("--table", self.table.is_some()), ("--split", self.split.is_some())];
        match given.iter().find(|(_, is_given)| *is_given && dataset != DatasetName::Table) {
            Some((option, _)) => Err(Error::Request(format!(
                "{option} is for a table of your own, not for {}: add --dataset table, or remove {option}",
                dataset.label()
            ))),
            None => Ok(()),
        }
    }
}

/// The runs that a command line selects. A profile's file may change while a job runs, so it is read once.
struct Selection {
    dataset: DatasetName,
    /// The profile with the options of the command line.
    profile: Profile,
    /// Each once, in the paper's order.
    variants: Vec<Variant>,
    /// Each once.
    seeds: Vec<u64>,
    /// The run that these start from.
    init: Option<InitialRun>,
    /// The folder that holds the run folders.
    runs: PathBuf,
}

impl SelectionArgs {
    /// The selected runs of `dataset`.
    fn resolve(&self, dataset: DatasetName) -> Result<Selection> {
        let profile = Profile::load(&self.profile)?;
        let variants = profile.select(REGISTRY, &self.variant, self.controls)?;
        let OverrideArgs { steps, epochs, batch, rate } = self.overrides;
        let profile = profile.for_dataset(dataset).with(&Overrides { steps, epochs, batch, rate }, dataset)?;
        let init = self.initial_run(&variants)?;
        Ok(Selection { dataset, profile, variants, seeds: self.seeds(), init, runs: self.runs.clone() })
    }

    /// The selected seeds, each once.
    fn seeds(&self) -> Vec<u64> {
        let mut seeds = self.seeds.clone();
        seeds.sort_unstable();
        seeds.dedup();
        seeds
    }

    /// The run that those of `variants` start from.
    fn initial_run(&self, variants: &[Variant]) -> Result<Option<InitialRun>> {
        let (run, parts) = match (&self.init, &self.init_all) {
            (Some(run), _) => (run, InitParts::Backbone),
            (None, Some(run)) => (run, InitParts::All),
            (None, None) => return Ok(None),
        };
        InitialRun::open(&existing_run(run, &self.runs)?, parts, variants).map(Some)
    }
}

impl Selection {
    /// Name of the profile in run folders and reports, with the run that these start from.
    fn profile_id(&self) -> String {
        let name = &self.profile.name;
        self.init.as_ref().map_or_else(|| name.clone(), |run| run.profile_id(name))
    }

    /// The folder of a variant's run.
    fn folder(&self, variant: &Variant, seed: u64) -> PathBuf {
        config::run_folder(&self.runs, self.dataset.label(), &self.profile_id(), variant, seed)
    }
}

impl RunArgs {
    /// The run's folder.
    fn folder(&self) -> Result<PathBuf> {
        existing_run(&self.run, &self.runs)
    }
}

/// The folder `run`, or the run of that name in `runs`.
fn existing_run(run: &Path, runs: &Path) -> Result<PathBuf> {
    [run.to_path_buf(), runs.join(run)].into_iter().find(|folder| folder.is_dir()).ok_or_else(|| {
        Error::Request(format!(
            "there is no run {}, neither as a folder nor in {}: give a run folder of `gal-bench train`",
            run.display(),
            runs.display()
        ))
    })
}

/// Reads a data set with its images; `seed` applies to synthetic faces.
fn read(name: DatasetName, source: &SourceArgs, seed: u64) -> Result<Dataset> {
    source.check(name)?;
    let options = source.options();
    match name {
        DatasetName::Table => user_table::read(&source.root(name), &source.table_options(seed)),
        DatasetName::Celeba => celeba::read_with(&source.root(name), options),
        DatasetName::Lfwa => lfwa::read_with(&source.root(name), options),
        DatasetName::Synthetic => synthetic::dataset(&synthetic::Options { seed, ..synthetic::Options::default() }),
    }
}

/// Reads the pipeline of a file; the embedded one if `path` is `None`.
fn pipeline(path: Option<&Path>) -> Result<Pipeline> {
    path.map_or_else(|| Ok(Pipeline::default()), |path| Pipeline::from_toml(path, &io::read_text(path)?))
}

/// Sets the number of threads of the process.
fn use_threads(threads: Option<usize>) -> Result<()> {
    match threads {
        None => Ok(()),
        // Thousands of threads would make no progress.
        Some(count) if !(1..=512).contains(&count) => {
            Err(Error::Request(format!("--threads {count}: expected 1 to 512; use the number of cores")))
        }
        Some(count) => rayon::ThreadPoolBuilder::new()
            .num_threads(count)
            .build_global()
            .map_err(|e| Error::Internal(format!("the thread pool cannot be set up: {e}"))),
    }
}
