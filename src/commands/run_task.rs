//! `gal-bench run-task`: one of the independent tasks of a job. A scheduler may start them in any order and at the same
//! time, on a shared folder.

use super::{Selection, run_all, train};
use crate::cli::RunTaskArgs;
use gal_bench::config::run_dir;
use gal_bench::io::{self, Lock};
use gal_bench::{Error, Result, store};

pub(super) fn run(args: &RunTaskArgs) -> Result<()> {
    let RunTaskArgs { task: number, job } = args;
    super::use_threads(job.compute.execution.threads)?;
    let rendezvous = job.compute.distributed.rendezvous()?;
    let progress = job.output_args.progress();
    let selection = job.selection.resolve(job.data.dataset)?;
    let tasks = run_all::tasks_of(&selection);
    let Some(task) = tasks.get(*number) else {
        return Err(Error::Request(format!(
            "there is no task {number}: `gal-bench run-all --list-tasks` with the same options prints 0 to {}",
            tasks.len().saturating_sub(1)
        )));
    };
    let run = selection.folder(&task.variants[0], task.seed);
    let selection = Selection { variants: task.variants.clone(), seeds: vec![task.seed], ..selection };
    let start = train::start(selection, &job.compute, &rendezvous, &progress)?;
    let _lock = (rendezvous.rank == 0).then(|| lock(args, &run)).transpose()?;

    // --force does not apply: other tasks may be reading the set.
    let store = store::Options { wait: true, ..store::Options::default() };
    run_all::prepare_set(job, &start.selection, store, &progress)?;

    let command = run_all::command(job, rendezvous.world_size);
    let trained = start.train(&job.data.prepared(), &rendezvous, &command, &progress)?;
    job.output_args.result(&trained, || {
        if rendezvous.rank > 0 {
            return train::non_main_message(&rendezvous);
        }
        if let Some(message) = train::all_diverged(&trained) {
            return format!("task {number} has no results: {message}");
        }
        format!("task {number} is trained, in {}", train::folders(&trained).join(", "))
    })
}

/// Refuses a second process, such as a requeued job, for the task whose first run folder is `run`.
fn lock(args: &RunTaskArgs, run: &std::path::Path) -> Result<Lock> {
    io::create_folder(run)?;
    Lock::take(&run.join(run_dir::TASK_LOCK))?.map_err(|holder| {
        Error::Request(format!("task {} is being trained by process {holder} already: wait for it", args.task))
    })
}
