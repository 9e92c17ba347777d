//! `config.toml` of a run folder.

use super::init::Init;
use super::profile::{Description, Profile, Protocol};
use super::run_dir;
use super::validate::validate;
use crate::error::{Error, Result};
use crate::io;
use crate::variant::{self, Variant};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Everything that determines a trained network. Threads are left out, since they affect only its speed, and the device, on
/// which sums are rounded in another order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// `celeba`, `lfwa`, `synthetic` or `table`.
    #[serde(deserialize_with = "crate::untrusted::deserialize_name")]
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
        let wrong = |reason: &str| Error::file(path, format!("is not a run's configuration: {}", reason.trim()));
        let config: Self = toml::from_str(&io::read_text(path)?).map_err(|e| wrong(e.message()))?;
        validate(&config.profile).map_err(|reason| wrong(&reason))?;
        Ok(config)
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

    /// First difference from `other` in words, for a message; `None` if they determine the same network.
    pub fn difference(&self, other: &Self) -> Option<String> {
        // One may have more lines than the other.
        fn endless(text: &str) -> impl Iterator<Item = &str> {
            text.lines().chain(std::iter::repeat(""))
        }
        if self == other {
            return None;
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
        let (ours, theirs) = (self.without_words(), other.without_words());
        let lines = ours.lines().count().max(theirs.lines().count());
        let differing = endless(&ours).zip(endless(&theirs)).take(lines).find(|(ours, theirs)| ours != theirs);
        Some(differing.map_or_else(
            || "its configuration differs".to_owned(),
            |(ours, theirs)| format!("its configuration has `{theirs}`, this one `{ours}`"),
        ))
    }

    /// The first difference of the configuration in the run folder `folder` from what `profile` would train there, in
    /// words; `None` without one, or without a `config.toml`. Weights, precision and steps that follow from epochs are
    /// those of the run, as they depend on more than the profile.
    ///
    /// # Errors
    /// A `config.toml` that is none.
    pub fn other_profile(folder: &Path, profile: &Profile) -> Result<Option<String>> {
        let path = folder.join(run_dir::CONFIG);
        if !path.is_file() {
            return Ok(None);
        }
        let found = Self::read(&path)?;
        let mut profile = profile.clone();
        profile.initial_weights.clone_from(&found.profile.initial_weights);
        profile.compute = found.profile.compute;
        if let (Some(expected), Some(training)) =
            (profile.training.get_mut(&found.dataset), found.profile.training.get(&found.dataset))
            && expected.epochs.is_some()
            && expected.epochs == training.epochs
        {
            (expected.steps, expected.schedule) = (training.steps, training.schedule);
        }
        Ok(Self { profile, ..found.clone() }.difference(&found))
    }

    /// As TOML, without the parts that two equal configurations may differ in.
    fn without_words(&self) -> String {
        let mut plain = self.clone();
        plain.profile.description = Description::default();
        plain.profile.protocol = Protocol::default();
        plain.profile.initial_weights = None;
        toml::to_string(&plain).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::InitialWeights;

    fn config(edit: impl Fn(&str) -> String) -> RunConfig {
        RunConfig {
            dataset: "lfwa".to_owned(),
            data_digest: "0".to_owned(),
            variant: "gal-j".to_owned(),
            seed: 0,
            ranks: 1,
            init: None,
            profile: toml::from_str(&edit(Profile::text("quick").unwrap())).unwrap(),
        }
    }

    #[test]
    fn corrected_words_are_no_difference_and_never_named_as_one() {
        let plain = config(str::to_owned);
        let reworded = config(|text| {
            text.replace("description = \"", "description = \"New. ").replace("keeps = [", "keeps = [\"New.\", ")
        });
        let text = |config: &RunConfig| toml::to_string(config).unwrap();
        assert_eq!(text(&reworded).matches("New.").count(), 2);
        assert_eq!(plain.difference(&reworded), None);
        let other = RunConfig { seed: 1, ..reworded.clone() };
        assert_eq!(plain.difference(&other).unwrap(), "its configuration has `seed = 1`, this one `seed = 0`");
        let mut renamed = reworded;
        renamed.profile.name = "mine".to_owned();
        assert_eq!(
            plain.difference(&renamed).unwrap(),
            "its configuration has `name = \"mine\"`, this one `name = \"quick\"`"
        );
    }

    #[test]
    fn equal_weights_of_another_origin_are_no_difference() {
        let from = |digest: &str, origin: &str| {
            let mut config = config(str::to_owned);
            let (digest, origin) = (digest.to_owned(), origin.to_owned());
            config.profile.initial_weights = Some(InitialWeights { digest, origin, ..InitialWeights::default() });
            config
        };
        assert_eq!(from("d", "a.caffemodel").difference(&from("d", "b.caffemodel")), None);
        assert!(from("d", "a").difference(&from("e", "a")).unwrap().starts_with("it started from the weights e"));
    }
}
