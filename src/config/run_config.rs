//! `config.toml` of a run folder.

use super::profile::{InitialWeights, Profile};
use crate::error::{Error, Result};
use crate::variant::{self, Variant};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Everything that determines a trained network. Device and threads are left out, since they affect only its speed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// `celeba`, `lfwa` or `synthetic`.
    pub dataset: String,
    /// Digest of the prepared set's manifest.
    pub data_digest: String,
    /// The variant's name.
    #[serde(deserialize_with = "variant::deserialize_name")]
    pub variant: String,
    /// Seed of weights, batches, crops and flips.
    pub seed: u64,
    /// World size: processes that each trained on a part of every batch, with batch norm over this part.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub ranks: usize,
    /// The whole profile.
    pub profile: Profile,
}

fn one() -> usize {
    1
}

fn is_one(ranks: &usize) -> bool {
    *ranks == 1
}

/// The name of a run's folder.
fn run_id(dataset: &str, profile: &str, variant: &str, seed: u64) -> String {
    format!("{dataset}-{profile}-{variant}-seed{seed}")
}

/// The folder of a run below `runs`, also if a version that called the variant by its former name trained it.
pub fn run_folder(runs: &Path, dataset: &str, profile: &str, variant: &Variant, seed: u64) -> PathBuf {
    let folder = |name: &str| runs.join(run_id(dataset, profile, name, seed));
    variant.names().map(folder).find(|folder| folder.is_dir()).unwrap_or_else(|| folder(variant.name))
}

impl RunConfig {
    /// Reads a run's `config.toml`.
    pub fn read(path: &Path) -> Result<Self> {
        toml::from_str(&crate::io::read_text(path)?)
            .map_err(|e| Error::file(path, format!("is not a run's configuration: {}", e.message())))
    }

    /// The folder's name below the runs folder: one for each data set, profile, variant and seed.
    pub fn id(&self) -> String {
        run_id(&self.dataset, &self.profile.name, &self.variant, self.seed)
    }

    /// First difference from `other` in words, for a message.
    pub fn difference(&self, other: &Self) -> Option<String> {
        // One may have more lines than the other.
        fn endless(text: &str) -> impl Iterator<Item = &str> {
            text.lines().chain(std::iter::repeat(""))
        }
        if self.data_digest != other.data_digest {
            return Some("it was trained on other prepared data".to_owned());
        }
        if self.ranks != other.ranks {
            return Some(format!("it was trained by {} ranks, this one by {}", other.ranks, self.ranks));
        }
        if self.profile.initial_weights != other.profile.initial_weights {
            let [ours, theirs] = [self, other].map(|config| {
                let start = config.profile.initial_weights.as_ref();
                let named = |w: &InitialWeights| format!("the weights {}, imported from {}", w.digest, w.origin);
                start.map_or("random weights".to_owned(), named)
            });
            return Some(format!("it started from {theirs}, this one from {ours}"));
        }
        let (ours, theirs) = (toml::to_string(self), toml::to_string(other));
        let (Ok(ours), Ok(theirs)) = (ours, theirs) else { return Some("its configuration differs".to_owned()) };
        endless(&ours)
            .zip(endless(&theirs))
            .take(ours.lines().count().max(theirs.lines().count()))
            .find(|(ours, theirs)| ours != theirs)
            .map(|(ours, theirs)| format!("its configuration has `{theirs}`, this one `{ours}`"))
    }
}
