//! `gal-bench run-all`: the three stages in one, without repeating finished steps. With `--list-tasks`, prints the job's
//! independent tasks.

use super::{Selection, evaluate, prepare, train};
use crate::cli::{JobArgs, RunAllArgs};
use gal_bench::config::{Prepare, RunConfig};
use gal_bench::progress::Progress;
use gal_bench::train::{Task, is_diverged, is_finished, is_resumable, tasks};
use gal_bench::variant::Variant;
use gal_bench::{Error, Result, store};
use serde::Serialize;
use std::path::Path;

pub(super) fn run(args: &RunAllArgs) -> Result<()> {
    let RunAllArgs { job, list_tasks } = args;
    super::use_threads(job.compute.execution.threads)?;
    let selection = job.selection.resolve(job.data.dataset)?;
    if *list_tasks {
        return print_tasks(job, &selection);
    }
    let rendezvous = job.compute.distributed.rendezvous()?;
    let progress = job.output_args.progress();
    let start = train::start(selection, &job.compute, &rendezvous, &progress)?;

    progress.log("1/3 prepare");
    // Ranks may share the folder: the first one prepares, and none replaces a set that another reads.
    let single = rendezvous.world_size == 1;
    let store =
        store::Options { force: job.compute.execution.force && single, wait: !single, ..store::Options::default() };
    prepare_set(job, &start.selection, store, &progress)?;

    progress.log("2/3 train");
    let command = command(job, rendezvous.world_size);
    let trained = start.train(&job.data.prepared(), &rendezvous, &command, &progress)?;

    if rendezvous.rank > 0 {
        return job.output_args.result(&(), || train::non_main_message(&rendezvous));
    }
    if let Some(message) = train::all_diverged(&trained) {
        return Err(Error::Request(format!("there is nothing to report: {message}")));
    }
    progress.log("3/3 report");
    let force = job.compute.execution.force;
    let evaluated = evaluate::evaluate(&job.data, &start.selection, &job.reports, None, force, &progress)?;
    super::report::render(&evaluated.report, force)?;
    job.output_args.result(&evaluated, || {
        let (text, page) = (evaluated.text(job.output_args.verbose), evaluated.report.join("README.md"));
        format!("{text}\nreport: {}", page.display())
    })
}

/// Prepares the job's set with the expansion and the validation split of its profile.
pub(super) fn prepare_set(
    job: &JobArgs,
    selection: &Selection,
    options: store::Options,
    progress: &Progress,
) -> Result<()> {
    let section = selection.profile.prepare.get(job.data.dataset.label());
    let store = store::Options { expand: section.and_then(|prepare| prepare.expand), ..options };
    let source = prepare::Source { args: &job.source, val_split: val_split(job, section) };
    prepare::prepare(job.data.dataset, &source, &job.data.prepared(), &store, progress).map(drop)
}

/// Share of people for a validation split: the option's, otherwise the profile's.
fn val_split(job: &JobArgs, section: Option<&Prepare>) -> Option<f64> {
    job.val_split.share.or(section.and_then(|section| section.val_split))
}

/// The command that reproduces the job's runs.
pub(super) fn command(job: &JobArgs, world_size: usize) -> String {
    let command = train::command("run-all", job.data.dataset.label(), &job.selection, &job.compute, world_size);
    let missing = if job.source.allow_missing { " --allow-missing" } else { "" };
    let val_split = job.val_split.share.map_or_else(String::new, |share| format!(" --val-split {share}"));
    let split =
        job.source.split.map_or_else(String::new, |[train, val, test]| format!(" --split {train},{val},{test}"));
    format!("{command}{missing}{split}{val_split}")
}

/// The tasks of the runs, in the order of their numbers.
pub(super) fn tasks_of(selection: &Selection) -> Vec<Task> {
    tasks(&selection.variants, &selection.seeds, &selection.profile)
}

