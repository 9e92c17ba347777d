//! `gal-bench train`.

use super::{Selection, distributed};
use crate::cli::{ComputeArgs, OverrideArgs, SelectionArgs, TrainArgs};
use gal_bench::distributed::Rendezvous;
use gal_bench::evaluate::Evaluation;
use gal_bench::progress::Progress;
use gal_bench::report::overview;
use gal_bench::store::Reader;
use gal_bench::train::{NamedDevice, TrainJob, TrainOutcome, select_device, train};
use gal_bench::weights::PretrainedWeights;
use gal_bench::{Error, Result};
use std::borrow::Cow;
use std::path::Path;

pub(super) fn run(args: &TrainArgs) -> Result<()> {
    super::use_threads(args.compute.execution.threads)?;
    let prepared = args.data.prepared();
    let rendezvous = args.compute.distributed.rendezvous()?;
    let command = command("train", args.data.dataset.label(), &args.selection, &args.compute, rendezvous.world_size);
    let selection = args.selection.resolve(args.data.dataset)?;
    let progress = args.output_args.progress();
    let start = start(selection, &args.compute, &rendezvous, &progress)?;
    let trained = start.train(&prepared, &rendezvous, &command, &progress)?;
    let evaluations = trained.finished.iter().map(|run| Evaluation::of_run(&run.folder)).collect::<Result<Vec<_>>>()?;
    args.output_args.result(&trained, || {
        if rendezvous.rank > 0 {
            return non_main_message(&rendezvous);
        }
        if let Some(message) = all_diverged(&trained) {
            return message;
        }
        format!("{}\nin {}", overview(&evaluations), folders(&trained).join("\n   "))
    })
}

/// Runs, device and options of a training.
pub(super) struct Start {
    /// The runs to train.
    pub(super) selection: Selection,
    device: NamedDevice,
    force: bool,
}

/// Checks the options and opens the device, before any stage does its work.
///
/// # Errors
/// Initial weights that do not exist or do not fit the profile, or a device that cannot be used.
pub(super) fn start(
    mut selection: Selection,
    compute: &ComputeArgs,
    rendezvous: &Rendezvous,
    progress: &Progress,
) -> Result<Start> {
    let profile = &mut selection.profile;
    PretrainedWeights::record_in(profile, compute.weights.as_deref())?;
    profile.compute.tf32 |= compute.tf32;
    profile.compute.bf16 |= compute.bf16;
    profile.compute.reference |= compute.reference;
    // A single process computes the same without it.
    profile.compute.sync_bn |= compute.distributed.sync_bn && rendezvous.world_size > 1;
    if let Some(init) = &selection.init {
        if profile.initial_weights.is_some() {
            return Err(Error::Request(
                "the backbone cannot start from a run and from imported weights: leave out --init, or --weights and the \
                 profile's [initial_weights]"
                    .to_owned(),
            ));
        }
        init.check(&profile.network)?;
    }
    let local_rank = if rendezvous.world_size > 1 { distributed::local_rank()? } else { None };
    let device = select_device(&compute.device, local_rank, profile.compute, progress)?;
    progress.detail(format!("device {}, {} threads", device.name, rayon::current_num_threads()));
    Ok(Start { selection, device, force: compute.execution.force })
}

impl Start {
    /// Trains the runs on a prepared set. Warns of runs that diverged: they have ended, and starting again changes nothing, so
    /// they are no error.
    pub(super) fn train(
        &self,
        prepared: &Path,
        rendezvous: &Rendezvous,
        command: &str,
        progress: &Progress,
    ) -> Result<TrainOutcome> {
        let Selection { dataset, profile, variants, seeds, init, runs } = &self.selection;
        let data = Reader::open_for(*dataset, prepared)?;
        let job = TrainJob {
            data: &data,
            profile,
            variants,
            seeds,
            runs,
            device: &self.device,
            // A rank outside a world of one is an error of its own.
            rendezvous: (rendezvous.world_size > 1 || rendezvous.rank > 0).then_some(rendezvous),
            init: init.as_ref(),
            force: self.force,
            command,
        };
        let outcome = train(&job, progress)?;
        match all_diverged(&outcome) {
            Some(message) => progress.warn(message),
            None if outcome.diverged.is_empty() => {}
            None => progress.warn(format!("left out, since they diverged: {}", diverged(&outcome))),
        }
        Ok(outcome)
    }
}

/// The folders of the runs that finished.
pub(super) fn folders(outcome: &TrainOutcome) -> Vec<String> {
    outcome.finished.iter().map(|run| run.folder.display().to_string()).collect()
}

/// The folders of the runs that diverged.
fn diverged(outcome: &TrainOutcome) -> String {
    outcome.diverged.iter().map(|run| run.folder.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// A sentence about a job without results; `None` if a run finished.
pub(super) fn all_diverged(outcome: &TrainOutcome) -> Option<String> {
    (outcome.finished.is_empty() && !outcome.diverged.is_empty()).then(|| {
        let folders = diverged(outcome);
        format!("every run diverged ({folders}): lower the learning rate in the profile, and start again with --force")
    })
}

/// The result of a rank other than 0.
pub(super) fn non_main_message(rendezvous: &Rendezvous) -> String {
    format!("rank {} is done; rank 0 wrote the runs", rendezvous.rank)
}

/// The command that reproduces these runs: all options that decide a result, and no paths of data.
pub(super) fn command(
    name: &str,
    dataset: &str,
    selection: &SelectionArgs,
    compute: &ComputeArgs,
    world_size: usize,
) -> String {
    // Only a zero byte cannot be quoted, and no argument of a process contains one.
    let quoted = |file: &str| shlex::try_quote(file).map_or_else(|_| file.to_owned(), Cow::into_owned);
    let mut words = vec![format!("gal-bench {name} --dataset {dataset} --profile {}", quoted(&selection.profile))];
    words.extend(selection.variant.iter().map(|variant| format!("--variant {variant}")));
    words.extend(selection.controls.then(|| "--controls".to_owned()));
    words.push(format!("--seed {}", selection.seeds().iter().map(ToString::to_string).collect::<Vec<_>>().join(",")));
    let OverrideArgs { steps, epochs, batch, rate } = selection.overrides;
    let counts = [("--steps", steps), ("--epochs", epochs), ("--batch", batch)];
    words.extend(counts.into_iter().filter_map(|(option, value)| Some(format!("{option} {}", value?))));
    words.extend(rate.map(|rate| format!("--rate {rate}")));
    let runs = [("--init", &selection.init), ("--init-all", &selection.init_all)];
    words.extend(
        runs.into_iter()
            .filter_map(|(option, run)| Some(format!("{option} {}", quoted(&run.as_ref()?.to_string_lossy())))),
    );
    words.extend(compute.weights.iter().map(|file| format!("--weights {}", quoted(&file.to_string_lossy()))));
    words.extend(compute.tf32.then(|| "--tf32".to_owned()));
    words.extend(compute.bf16.then(|| "--bf16".to_owned()));
    words.extend(compute.reference.then(|| "--reference".to_owned()));
    words.extend((world_size > 1 && compute.distributed.sync_bn).then(|| "--sync-bn".to_owned()));
    words.extend((world_size > 1).then(|| format!("--world-size {world_size}")));
    words.join(" ")
}
