//! Stops a run on NaN or infinity, and records the step and its images. A correlation net that diverges is stopped alone; the
//! FLN ends all runs that share it.

use super::job::DivergedRun;
use super::run_dir::RunDir;
use crate::config::Divergence;
use crate::config::run_dir::{DIVERGED, DIVERGED_BATCH};
use crate::error::{Error, Result};
use crate::io;
use crate::store::Row;
use crate::untrusted::cell;
use std::path::Path;

/// Images that the error message names.
const NAMED: usize = 3;

/// The step at which training diverged.
#[derive(Debug, Clone, Copy)]
pub(super) struct StepContext<'a> {
    /// Index of the step, from 0.
    pub(super) step: usize,
    /// Its learning rate.
    pub(super) rate: f64,
    /// The rows of the batch in the manifest, with their indices.
    pub(super) batch: &'a [(usize, &'a Row)],
    /// The checkpoint that the run would resume from.
    pub(super) checkpoint: Option<&'a Path>,
}

/// Writes the batch to `path` and returns the error that ends the run; `what` is the symptom.
pub(super) fn report_divergence(path: &Path, what: &str, context: StepContext) -> Error {
    if let Err(error) = write(path, context.batch) {
        return error;
    }
    let named: Vec<&str> = context.batch.iter().take(NAMED).map(|(_, row)| &*row.source).collect();
    let more = match context.batch.len().saturating_sub(NAMED) {
        0 => String::new(),
        count => format!(" and {count} more"),
    };
    let state = match context.checkpoint {
        Some(checkpoint) => format!("the state before it is in {}", checkpoint.display()),
        None => "there is no checkpoint before it".to_owned(),
    };
    Error::Request(format!(
        "training diverged: at step {}, with learning rate {}, {what} (its batch is in {}: {}{more}); {state}; halve the \
         rate in the profile's schedule, and start again with --force",
        context.step,
        context.rate,
        path.display(),
        named.join(", "),
    ))
}

/// Writes the batch and the record of a run whose correlation net diverged; the record comes last.
pub(super) fn record_divergence(run: &RunDir, symptom: &str, context: StepContext) -> Result<DivergedRun> {
    write(&run.file(DIVERGED_BATCH), context.batch)?;
    let diverged = Divergence {
        id: run.id(),
        dataset: run.config.dataset.clone(),
        profile: run.config.profile_id(),
        variant: run.variant.name.to_owned(),
        seed: run.config.seed,
        step: context.step,
        rate: context.rate,
        symptom: symptom.to_owned(),
        commit: env!("GAL_BENCH_COMMIT").to_owned(),
    };
    io::write_json(&run.file(DIVERGED), &diverged)?;
    Ok(DivergedRun { folder: run.folder.clone(), diverged, reused: false })
}

/// Writes the rows of a batch as CSV.
fn write(path: &Path, batch: &[(usize, &Row)]) -> Result<()> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let failed = |e: csv::Error| Error::Internal(e.to_string());
    writer.write_record(["row", "source", "copy", "operations"]).map_err(failed)?;
    for (number, row) in batch {
        writer
            .write_record([&*number.to_string(), &*cell(&row.source), &*row.copy.to_string(), &*cell(&row.operations)])
            .map_err(failed)?;
    }
    io::write(path, &writer.into_inner().map_err(|e| Error::Internal(e.to_string()))?)
}
