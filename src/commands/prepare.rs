//! `gal-bench prepare`.

use crate::cli::{Prepare, Source};
use gal_bench::dataset::{self, Images, Name};
use gal_bench::progress::Progress;
use gal_bench::store::{self, Prepared, Rate};
use gal_bench::synthetic;
use gal_bench::{Error, Result};
use std::path::Path;

/// Attributes in the table of changed rates.
const SHOWN: usize = 10;

pub(super) fn run(options: &Prepare) -> Result<()> {
    super::use_threads(options.work.threads)?;
    let progress = options.voice.progress();
    if let Some(path) = &options.preview {
        if options.data.dataset != Name::Synthetic {
            return Err(Error::Request("--preview draws synthetic faces only: leave out --dataset".to_owned()));
        }
        synthetic::write_preview(path, options.seed)?;
        return options.voice.result(&serde_json::json!({ "preview": path }), || format!("wrote {}", path.display()));
    }
    let folder = options.data.prepared();
    if options.check {
        return check(options, &folder);
    }
    let store = store::Options {
        size: options.size,
        expand: options.expand,
        copies: options.copies,
        balance: options.balance,
        format: options.format,
        seed: options.seed,
        pipeline: super::pipeline(options.pipeline.as_deref())?,
        force: options.work.force,
        ..store::Options::default()
    };
    let prepared = prepare(options.data.dataset, &options.source, &folder, &store, &progress)?;
    options.voice.result(&prepared, || describe(&prepared, &folder))
}

/// Verifies what is there.
fn check(options: &Prepare, folder: &Path) -> Result<()> {
    let count = store::check(folder)?;
    let mut text = format!("{}: all {} images are as they were", folder.display(), dataset::grouped(count));
    let mut result = serde_json::json!({ "prepared": folder, "checked": count });
    if options.sources {
        let dataset = super::read(options.data.dataset, &options.source, options.seed)?;
        let Images::Folder(root) = &dataset.images else {
            return Err(Error::Request(
                "--sources checks files, and synthetic faces are drawn: leave it out".to_owned(),
            ));
        };
        let sources = store::check_sources(folder, root)?;
        text = format!("{text}, and so are all {} sources in {}", dataset::grouped(sources), root.display());
        result["sources"] = sources.into();
    }
    options.voice.result(&result, || text)
}

/// Reads the data set and stores it.
pub(super) fn prepare(
    name: Name,
    source: &Source,
    folder: &Path,
    options: &store::Options,
    progress: &Progress,
) -> Result<Prepared> {
    let dataset = super::read(name, source, options.seed)?;
    progress.say(format!("{}: {} annotated images", name.label(), dataset::grouped(dataset.len())));
    for note in &dataset.notes {
        progress.say(format!("  {note}"));
    }
    store::prepare(&dataset, folder, options, progress)
}

fn describe(prepared: &Prepared, folder: &Path) -> String {
    let count = |counts: &store::Counts| dataset::grouped(counts.stored);
    let text = format!(
        "{}: {} training images from {}, {} for validation, {} for testing; digest {}",
        folder.display(),
        count(&prepared.train),
        dataset::grouped(prepared.train.sources),
        count(&prepared.val),
        count(&prepared.test),
        &prepared.manifest_digest[..12],
    );
    prepared.balance.iter().fold(text, |text, rates| text + "\n" + &describe_balance(rates))
}

/// The attributes whose rates balancing changed most, as a table.
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
        "positive rates in % among training images, the {SHOWN} that balancing changed most (all: prepared.json):\n  {:<21} {:>6} {:>7} {:>7}{lines}",
        "attribute", "before", "after", "factor"
    )
}
