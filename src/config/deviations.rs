//! Settings in which a profile differs from the paper's protocol.

use super::embedded::PAPER;
use super::profile::{Crop, Profile};
use super::schedule::Schedule;
use crate::dataset::DatasetName;
use crate::error::Result;
use crate::model::{Architecture, BackboneName};

/// A setting's name, and its value in a profile.
type Setting = (&'static str, fn(&Profile) -> String);

const SETTINGS: [Setting; 14] = [
    ("Input size", |p| pixels(p.network.input_size)),
    ("Backbone", |p| backbone(&p.network)),
    ("Pool after the last convolution", |p| if p.network.last_pool { "kept" } else { "left out" }.to_owned()),
    ("Width of a branch", |p| p.network.branch_channels.to_string()),
    ("Width of a node", |p| p.network.node_channels.to_string()),
    ("Decay of batch norm's running averages", |p| p.network.bn_decay.to_string()),
    ("Size that images are resized to", |p| pixels(p.images.resize)),
    ("Training crop", |p| crop(p.images.crop).to_owned()),
    ("Horizontal flip in training", |p| if p.images.flip { "on" } else { "off" }.to_owned()),
    ("Momentum", |p| p.optimizer.momentum.to_string()),
    ("Learning-rate factor of branches and CLN", |p| p.optimizer.head_rate.to_string()),
    ("Learning-rate factor of the CLN beside it", |p| p.optimizer.cln_rate.to_string()),
    ("Learning-rate factor of the CLN on a frozen FLN", |p| p.optimizer.frozen_rate.to_string()),
    ("Weight decay", |p| weight_decay(p.optimizer.weight_decay)),
];

/// Settings that only profiles with the paper's backbone share.
const BACKBONE_SETTINGS: [Setting; 2] = [
    ("Stride of the first convolution", |p| p.network.stride.to_string()),
    ("Widths of the five convolutions", |p| join(&p.network.widths)),
];

const PRECISION: Setting = ("Precision of matrix products", |p| p.compute.rounding().unwrap_or("single").to_owned());

impl Profile {
    /// Deviations of training on `dataset` with this profile from the paper's protocol, a sentence each.
    ///
    /// # Errors
    /// A profile without the section of `dataset`.
    pub fn deviations(&self, dataset: DatasetName) -> Result<Vec<String>> {
        let paper = Self::load(PAPER)?;
        let same_backbone = self.network.backbone == paper.network.backbone;
        let (first, rest) = SETTINGS.split_at(2);
        let backbone = BACKBONE_SETTINGS.iter().filter(|_| same_backbone);
        let settings = first.iter().chain(backbone).chain(rest).chain([&PRECISION]);
        let mut found: Vec<String> =
            settings.filter_map(|(name, value)| deviation(name, &value(self), &value(&paper))).collect();
        let ours = self.training(dataset)?;
        match paper.training.get(dataset.label()).filter(|_| dataset != DatasetName::Synthetic) {
            Some(theirs) => found.extend(
                [
                    deviation("Batch size", &ours.batch.to_string(), &theirs.batch.to_string()),
                    deviation("Steps", &ours.steps.to_string(), &theirs.steps.to_string()),
                    deviation("Learning rate", &schedule(&ours.schedule), &schedule(&theirs.schedule)),
                ]
                .into_iter()
                .flatten(),
            ),
            None => {
                found.push("Data: synthetic faces drawn by this program; no figure applies to real faces.".to_owned());
            }
        }
        found.push(match &self.initial_weights {
            None => "Initial weights: random (paper: AlexNet trained on ImageNet).".to_owned(),
            Some(weights) => format!(
                "Initial weights of the backbone: imported from {} (paper: AlexNet-cvgj trained on ImageNet); whether \
                 they are equal is unknown.",
                weights.origin
            ),
        });
        Ok(found)
    }
}

/// A sentence if the values differ.
fn deviation(name: &str, ours: &str, paper: &str) -> Option<String> {
    (ours != paper).then(|| format!("{name}: {ours} (paper: {paper})."))
}

fn backbone(network: &Architecture) -> String {
    match network.backbone {
        BackboneName::AlexnetCvgj => network.backbone.to_string(),
        other => format!("{other}, first stride {}, widths {}", network.stride, join(&network.widths)),
    }
}

fn join(widths: &[usize]) -> String {
    widths.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn pixels(side: usize) -> String {
    format!("{side} pixels")
}

fn crop(crop: Crop) -> &'static str {
    match crop {
        Crop::Centre => "center",
        Crop::Random => "random",
    }
}

fn weight_decay(decay: Option<f64>) -> String {
    decay.map_or_else(|| "0.0005 for Baseline, 0.001 for the others".to_owned(), |d| format!("{d} for all variants"))
}

fn schedule(schedule: &Schedule) -> String {
    match schedule {
        Schedule::Polynomial { initial, power } => format!("polynomial from {initial} to 0 with power {power}"),
        Schedule::Cyclical { minimum, maximum, half_cycle } => {
            format!("cyclical between {minimum} and {maximum} with half cycles of {half_cycle} steps")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::profile::Compute;
    use super::*;

    #[test]
    fn the_papers_profile_differs_from_the_paper_in_its_initial_weights_only() {
        for dataset in [DatasetName::Celeba, DatasetName::Lfwa] {
            let found = Profile::load(PAPER).unwrap().deviations(dataset).unwrap();
            assert_eq!(found, ["Initial weights: random (paper: AlexNet trained on ImageNet)."]);
        }
    }

    #[test]
    fn another_backbone_is_one_deviation_with_its_widths() {
        let mut profile = Profile::load(PAPER).unwrap();
        profile.network.backbone = BackboneName::Resnet18;
        let found = profile.deviations(DatasetName::Lfwa).unwrap();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("Backbone: resnet18, first stride"), "{found:?}");
    }

    #[test]
    fn rounded_products_are_a_deviation_and_bf16_is_stored_only_if_it_is_used() {
        let with = |compute: Compute| Profile { compute, ..Profile::load(PAPER).unwrap() };
        let stored = |compute: Compute| toml::to_string(&with(compute)).unwrap();
        for (tf32, bf16, word) in [(true, false, "TF32"), (false, true, "bf16"), (true, true, "bf16 and TF32")] {
            let found = with(Compute { tf32, bf16 }).deviations(DatasetName::Celeba).unwrap();
            assert!(found.contains(&format!("Precision of matrix products: {word} (paper: single).")), "{found:?}");
            assert_eq!(stored(Compute { tf32, bf16 }).contains("bf16 = true"), bf16);
        }
        assert!(!stored(Compute { tf32: true, bf16: false }).contains("bf16"));
        assert!(!stored(Compute::default()).contains("[compute]"));
    }
}
