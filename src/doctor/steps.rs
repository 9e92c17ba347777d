//! Training steps of every variant on both sides, and the device's training speed.

use super::check::{Check, Named, Side, Tolerances, compare, numbers};
use crate::attribute::COUNT;
use crate::config::Profile;
use crate::error::Result;
use crate::model::Backend;
use crate::train::{DeviceFacts, Learner, Losses, SharedRun, check_batch, device_facts, shared_runs};
use crate::variant::{BASELINE, Fln, Variant};
use candle_core::{DType, Device, Tensor};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Batch size of compared steps.
const BATCH: usize = 8;
/// Learning rate, small enough for ten steps to stay comparable.
const RATE: f64 = 1e-3;
/// Steps that are timed at least.
const TIMED: usize = 3;

pub(super) fn examine(
    profile: &Profile,
    variants: &[Variant],
    reference: Side,
    examined: Side,
    tolerances: Tolerances,
    note: &mut impl FnMut(Check),
) {
    for run in shared_runs(variants, profile) {
        let names: Vec<&str> = run.variants.iter().map(|variant| variant.title).collect();
        let names = names.join(", ");
        for (steps, tolerance) in [(1, tolerances.one_step), (10, tolerances.ten_steps)] {
            let name = format!("{names}: {steps} training step{}", if steps == 1 { "" } else { "s" });
            let side = |side| after(profile, &run, side, steps);
            note(compare(&name, tolerance, side(reference), side(examined)));
        }
    }
}

fn batch(profile: &Profile, size: usize, step: usize, device: &Device) -> Result<(Tensor, Tensor)> {
    let side = profile.network.input_size;
    let pixels = numbers(&format!("pixels {step}"), &[3, size, side, side], (127.5, 127.5), device)?;
    let yes = numbers(&format!("labels {step}"), &[COUNT, size], (0.0, 1.0), device)?.ge(0.0)?.to_dtype(DType::F32)?;
    Ok((pixels, Tensor::stack(&[&(1.0 - &yes)?, &yes], 1)?.contiguous()?))
}

fn learner(profile: &Profile, run: &SharedRun, side: Side) -> Result<Learner> {
    let mut learner = Learner::new(&profile.network, run, &profile.optimizer, 0, side.backend, side.device)?;
    if run.fln == Fln::FrozenBaseline {
        // The running statistics must fit the images: those of a new network do not, nor do averages over few steps.
        let mut profile = profile.clone();
        profile.network.bn_decay = 0.0;
        let profile = &profile;
        let baseline = SharedRun {
            fln: BASELINE.fln,
            streams: BASELINE.streams,
            weight_decay: run.weight_decay,
            variants: vec![BASELINE],
        };
        let reference = Side { device: &Device::Cpu, backend: Backend::Native };
        let mut trained = self::learner(profile, &baseline, reference)?;
        for step in 0..3 {
            let (pixels, targets) = batch(profile, BATCH, step, reference.device)?;
            step_on(&mut trained, &pixels, &targets)?;
        }
        let on_device = |(name, tensor): (String, Tensor)| Ok((name, tensor.to_device(side.device)?));
        let network = trained.network(&BASELINE).into_iter().map(on_device).collect::<Result<BTreeMap<_, _>>>()?;
        learner.load_feature_net(&network)?;
    }
    Ok(learner)
}

fn step_on(learner: &mut Learner, pixels: &Tensor, targets: &Tensor) -> Result<Losses> {
    learner.step(&learner.features(pixels)?, targets, RATE)
}

/// The losses of all steps, and the state after the last.
fn after(profile: &Profile, run: &SharedRun, side: Side, steps: usize) -> Result<Named> {
    let mut learner = learner(profile, run, side)?;
    let mut losses = Vec::new();
    for step in 0..steps {
        let (pixels, targets) = batch(profile, BATCH, step, side.device)?;
        let found = step_on(&mut learner, &pixels, &targets)?;
        losses.extend(found.fln.iter().chain(found.cln.values()).map(|loss| *loss as f32));
    }
    // Batch norm cancels the biases before it, so their gradients are rounding errors. Rounding may also switch a ReLU or a
    // pool. Such a switch changes momentum buffers fully and weights hardly, so buffers are not compared after several steps,
    // or after one in reduced precision.
    let is_reduced = profile.compute.rounding().is_some();
    let is_late = |name: &str| (steps > 1 || is_reduced) && name.contains("velocity/");
    let is_compared = |name: &str| (name.ends_with(".weight") && !is_late(name)) || name.starts_with("running/");
    let mut results: Named = learner.state_dict().into_iter().filter(|(name, _)| is_compared(name)).collect();
    results.push(("losses".to_owned(), Tensor::new(losses, &Device::Cpu)?));
    Ok(results)
}

/// Training speed of the first of `variants` in images/s, without the first step, and the device's memory at that time.
pub(super) fn speed(
    profile: &Profile,
    variants: &[Variant],
    device: &Device,
    size: usize,
) -> Result<(f64, Option<DeviceFacts>)> {
    check_batch(device, &profile.network, size)?;
    let run = shared_runs(&variants[..1], profile).swap_remove(0);
    let mut learner = learner(profile, &run, Side { device, backend: profile.compute.backend() })?;
    let (pixels, targets) = batch(profile, size, 0, device)?;
    step_on(&mut learner, &pixels, &targets)?;
    let (mut steps, started) = (0, Instant::now());
    while steps < TIMED || started.elapsed() < Duration::from_secs(1) {
        // The step reads the losses, which synchronizes with the device.
        step_on(&mut learner, &pixels, &targets)?;
        steps += 1;
    }
    Ok(((steps * size) as f64 / started.elapsed().as_secs_f64(), device_facts(device)))
}
