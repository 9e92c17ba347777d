//! `gal-bench train`.

use crate::cli::{Compute, Selection, Train};
use gal_bench::Result;
use gal_bench::progress::Progress;
use gal_bench::store::Reader;
use gal_bench::train::{Outcome, Request, select_device, train};
use std::path::Path;

pub(super) fn run(options: &Train) -> Result<()> {
    super::use_threads(options.compute.work.threads)?;
    let prepared = options.data.prepared();
    let command = command("train", options.data.dataset.label(), &options.selection);
    let outcomes = train_on(&prepared, &options.selection, &options.compute, &command, &options.voice.progress())?;
    options.voice.result(&outcomes, || {
        let lines = outcomes
            .iter()
            .map(|o| format!("{} in {} ({:.0} s)", o.summary.variant, o.folder.display(), o.summary.wall_seconds));
        lines.collect::<Vec<_>>().join("\n")
    })
}

/// Trains the selected variants on a prepared set.
pub(super) fn train_on(
    prepared: &Path,
    selection: &Selection,
    compute: &Compute,
    command: &str,
    progress: &Progress,
) -> Result<Vec<Outcome>> {
    let mut profile = selection.profile()?;
    profile.compute.tf32 |= compute.tf32;
    let (device, device_name) = select_device(&compute.device, profile.compute.tf32, progress)?;
    let data = Reader::open(prepared)?;
    let request = Request {
        data: &data,
        profile: &profile,
        variants: &selection.variants(),
        seed: selection.seed,
        runs: &selection.runs,
        device: (&device, &device_name),
        force: compute.work.force,
        command,
    };
    train(&request, progress)
}

/// The command that makes these runs again, without the folders of this machine.
pub(super) fn command(name: &str, dataset: &str, selection: &Selection) -> String {
    format!("gal-bench {name} --dataset {dataset} --profile {} --seed {}", selection.profile, selection.seed)
}
