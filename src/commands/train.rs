//! `gal-bench train`.

use crate::cli::{ComputeArgs, SelectionArgs, TrainArgs};
use gal_bench::Result;
use gal_bench::evaluate::Evaluation;
use gal_bench::progress::Progress;
use gal_bench::report::overview;
use gal_bench::store::Reader;
use gal_bench::train::{TrainJob, TrainedRun, select_device, train};
use gal_bench::variant::Variant;
use std::borrow::Cow;
use std::path::Path;

pub(super) fn run(args: &TrainArgs) -> Result<()> {
    super::use_threads(args.compute.execution.threads)?;
    let prepared = args.data.prepared();
    let command = command("train", args.data.dataset.label(), &args.selection, &args.compute);
    let selection = &args.selection;
    let runs = (&*selection.variants(), &*selection.seeds());
    let outcomes = train_on(&prepared, selection, runs, &args.compute, &command, &args.output_args.progress())?;
    let evaluations = outcomes.iter().map(|outcome| Evaluation::of_run(&outcome.folder)).collect::<Result<Vec<_>>>()?;
    args.output_args.result(&outcomes, || {
        if args.compute.together.rank > 0 {
            return non_main_message(&args.compute);
        }
        let folders = outcomes.iter().map(|outcome| outcome.folder.display().to_string()).collect::<Vec<_>>();
        format!("{}\nin {}", overview(&evaluations), folders.join("\n   "))
    })
}

/// Trains variants with seeds, all of a selection or some of it, on a prepared set.
pub(super) fn train_on(
    prepared: &Path,
    selection: &SelectionArgs,
    (variants, seeds): (&[Variant], &[u64]),
    compute: &ComputeArgs,
    command: &str,
    progress: &Progress,
) -> Result<Vec<TrainedRun>> {
    let mut profile = selection.profile()?.with_weights(compute.weights.as_deref())?;
    profile.compute.tf32 |= compute.tf32;
    profile.compute.bf16 |= compute.bf16;
    let (device, device_name) = select_device(&compute.device, profile.compute, progress)?;
    let data = Reader::open(prepared)?;
    let rendezvous = compute.together.rendezvous();
    let request = TrainJob {
        data: &data,
        profile: &profile,
        variants,
        seeds,
        runs: &selection.runs,
        device: (&device, &device_name),
        rendezvous: rendezvous.as_ref(),
        force: compute.execution.force,
        command,
    };
    train(&request, progress)
}

/// What a rank has to say in the end that is not rank 0.
pub(super) fn non_main_message(compute: &ComputeArgs) -> String {
    format!("rank {} is done; the runs are rank 0's", compute.together.rank)
}

/// The command that makes these runs again: every option that decides a result, and none that says where data lie.
pub(super) fn command(name: &str, dataset: &str, selection: &SelectionArgs, compute: &ComputeArgs) -> String {
    // A zero byte, which cannot be quoted, is in no argument of a process.
    let quoted = |file: &str| shlex::try_quote(file).map_or_else(|_| file.to_owned(), Cow::into_owned);
    let mut words = vec![format!("gal-bench {name} --dataset {dataset} --profile {}", quoted(&selection.profile))];
    words.extend(selection.variant.iter().map(|variant| format!("--variant {variant}")));
    words.extend(selection.controls.then(|| "--controls".to_owned()));
    words.push(format!("--seed {}", selection.seeds().iter().map(ToString::to_string).collect::<Vec<_>>().join(",")));
    words.extend(compute.weights.iter().map(|file| format!("--weights {}", quoted(&file.to_string_lossy()))));
    words.extend(compute.tf32.then(|| "--tf32".to_owned()));
    words.extend(compute.bf16.then(|| "--bf16".to_owned()));
    let ranks = compute.together.ranks;
    words.extend((ranks > 1).then(|| format!("--ranks {ranks}")));
    words.join(" ")
}
