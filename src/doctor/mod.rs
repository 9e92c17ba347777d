//! Whether a device computes what it should: every operation forward and backward, and training steps of every variant,
//! against our own loops on the CPU. Where there is no CUDA device, candle's operations on the CPU, the ones that a CUDA
//! device would run, take its place.

mod operations;
mod steps;

use crate::config::{Compute, Profile};
use crate::error::{Error, Result};
use crate::model::Backend;
use crate::random;
use crate::train::{DeviceFacts, NamedDevice, cpu_features, device_facts};
use candle_core::{Device, Tensor};
use rand::RngExt;
use serde::Serialize;

/// Tensors by name; the results of one side.
type Named = Vec<(String, Tensor)>;

/// One of the two sides that are compared.
#[derive(Debug, Clone, Copy)]
struct Side<'a> {
    device: &'a Device,
    backend: Backend,
}

/// The largest relative errors that pass as rounding.
#[derive(Debug, Clone, Copy)]
pub struct Tolerances {
    /// Of one operation forward.
    pub forward: f64,
    /// Of one operation backward, and of a network after one step: a unit within a rounding error of a ReLU's zero may
    /// fall on either side.
    pub backward: f64,
    /// After ten steps, in which rounding grows.
    pub ten_steps: f64,
}

impl Tolerances {
    /// For single precision, for TF32, whose products carry a thousandth of error themselves, or for bf16 with four times
    /// that (two to seven times what rounding alone does on the CPU); all times `factor`.
    pub fn new(compute: Compute, factor: f64) -> Self {
        let (forward, backward, ten_steps) = match compute {
            Compute { bf16: true, .. } => (1e-2, 2e-1, 1e-1),
            Compute { tf32: true, .. } => (5e-3, 1e-1, 5e-1),
            _ => (1e-4, 2e-3, 1e-2),
        };
        Self { forward: forward * factor, backward: backward * factor, ten_steps: ten_steps * factor }
    }
}

/// What was compared and how far apart it is.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// Such as `convolution, stride 4: backward`.
    pub name: String,
    /// The norm of the difference over the norm of what the CPU found, of the tensor where that is largest.
    pub relative_error: Option<f64>,
    /// That tensor.
    pub worst: String,
    /// The largest single difference over the largest value, of the tensor where that is largest.
    pub largest_difference: Option<f64>,
    /// The relative error up to which the two agree.
    pub tolerance: f64,
    /// Whether they do.
    pub agrees: bool,
    /// Why there is nothing to compare.
    pub failure: Option<String>,
}

impl Check {
    /// One line for a person.
    pub fn line(&self) -> String {
        let verdict = if self.agrees { "ok" } else { "FAIL" };
        match (&self.failure, self.relative_error) {
            (Some(failure), _) => format!("{verdict:4}  {}: {failure}", self.name),
            (None, error) => format!(
                "{verdict:4}  {}: relative error {:.1e} of {:.0e} ({})",
                self.name,
                error.unwrap_or(f64::NAN),
                self.tolerance,
                self.worst
            ),
        }
    }
}

/// Everything that the doctor found; its JSON file.
#[derive(Debug, Serialize)]
pub struct Diagnosis {
    /// One sentence.
    pub verdict: String,
    /// Such as `cuda:0 (NVIDIA H100)`.
    pub device: String,
    /// What a CUDA device says of itself, after the checks.
    pub device_facts: Option<DeviceFacts>,
    /// What was compared with what.
    pub compared: &'static str,
    /// Features of this build.
    pub features: Vec<&'static str>,
    /// The program's version.
    pub version: &'static str,
    /// The commit it was built from.
    pub commit: &'static str,
    /// Operating system and architecture.
    pub system: String,
    /// Vector extensions of the processor.
    pub cpu_features: Vec<String>,
    /// Threads of the CPU.
    pub threads: usize,
    /// The profile's name.
    pub profile: String,
    /// Whether TF32 was asked for.
    pub tf32: bool,
    /// Whether bf16 was asked for.
    pub bf16: bool,
    /// All checks.
    pub checks: Vec<Check>,
    /// Training speed of the device at the profile's batch size, if it could be measured.
    pub images_per_second: Option<f64>,
    /// That batch size.
    pub batch: usize,
    /// The most memory of the CPU that this process held, in bytes, where the system says.
    pub peak_memory_bytes: Option<u64>,
    /// Memory of the CUDA device that was in use after the checks, in bytes.
    pub device_memory_bytes: Option<usize>,
}

