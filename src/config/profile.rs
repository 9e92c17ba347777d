//! A profile: network size, image policy, optimizer and schedules, as TOML. Those in `profiles/` are embedded.

use crate::dataset::DatasetName;
use crate::error::{Error, Result};
use crate::model::{Architecture, BackboneName, Backend};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The embedded profiles by name.
const EMBEDDED: [(&str, &str); 3] = [
    ("paper", include_str!("profiles/paper.toml")),
    ("authors-code", include_str!("profiles/authors-code.toml")),
    ("quick", include_str!("profiles/quick.toml")),
];

/// How an experiment is carried out, whatever the variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Name in run folders and reports.
    pub name: String,
    /// What it is for, what it should reach and how long that takes.
    pub description: String,
    /// The network's sizes.
    pub network: Architecture,
    /// What the backbone starts from; without it, random weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_weights: Option<InitialWeights>,
    /// From a stored image to the network's input.
    pub images: ImagePolicy,
    /// The optimizer, but for its schedule.
    pub optimizer: Optimizer,
    /// How numbers are computed with.
    #[serde(default, skip_serializing_if = "Compute::is_default")]
    pub compute: Compute,
    /// Steps between two lines of `metrics.jsonl`.
    pub log_every: usize,
    /// Steps between two passes over the validation split, where the data set has one.
    pub validate_every: usize,
    /// Steps between two checkpoints from which a killed run goes on.
    pub checkpoint_every: usize,
    /// Batch, steps and rates for each data set.
    pub training: BTreeMap<String, Training>,
    /// How `run-all` prepares each data set.
    pub prepare: BTreeMap<String, Prepare>,
}

/// A file of `gal-bench weights import`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InitialWeights {
    /// Where it lies; records leave it out.
    #[serde(default, skip_serializing)]
    pub file: PathBuf,
    /// Its blake3; one that a profile names is insisted on.
    #[serde(default)]
    pub digest: String,
    /// What it was imported from.
    #[serde(default)]
    pub origin: String,
}

impl PartialEq for InitialWeights {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

/// From a stored image to the network's input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImagePolicy {
    /// Side in pixels that a stored image is brought to.
    pub resize: usize,
    /// Where the input is cut out of that in training; in testing always the centre.
    pub crop: Crop,
    /// Whether every second training image is mirrored, at random.
    pub flip: bool,
}

/// How numbers are computed with: in single precision, unless told otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compute {
    /// Whether matrix products on a CUDA device round their factors to ten bits of mantissa.
    #[serde(default)]
    pub tf32: bool,
    /// Whether matrix products and convolutions on a CUDA device take factors of bf16, seven bits of mantissa; the graph
    /// attention, batch norm, losses, weights and the optimizer stay in single precision.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bf16: bool,
}

impl Compute {
    /// The form of the operations that computes so.
    pub fn backend(self) -> Backend {
        if self.bf16 { Backend::ReferenceBf16 } else { Backend::Native }
    }

    /// A word for records: what products are rounded to, if anything.
    pub fn rounding(self) -> Option<&'static str> {
        match self {
            Self { bf16: false, tf32: false } => None,
            Self { bf16: false, tf32: true } => Some("TF32"),
            Self { bf16: true, tf32: false } => Some("bf16"),
            Self { bf16: true, tf32: true } => Some("bf16 and TF32"),
        }
    }

    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Where a training input is cut out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Crop {
    /// In the middle.
    Centre,
    /// Anywhere with equal chance.
    Random,
}

/// Momentum SGD, but for its schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Optimizer {
    /// Share of the old velocity that is kept.
    pub momentum: f64,
    /// Factor of the rate for branches and correlation net.
    pub head_rate: f64,
    /// Factor of the rate for a correlation net on a frozen trunk, on top of `head_rate`: features that are trained
    /// already bear smaller steps than features that grow beside it.
    #[serde(default = "one")]
    pub frozen_rate: f64,
    /// L2 penalty of all variants; without it each variant's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f64>,
}

fn one() -> f64 {
    1.0
}

/// Batch, steps and rates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Images a step.
    pub batch: usize,
    /// Optimizer steps.
    pub steps: usize,
    /// The learning rate over the steps.
    pub schedule: Schedule,
}

