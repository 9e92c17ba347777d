//! `config.toml` of a run folder.

use super::init::Init;
use super::profile::Profile;
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
    /// The run that it started from; `None` for the profile's initial weights, or random ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<Init>,
    /// The whole profile.
    pub profile: Profile,
}

fn one() -> usize {
    1
}

fn is_one(ranks: &usize) -> bool {
    *ranks == 1
}

/// The name of a run's folder; `profile_id` is that of [`RunConfig::profile_id`].
fn run_id(dataset: &str, profile_id: &str, variant: &str, seed: u64) -> String {
    format!("{dataset}-{profile_id}-{variant}-seed{seed}")
}

/// The folder of a run below `runs`, also if a version that called the variant by its former name trained it. `profile_id`
/// is that of [`RunConfig::profile_id`].
pub fn run_folder(runs: &Path, dataset: &str, profile_id: &str, variant: &Variant, seed: u64) -> PathBuf {
    let folder = |name: &str| runs.join(run_id(dataset, profile_id, name, seed));
    variant.names().map(folder).find(|folder| folder.is_dir()).unwrap_or_else(|| folder(variant.name))
}

impl RunConfig {
    /// Reads a run's `config.toml`.
    pub fn read(path: &Path) -> Result<Self> {
        toml::from_str(&crate::io::read_text(path)?)
            .map_err(|e| Error::file(path, format!("is not a run's configuration: {}", e.message())))
    }

    /// The profile's name, with the run that this one started from: `quick`, `quick-from-celeba`.
    pub fn profile_id(&self) -> String {
        let profile = &self.profile.name;
        self.init.as_ref().map_or_else(|| profile.clone(), |init| init.profile_id(profile))
    }

    /// The folder's name below the runs folder: one for each data set, profile, start, variant and seed.
    pub fn id(&self) -> String {
        run_id(&self.dataset, &self.profile_id(), &self.variant, self.seed)
    }

    /// The initial weights in words.
    pub fn start(&self) -> String {
        match (&self.init, &self.profile.initial_weights) {
            (Some(init), _) => init.to_string(),
            (None, Some(weights)) => format!("the weights {}, imported from {}", weights.digest, weights.origin),
            (None, None) => "random weights".to_owned(),
        }
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
        if self.init != other.init || self.profile.initial_weights != other.profile.initial_weights {
            return Some(format!("it started from {}, this one from {}", other.start(), self.start()));
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
