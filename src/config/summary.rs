//! The content of `summary.json` in a finished run's folder. Later stages read it, the predictions, the metrics and the affinity.

use super::init::Init;
use crate::attribute::COUNT;
use crate::dataset::DatasetName;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

/// Numbers of known labels by attribute, in the order of [`crate::attribute::NAMES`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownLabels {
    /// Known labels of the training images without copies.
    pub train: Vec<usize>,
    /// Known labels of the test images.
    pub test: Vec<usize>,
}

/// Deserializes the share of positive labels of each attribute.
pub(super) fn deserialize_rates<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Option<f64>>, D::Error> {
    let rates: Vec<Option<f64>> = Vec::deserialize(deserializer)?;
    if rates.len() == COUNT && rates.iter().flatten().all(|rate| (0.0..=1.0).contains(rate)) {
        return Ok(rates);
    }
    Err(D::Error::custom(format!("train_positive_rate holds {} numbers, expected {COUNT} from 0 to 1", rates.len())))
}

/// The record of one trained network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSummary {
    /// The run folder's name.
    #[serde(deserialize_with = "crate::untrusted::deserialize_name")]
    pub id: String,
    /// `celeba`, `lfwa`, `synthetic` or `table`.
    #[serde(deserialize_with = "crate::untrusted::deserialize_name")]
    pub dataset: String,
    /// True if the partition has the digest of the official one.
    pub split_official: bool,
    /// A sentence about the origin of the partition.
    pub split: String,
    /// The part of the data set, as a noun phrase. `None` if every image is there at its size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extent: Option<String>,
    /// BLAKE3 of the prepared set's manifest, which holds the digest of every image.
    pub data_digest: String,
    /// Remarks of the annotation reader.
    pub data_notes: Vec<String>,
    /// The profile's name, with the run that this one started from: `quick`, `quick-from-celeba`.
    #[serde(deserialize_with = "crate::untrusted::deserialize_name")]
    pub profile: String,
    /// The run that it started from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<Init>,
    /// The variant's name.
    #[serde(deserialize_with = "crate::variant::deserialize_name")]
    pub variant: String,
    /// The seed of weights, batches, crops and flips.
    pub seed: u64,
    /// Device, such as `cpu` or `cuda:0 (NVIDIA H100)`.
    pub device: String,
    /// The processor's vector extensions that the program used.
    pub cpu_features: Vec<String>,
    /// Number of threads.
    pub threads: usize,
    /// The program's version.
    pub version: String,
    /// The commit that it was built from, with `-dirty` for a changed tree.
    pub commit: String,
    /// The command that repeats this run.
    pub command: String,
    /// Wall time of training and testing in seconds. Runs that share an FLN share this time.
    pub wall_seconds: f64,
    /// Number of optimizer steps.
    pub steps: usize,
    /// Batch size.
    pub batch: usize,
    /// Input size in pixels.
    pub input: usize,
    /// Number of stored training images, including distorted copies.
    pub train_images: usize,
    /// Number of training images without copies.
    pub train_sources: usize,
    /// Number of test images.
    pub test_images: usize,
    /// Number of trainable parameters.
    pub parameters: usize,
    /// Share of positive labels among the known labels of the training sources, by attribute, from which the majority-class
    /// floor follows; `None` for an attribute without a training label, which is not trained.
    #[serde(deserialize_with = "deserialize_rates")]
    pub train_positive_rate: Vec<Option<f64>>,
    /// Numbers of known labels; `None` if all are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_labels: Option<KnownLabels>,
    /// Deviations from the paper's protocol, a sentence each.
    pub deviations: Vec<String>,
}

impl RunSummary {
    /// The data set's name in print.
    pub fn dataset_title(&self) -> &str {
        match DatasetName::parse(&self.dataset) {
            Some(name) => name.title(),
            None => &self.dataset,
        }
    }

    /// The data in a sentence: the data set, and the part of it.
    pub fn data(&self) -> String {
        match &self.extent {
            Some(extent) => format!("{}, {extent}", self.dataset_title()),
            None => self.dataset_title().to_owned(),
        }
    }

    /// True if the test images are those of the official partition, every one at its size.
    pub fn is_official_test(&self) -> bool {
        self.split_official && self.extent.is_none()
    }

    /// The test images in a sentence; no other figures may be called those of the official test split.
    pub fn test_data(&self) -> String {
        if self.is_official_test() {
            return format!("{}'s official test split", self.dataset_title());
        }
        self.data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::run_dir::DIVERGED;
    use crate::config::{Divergence, Profile, Record, RunConfig};
    use crate::io;
    use proptest::prelude::*;

    fn text() -> impl Strategy<Value = String> {
        let odd = "\u{0}\u{1f}\"'\\\u{85}\u{2028}\u{feff}#=\n\r\t".to_owned();
        prop_oneof![any::<String>(), Just(odd)]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_files_of_a_run_are_read_as_written(
            (name, other) in ("[A-Za-z0-9_-]{1,30}", text()),
            seed in 0..=i64::MAX as u64,
            number in prop_oneof![Just(f64::MAX), Just(f64::MIN_POSITIVE), Just(-0.0), -1e9..1e9],
            rates in proptest::collection::vec(0.0..=1.0, 40),
            official in any::<bool>(),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let path = |file: &str| folder.path().join(file);
            let divergence = Divergence {
                id: name.clone(),
                dataset: name.clone(),
                profile: name.clone(),
                variant: "gal-j".to_owned(),
                seed,
                step: usize::MAX,
                rate: number,
                symptom: other.clone(),
                commit: other.clone(),
            };
            io::write_json(&path(DIVERGED), &divergence).unwrap();
            prop_assert_eq!(Divergence::of_run(folder.path()).unwrap(), Some(divergence));

            let summary = serde_json::json!({
                "id": name, "dataset": name, "split_official": official, "split": other, "extent": other,
                "data_digest": other, "data_notes": [name, other], "profile": name, "variant": "gal-j", "seed": seed,
                "device": other, "cpu_features": [name], "threads": seed, "version": name, "commit": other,
                "command": name, "wall_seconds": number, "steps": seed, "batch": seed, "input": seed,
                "train_images": seed, "train_sources": seed, "test_images": seed, "parameters": seed,
                "train_positive_rate": rates, "deviations": [other],
            });
            let summary: RunSummary = serde_json::from_value(summary).unwrap();
            Record::write(folder.path(), &summary).unwrap();
            prop_assert_eq!(Record::read(folder.path()).unwrap().summary, summary);

            let mut profile = Profile::load("quick").unwrap();
            profile.name = name.clone();
            let config = RunConfig {
                dataset: name,
                data_digest: other,
                variant: "gal-j".to_owned(),
                seed,
                ranks: 1,
                init: None,
                profile,
            };
            io::write(&path("config.toml"), toml::to_string(&config).unwrap().as_bytes()).unwrap();
            prop_assert_eq!(RunConfig::read(&path("config.toml")).unwrap(), config);
        }
    }
}
