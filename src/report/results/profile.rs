//! `profile.toml`: the profile that all runs of a report share.

use crate::config::{Profile, RunConfig, parse_profile, run_dir};
use crate::error::{Error, Result};
use crate::io;
use std::path::{Path, PathBuf};

/// Name of the file.
pub(in crate::report) const FILE: &str = "profile.toml";

/// The profile of the runs in `folders`, as TOML; `None` for runs of a version without `config.toml`.
///
/// # Errors
/// Two runs with different profiles.
pub(in crate::report) fn shared(folders: &[PathBuf]) -> Result<Option<String>> {
    let mut shared: Option<(&PathBuf, Profile)> = None;
    for run in folders {
        let path = run.join(run_dir::CONFIG);
        if !path.is_file() {
            continue;
        }
        let profile = RunConfig::read(&path)?.profile;
        match &shared {
            None => shared = Some((run, profile)),
            Some((_, known)) if *known == profile => {}
            Some((first, _)) => {
                return Err(Error::Request(format!(
                    "runs {} and {} cannot share a report: their profiles are both called {}, but differ; make a report \
                     of each",
                    first.display(),
                    run.display(),
                    profile.name
                )));
            }
        }
    }
    let text = shared.map(|(_, profile)| toml::to_string(&profile)).transpose();
    text.map_err(|e| Error::Internal(format!("a profile cannot be written as TOML: {e}")))
}

/// Writes the file below the report's `folder`, or removes it without a profile.
pub(in crate::report) fn write(profile: Option<&str>, folder: &Path) -> Result<()> {
    let path = folder.join("results").join(FILE);
    match profile {
        Some(text) => io::write(&path, text.as_bytes()),
        None => io::remove(&path),
    }
}

/// Reads the file below the report's `folder`, if it exists.
pub(in crate::report) fn read(folder: &Path) -> Result<Option<String>> {
    let path = folder.join("results").join(FILE);
    if path.is_file() { io::read_text(&path).map(Some) } else { Ok(None) }
}

/// The profile in the `text` of the file below the report's `folder`.
pub(in crate::report) fn parsed(folder: &Path, text: &str) -> Result<Profile> {
    parse_profile(text, &folder.join("results").join(FILE))
}
