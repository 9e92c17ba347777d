//! `gal-bench run-cell`: one of the independent cells of a job, for a scheduler that starts many of them, in any order
//! and at the same time, on a shared folder.

use super::{run_all, train};
use crate::cli::RunCellArgs;
use gal_bench::io::{self, Lock};
use gal_bench::{Error, Result, store};

pub(super) fn run(args: &RunCellArgs) -> Result<()> {
    let RunCellArgs { cell: number, job } = args;
    super::use_threads(job.compute.execution.threads)?;
    let progress = job.output_args.progress();
    let (dataset, selection) = (job.data.dataset, &job.selection);
    let cells = run_all::cells_of(job)?;
    let Some(cell) = cells.get(*number) else {
        return Err(Error::Request(format!(
            "there is no cell {number}: `gal-bench run-all --plan` with the same options prints 0 to {}",
            cells.len().saturating_sub(1)
        )));
    };
    let run = selection.folder(dataset.label(), &selection.profile()?, &cell.variants[0], cell.seed);
    let _lock = (job.compute.together.rank == 0).then(|| lock(args, &run)).transpose()?;

    // Never by force: other cells may be reading the set.
    let store = store::Options { wait: true, ..store::Options::default() };
    run_all::prepare_set(job, store, &progress)?;

    let runs = (&*cell.variants, &[cell.seed][..]);
    let command = run_all::command(job);
    let outcomes = train::train_on(&job.data.prepared(), selection, runs, &job.compute, &command, &progress)?;
    job.output_args.result(&outcomes, || {
        if job.compute.together.rank > 0 {
            return train::non_main_message(&job.compute);
        }
        let folders = outcomes.iter().map(|outcome| outcome.folder.display().to_string()).collect::<Vec<_>>();
        format!("cell {number} is trained, in {}", folders.join(", "))
    })
}

/// Keeps a second process, such as a job that was queued again, off the cell whose first run folder is `run`.
fn lock(args: &RunCellArgs, run: &std::path::Path) -> Result<Lock> {
    io::create_folder(run)?;
    Lock::take(&run.join(".lock"))?.map_err(|holder| {
        Error::Request(format!("cell {} is being trained by process {holder} already: wait for it", args.cell))
    })
}
