//! Prepares a set: every source is decoded once for all its copies, groups of sources go over the threads, and what is
//! there already from a killed run is kept.

use super::balance;
use super::folder::{self, Inputs, State};
use super::format::{self, Format, Job, Stored};
use super::items::{Item, images, items};
use super::manifest;
use super::prepared::{Counts, Options, Origin, Prepared, VERSION, digest};
use super::sources::{Studio, fingerprint};
use crate::dataset::{Dataset, Images, Split};
use crate::error::{Error, Result};
use crate::io;
use crate::progress::Progress;
use rayon::prelude::*;
use std::path::Path;

/// Stores `dataset` below `folder`: all images brought to one size, and of the training images as many copies as asked
/// for, the first undistorted. The same inputs give the same bytes on any number of threads, in one go or in several.
///
/// # Errors
/// Unreadable or damaged images, a folder that is not ours to fill, options out of bounds. An unfinished set never has
/// a manifest or `prepared.json`.
pub fn prepare(dataset: &Dataset, folder: &Path, options: &Options, progress: &Progress) -> Result<Prepared> {
    let rows = dataset.rows()?;
    let copies = options.copies(&rows)?;
    let mut items = items(&rows, &copies);
    fingerprint(&dataset.images, &mut items, progress)?;
    let inputs = Inputs::new(digest(dataset, options, &items)?, &items);
    // Held until everything is written.
    let (_lock, state) = folder::claim(folder, &inputs, options, progress)?;
    let changed = match state {
        State::Finished(prepared) => {
            progress.say(format!("{} is already prepared.", folder.display()));
            return Ok(*prepared);
        }
        State::Open(changed) => changed,
    };
    let writer = format::writer(folder, options, &items);
    let changed: Vec<&Item> = changed.into_iter().map(|row| &items[row]).collect();
    folder::reopen(folder, &inputs, changed.is_empty())?;
    if !changed.is_empty() {
        writer.forget(&changed)?;
        folder::begin(folder, &inputs)?;
    }
    writer.begin()?;

    let bar = progress.bar("prepare", "images", images(&items));
    let (pipeline, seed, size) = (&options.pipeline, options.seed, options.size);
    let job = Job { studio: Studio { images: &dataset.images, pipeline, seed, size }, options, bar: &bar };
    let groups = writer.groups(&items);
    let made = groups.par_iter().map(|group| writer.store(group, &job)).collect::<Result<Vec<_>>>();
    bar.finish();
    let mut stored: Vec<Vec<Stored>> = vec![Vec::new(); items.len()];
    let mut shards = Vec::new();
    for (group, made) in groups.iter().zip(made?) {
        group.iter().zip(made.images).for_each(|(item, images)| stored[item.row] = images);
        shards.extend(made.shard);
    }
    writer.finish(&items)?;

    let content = manifest::Content { items: &items, stored: &stored, writer: writer.as_ref(), size };
    let manifest_digest =
        manifest::write(folder, &content, |item, copy| job.studio.plan(item.face.source, copy).to_string())?;
    let prepared = Prepared {
        input_digest: inputs.whole_digest(),
        manifest_digest,
        shards,
        balance: options.balance.then(|| balance::rates(&rows, &copies)),
        ..describe(dataset, options, &items)?
    };
    io::write_json(&folder.join(folder::PREPARED), &prepared)?;
    Ok(prepared)
}

/// All that is known before anything is stored.
fn describe(dataset: &Dataset, options: &Options, items: &[Item]) -> Result<Prepared> {
    let counts = |split: Split| {
        let of_split = items.iter().filter(|item| item.face.split == split);
        of_split.fold(Counts::default(), |counts, item| Counts {
            sources: counts.sources + 1,
            stored: counts.stored + item.copies as usize,
        })
    };
    let training = items.iter().filter(|item| item.face.split == Split::Train);
    let pipeline = options.pipeline.to_toml()?;
    Ok(Prepared {
        dataset: dataset.name.label().to_owned(),
        split_official: dataset.partition.official,
        split: dataset.partition.description.clone(),
        notes: dataset.notes.clone(),
        seed: options.seed,
        size: options.size,
        format: options.format,
        quality: options.format.is_jpeg().then_some(options.quality),
        origin: if options.format == Format::Virtual { Some(origin(&dataset.images)?) } else { None },
        copies: training.map(|item| item.copies).max().unwrap_or(1),
        balance: None,
        pipeline_digest: folder::digest(pipeline.as_bytes()),
        pipeline,
        input_digest: String::new(),
        train: counts(Split::Train),
        val: counts(Split::Val),
        test: counts(Split::Test),
        manifest_digest: String::new(),
        shards: Vec::new(),
        version: VERSION,
    })
}

fn origin(images: &Images) -> Result<Origin> {
    match images {
        // A virtual set is read from other folders than it was prepared from.
        Images::Folder(root) => std::fs::canonicalize(root).map(Origin::Folder).map_err(Error::io("find", root)),
        Images::Synthetic(renderer) => Ok(Origin::Synthetic(renderer.seed())),
    }
}
