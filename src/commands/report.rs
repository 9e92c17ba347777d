//! `gal-bench report`.

use crate::cli::Report;
use gal_bench::{Error, Result, report};
use std::path::{Path, PathBuf};

pub(super) fn run(options: &Report) -> Result<()> {
    let folders = match options.names.as_slice() {
        [] => all(&options.reports)?,
        names => names.iter().map(|name| options.reports.join(name)).collect(),
    };
    if options.check {
        for folder in &folders {
            if let Some(file) = report::differences(folder)?.first() {
                return Err(Error::file(
                    file,
                    "is not what the results render to: run `gal-bench report` and look at the difference",
                ));
            }
        }
    } else {
        for folder in &folders {
            report::write(folder)?;
        }
    }
    options.voice.result(&serde_json::json!({ "reports": folders }), || {
        let done = if options.check { "agrees with its results" } else { "rendered" };
        folders.iter().map(|folder| format!("{}: {done}", folder.display())).collect::<Vec<_>>().join("\n")
    })
}

/// Every report folder that holds results.
fn all(reports: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(reports).map_err(Error::io("read the folder", reports))?;
    let mut folders: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.join("results").is_dir()).collect();
    folders.sort();
    if folders.is_empty() {
        return Err(Error::Request(format!(
            "no report with results in {}: run `gal-bench evaluate` first",
            reports.display()
        )));
    }
    Ok(folders)
}
