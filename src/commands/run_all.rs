//! `gal-bench run-all`: the three stages in one; what is done already is not done again. With `--plan`, the independent
//! cells that the job falls into.

use super::{evaluate, prepare, train};
use crate::cli::{JobArgs, RunAllArgs};
use gal_bench::progress::Progress;
use gal_bench::report::overview;
use gal_bench::train::{Task, is_finished, is_resumable, tasks};
use gal_bench::variant::Variant;
use gal_bench::{Result, report, store};
use serde::Serialize;

pub(super) fn run(args: &RunAllArgs) -> Result<()> {
    let RunAllArgs { job, plan } = args;
    super::use_threads(job.compute.execution.threads)?;
    if *plan {
        return print_plan(job);
    }
    let progress = job.output_args.progress();
    let selection = &job.selection;

    progress.say("1/3 prepare");
    // Ranks may share the folder: one of them prepares, and none replaces what others are reading.
    let alone = job.compute.together.ranks == 1;
    let store =
        store::Options { force: job.compute.execution.force && alone, wait: !alone, ..store::Options::default() };
    prepare_set(job, store, &progress)?;

    progress.say("2/3 train");
    let runs = (&*selection.variants(), &*selection.seeds());
    train::train_on(&job.data.prepared(), selection, runs, &job.compute, &command(job), &progress)?;

    if job.compute.together.rank > 0 {
        return job.output_args.result(&(), || train::non_main_message(&job.compute));
    }
    progress.say("3/3 report");
    let evaluated = evaluate::evaluate(&job.data, selection, &job.reports, &progress)?;
    report::write(&evaluated.report)?;
    job.output_args.result(&evaluated, || {
        let (text, page) = (evaluated.text(), evaluated.report.join("README.md"));
        format!("{text}\n{}\n\nreport: {}", overview(&evaluated.evaluations), page.display())
    })
}

/// The job's prepared set, as its profile asks for it; `options` say how.
pub(super) fn prepare_set(job: &JobArgs, options: store::Options, progress: &Progress) -> Result<()> {
    let profile = job.selection.profile()?;
    let expand = profile.prepare.get(job.data.dataset.label()).and_then(|prepare| prepare.expand);
    let store = store::Options { expand, ..options };
    prepare::prepare(job.data.dataset, &job.source, &job.data.prepared(), &store, progress).map(drop)
}

/// The command that makes the job's runs again, however they were made.
pub(super) fn command(job: &JobArgs) -> String {
    let command = train::command("run-all", job.data.dataset.label(), &job.selection, &job.compute);
    if job.source.subset { format!("{command} --subset") } else { command }
}

/// The job's cells, in the order of their numbers.
pub(super) fn cells_of(job: &JobArgs) -> Result<Vec<Task>> {
    let profile = job.selection.profile()?;
    Ok(tasks(&job.selection.variants(), &job.selection.seeds(), &profile))
}

/// A line of the plan.
#[derive(Debug, Serialize)]
struct TaskStatus {
    cell: usize,
    dataset: &'static str,
    profile: String,
    variants: Vec<&'static str>,
    seed: u64,
    /// Optimizer steps of each trunk.
    steps: usize,
    /// The variants that are trained already.
    done: Vec<&'static str>,
    /// Whether a run that is not finished has left a state to go on from.
    begun: bool,
}

impl TaskStatus {
    fn line(&self) -> String {
        let done = match (self.done.len(), self.begun) {
            (n, _) if n == self.variants.len() => "done".to_owned(),
            (0, false) => "open".to_owned(),
            (0, true) => "begun".to_owned(),
            (_, begun) => format!("done: {}{}", self.done.join(","), if begun { "; begun" } else { "" }),
        };
        let Self { cell, dataset, variants, seed, steps, .. } = self;
        format!("{cell}\t{dataset}\t{}\tseed {seed}\t{steps} steps\t{done}", variants.join(","))
    }
}

fn print_plan(job: &JobArgs) -> Result<()> {
    let (dataset, selection) = (job.data.dataset, &job.selection);
    let profile = selection.profile()?;
    let steps = profile.training(dataset)?.steps;
    let tasks: Vec<TaskStatus> = cells_of(job)?
        .iter()
        .enumerate()
        .map(|(number, cell)| {
            let folder = |variant: &Variant| selection.folder(dataset.label(), &profile, variant, cell.seed);
            let is_done = |variant: &&Variant| is_finished(&folder(variant));
            TaskStatus {
                cell: number,
                dataset: dataset.label(),
                profile: profile.name.clone(),
                variants: cell.variants.iter().map(|variant| variant.name).collect(),
                seed: cell.seed,
                steps,
                done: cell.variants.iter().filter(is_done).map(|variant| variant.name).collect(),
                begun: cell.variants.iter().any(|variant| is_resumable(&folder(variant))),
            }
        })
        .collect();
    job.output_args.result(&tasks, || tasks.iter().map(TaskStatus::line).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use crate::cli::{Cli, Command};
    use clap::Parser;

    #[test]
    fn the_recorded_command_is_the_one_that_was_given_but_for_folders() {
        let given = "gal-bench run-all --dataset celeba --profile paper --variant gal-j --variant gal-p --controls \
                     --seed 0,2 --weights w.safetensors --tf32 --subset";
        let folders = " --root r --prepared p --runs o --reports t --threads 3 --device cuda:1";
        let Command::RunAll(args) = Cli::parse_from(format!("{given}{folders}").split_whitespace()).command else {
            panic!("another command");
        };
        assert_eq!(super::command(&args.job), given);
    }
}
