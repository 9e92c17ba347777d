//! `results/together.json`, from which the page of several reports is rendered: the names of their folders, which lie beside
//! it.

use super::runs;
use crate::error::{Error, Result};
use crate::io;
use crate::untrusted;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const FILE: &str = "results/together.json";

/// Version of the file's form.
const FORMAT: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
struct Together {
    format: u32,
    /// Names of report folders, in the order of the page.
    reports: Vec<String>,
}

/// True for the name of a folder beside others. Seeds in a name have commas.
fn is_folder(name: &str) -> bool {
    untrusted::is_name(&name.replace(',', "-"))
}

/// The folder below `reports` for the page of the reports called `names`: `together-` and their data sets. `force` replaces
/// the page of others there.
///
/// # Errors
/// Fewer than two names, a name twice, a folder without the results of runs, or a page of other reports.
pub fn together_folder(reports: &Path, names: &[String], force: bool) -> Result<PathBuf> {
    if names.len() < 2 {
        return Err(Error::Request("--together needs the names of two reports or more".to_owned()));
    }
    let mut datasets = BTreeSet::new();
    for (place, name) in names.iter().enumerate() {
        if !is_folder(name) {
            return Err(Error::Request(format!("`{name}` is no name of a report folder in {}", reports.display())));
        }
        if names[..place].contains(name) {
            return Err(Error::Request(format!("report {name} is named twice")));
        }
        let (runs, _) = runs::read(&reports.join(name))?;
        datasets.extend(runs.first().map(|run| run.summary().dataset.clone()));
    }
    let folder = reports.join(format!("together-{}", Vec::from_iter(datasets).join("-")));
    match read(&folder) {
        Ok(Some(earlier)) if earlier != names && !force => Err(Error::Request(format!(
            "{} holds the page of other reports ({}): rename it, or replace it with --force",
            folder.display(),
            earlier.join(", ")
        ))),
        _ => Ok(folder),
    }
}

/// Writes the names below `folder`, for `report::write`.
///
/// # Errors
/// A folder that cannot be written.
pub fn write_together(folder: &Path, names: &[String]) -> Result<()> {
    io::create_folder_below(folder, "results")?;
    io::write_json(&folder.join(FILE), &Together { format: FORMAT, reports: names.to_vec() })
}

/// Reads the names below `folder`, `None` if it holds none.
pub(in crate::report) fn read(folder: &Path) -> Result<Option<Vec<String>>> {
    let path = folder.join(FILE);
    let Some(together) = io::read_json_if_exists::<Together>(&path, "a list of reports")? else { return Ok(None) };
    if together.format != FORMAT || together.reports.len() < 2 || !together.reports.iter().all(|name| is_folder(name)) {
        return Err(Error::file(path, "is not of this version's form: run `gal-bench report --together` again"));
    }
    Ok(Some(together.reports))
}
