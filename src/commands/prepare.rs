//! `gal-bench prepare`.

use crate::cli::{PrepareArgs, SourceArgs};
use gal_bench::augment::Pipeline;
use gal_bench::dataset::{DatasetName, Images};
use gal_bench::progress::Progress;
use gal_bench::render::format::thousands;
use gal_bench::store::{self, Prepared, Rate, Reader};
use gal_bench::synthetic;
use gal_bench::{Error, Result, io};
use std::path::Path;

/// Number of attributes in the table of changed rates.
const SHOWN: usize = 10;

pub(super) fn run(args: &PrepareArgs) -> Result<()> {
    super::use_threads(args.execution.threads)?;
    let progress = args.output_args.progress();
    if let Some(path) = &args.preview {
        if args.data.dataset != DatasetName::Synthetic {
            return Err(Error::Request("--preview draws synthetic faces only: remove --dataset".to_owned()));
        }
        io::refuse_overwrite(path, args.execution.force)?;
        synthetic::write_preview(path, args.seed)?;
        return args
            .output_args
            .result(&serde_json::json!({ "preview": io::path_text(path) }), || format!("wrote {}", path.display()));
    }
    let folder = args.data.prepared();
    if args.verify {
        return verify(args, &folder);
    }
    let store = store::Options {
        size: args.size,
        expand: args.expand,
        copies: args.copies,
        balance: args.balance,
        format: args.format,
        seed: args.seed,
        pipeline: super::pipeline(args.pipeline.as_deref())?,
        force: args.execution.force,
        ..store::Options::default()
    };
    let source = Source { args: &args.source, val_split: args.val_split.share };
    let prepared = prepare(args.data.dataset, &source, &folder, &store, &progress)?;
    args.output_args.result(&prepared, || describe(&prepared, &folder, &store.pipeline))
}

/// Verifies the prepared set.
fn verify(args: &PrepareArgs, folder: &Path) -> Result<()> {
    Reader::open_for(args.data.dataset, folder)?;
    let count = store::verify(folder)?;
    let mut text = format!("{}: all {} images match their digests", folder.display(), thousands(count));
    let mut result = serde_json::json!({ "prepared": io::path_text(folder), "checked": count });
    if args.verify_sources {
        let dataset = super::read(args.data.dataset, &args.source, args.seed)?;
        let Images::Folder(root) = &dataset.images else {
            return Err(Error::Request(
                "--verify-sources verifies files, and synthetic faces have none: remove --verify-sources".to_owned(),
            ));
        };
        let sources = store::verify_sources(folder, root)?;
        text = format!("{text}, and so do all {} sources in {}", thousands(sources), root.display());
        result["sources"] = sources.into();
    }
    args.output_args.result(&result, || text)
}

/// The files of the data set, and its validation split.
pub(super) struct Source<'a> {
    pub(super) args: &'a SourceArgs,
    /// Share of the training half's people for a validation split.
    pub(super) val_split: Option<f64>,
}

/// Reads the data set and writes the prepared set.
pub(super) fn prepare(
    name: DatasetName,
    source: &Source,
    folder: &Path,
    options: &store::Options,
    progress: &Progress,
) -> Result<Prepared> {
    let mut dataset = super::read(name, source.args, options.seed)?;
    if let Some(share) = source.val_split {
        dataset.hold_out(share, options.seed)?;
    }
    progress.log(format!("{}: {} annotated images", name.label(), thousands(dataset.len())));
    for note in &dataset.notes {
        progress.log(format!("  {note}"));
    }
    store::check_splits(&dataset)?;
    store::prepare(&dataset, folder, options, progress)
}

fn describe(prepared: &Prepared, folder: &Path, pipeline: &Pipeline) -> String {
    let count = |counts: &store::Counts| thousands(counts.stored);
    let text = format!(
        "{}: {} training images from {}, {} for validation, {} for testing; digest {}",
        folder.display(),
        count(&prepared.train),
        thousands(prepared.train.sources),
        count(&prepared.val),
        count(&prepared.test),
        &prepared.manifest_digest[..12],
    );
    let text = if prepared.copies > 1 && !pipeline.distorts() {
        format!("{text}; all copies of an image are the same, as the pipeline distorts none")
    } else {
        text
    };
    prepared.balance.iter().fold(text, |text, rates| text + "\n" + &describe_balance(rates))
}

/// Table of the attributes whose rates changed most through balancing.
fn describe_balance(rates: &[Rate]) -> String {
    let factor = |rate: &Rate| if rate.before > 0.0 { rate.after / rate.before } else { 1.0 };
    let mut changed: Vec<&Rate> = rates.iter().collect();
    changed.sort_by(|a, b| factor(b).ln().abs().total_cmp(&factor(a).ln().abs()));
    let line = |rate: &&Rate| {
        format!(
            "\n  {:<21} {:>6.2} {:>7.2} {:>7.2}",
            rate.attribute,
            100.0 * rate.before,
            100.0 * rate.after,
            factor(rate)
        )
    };
    let lines: String = changed.iter().take(SHOWN).map(line).collect();
    format!(
        "positive rates of training images in %, the {SHOWN} that balancing changed most (all are in prepared.json):\n  {:<21} {:>6} {:>7} {:>7}{lines}",
        "attribute", "before", "after", "factor"
    )
}
