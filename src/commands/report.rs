//! `gal-bench report`.

use crate::cli::ReportArgs;
use gal_bench::{Error, Result, io, report};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

pub(super) fn run(args: &ReportArgs) -> Result<()> {
    let folders = match args.names.as_slice() {
        names if args.together => vec![together(&args.reports, names, args.force)?],
        [] => all(&args.reports)?,
        names => names.iter().map(|name| args.reports.join(name)).collect(),
    };
    if args.check {
        for folder in &folders {
            if let Some(file) = report::differences(folder)?.first() {
                return Err(Error::file(
                    file,
                    "differs from the results: run `gal-bench report` and inspect the difference",
                ));
            }
        }
    } else if !args.together {
        folders.iter().try_for_each(|folder| render(folder, args.force))?;
    }
    let shown: Vec<String> = folders.iter().map(|folder| io::path_text(folder)).collect();
    args.output_args.result(&serde_json::json!({ "reports": shown }), || {
        let state = if args.check { "matches its results" } else { "rendered" };
        folders.iter().map(|folder| format!("{}: {state}", folder.display())).collect::<Vec<_>>().join("\n")
    })
}

/// Renders a report, and replaces no file of others without `force`.
pub(super) fn render(folder: &Path, force: bool) -> Result<()> {
    if !folder.join("results").is_dir() {
        // The error names what is missing.
        return report::write(folder).map(drop);
    }
    let output = report::claim(folder, force)?;
    report::write(folder)?;
    output.record()
}

/// Renders the page of the reports called `names`; returns its folder.
fn together(reports: &Path, names: &[String], force: bool) -> Result<PathBuf> {
    let folder = report::together_folder(reports, names, force)?;
    let output = report::claim(&folder, force)?;
    report::write_together(&folder, names)?;
    report::write(&folder)?;
    output.record()?;
    Ok(folder)
}

/// All report folders with results.
fn all(reports: &Path) -> Result<Vec<PathBuf>> {
    let none = || Error::Request(format!("no reports yet in {}: run `gal-bench evaluate` first", reports.display()));
    let entries = match std::fs::read_dir(reports) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(none()),
        entries => entries.map_err(Error::io("read the folder", reports))?,
    };
    let mut folders: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.join("results").is_dir()).collect();
    folders.sort();
    if folders.is_empty() {
        return Err(none());
    }
    Ok(folders)
}
