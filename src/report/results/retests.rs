//! `retests/NAME/`: tests of the runs on other images than those of their test split, a folder each. `retest.json`
//! describes the images; the other files are those of [`super::comparisons`].

use super::comparisons;
use crate::error::{Error, Result};
use crate::evaluate::Statistics;
use crate::io;
use serde::{Deserialize, Serialize};
use std::path::Path;

const FOLDER: &str = "retests";
const DESCRIPTION: &str = "retest.json";

/// The images of a test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::report) struct Description {
    /// Name of the distortions, or of the data set.
    #[serde(deserialize_with = "crate::untrusted::deserialize_name")]
    pub(in crate::report) name: String,
    /// The data set's name.
    #[serde(deserialize_with = "crate::untrusted::deserialize_name")]
    pub(in crate::report) dataset: String,
    /// The images in a sentence.
    pub(in crate::report) data: String,
    /// BLAKE3 of the prepared set's manifest.
    pub(in crate::report) data_digest: String,
    /// The pipeline that distorts every image, TOML.
    pub(in crate::report) pipeline: Option<String>,
    /// Number of images.
    pub(in crate::report) images: usize,
    /// Number of attributes with labels; `None` in results of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::report) attributes: Option<usize>,
    /// Mean accuracy of always predicting the most frequent label of the data set's training split.
    pub(in crate::report) floor: f64,
}

/// The results of a test.
#[derive(Debug, Clone)]
pub(in crate::report) struct RetestResults {
    pub(in crate::report) description: Description,
    pub(in crate::report) statistics: Statistics,
}

/// Replaces the tests that an earlier command wrote into the results below `folder`.
pub(in crate::report) fn write(tests: &[RetestResults], folder: &Path) -> Result<()> {
    let all = folder.join("results").join(FOLDER);
    let earlier = format!("results/{FOLDER}/");
    let written = io::written_files(folder)?;
    written.iter().filter(|name| name.starts_with(&earlier)).try_for_each(|name| io::remove(&folder.join(name)))?;
    // Folders that are empty now.
    io::remove_own(&all, &|name| io::is_litter(name) || io::is_partial_file(name))?;
    for test in tests {
        let of_test = all.join(&test.description.name);
        io::create_folder_below(folder, &format!("results/{FOLDER}/{}", test.description.name))?;
        comparisons::write(&test.statistics, &of_test)?;
        io::write_json(&of_test.join(DESCRIPTION), &test.description)?;
    }
    Ok(())
}

/// Reads the tests in the results below `folder`, by name.
pub(in crate::report) fn read(folder: &Path) -> Result<Vec<RetestResults>> {
    let all = folder.join("results").join(FOLDER);
    let read = |name: String| {
        let folder = all.join(name);
        let path = folder.join(DESCRIPTION);
        let description = io::read_json(&path, "a description of a test")?;
        let statistics = comparisons::read(&folder)?;
        let statistics = statistics.ok_or_else(|| Error::file(&path, "has no bootstrap.json beside it"))?;
        Ok(RetestResults { description, statistics })
    };
    // A file of the system's own may keep the folder of a test that is gone.
    let names = io::names_in(&all)?.into_iter().filter(|name| all.join(name).join(DESCRIPTION).exists());
    names.map(read).collect()
}
