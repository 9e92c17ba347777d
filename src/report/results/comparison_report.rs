//! `results/comparison.json`, from which the page of a comparison is rendered.

use crate::attribute::COUNT;
use crate::error::{Error, Result};
use crate::evaluate::comparison_report::{ComparisonReport, Entry, FORMAT};
use crate::io;
use std::path::Path;

/// The file below a comparison's folder, then its name in version 0.1.0.
const FILES: [&str; 2] = ["results/comparison.json", "results/contest.json"];

/// Writes the results of a comparison below `folder`, for `report::write`.
///
/// # Errors
/// A folder that holds a report of another kind.
pub fn write_comparison(report: &ComparisonReport, folder: &Path) -> Result<()> {
    if folder.join("results/results.json").exists() {
        let shown = folder.display();
        return Err(Error::Request(format!("{shown} holds a report already: give --output another folder")));
    }
    io::create_folder(folder)?;
    io::create_folder_below(folder, "results")?;
    io::write_json(&folder.join(FILES[0]), report)?;
    let written = io::written_files(folder)?;
    FILES[1..].iter().filter(|old| written.contains(**old)).try_for_each(|old| io::remove(&folder.join(old)))
}

/// Reads the results of a comparison below `folder`, `None` if it holds none.
pub(in crate::report) fn read(folder: &Path) -> Result<Option<ComparisonReport>> {
    let Some(path) = FILES.iter().map(|file| folder.join(file)).find(|path| path.is_file()) else {
        return Ok(None);
    };
    let report: ComparisonReport = io::read_json(&path, "a result of `gal-bench compare`")?;
    let whole = |entry: &Entry| entry.result.attributes.len() == COUNT;
    if report.format != FORMAT || report.entries.len() < 2 || !report.entries.iter().all(whole) {
        return Err(Error::file(path, "is not of this version's form: run `gal-bench compare` again"));
    }
    Ok(Some(report.without_claims_of_few()))
}