impl Diagnosis {
    /// An error where something disagrees.
    pub fn outcome(&self) -> Result<()> {
        if self.checks.iter().all(|check| check.agrees) {
            Ok(())
        } else {
            Err(Error::Disagreement(self.verdict.clone()))
        }
    }
}

/// Runs all checks of `profile` on `device`; `tell` hears of each when it is done.
pub fn examine(
    profile: &Profile,
    NamedDevice { device, name }: &NamedDevice,
    tolerances: Tolerances,
    mut tell: impl FnMut(&Check),
) -> Diagnosis {
    let reference = Side { device: &Device::Cpu, backend: Backend::Native };
    let examined =
        Side { device, backend: if profile.compute.bf16 { Backend::ReferenceBf16 } else { Backend::Reference } };
    let mut checks = Vec::new();
    let mut note = |check: Check| {
        tell(&check);
        checks.push(check);
    };
    operations::examine(reference, examined, tolerances, &mut note);
    steps::examine(profile, reference, examined, tolerances, &mut note);
    let batch = profile.training.values().map(|training| training.batch).next().unwrap_or(8);
    let speed = steps::speed(profile, device, batch);
    if let Err(error) = &speed {
        note(failed(&format!("speed at a batch of {batch}"), 0.0, error.to_string()));
    }
    let wrong = checks.iter().filter(|check| !check.agrees).count();
    let facts = device_facts(device);
    Diagnosis {
        verdict: match wrong {
            0 => format!("{name} computes what it should: all {} checks agree", checks.len()),
            _ => format!("{name} does not compute what it should: {wrong} of {} checks disagree", checks.len()),
        },
        device: name.clone(),
        device_memory_bytes: facts.as_ref().map(|facts| facts.total_bytes - facts.free_bytes),
        device_facts: facts,
        compared: if device.is_cuda() {
            "candle's operations on the CUDA device with our own loops on the CPU"
        } else {
            "candle's operations on the CPU with our own loops on the CPU: no CUDA device took part"
        },
        features: [
            ("cuda", cfg!(feature = "cuda")),
            ("cudnn", cfg!(feature = "cudnn")),
            ("nccl", cfg!(feature = "nccl")),
        ]
        .into_iter()
        .filter_map(|(name, on)| on.then_some(name))
        .collect(),
        version: env!("CARGO_PKG_VERSION"),
        commit: env!("GAL_BENCH_COMMIT"),
        system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        cpu_features: cpu_features(),
        threads: rayon::current_num_threads(),
        profile: profile.name.clone(),
        tf32: profile.compute.tf32,
        bf16: profile.compute.bf16,
        checks,
        images_per_second: speed.ok(),
        batch,
        peak_memory_bytes: peak_memory(),
    }
}

fn failed(name: &str, tolerance: f64, failure: String) -> Check {
    Check {
        name: name.to_owned(),
        relative_error: None,
        worst: String::new(),
        largest_difference: None,
        tolerance,
        agrees: false,
        failure: Some(failure),
    }
}

/// The verdict on what the two sides found.
fn compare(name: &str, tolerance: f64, expected: Result<Named>, found: Result<Named>) -> Check {
    match expected.and_then(|expected| differences(&expected, &found?)) {
        Err(error) => failed(name, tolerance, error.to_string()),
        Ok((relative, worst, largest)) => Check {
            name: name.to_owned(),
            relative_error: Some(relative),
            worst,
            largest_difference: Some(largest),
            tolerance,
            // Not a number is not below anything.
            agrees: relative <= tolerance,
            failure: None,
        },
    }
}