/// A learning rate over the steps of a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Schedule {
    /// `initial * (1 - step / steps)^power`.
    Polynomial {
        /// Rate at step 0.
        initial: f64,
        /// 1 is a straight line.
        power: f64,
    },
    /// Smith 2017, triangular: up from `minimum` to `maximum` in `half_cycle` steps and down again, over and over.
    Cyclical {
        /// Rate at step 0.
        minimum: f64,
        /// Rate at the peak.
        maximum: f64,
        /// Steps from one to the other.
        half_cycle: usize,
    },
}

impl Schedule {
    /// The rate of step `step` (from 0) of `steps`.
    ///
    /// ```
    /// use gal_bench::config::Schedule;
    /// let lfwa = Schedule::Cyclical { minimum: 0.0, maximum: 0.005, half_cycle: 5000 };
    /// assert_eq!([0, 2500, 5000, 7500].map(|step| lfwa.rate(step, 10_000)), [0.0, 0.0025, 0.005, 0.0025]);
    /// ```
    pub fn rate(&self, step: usize, steps: usize) -> f64 {
        match *self {
            Self::Polynomial { initial, power } => initial * (1.0 - step as f64 / steps as f64).powf(power),
            Self::Cyclical { minimum, maximum, half_cycle } => {
                let place = step % (2 * half_cycle);
                let share = place.min(2 * half_cycle - place) as f64 / half_cycle as f64;
                minimum + (maximum - minimum) * share
            }
        }
    }
}

/// How a data set is prepared.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prepare {
    /// At least this many training images, by distorted copies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expand: Option<usize>,
}

impl Profile {
    /// The names of the embedded profiles.
    pub fn names() -> [&'static str; EMBEDDED.len()] {
        EMBEDDED.map(|(name, _)| name)
    }

