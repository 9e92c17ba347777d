//! The end of a run whose numbers are no numbers any more: which step, which images, what to do.

use crate::error::{Error, Result};
use crate::io;
use crate::store::Row;
use std::path::Path;

/// The images of the batch at which training broke off.
pub(super) const FILE: &str = "diverged.csv";

/// Images named in the sentence.
const NAMED: usize = 3;

/// Where training stood.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// The step that could not be done, from 0.
    pub(super) step: usize,
    /// Its learning rate.
    pub(super) rate: f64,
    /// The manifest's rows of the batch, by their numbers.
    pub(super) batch: &'a [(usize, &'a Row)],
    /// The checkpoint that the run would go on from, if it has come so far.
    pub(super) checkpoint: Option<&'a Path>,
}

/// Writes the batch to `path` and gives the sentence that ends the run; `what` is not a number.
pub(super) fn stop(path: &Path, what: &str, place: Place) -> Error {
    if let Err(error) = write(path, place.batch) {
        return error;
    }
    let named: Vec<&str> = place.batch.iter().take(NAMED).map(|(_, row)| &*row.source).collect();
    let more = match place.batch.len().saturating_sub(NAMED) {
        0 => String::new(),
        count => format!(" and {count} more"),
    };
    let kept = match place.checkpoint {
        Some(checkpoint) => format!("the state before it is kept in {}", checkpoint.display()),
        None => "no checkpoint was written before it".to_owned(),
    };
    Error::Request(format!(
        "training diverged: at step {}, with learning rate {}, {what} (its batch is in {}: {}{more}); {kept}; lower the \
         rate in the profile's schedule, by half to begin with, and start again with --force",
        place.step,
        place.rate,
        path.display(),
        named.join(", "),
    ))
}

/// Writes the rows of a batch in its order.
fn write(path: &Path, batch: &[(usize, &Row)]) -> Result<()> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let failed = |e: csv::Error| Error::Internal(e.to_string());
    writer.write_record(["row", "source", "copy", "operations"]).map_err(failed)?;
    for (number, row) in batch {
        writer
            .write_record([&number.to_string(), &row.source, &row.copy.to_string(), &row.operations])
            .map_err(failed)?;
    }
    io::write(path, &writer.into_inner().map_err(|e| Error::Internal(e.to_string()))?)
}
