//! Settings in which a profile differs from the paper's protocol.

use super::embedded::PAPER;
use super::init::Init;
use super::profile::{Compute, Crop, ImagePolicy, Optimizer, Profile, Training};
use super::schedule::Schedule;
use crate::dataset::DatasetName;
use crate::error::Result;
use crate::model::{Architecture, BackboneName};

/// A setting's name, and its value.
type Setting = (&'static str, String);

/// Training images of the official sets, undistorted.
const OFFICIAL_SOURCES: [(DatasetName, usize); 2] = [(DatasetName::Celeba, 162_770), (DatasetName::Lfwa, 6_263)];

/// Settings of a profile that do not depend on the data set. Stride and widths belong to the backbone, so they are left out
/// for one that is not the paper's. Every field is named here: a new one is reported or left out on purpose.
fn settings(profile: &Profile, same_backbone: bool) -> Vec<Setting> {
    let Profile {
        name: _,
        description: _,
        protocol: _,
        network,
        // In sentences of their own.
        initial_weights: _,
        online: _,
        regularization: _,
        evaluation: _,
        images,
        optimizer,
        compute,
        // The rhythm of records affects no weight.
        log_every: _,
        validate_every: _,
        checkpoint_every: _,
        // In `training_settings`.
        training: _,
        // The prepared set's own options count, which `train` adds, not those of `run-all`.
        prepare: _,
    } = profile;
    let mut found = network_settings(network, same_backbone);
    let ImagePolicy { resize, crop: position, flip } = images;
    found.extend([
        ("Size that images are resized to", pixels(*resize)),
        ("Training crop", crop(*position).to_owned()),
        ("Horizontal flip in training", switch(*flip)),
    ]);
    let Optimizer { momentum, head_rate, cln_rate, frozen_rate, weight_decay: decay } = optimizer;
    found.extend([
        ("Momentum", momentum.to_string()),
        ("Learning-rate factor of branches and CLN", head_rate.to_string()),
        ("Learning-rate factor of the CLN trained with the FLN", cln_rate.to_string()),
        ("Learning-rate factor of the CLN on a frozen FLN", frozen_rate.to_string()),
        ("Weight decay", weight_decay(*decay)),
    ]);
    let Compute { tf32: _, bf16: _, reference: _, sync_bn: _ } = compute;
    found.push(("Precision of matrix products", compute.rounding().unwrap_or("single").to_owned()));
    found
}

/// Settings of the network, and what follows from them.
fn network_settings(network: &Architecture, same_backbone: bool) -> Vec<Setting> {
    let Architecture {
        backbone: name,
        input_size,
        stride,
        widths,
        last_pool,
        branch_channels,
        node_channels,
        node_gain,
        bn_eps,
        bn_decay,
    } = network;
    let described = match name {
        BackboneName::AlexnetCvgj => name.to_string(),
        other => format!("{other}, first stride {stride}, widths {}", join(widths)),
    };
    let mut found = vec![("Input size", pixels(*input_size)), ("Backbone", described)];
    if same_backbone {
        found.push(("Stride of the first convolution", stride.to_string()));
        found.push(("Widths of the five convolutions", join(widths)));
    }
    let side = network.map_size().unwrap_or_default();
    found.extend([
        ("Pool after the last convolution", if *last_pool { "kept" } else { "left out" }.to_owned()),
        ("Side of the last map", side.to_string()),
        ("Receptive field of the last map", pixels(network.receptive_field())),
        ("Width of a branch", branch_channels.to_string()),
        ("Width of a node", node_channels.to_string()),
        ("Factor of a node's initial weights", node_gain.to_string()),
        ("Values of a node", (side * side * node_channels).to_string()),
        ("Epsilon of batch norm", bn_eps.to_string()),
        ("Decay of batch norm's running averages", bn_decay.to_string()),
    ]);
    found
}

/// Settings of training on one data set, and how often each source image is seen in its copies.
fn training_settings(training: &Training, sources: usize) -> Vec<Setting> {
    // Epochs are in the number of steps; the data set's preprocessing is the profile's by then.
    let Training { batch, steps, epochs: _, schedule: rate, images: _ } = training;
    let passes = (batch * steps) as f64 / sources.max(1) as f64;
    vec![
        ("Batch size", batch.to_string()),
        ("Steps", steps.to_string()),
        ("Learning rate", schedule(rate)),
        ("Training images seen for each source image", format!("{passes:.0}")),
    ]
}

impl Profile {
    /// Deviations of training on `dataset` with `sources` undistorted training images from the paper's protocol, a sentence
    /// each. `init` is the run that it started from.
    ///
    /// # Errors
    /// A profile without the section of `dataset`.
    pub fn deviations(&self, dataset: DatasetName, sources: usize, init: Option<&Init>) -> Result<Vec<String>> {
        let paper = Self::load(PAPER)?;
        let same_backbone = self.network.backbone == paper.network.backbone;
        let mut found = differences(settings(self, same_backbone), settings(&paper, same_backbone));
        if let Some(pipeline) = &self.online {
            let count = pipeline.operations.len();
            let expanded = paper.prepare.get(dataset.label()).is_some_and(|prepare| prepare.expand.is_some());
            let theirs = if expanded { "fixed copies" } else { "none" };
            found.push(format!(
                "Distortions of training images: drawn anew in every epoch by {count} operations (paper: {theirs})."
            ));
        }
        found.extend(self.regularization.deviations().chain(self.evaluation.deviations()));
        let ours = self.training(dataset)?;
        let official = OFFICIAL_SOURCES.iter().find(|(name, _)| *name == dataset);
        match paper.training.get(dataset.label()).zip(official) {
            Some((theirs, (_, official))) => {
                found.extend(differences(training_settings(ours, sources), training_settings(theirs, *official)));
            }
            None if dataset == DatasetName::Table => {
                found.push("Data: faces of a user's table (paper: CelebA and LFWA).".to_owned());
                if self.training.get(DatasetName::Celeba.label()) == Some(ours) {
                    found.push("Batch, steps and learning rate: those of the profile for CelebA.".to_owned());
                }
            }
            None => {
                found.push("Data: synthetic faces drawn by this program; no figure applies to real faces.".to_owned());
            }
        }
        found.push(match (init, &self.initial_weights) {
            (Some(init), _) => init.deviation(),
            (None, None) => "Initial weights: random (paper: AlexNet trained on ImageNet).".to_owned(),
            (None, Some(weights)) => format!(
                "Initial weights of the backbone, which may be others: imported from {} (paper: AlexNet-cvgj trained on \
                 ImageNet).",
                weights.origin
            ),
        });
        Ok(found)
    }
}

/// Images that the paper makes of each training image of `dataset`, the undistorted one included; `None` for data that the
/// paper does not use.
pub fn paper_copies(dataset: DatasetName) -> Result<Option<usize>> {
    let paper = Profile::load(PAPER)?;
    let official = OFFICIAL_SOURCES.iter().find(|(name, _)| *name == dataset);
    let section = paper.prepare.get(dataset.label()).zip(official);
    Ok(section.map(|(prepare, (_, sources))| prepare.expand.map_or(1, |total| total.div_ceil(*sources))))
}

/// A sentence for each setting with another value than the paper's.
fn differences(ours: Vec<Setting>, paper: Vec<Setting>) -> Vec<String> {
    let differing = ours.into_iter().zip(paper).filter(|((_, ours), (_, paper))| ours != paper);
    differing.map(|((name, ours), (_, paper))| format!("{name}: {ours} (paper: {paper}).")).collect()
}

fn join(widths: &[usize]) -> String {
    widths.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn switch(on: bool) -> String {
    if on { "on" } else { "off" }.to_owned()
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
    use super::*;
    use crate::augment::Pipeline;
    use toml::Value;

    const SOURCES: usize = 6_263;

    #[test]
    fn the_papers_profile_differs_from_the_paper_in_its_initial_weights_only() {
        for (dataset, sources) in OFFICIAL_SOURCES {
            let found = Profile::load(PAPER).unwrap().deviations(dataset, sources, None).unwrap();
            assert_eq!(found, ["Initial weights: random (paper: AlexNet trained on ImageNet)."]);
        }
    }

    #[test]
    fn another_backbone_is_one_deviation_with_its_widths() {
        let mut profile = Profile::load(PAPER).unwrap();
        profile.network.backbone = BackboneName::Resnet18;
        let found = profile.deviations(DatasetName::Lfwa, SOURCES, None).unwrap();
        // Its map is larger, so nodes are longer.
        assert_eq!(found.len(), 5, "{found:?}");
        assert!(found[0].starts_with("Backbone: resnet18, first stride"), "{found:?}");
    }

    #[test]
    fn what_follows_from_the_settings_is_listed() {
        let mut quick = Profile::load("quick").unwrap();
        let training = quick.training.get_mut("lfwa").unwrap();
        (training.batch, training.steps) = (64, 4_000);
        let found = quick.deviations(DatasetName::Lfwa, SOURCES, None).unwrap();
        assert!(found.iter().all(|sentence| !sentence.starts_with("Side of the last map")), "{found:?}");
        // In the paper 10,000 batches of 256.
        let seen = "Training images seen for each source image: 41 (paper: 409).";
        assert!(found.iter().any(|sentence| sentence == seen), "{found:?}");
        let mut pooled = quick.clone();
        pooled.network.last_pool = true;
        let found = pooled.deviations(DatasetName::Lfwa, SOURCES, None).unwrap();
        for sentence in ["Side of the last map: 2 (paper: 6).", "Values of a node: 40 (paper: 360)."] {
            assert!(found.iter().any(|found| found == sentence), "{found:?}");
        }
    }

    /// Keys that describe a profile or affect records only, and those of other data sets.
    fn is_silent(path: &str) -> bool {
        let silent = ["name", "description", "log_every", "validate_every", "checkpoint_every"];
        silent.contains(&path)
            || ["protocol.", "prepare.", "training.celeba", "training.synthetic"]
                .iter()
                .any(|prefix| path.starts_with(prefix))
    }

    /// Another valid value for a key.
    fn changed(path: &str, value: &Value) -> Value {
        match (path, value) {
            ("network.backbone", _) => "alexnet".into(),
            ("network.input_size", _) => 203.into(),
            ("images.crop", _) => "random".into(),
            ("network.widths", _) => vec![96, 256, 384, 384, 128].into(),
            (_, Value::Boolean(on)) => (!on).into(),
            (_, Value::Integer(number)) => (number + 1).into(),
            (_, Value::Float(number)) if *number > 0.0 => (number / 2.0).into(),
            (_, Value::Float(_)) => 0.001.into(),
            _ => panic!("{path} = {value} has no other value in this test"),
        }
    }

    /// Every key of a table with its path, tables left out.
    fn keys(table: &toml::Table, prefix: &str) -> Vec<String> {
        let below = |(key, value): (&String, &Value)| match value {
            Value::Table(table) => keys(table, &format!("{prefix}{key}.")),
            _ => vec![format!("{prefix}{key}")],
        };
        table.iter().flat_map(below).collect()
    }

    #[test]
    fn a_change_of_any_key_of_a_profile_is_a_deviation() {
        // The paper's profile with every optional key, at the value of its absence.
        let text = Profile::text(PAPER).unwrap();
        let text = text.replace("head_rate = 1.0", "head_rate = 1.0\ncln_rate = 1.0\nfrozen_rate = 1.0");
        let text = text.replace("stride = 4", "stride = 4\nlast_pool = true\nnode_gain = 1.0")
            + "\n[compute]\ntf32 = false\nbf16 = false";
        let full: toml::Table = toml::from_str(&text).unwrap();
        let deviations = |table: &toml::Table| {
            let profile: Profile = table.clone().try_into().unwrap();
            profile.deviations(DatasetName::Lfwa, SOURCES, None).unwrap()
        };
        let before = deviations(&full);
        let mut changes = 0;
        for path in keys(&full, "").iter().filter(|path| !is_silent(path) && *path != "training.lfwa.schedule.kind") {
            let mut table = full.clone();
            let mut value = table.get_mut(path.split('.').next().unwrap()).unwrap();
            for key in path.split('.').skip(1) {
                value = value.get_mut(key).unwrap();
            }
            *value = changed(path, value);
            assert_ne!(deviations(&table), before, "{path}");
            changes += 1;
        }
        assert_eq!(changes, 24);
        let mut one_decay = Profile::load(PAPER).unwrap();
        one_decay.optimizer.weight_decay = Some(0.001);
        assert_ne!(one_decay.deviations(DatasetName::Lfwa, SOURCES, None).unwrap(), before);
    }

    #[test]
    fn the_paper_distorts_fixed_copies_of_lfwa_only() {
        let mut profile = Profile::load(PAPER).unwrap();
        profile.online = Some(Pipeline::default());
        for (dataset, theirs) in [(DatasetName::Lfwa, "fixed copies"), (DatasetName::Celeba, "none")] {
            let found = profile.deviations(dataset, SOURCES, None).unwrap();
            let sentence = found.iter().find(|sentence| sentence.starts_with("Distortions")).unwrap();
            assert!(sentence.ends_with(&format!("operations (paper: {theirs}).")), "{sentence}");
        }
    }

    #[test]
    fn rounded_products_are_a_deviation_and_bf16_is_stored_only_if_it_is_used() {
        let with = |compute: Compute| Profile { compute, ..Profile::load(PAPER).unwrap() };
        let stored = |compute: Compute| toml::to_string(&with(compute)).unwrap();
        for (tf32, bf16, word) in [(true, false, "TF32"), (false, true, "bf16"), (true, true, "bf16 and TF32")] {
            let found =
                with(Compute { tf32, bf16, ..Compute::default() }).deviations(DatasetName::Celeba, 1, None).unwrap();
            assert!(found.contains(&format!("Precision of matrix products: {word} (paper: single).")), "{found:?}");
            assert_eq!(stored(Compute { tf32, bf16, ..Compute::default() }).contains("bf16 = true"), bf16);
        }
        assert!(!stored(Compute { tf32: true, ..Compute::default() }).contains("bf16"));
        assert!(!stored(Compute::default()).contains("[compute]"));
    }
}