    /// An embedded profile by its name, or one from a TOML file.
    pub fn load(name: &str) -> Result<Self> {
        if let Some((_, text)) = EMBEDDED.iter().find(|(known, _)| *known == name) {
            return Self::parse(text, Path::new(name));
        }
        let path = Path::new(name);
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml")) {
            return Self::parse(&crate::io::read_text(path)?, path);
        }
        Err(Error::Request(format!(
            "there is no profile {name}: use one of {}, or the path of a .toml file (`gal-bench profile quick` prints \
             one to start from)",
            Self::names().join(", ")
        )))
    }

    /// The text of an embedded profile.
    pub fn text(name: &str) -> Option<&'static str> {
        EMBEDDED.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
    }

    fn parse(text: &str, path: &Path) -> Result<Self> {
        let profile: Self = toml::from_str(text).map_err(|e| {
            let line = e.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            Error::line(path, line, e.message().trim().replace('\n', "; "))
        })?;
        profile.check().map_err(|message| Error::file(path, message))?;
        Ok(profile)
    }

    fn check(&self) -> std::result::Result<(), String> {
        self.network.map_size()?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if self.name.is_empty() || !self.name.chars().all(plain) || self.name.starts_with('.') {
            return Err(format!("the name {:?} is not made of letters, digits, '-', '_' and '.'", self.name));
        }
        if self.images.resize < self.network.input_size {
            return Err(format!(
                "images.resize is {}, smaller than network.input_size {}",
                self.images.resize, self.network.input_size
            ));
        }
        for (name, value) in [
            ("log_every", self.log_every),
            ("validate_every", self.validate_every),
            ("checkpoint_every", self.checkpoint_every),
        ] {
            if value == 0 {
                return Err(format!("{name} is 0, expected at least 1"));
            }
        }
        let Optimizer { momentum, head_rate, frozen_rate, weight_decay } = self.optimizer;
        let weight_decay = weight_decay.unwrap_or(0.0);
        let (above, share) = (|value: f64| value > 0.0, |value: f64| (0.0..1.0).contains(&value));
        for (name, value, fits, expected) in [
            ("network.bn_eps", self.network.bn_eps, above(self.network.bn_eps), "a number above 0"),
            ("network.bn_decay", self.network.bn_decay, share(self.network.bn_decay), "a number from 0 to below 1"),
            ("optimizer.momentum", momentum, share(momentum), "a number from 0 to below 1"),
            ("optimizer.head_rate", head_rate, above(head_rate), "a number above 0"),
            ("optimizer.frozen_rate", frozen_rate, above(frozen_rate), "a number above 0"),
            ("optimizer.weight_decay", weight_decay, weight_decay >= 0.0, "0 or a number above it"),
        ] {
            if !fits || value.is_infinite() {
                return Err(format!("{name} is {value}, expected {expected}"));
            }
        }
        for (dataset, training) in &self.training {
            if DatasetName::parse(dataset).is_none() {
                return Err(format!("training.{dataset}: expected celeba, lfwa or synthetic"));
            }
            let Training { batch, steps, schedule } = training;
            // Batch norm needs more than one value a channel.
            if *batch < 2 || *steps == 0 {
                return Err(format!("training.{dataset}: batch {batch} and steps {steps}, expected at least 2 and 1"));
            }
            let rates = match *schedule {
                Schedule::Polynomial { initial, power } => [initial, power],
                Schedule::Cyclical { minimum, maximum, .. } => [minimum, maximum],
            };
            if !rates.iter().all(|rate| rate.is_finite() && *rate >= 0.0) {
                return Err(format!("training.{dataset}: a schedule of {rates:?}, expected no number below 0"));
            }
            if matches!(schedule, Schedule::Cyclical { half_cycle: 0, .. }) {
                return Err(format!("training.{dataset}: half_cycle is 0, expected at least 1"));
            }
        }
        Ok(())
    }

    /// Batch, steps and rates for a data set.
    pub fn training(&self, dataset: DatasetName) -> Result<&Training> {
        self.training.get(dataset.label()).ok_or_else(|| {
            Error::Request(format!(
                "profile {} has no section [training.{}]: add one, or choose another profile",
                self.name,
                dataset.label()
            ))
        })
    }

    /// Every way in which training on `dataset` with this profile is not the paper's protocol.
    pub fn deviations(&self, dataset: DatasetName) -> Result<Vec<String>> {
        let paper = Self::load("paper")?;
        let mut found = Vec::new();
        let mut compare = |what: &str, ours: String, theirs: String| {
            if ours != theirs {
                found.push(format!("{what} is {ours}; the paper's is {theirs}."));
            }
        };
        let (ours, theirs) = (&self.network, &paper.network);
        compare("The side of the network's input", pixels(ours.input_size), pixels(theirs.input_size));
        let backbone = |network: &Architecture| match network.backbone {
            BackboneName::AlexnetCvgj => network.backbone.to_string(),
            other => format!("{other} (first stride {}, widths {})", network.stride, join(&network.widths)),
        };
        compare("The backbone", backbone(ours), backbone(theirs));
        if ours.backbone == theirs.backbone {
            compare("The first convolution's stride", ours.stride.to_string(), theirs.stride.to_string());
            compare("The width of the five convolutions", join(&ours.widths), join(&theirs.widths));
        }
        compare("The width of a branch", ours.branch_channels.to_string(), theirs.branch_channels.to_string());
        compare("The width of a node", ours.node_channels.to_string(), theirs.node_channels.to_string());
        compare("The decay of batch norm's running averages", ours.bn_decay.to_string(), theirs.bn_decay.to_string());
        compare("The side that images are brought to", pixels(self.images.resize), pixels(paper.images.resize));
        compare("The training crop", crop(self.images.crop), crop(paper.images.crop));
        compare("Mirroring in training", on(self.images.flip), on(paper.images.flip));
        compare("Momentum", self.optimizer.momentum.to_string(), paper.optimizer.momentum.to_string());
        let rate = |profile: &Self| format!("{} times the backbone's", profile.optimizer.head_rate);
        compare("The rate of branches and correlation net", rate(self), rate(&paper));
        let frozen = |profile: &Self| format!("{} times that", profile.optimizer.frozen_rate);
        compare("The rate of a correlation net on a frozen trunk", frozen(self), frozen(&paper));
        let decay = |profile: &Self| {
            profile
                .optimizer
                .weight_decay
                .map_or("0.0005 for Baseline and 0.001 for the others".to_owned(), |d| format!("{d} for all variants"))
        };
        compare("Weight decay", decay(self), decay(&paper));
        let precision = |profile: &Self| profile.compute.rounding().unwrap_or("single").to_owned();
        compare("The precision of matrix products", precision(self), precision(&paper));
        let training = self.training(dataset)?;
        if let Some(theirs) = paper.training.get(dataset.label()).filter(|_| dataset != DatasetName::Synthetic) {
            compare("The batch size", training.batch.to_string(), theirs.batch.to_string());
            compare("The number of steps", training.steps.to_string(), theirs.steps.to_string());
            compare("The learning rate", schedule(&training.schedule), schedule(&theirs.schedule));
        } else {
            found.push(
                "The data are synthetic faces drawn by this program: no figure says anything about real ones."
                    .to_owned(),
            );
        }
        found.push(match &self.initial_weights {
            None => {
                "Training starts from random weights; the paper's from AlexNet weights trained on ImageNet.".to_owned()
            }
            Some(weights) => format!(
                "The backbone starts from weights imported from {}; the paper's from AlexNet-cvgj trained on ImageNet, \
                 and whether these are the same is not known.",
                weights.origin
            ),
        });
        Ok(found)
    }
}

