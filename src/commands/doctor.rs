//! `gal-bench doctor`.

use crate::cli::Doctor;
use gal_bench::config::Profile;
use gal_bench::doctor::{Tolerances, examine};
use gal_bench::train::select_device;
use gal_bench::{Error, Result, io};

pub(super) fn run(options: &Doctor) -> Result<()> {
    super::use_threads(options.threads)?;
    let progress = options.voice.progress();
    let mut profile = Profile::load(&options.profile)?;
    profile.compute.tf32 |= options.tf32;
    profile.compute.bf16 |= options.bf16;
    if options.tolerance.is_nan() || options.tolerance <= 0.0 {
        return Err(Error::Request(format!("--tolerance {}: use a number above 0", options.tolerance)));
    }
    if options.output.exists() {
        let there = serde_json::from_slice::<serde_json::Value>(&io::read(&options.output)?);
        if !there.is_ok_and(|there| there.get("verdict").is_some()) {
            return Err(Error::file(
                &options.output,
                "is there already and no report of the doctor: choose another --output",
            ));
        }
    }
    let (device, name) = select_device(&options.device, profile.compute, &progress)?;
    let tolerances = Tolerances::new(profile.compute, options.tolerance);
    let diagnosis = examine(&profile, (&device, &name), tolerances, |check| {
        progress.say(check.line());
    });
    let text = serde_json::to_string_pretty(&diagnosis).map_err(|e| Error::Internal(e.to_string()))?;
    io::write(&options.output, format!("{text}\n").as_bytes())?;
    options.voice.result(&diagnosis, || {
        let mut lines = vec![format!("compared: {}", diagnosis.compared)];
        if let Some(rate) = diagnosis.images_per_second {
            lines.push(format!("training: {rate:.0} images/s at a batch of {}", diagnosis.batch));
        }
        let megabytes = |bytes: u64| bytes >> 20;
        if let Some(bytes) = diagnosis.device_memory_bytes {
            lines.push(format!("memory of the device in use: {} MiB", megabytes(bytes as u64)));
        }
        if let Some(bytes) = diagnosis.peak_memory_bytes {
            lines.push(format!("peak memory of the process: {} MiB", megabytes(bytes)));
        }
        lines.push(format!("verdict: {}", diagnosis.verdict));
        lines.push(format!("all of it, for a bug report: {}", options.output.display()));
        lines.join("\n")
    })?;
    diagnosis.outcome()
}
