//! `[init]` of a run's configuration: the run whose weights it started from.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The weights that a run takes over from another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InitParts {
    /// The backbone with its batch-norm statistics.
    Backbone,
    /// The backbone, the branches and their classifiers, and the correlation net of the same variant if there is one.
    All,
}

/// The run that another run started from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Init {
    /// The run folder's name.
    #[serde(deserialize_with = "crate::untrusted::deserialize_name")]
    pub run: String,
    /// Its data set.
    #[serde(deserialize_with = "crate::untrusted::deserialize_name")]
    pub dataset: String,
    /// Its profile, as in `summary.json`.
    #[serde(deserialize_with = "crate::untrusted::deserialize_name")]
    pub profile: String,
    /// BLAKE3 of its `model.safetensors`.
    pub digest: String,
    /// The parts that are taken over.
    pub parts: InitParts,
    /// The run that the correlation net is taken from; random weights if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_net: Option<InitNet>,
}

/// The run that a correlation net is taken from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InitNet {
    /// The run folder's name.
    #[serde(deserialize_with = "crate::untrusted::deserialize_name")]
    pub run: String,
    /// BLAKE3 of its `model.safetensors`.
    pub digest: String,
}

impl Init {
    /// Name of `profile` with this start, in run folders and reports: `quick-from-celeba`, `quick-all-from-celeba`, and
    /// `quick-from-celeba-small` if the other run has another profile.
    pub fn profile_id(&self, profile: &str) -> String {
        let all = if self.parts == InitParts::All { "-all" } else { "" };
        let other = if self.profile == profile { String::new() } else { format!("-{}", self.profile) };
        format!("{profile}{all}-from-{}{other}", self.dataset)
    }

    /// A sentence for the list of deviations.
    pub(super) fn deviation(&self) -> String {
        format!("Initial weights: {self} (paper: AlexNet trained on ImageNet).")
    }
}

impl fmt::Display for Init {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { run, dataset, profile, digest, parts, correlation_net } = self;
        f.write_str(match parts {
            InitParts::Backbone => "the backbone",
            InitParts::All => "backbone, branches and classifiers",
        })?;
        write!(f, " of run {run} (data set {dataset}, profile {profile}, BLAKE3 {digest})")?;
        match correlation_net {
            Some(InitNet { run, digest }) if run != &self.run => {
                write!(f, ", and the correlation net of run {run} (BLAKE3 {digest})")
            }
            Some(_) => f.write_str(", and its correlation net"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_profile_holds_what_differs() {
        let init = |profile: &str, parts| Init {
            run: "celeba-quick-baseline-seed0".to_owned(),
            dataset: "celeba".to_owned(),
            profile: profile.to_owned(),
            digest: "0123".to_owned(),
            parts,
            correlation_net: None,
        };
        assert_eq!(init("quick", InitParts::Backbone).profile_id("quick"), "quick-from-celeba");
        assert_eq!(init("quick", InitParts::All).profile_id("quick"), "quick-all-from-celeba");
        assert_eq!(init("small", InitParts::Backbone).profile_id("quick"), "quick-from-celeba-small");
    }
}
