//! `summary.json` with the digests of the run's other files and of itself. It is written last, so a file that differs has
//! changed since the run ended. Runs of earlier versions have no digests; [`Record::seal`] adds them.

use super::run_config::RunConfig;
use super::run_dir::{
    self, AFFINITY, BEST_MODEL, CONFIG, EVENTS, MASKS, METRICS, PREDICTIONS, PREDICTIONS_PLAIN, SUMMARY,
};
use super::summary::RunSummary;
use crate::error::{Error, Result};
use crate::io;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Key of the other files' digests, by name.
const FILES: &str = "files";

/// Files that an evaluation reads, besides the record.
pub const EVALUATED: [&str; 6] = [CONFIG, METRICS, PREDICTIONS, PREDICTIONS_PLAIN, AFFINITY, MASKS];

/// The record of a finished run.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The description of the run.
    pub summary: RunSummary,
    folder: PathBuf,
    /// BLAKE3 of each file by name; `None` for a run of an earlier version.
    files: Option<BTreeMap<String, String>>,
}

impl Record {
    /// Reads the record in a run's folder.
    ///
    /// # Errors
    /// A record that is damaged, or of another form.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(SUMMARY);
        let bytes = io::read(&path)?;
        let wrong = |reason: &dyn std::fmt::Display| Error::file(&path, format!("is not a run's summary: {reason}"));
        let Some(mut object) = io::open_sealed(&path, &bytes, RESTORE)? else {
            let summary = serde_json::from_slice(&bytes).map_err(|e| wrong(&e))?;
            return Ok(Self { summary, folder: folder.to_path_buf(), files: None });
        };
        let files = serde_json::from_value(object.remove(FILES).unwrap_or_default()).map_err(|e| wrong(&e))?;
        let summary = serde_json::from_value(Value::Object(object)).map_err(|e| wrong(&e))?;
        Ok(Self { summary, folder: folder.to_path_buf(), files: Some(files) })
    }

    /// Writes the record of a run whose other files are in `folder`.
    pub fn write(folder: &Path, summary: &RunSummary) -> Result<()> {
        let internal = |e: serde_json::Error| Error::Internal(format!("a summary cannot be written as JSON: {e}"));
        let model = run_dir::model(folder);
        let model = model.file_name().and_then(|name| name.to_str()).unwrap_or(run_dir::MODEL);
        let mut files = BTreeMap::new();
        for name in io::names_in(folder)? {
            if EVALUATED.contains(&&*name) || [model, BEST_MODEL].contains(&&*name) || name.starts_with(EVENTS) {
                let digest = digest(&folder.join(&name))?;
                files.insert(name, digest);
            }
        }
        let mut object = serde_json::to_value(summary).map_err(internal)?;
        object[FILES] = serde_json::to_value(files).map_err(internal)?;
        io::write_sealed(&folder.join(SUMMARY), &object)
    }

    /// Adds the digests of the present files to the record of a run of an earlier version.
    pub fn seal(&self) -> Result<()> {
        Self::write(&self.folder, &self.summary)
    }

    /// False for a run of an earlier version, whose files cannot be verified.
    pub fn is_sealed(&self) -> bool {
        self.files.is_some()
    }

    /// Verifies every file that the record names; returns their number.
    pub fn verify_all(&self) -> Result<usize> {
        let recorded: Vec<&str> = self.files.iter().flatten().map(|(name, _)| name.as_str()).collect();
        // Those of a run that this one should not have are noticed, too.
        self.verify(&[&recorded[..], &EVALUATED].concat())?;
        Ok(recorded.len())
    }

    /// The names in the run's folder of which the record holds no digest.
    pub fn uncovered(&self) -> Result<Vec<String>> {
        let mut names = io::names_in(&self.folder)?;
        let is_recorded = |name: &str| {
            self.files.iter().any(|files| files.contains_key(name) || files.contains_key(run_dir::present_name(name)))
        };
        names.retain(|name| name != SUMMARY && !is_recorded(name));
        Ok(names)
    }

    /// Verifies those of `names` that the run has, and that its configuration is that of the record.
    ///
    /// # Errors
    /// A file that is missing, has changed, or is not one of the run's.
    pub fn verify(&self, names: &[&str]) -> Result<()> {
        let Some(files) = &self.files else { return Ok(()) };
        // The configuration decides what every other file means.
        for name in names.iter().copied().chain([CONFIG]).collect::<BTreeSet<_>>() {
            let path = self.folder.join(name);
            // A network of a former name may be recorded under either.
            match files.get(name).or_else(|| files.get(run_dir::present_name(name))) {
                None if path.exists() => {
                    return Err(Error::file(path, format!("is not a file that the run wrote: {RESTORE}")));
                }
                None => {}
                Some(_) if !path.exists() => {
                    return Err(Error::file(path, format!("is missing, though the run wrote it: {RESTORE}")));
                }
                Some(expected) if digest(&path)? == *expected => {}
                Some(_) => return Err(Error::file(path, format!("has changed since the run ended: {RESTORE}"))),
            }
        }
        self.agree(&RunConfig::read(&self.folder.join(CONFIG))?)
    }

    /// Verifies the trained network.
    pub fn verify_network(&self) -> Result<()> {
        let model = run_dir::model(&self.folder);
        self.verify(&[model.file_name().and_then(|name| name.to_str()).unwrap_or(run_dir::MODEL)])
    }

    /// Checks that the configuration is that of this record.
    fn agree(&self, config: &RunConfig) -> Result<()> {
        let summary = &self.summary;
        let training = config.profile.training.get(&config.dataset);
        let (steps, batch) = training.map_or((0, 0), |training| (training.steps, training.batch));
        for (what, recorded, configured) in [
            ("data set", summary.dataset.clone(), config.dataset.clone()),
            ("data digest", summary.data_digest.clone(), config.data_digest.clone()),
            ("variant", summary.variant.clone(), config.variant.clone()),
            ("profile", summary.profile.clone(), config.profile_id()),
            ("seed", summary.seed.to_string(), config.seed.to_string()),
            ("number of steps", summary.steps.to_string(), steps.to_string()),
            ("batch", summary.batch.to_string(), batch.to_string()),
            ("input size", summary.input.to_string(), config.profile.network.input_size.to_string()),
        ] {
            if recorded != configured {
                let message = format!("states the {what} {configured}, but {SUMMARY} {recorded}: {RESTORE}");
                return Err(Error::file(self.folder.join(CONFIG), message));
            }
        }
        Ok(())
    }
}

/// Advice for a damaged file.
const RESTORE: &str = "restore it from a copy, or train the run again with --force";

/// BLAKE3 of a file of a run.
pub(super) fn digest(path: &Path) -> Result<String> {
    io::digest(path, io::NETWORK_BYTES)
}