/// The largest relative error with the name of its tensor, and the largest single difference.
fn differences(expected: &Named, found: &Named) -> Result<(f64, String, f64)> {
    let flat = |tensor: &Tensor| -> Result<Vec<f32>> { Ok(tensor.flatten_all()?.to_vec1()?) };
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let peak = |values: &mut dyn Iterator<Item = f64>| values.map(f64::abs).fold(0.0, f64::max);
    let wanted: Vec<Vec<f32>> = expected.iter().map(|(_, tensor)| flat(tensor)).collect::<Result<_>>()?;
    let norms: Vec<f64> = wanted.iter().map(|values| norm(&mut values.iter().map(|v| f64::from(*v)))).collect();
    // What is nearly zero beside the others is rounding itself.
    let floor = 1e-2 * norms.iter().copied().fold(0.0, f64::max);
    let mut result = (0.0, String::new(), 0.0_f64);
    for ((wanted, norm_wanted), ((name, _), (other, tensor))) in
        wanted.iter().zip(norms).zip(expected.iter().zip(found))
    {
        let values = flat(tensor)?;
        if name != other || values.len() != wanted.len() {
            return Err(Error::Internal(format!("{name} was compared with {other}")));
        }
        let apart = || values.iter().zip(wanted).map(|(a, b)| f64::from(*a) - f64::from(*b));
        let error = norm(&mut apart()) / norm_wanted.max(floor).max(f64::MIN_POSITIVE);
        if error.is_nan() || error >= result.0 {
            (result.0, result.1) = (error, name.clone());
        }
        let largest = peak(&mut wanted.iter().map(|v| f64::from(*v)));
        result.2 = result.2.max(peak(&mut apart()) / largest.max(f64::MIN_POSITIVE));
        if error.is_nan() {
            break;
        }
    }
    if expected.len() == found.len() { Ok(result) } else { Err(Error::Internal("results of two lengths".to_owned())) }
}

/// Numbers between `shift - scale` and `shift + scale`, a function of `name`.
fn numbers(name: &str, shape: &[usize], (shift, scale): (f32, f32), device: &Device) -> Result<Tensor> {
    let mut random = random::generator(0, &[random::name(name)]);
    let count = shape.iter().product();
    let values: Vec<f32> = (0..count).map(|_| shift + scale * (2.0 * random.random::<f32>() - 1.0)).collect();
    Ok(Tensor::from_vec(values, shape, device)?)
}

/// The most memory that this process held, in bytes, as Linux counts it.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(values: &[f32]) -> Result<Named> {
        Ok(vec![("values".to_owned(), Tensor::new(values, &Device::Cpu)?)])
    }

    #[test]
    fn one_wrong_value_is_found() {
        assert!(compare("same", 1e-4, one(&[1.0, 2.0, 3.0]), one(&[1.0, 2.0, 3.0])).agrees);
        let check = compare("other", 1e-4, one(&[1.0, 2.0, 3.0]), one(&[1.0, 2.1, 3.0]));
        assert!(!check.agrees);
        assert!((check.largest_difference.unwrap() - 0.1 / 3.0).abs() < 1e-6);
    }

    #[test]
    fn bf16_agrees_within_its_tolerances_and_not_within_those_of_single_precision() {
        let mut profile = Profile::load("quick").unwrap();
        (profile.network.widths, profile.network.branch_channels) = ([8; 5], 4);
        profile.compute.bf16 = true;
        let within = |tolerances| examine(&profile, &NamedDevice::cpu(), tolerances, |_| ());
        let diagnosis = within(Tolerances::new(profile.compute, 1.0));
        assert!(diagnosis.outcome().is_ok(), "{}", diagnosis.verdict);
        // One training step and ten of each of two plans among them.
        assert_eq!(diagnosis.checks.iter().filter(|check| check.name.contains("training step")).count(), 4);
        assert!(within(Tolerances::new(Compute::default(), 1.0)).outcome().is_err());
    }

    #[test]
    fn not_a_number_and_a_missing_result_are_found() {
        assert!(!compare("nan", 1e-4, one(&[1.0]), one(&[f32::NAN])).agrees);
        assert!(!compare("none", 1e-4, one(&[1.0]), Ok(Vec::new())).agrees);
        assert!(!compare("failed", 1e-4, one(&[1.0]), Err(Error::Internal("no".to_owned()))).agrees);
    }
}