/// A line of the list of tasks.
#[derive(Debug, Serialize)]
struct TaskStatus {
    task: usize,
    dataset: &'static str,
    profile: String,
    variants: Vec<&'static str>,
    seed: u64,
    /// Optimizer steps of each FLN; `None` before the number of training images is known.
    steps: Option<usize>,
    /// Passes over the training images, if they decide the number of steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    epochs: Option<usize>,
    #[serde(skip)]
    length: String,
    /// The variants whose runs are finished.
    done: Vec<&'static str>,
    /// The variants whose runs diverged.
    diverged: Vec<&'static str>,
    /// The variants in whose folders is a run of another configuration.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    other: Vec<&'static str>,
    /// An unfinished run has a training state to resume from.
    resumable: bool,
}

impl TaskStatus {
    fn line(&self) -> String {
        let mut done = match (self.done.len(), self.resumable) {
            (n, _) if n + self.diverged.len() == self.variants.len() => "done".to_owned(),
            (0, false) => "open".to_owned(),
            (0, true) => "resumable".to_owned(),
            (_, resumable) => format!("done: {}{}", self.done.join(","), if resumable { "; resumable" } else { "" }),
        };
        if !self.other.is_empty() {
            done = format!("another configuration in the folder of {}", self.other.join(","));
        }
        if !self.diverged.is_empty() {
            done = format!("{done}; diverged: {}", self.diverged.join(","));
        }
        let Self { task, dataset, variants, seed, length, .. } = self;
        format!("{task}\t{dataset}\t{}\tseed {seed}\t{length}\t{done}", variants.join(","))
    }
}

fn print_tasks(job: &JobArgs, selection: &Selection) -> Result<()> {
    let Selection { dataset, profile, .. } = selection;
    let training = profile.training(*dataset)?;
    let tasks: Vec<TaskStatus> = tasks_of(selection)
        .iter()
        .enumerate()
        .map(|(number, task)| {
            let folder = |variant: &Variant| selection.folder(variant, task.seed);
            let names = |is: fn(&Path) -> bool| {
                task.variants.iter().filter(|variant| is(&folder(variant))).map(|variant| variant.name).collect()
            };
            TaskStatus {
                task: number,
                dataset: dataset.label(),
                profile: selection.profile_id(),
                variants: task.variants.iter().map(|variant| variant.name).collect(),
                seed: task.seed,
                steps: training.epochs.is_none().then_some(training.steps),
                epochs: training.epochs,
                length: training.length(),
                other: task
                    .variants
                    .iter()
                    .filter(|variant| !matches!(RunConfig::other_profile(&folder(variant), profile), Ok(None)))
                    .map(|variant| variant.name)
                    .collect(),
                done: names(is_finished),
                diverged: names(is_diverged),
                resumable: task.variants.iter().any(|variant| is_resumable(&folder(variant))),
            }
        })
        .collect();
    job.output_args.result(&tasks, || tasks.iter().map(TaskStatus::line).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use crate::cli::{Cli, Command, JobArgs};
    use clap::Parser;
    use gal_bench::config::Prepare;

    fn job(words: &str) -> JobArgs {
        let Command::RunAll(args) = Cli::parse_from(words.split_whitespace()).command else {
            panic!("expected run-all");
        };
        args.job
    }

    #[test]
    fn the_option_val_split_overrides_the_profiles() {
        let section = Prepare { val_split: Some(0.2), ..Prepare::default() };
        let (without, with) = (job("gal-bench run-all"), job("gal-bench run-all --val-split 0.1"));
        assert_eq!(super::val_split(&without, None), None);
        assert_eq!(super::val_split(&without, Some(&section)), Some(0.2));
        assert_eq!(super::val_split(&with, Some(&section)), Some(0.1));
    }

    #[test]
    fn the_recorded_command_is_the_given_one_without_folders() {
        let given = "gal-bench run-all --dataset celeba --profile paper --variant gal-j --variant gal-p --controls \
                     --seed 0,2 --epochs 3 --batch 32 --rate 0.01 --init-all celeba --weights w.safetensors --tf32 --allow-missing --val-split 0.1";
        let folders = " --root r --prepared p --runs o --reports t --threads 3 --device cuda:1";
        assert_eq!(super::command(&job(&format!("{given}{folders}")), 1), given);
    }
}
