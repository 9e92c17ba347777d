//! `gal-bench verify`.

use crate::cli::VerifyArgs;
use gal_bench::config::{Record, run_dir};
use gal_bench::progress::Progress;
use gal_bench::{Error, Result, report, store};
use serde::Serialize;
use std::path::Path;

/// A folder and its kind.
#[derive(Serialize)]
struct Verified {
    folder: String,
    kind: &'static str,
    /// A sentence on what was verified.
    result: String,
}

pub(super) fn run(args: &VerifyArgs) -> Result<()> {
    let folder = &args.folder;
    let (kind, result) = if folder.join(run_dir::SUMMARY).exists() {
        ("run", verify_run(folder, args.write)?)
    } else if args.write {
        return Err(Error::Request(format!(
            "{} is not a finished run, as it has no {}: --write adds digests to the record of a run",
            folder.display(),
            run_dir::SUMMARY
        )));
    } else if folder.join("results").is_dir() {
        match report::differences(folder)?.first() {
            Some(file) => {
                return Err(Error::file(
                    file,
                    "differs from the results: run `gal-bench report` and inspect the difference",
                ));
            }
            None => ("report", "matches its results".to_owned()),
        }
    } else {
        ("prepared set", format!("all {} images match their digests", store::verify(folder)?))
    };
    let verified = Verified { folder: folder.display().to_string(), kind, result };
    args.output_args.result(&verified, || format!("{}: {}", verified.folder, verified.result))
}

fn verify_run(folder: &Path, write: bool) -> Result<String> {
    let record = Record::read(folder)?;
    if record.is_sealed() {
        let verified = format!("all {} files match their digests", record.verify_all()?);
        let uncovered = record.uncovered()?;
        return Ok(match uncovered.as_slice() {
            [] => verified,
            names => format!("{verified}; not covered: {}", names.join(", ")),
        });
    }
    if !write {
        return Err(Error::Request(format!("{}, so its files cannot be verified: {ADVICE}", unsealed(folder))));
    }
    record.seal()?;
    Ok(format!("{} now has the digests of the present files", run_dir::SUMMARY))
}

const ADVICE: &str = "`gal-bench verify --write RUN` records those of its present files";

fn unsealed(folder: &Path) -> String {
    format!("{} has no digests, as an earlier version trained it", folder.display())
}

/// Logs which of these runs are of an earlier version, so that damage to their files is not noticed.
pub(super) fn note_unsealed<'a>(folders: impl Iterator<Item = &'a Path>, progress: &Progress) {
    for folder in folders {
        if Record::read(folder).is_ok_and(|record| !record.is_sealed()) {
            progress.log(format!("{}: damage to its files is not noticed; {ADVICE}", unsealed(folder)));
        }
    }
}
