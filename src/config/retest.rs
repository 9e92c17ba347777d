//! The record of a finished run's test on other images than those of its own test split.

use super::record::digest;
use super::run_dir::PREDICTIONS;
use crate::error::{Error, Result};
use crate::io;
use crate::untrusted::is_name;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The folder of these tests in a run folder.
const FOLDER: &str = "retests";
/// The record of a test, written last.
const RECORD: &str = "retest.json";

/// Key of the BLAKE3 of the predictions.
const DIGEST: &str = "predictions_digest";
/// Advice for a damaged file.
const AGAIN: &str = "remove the folder, and make the test again";

/// The images of a test, and the tested network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retest {
    /// Name of the test: of the distortions, or of the data set.
    #[serde(deserialize_with = "crate::untrusted::deserialize_name")]
    pub name: String,
    /// The data set of the images.
    #[serde(deserialize_with = "crate::untrusted::deserialize_name")]
    pub dataset: String,
    /// The images in a sentence.
    pub data: String,
    /// BLAKE3 of the prepared set's manifest.
    pub data_digest: String,
    /// BLAKE3 of the tested network's file.
    pub model_digest: String,
    /// The pipeline that distorts every test image, TOML; `None` for undistorted images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<String>,
    /// Share of positive labels in the training split of the data set, by attribute; `None` without a known label.
    #[serde(deserialize_with = "super::summary::deserialize_rates")]
    pub train_positive_rate: Vec<Option<f64>>,
}

impl Retest {
    /// The folder of the test called `name` in the run folder `run`.
    pub fn folder(run: &Path, name: &str) -> PathBuf {
        run.join(FOLDER).join(name)
    }

    /// The names of the tests of the run folder `run`, finished or not.
    pub fn names(run: &Path) -> Result<Vec<String>> {
        let mut names = io::names_in(&run.join(FOLDER))?;
        names.retain(|name| is_name(name));
        Ok(names)
    }

    /// True if both tests are on the same images.
    pub fn is_on_the_images_of(&self, other: &Self) -> bool {
        (&self.name, &self.data_digest, &self.pipeline) == (&other.name, &other.data_digest, &other.pipeline)
    }

    /// Reads the record in a test's folder and verifies the predictions beside it; `None` if the test is missing or not
    /// finished.
    pub fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(RECORD);
        if !path.exists() {
            return Ok(None);
        }
        let bytes = io::read(&path)?;
        let wrong = |e: serde_json::Error| Error::file(&path, format!("is not a record of a test: {e}"));
        let Some(mut object) = io::open_sealed(&path, &bytes, AGAIN)? else {
            return serde_json::from_slice(&bytes).map(Some).map_err(wrong);
        };
        let predictions = folder.join(PREDICTIONS);
        if object.remove(DIGEST) != Some(digest(&predictions)?.into()) {
            return Err(Error::file(predictions, format!("has changed since the test ended: {AGAIN}")));
        }
        serde_json::from_value(object.into()).map(Some).map_err(wrong)
    }

    /// Removes the record in a test's folder, so that the test counts as missing.
    pub fn remove(folder: &Path) -> Result<()> {
        io::remove(&folder.join(RECORD))
    }

    /// Writes the record into a test's folder, after the predictions.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let object = serde_json::to_value(self);
        let mut object = object.map_err(|e| Error::Internal(format!("a record cannot be written as JSON: {e}")))?;
        object[DIGEST] = digest(&folder.join(PREDICTIONS))?.into();
        io::write_sealed(&folder.join(RECORD), &object)
    }
}
