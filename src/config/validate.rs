//! Checks the values of a profile.

use super::profile::{ImagePolicy, Optimizer, Profile, Training};
use super::schedule::Schedule;
use crate::dataset::DatasetName;
use crate::model::Architecture;
use crate::untrusted::is_name;

/// Bounds far above any use, within which products of sizes stay exact.
const MAX_IMAGES: usize = 1 << 20;
const MAX_STEPS: usize = 1 << 32;
const MAX_CHANNELS: usize = 1 << 16;
const MAX_PIXELS: usize = 1 << 14;

/// Checks every value; an error names the key, its value, and what is expected.
pub(super) fn validate(profile: &Profile) -> Result<(), String> {
    sizes(profile)?;
    profile.network.map_size()?;
    name(&profile.name)?;
    let of_datasets = profile.training.iter().filter_map(|(dataset, section)| {
        section.images.as_ref().map(|policy| (format!("training.{dataset}.images"), policy))
    });
    std::iter::once(("images".to_owned(), &profile.images))
        .chain(of_datasets)
        .try_for_each(|(name, policy)| images(&name, policy, profile.network.input_size))?;
    for (name, value) in [
        ("log_every", profile.log_every),
        ("validate_every", profile.validate_every),
        ("checkpoint_every", profile.checkpoint_every),
    ] {
        if value == 0 {
            return Err(format!("{name} is 0, expected at least 1"));
        }
    }
    numbers(profile)?;
    profile.prepare.iter().try_for_each(|(dataset, section)| {
        dataset_name("prepare", dataset)?;
        match section.val_split {
            Some(share) if !(share > 0.0 && share < 1.0) => {
                Err(format!("prepare.{dataset}: val_split is {share}, expected a number above 0 and below 1"))
            }
            _ => Ok(()),
        }
    })?;
    profile.regularization.validate()?;
    profile.online.iter().try_for_each(|pipeline| pipeline.check().map_err(|message| format!("online: {message}")))?;
    profile.training.iter().try_for_each(|(dataset, section)| training(dataset, section))
}

/// Sizes within bounds; those that are too large for the memory at hand are found when they are used.
fn sizes(profile: &Profile) -> Result<(), String> {
    let Architecture { input_size, stride, widths, branch_channels, node_channels, .. } = profile.network;
    let widths = widths.map(|width| ("network.widths", width, MAX_CHANNELS));
    let others = [
        ("network.input_size", input_size, MAX_PIXELS),
        ("network.stride", stride, MAX_PIXELS),
        ("network.branch_channels", branch_channels, MAX_CHANNELS),
        ("network.node_channels", node_channels, MAX_CHANNELS),
    ];
    match others.into_iter().chain(widths).find(|(_, value, most)| value > most) {
        Some((name, value, most)) => Err(format!("{name} is {value}, expected at most {most}")),
        None => Ok(()),
    }
}

fn images(name: &str, policy: &ImagePolicy, input_size: usize) -> Result<(), String> {
    let resize = policy.resize;
    if resize < input_size {
        return Err(format!("{name}.resize is {resize}, smaller than network.input_size {input_size}"));
    }
    if resize > MAX_PIXELS {
        return Err(format!("{name}.resize is {resize}, expected at most {MAX_PIXELS}"));
    }
    Ok(())
}

/// Names are part of file names.
fn name(name: &str) -> Result<(), String> {
    if !is_name(name) {
        return Err(format!("the name {name:?} is not made of letters, digits, '-', '_' and '.'"));
    }
    Ok(())
}

fn numbers(profile: &Profile) -> Result<(), String> {
    let Optimizer { momentum, head_rate, cln_rate, frozen_rate, weight_decay } = profile.optimizer;
    let Architecture { node_gain, bn_eps, bn_decay, .. } = profile.network;
    let weight_decay = weight_decay.unwrap_or(0.0);
    let (positive, share) = (|value: f64| value > 0.0, |value: f64| (0.0..1.0).contains(&value));
    for (name, value, fits, expected) in [
        ("network.node_gain", node_gain, positive(node_gain), "a number above 0"),
        ("network.bn_eps", bn_eps, positive(bn_eps), "a number above 0"),
        ("network.bn_decay", bn_decay, share(bn_decay), "a number from 0 to below 1"),
        ("optimizer.momentum", momentum, share(momentum), "a number from 0 to below 1"),
        ("optimizer.head_rate", head_rate, positive(head_rate), "a number above 0"),
        ("optimizer.cln_rate", cln_rate, positive(cln_rate), "a number above 0"),
        ("optimizer.frozen_rate", frozen_rate, positive(frozen_rate), "a number above 0"),
        ("optimizer.weight_decay", weight_decay, weight_decay >= 0.0, "0 or a number above it"),
    ] {
        if !fits || value.is_infinite() {
            return Err(format!("{name} is {value}, expected {expected}"));
        }
    }
    Ok(())
}

fn dataset_name(section: &str, dataset: &str) -> Result<(), String> {
    match DatasetName::parse(dataset) {
        Some(_) => Ok(()),
        None => Err(format!("{section}.{dataset}: expected celeba, lfwa, synthetic or table")),
    }
}

fn training(dataset: &str, section: &Training) -> Result<(), String> {
    dataset_name("training", dataset)?;
    let Training { batch, steps, epochs, schedule, images: _ } = section;
    // Batch norm needs more than one value a channel.
    if !(2..=MAX_IMAGES).contains(batch) {
        return Err(format!("training.{dataset}: batch is {batch}, expected 2 to {MAX_IMAGES}"));
    }
    match (steps, epochs) {
        (0, None) => {
            return Err(format!("training.{dataset}: neither steps nor epochs is above 0, expected one of them"));
        }
        (_, Some(0)) => return Err(format!("training.{dataset}: epochs is 0, expected at least 1")),
        _ => {}
    }
    for (name, value) in [("steps", *steps), ("epochs", epochs.unwrap_or_default())] {
        if value > MAX_STEPS {
            return Err(format!("training.{dataset}: {name} is {value}, expected at most {MAX_STEPS}"));
        }
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
    Ok(())
}
