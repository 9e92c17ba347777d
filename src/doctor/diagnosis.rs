//! All checks of a device, and its speed.

use super::check::{Check, Side, Tolerances, failed};
use super::{operations, steps};
use crate::config::Profile;
use crate::error::{Error, Result};
use crate::model::Backend;
use crate::train::{DeviceFacts, NamedDevice, cpu_features, device_facts};
use crate::variant::Variant;
use candle_core::Device;
use serde::Serialize;

/// All results, as in the JSON file.
#[derive(Debug, Serialize)]
pub struct Diagnosis {
    /// One sentence.
    pub verdict: String,
    /// Such as `cuda:0 (NVIDIA H100)`.
    pub device: String,
    /// Properties of the CUDA device, read after the checks.
    pub device_facts: Option<DeviceFacts>,
    /// The two sides in words.
    pub compared: &'static str,
    /// Cargo features of this build.
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
    /// True if TF32 was requested.
    pub tf32: bool,
    /// True if bf16 was requested.
    pub bf16: bool,
    /// All checks.
    pub checks: Vec<Check>,
    /// Training speed of the first variant at the profile's batch size; `None` if training failed.
    pub images_per_second: Option<f64>,
    /// The profile's batch size.
    pub batch: usize,
    /// Peak resident memory of this process in bytes; `None` if the system does not report it.
    pub peak_memory_bytes: Option<u64>,
    /// Memory of the CUDA device that was in use while a network was trained, in bytes.
    pub device_memory_bytes: Option<usize>,
}

impl Diagnosis {
    /// An error if a check disagrees.
    pub fn outcome(&self) -> Result<()> {
        if self.checks.iter().all(|check| check.agrees) {
            Ok(())
        } else {
            Err(Error::Disagreement(self.verdict.clone()))
        }
    }
}

/// Runs all checks of `profile` on a device, with training steps of `variants`, and calls `report` after each.
pub fn examine(
    profile: &Profile,
    variants: &[Variant],
    NamedDevice { device, name }: &NamedDevice,
    tolerances: Tolerances,
    mut report: impl FnMut(&Check),
) -> Diagnosis {
    let reference = Side { device: &Device::Cpu, backend: Backend::Native };
    let backend = match profile.compute.backend() {
        Backend::Native if device.is_cpu() => Backend::Reference,
        backend => backend,
    };
    let examined = Side { device, backend };
    let mut checks = Vec::new();
    let mut note = |check: Check| {
        report(&check);
        checks.push(check);
    };
    operations::examine(reference, examined, tolerances, &mut note);
    steps::examine(profile, variants, reference, examined, tolerances, &mut note);
    let batch = profile.training.values().map(|training| training.batch).next().unwrap_or(8);
    let (images_per_second, facts) = match steps::speed(profile, variants, device, batch) {
        Ok((rate, facts)) => (Some(rate), facts),
        Err(error) => {
            note(failed(&format!("speed at a batch of {batch}"), 0.0, error.to_string()));
            (None, device_facts(device))
        }
    };
    let wrong = checks.iter().filter(|check| !check.agrees).count();
    Diagnosis {
        verdict: match wrong {
            0 => format!("{name} computes correctly: all {} checks agree", checks.len()),
            _ => format!("{name} does not compute correctly: {wrong} of {} checks disagree", checks.len()),
        },
        device: name.clone(),
        device_memory_bytes: facts.as_ref().map(|facts| facts.total_bytes - facts.free_bytes),
        device_facts: facts,
        compared: if device.is_cuda() {
            "our own kernels on the CUDA device with our own kernels on the CPU"
        } else {
            "candle's operations on the CPU with our own kernels on the CPU, without a CUDA device"
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
        images_per_second,
        batch,
        peak_memory_bytes: peak_memory(),
    }
}

/// Peak resident memory of this process in bytes, from Linux's `/proc`.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Compute;
    use crate::train::shared_runs;
    use crate::variant::VARIANTS;

    #[test]
    fn bf16_agrees_within_its_own_tolerances_only() {
        let mut profile = Profile::load("quick").unwrap();
        (profile.network.widths, profile.network.branch_channels) = ([8; 5], 4);
        profile.compute.bf16 = true;
        let diagnosis =
            examine(&profile, &VARIANTS, &NamedDevice::cpu(), Tolerances::new(profile.compute, 1.0), |_| ());
        let wrong = diagnosis.checks.iter().filter(|check| !check.agrees).map(Check::line);
        assert_eq!(wrong.collect::<Vec<String>>(), [""; 0]);
        let steps = diagnosis.checks.iter().filter(|check| check.name.contains("training step"));
        // One step and ten steps.
        assert_eq!(steps.count(), 2 * shared_runs(&VARIANTS, &profile).len());
        let most = Tolerances::new(Compute::default(), 1.0).forward;
        let is_beyond = |check: &Check| check.name.contains("forward") && check.relative_error > Some(most);
        assert!(diagnosis.checks.iter().any(is_beyond));
    }
}
