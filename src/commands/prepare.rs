//! `gal-bench prepare`.

use crate::cli::{Prepare, Source};
use gal_bench::dataset::{self, Dataset, Name, celeba, lfwa, synthetic};
use gal_bench::progress::Progress;
use gal_bench::store::{self, Prepared};
use gal_bench::{Error, Result};
use std::path::Path;

pub(super) fn run(options: &Prepare) -> Result<()> {
    super::use_threads(options.threads)?;
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
        let count = store::check(&folder)?;
        return options.voice.result(&serde_json::json!({ "prepared": folder, "images": count }), || {
            format!("{}: all {count} images are as they were written", folder.display())
        });
    }
    let store = store::Options {
        size: options.size,
        expand: options.expand,
        copies: options.copies,
        seed: options.seed,
        pipeline: super::pipeline(options.pipeline.as_deref())?,
        force: options.force,
        ..store::Options::default()
    };
    let prepared = prepare(options.data.dataset, &options.source, &folder, &store, &progress)?;
    options.voice.result(&prepared, || describe(&prepared, &folder))
}

/// Reads the data set and stores it.
pub(super) fn prepare(
    name: Name,
    source: &Source,
    folder: &Path,
    options: &store::Options,
    progress: &Progress,
) -> Result<Prepared> {
    let dataset = read(name, source, options.seed)?;
    progress.say(format!("{}: {} annotated images", name.label(), dataset::grouped(dataset.len())));
    for note in &dataset.notes {
        progress.say(format!("  {note}"));
    }
    store::prepare(&dataset, folder, options, progress)
}

fn read(name: Name, source: &Source, seed: u64) -> Result<Dataset> {
    let options = dataset::Options { subset: source.subset };
    match name {
        Name::Celeba => celeba::read_with(&source.root(name), options),
        Name::Lfwa => lfwa::read_with(&source.root(name), options),
        Name::Synthetic => synthetic::dataset(&synthetic::Options { seed, ..synthetic::Options::default() }),
    }
}

fn describe(prepared: &Prepared, folder: &Path) -> String {
    let count = |counts: &store::Counts| dataset::grouped(counts.stored);
    format!(
        "{}: {} training images from {}, {} for validation, {} for testing; digest {}",
        folder.display(),
        count(&prepared.train),
        dataset::grouped(prepared.train.sources),
        count(&prepared.val),
        count(&prepared.test),
        &prepared.manifest_digest[..12],
    )
}
