//! `gal-bench doctor`.

use crate::cli::DoctorArgs;
use gal_bench::config::Profile;
use gal_bench::doctor::{Tolerances, examine};
use gal_bench::train::select_device;
use gal_bench::variant::{REGISTRY, VARIANTS};
use gal_bench::{Error, Result, io};

pub(super) fn run(args: &DoctorArgs) -> Result<()> {
    super::use_threads(args.threads)?;
    let progress = args.output_args.progress();
    let mut profile = Profile::load(&args.profile)?;
    profile.compute.tf32 |= args.tf32;
    profile.compute.bf16 |= args.bf16;
    if args.tolerance.is_nan() || args.tolerance <= 0.0 {
        return Err(Error::Request(format!("--tolerance {}: use a number above 0", args.tolerance)));
    }
    let earlier = io::read_json::<serde_json::Value>(&args.output, "JSON");
    let is_own = earlier.is_ok_and(|earlier| earlier.get("verdict").is_some());
    io::refuse_overwrite(&args.output, args.force || is_own)?;
    let device = select_device(&args.device, None, profile.compute, &progress)?;
    let tolerances = Tolerances::new(profile.compute, args.tolerance);
    let variants =
        if args.variant.is_empty() { VARIANTS.to_vec() } else { profile.select(REGISTRY, &args.variant, false)? };
    let diagnosis = examine(&profile, &variants, &device, tolerances, |check| {
        progress.log(check.line());
    });
    io::write_json(&args.output, &diagnosis)?;
    args.output_args.result(&diagnosis, || {
        let mut lines = vec![format!("compared: {}", diagnosis.compared)];
        if let Some(rate) = diagnosis.images_per_second {
            lines.push(format!("training: {rate:.0} images/s at a batch of {}", diagnosis.batch));
        }
        let megabytes = |bytes: u64| bytes >> 20;
        if let Some(bytes) = diagnosis.device_memory_bytes {
            lines.push(format!("device memory in use: {} MiB", megabytes(bytes as u64)));
        }
        if let Some(bytes) = diagnosis.peak_memory_bytes {
            lines.push(format!("peak process memory: {} MiB", megabytes(bytes)));
        }
        lines.push(format!("verdict: {}", diagnosis.verdict));
        lines.push(format!("complete results, for a bug report: {}", args.output.display()));
        lines.join("\n")
    })?;
    diagnosis.outcome()
}