fn join(widths: &[usize]) -> String {
    widths.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn pixels(side: usize) -> String {
    format!("{side} pixels")
}

fn crop(crop: Crop) -> String {
    match crop {
        Crop::Centre => "the centre".to_owned(),
        Crop::Random => "a random place".to_owned(),
    }
}

fn on(flag: bool) -> String {
    if flag { "on" } else { "off" }.to_owned()
}

fn schedule(schedule: &Schedule) -> String {
    match schedule {
        Schedule::Polynomial { initial, power } => format!("{initial} falling to 0 with power {power}"),
        Schedule::Cyclical { minimum, maximum, half_cycle } => {
            format!("cyclical between {minimum} and {maximum} with half cycles of {half_cycle} steps")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_papers_profile_differs_from_the_paper_in_its_initial_weights_only() {
        for dataset in [DatasetName::Celeba, DatasetName::Lfwa] {
            let found = Profile::load("paper").unwrap().deviations(dataset).unwrap();
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].contains("random weights"), "{found:?}");
        }
    }

    #[test]
    fn rounded_products_are_a_deviation_and_bf16_is_written_down_only_where_it_is_used() {
        let with = |compute: Compute| Profile { compute, ..Profile::load("paper").unwrap() };
        let written = |compute: Compute| toml::to_string(&with(compute)).unwrap();
        for (tf32, bf16, word) in [(true, false, "TF32"), (false, true, "bf16"), (true, true, "bf16 and TF32")] {
            let found = with(Compute { tf32, bf16 }).deviations(DatasetName::Celeba).unwrap();
            assert!(found.contains(&format!("The precision of matrix products is {word}; the paper's is single.")));
            assert_eq!(written(Compute { tf32, bf16 }).contains("bf16 = true"), bf16);
        }
        assert!(!written(Compute { tf32: true, bf16: false }).contains("bf16"));
        assert!(!written(Compute::default()).contains("[compute]"));
    }

    #[test]
    fn every_embedded_profile_is_sound_and_bears_its_name() {
        for name in Profile::names() {
            assert_eq!(Profile::load(name).unwrap().name, name);
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let text = Profile::text("quick").unwrap().replace("momentum = 0.9", "momentum = 0.9\nnesterov = true");
        let error = Profile::parse(&text, Path::new("mine.toml")).unwrap_err().to_string();
        assert!(error.contains("mine.toml, line ") && error.contains("nesterov"), "{error}");
    }

    #[test]
    #[allow(clippy::float_cmp, reason = "halves are exact")]
    fn the_polynomial_falls_to_zero_at_the_end() {
        let schedule = Schedule::Polynomial { initial: 0.5, power: 1.0 };
        assert_eq!([0, 50, 100].map(|step| schedule.rate(step, 100)), [0.5, 0.25, 0.0]);
    }
}
