//! Prepares a set. Each source is decoded once for all its copies, and groups of sources are distributed over the threads.
//! Images that an interrupted run has stored are kept.

use super::balance;
use super::folder::{self, State};
use super::format::{self, StoredImage, WriteContext};
use super::hashing::hex_digest;
use super::inputs::Inputs;
use super::items::{SourceItem, image_count, items};
use super::layout::PREPARED;
use super::manifest;
use super::options::{Format, Options};
use super::prepared::{Counts, Prepared, Shard, SourceImages, VERSION};
use super::sources::{CopyRenderer, hash_files};
use crate::attribute::{COUNT, ImageLabels};
use crate::dataset::{Dataset, Images, Split};
use crate::error::{Error, Result};
use crate::io;
use crate::progress::Progress;
use rayon::prelude::*;
use std::collections::HashMap;
use std::path::Path;

/// Stores `dataset` below `folder`: every image at one size, and each training image in as many copies as asked for,
/// the first undistorted. The same inputs give the same bytes on any number of threads, with or without interruptions.
///
/// # Errors
/// Unreadable or damaged images, a folder with other content, options out of bounds. An unfinished set never has a
/// manifest or `prepared.json`.
pub fn prepare(dataset: &Dataset, folder: &Path, options: &Options, progress: &Progress) -> Result<Prepared> {
    let rows = dataset.rows()?;
    let copies = options.copies(&rows)?;
    if let (Format::Virtual, Images::Folder(root)) = (options.format, &dataset.images)
        && root.to_str().is_none()
    {
        let message =
            "is not a name in UTF-8, which a virtual set needs: rename the folder, or choose another --format";
        return Err(Error::file(root, message));
    }
    let mut items = items(&rows, &copies);
    let turned = hash_files(&dataset.images, &mut items, progress)?;
    let turned_note = (turned > 0).then(|| format!("EXIF orientation: {} turned upright", images(turned)));
    let notes: Vec<String> = turned_note.into_iter().chain(duplicates_note(&items)).collect();
    for note in &notes {
        progress.log(format!("  {note}"));
    }
    let inputs = Inputs::new(dataset, options, &items, turned)?;
    // Held until everything is written.
    let (_lock, state) = folder::claim(folder, &inputs, options, progress)?;
    let (stale, earlier_digest) = match state {
        State::Finished(prepared) => {
            progress.log(format!("{} is already prepared.", folder.display()));
            return Ok(*prepared);
        }
        State::Open { stale, manifest_digest } => (stale, manifest_digest),
    };
    if earlier_digest.is_some() {
        let images =
            if stale.is_empty() { String::new() } else { format!(", among them images of {} sources", stale.len()) };
        progress.log(format!("{} lacks files{images}: they are written again", folder.display()));
    }
    let writer = format::writer(folder, options, &items);
    let stale: Vec<&SourceItem> = stale.into_iter().map(|row| &items[row]).collect();
    folder::reopen(folder, &inputs, stale.is_empty(), earlier_digest.is_some())?;
    if !stale.is_empty() {
        writer.remove_stale(&stale)?;
        folder::begin(folder, &inputs)?;
    }

    let (pipeline, seed, size) = (&options.pipeline, options.seed, options.size);
    let renderer = CopyRenderer { images: &dataset.images, pipeline, seed, size };
    let Stored { images, shards } = store(writer.as_ref(), &items, &renderer, options, progress)?;
    let content = manifest::Content { items: &items, stored: &images, writer: writer.as_ref(), size };
    let operations = |item: &SourceItem, copy| renderer.plan(item.annotation.source, copy).to_string();
    let manifest_digest = manifest::write(folder, &content, operations)?;
    if earlier_digest.is_some_and(|earlier| earlier != manifest_digest) {
        let message = "holds images that changed since they were stored: prepare the set again with --force";
        return Err(Error::file(folder, message));
    }
    let prepared = Prepared {
        input_digest: inputs.whole_digest(),
        manifest_digest,
        shards,
        balance: options.balance.then(|| balance::rates(&rows, &copies)),
        notes: dataset.notes.iter().cloned().chain(notes).collect(),
        ..describe(dataset, options, &items)?
    };
    io::write_sealed(&folder.join(PREPARED), &prepared)?;
    Ok(prepared)
}

fn images(count: usize) -> String {
    format!("{count} {}", if count == 1 { "image" } else { "images" })
}

/// A note on images with the same file as another; `None` if there are none, or if images are synthetic.
fn duplicates_note(items: &[SourceItem]) -> Option<String> {
    let mut splits: HashMap<blake3::Hash, Vec<Split>> = HashMap::new();
    for item in items {
        splits.entry(item.digest?).or_default().push(item.annotation.split);
    }
    let duplicates = items.len() - splits.len();
    let across = splits.values().filter(|splits| splits.iter().any(|split| *split != splits[0])).count();
    let clause = match across {
        0 => "none of them in another split".to_owned(),
        count => format!("{count} of these files in two splits, which flatters test figures"),
    };
    (duplicates > 0).then(|| format!("duplicates: {} with the file of an earlier one, {clause}", images(duplicates)))
}

/// Refuses a data set that could not be trained and tested.
pub fn check_splits(dataset: &Dataset) -> Result<()> {
    let [train, val, test] = dataset.counts()?;
    let split = if train == 0 { Split::Train } else { Split::Test };
    if train > 0 && test > 0 {
        return check_labels(dataset.rows()?.iter().map(|row| (row.split, &row.labels)));
    }
    Err(Error::Request(format!(
        "{} has no {} images ({train} train, {val} val, {test} test), so no network could be trained and tested on it: add \
         images of that split, or change the partition",
        dataset.name.label(),
        split.label()
    )))
}

/// Refuses images, each a split and labels, if no attribute has known labels for both training and testing.
pub fn check_labels<'a>(images: impl Iterator<Item = (Split, &'a ImageLabels)>) -> Result<()> {
    let mut known = [[false; COUNT]; Split::ALL.len()];
    for (split, labels) in images {
        for (known, label) in known[split as usize].iter_mut().zip(labels) {
            *known |= label.is_some();
        }
    }
    let [train, test] = [Split::Train, Split::Test].map(|split| known[split as usize]);
    if train.iter().zip(&test).any(|(train, test)| *train && *test) {
        return Ok(());
    }
    Err(Error::Request(
        "the data set has no attribute with known labels in both the training and the test split: prepare it from a table \
         with such labels"
            .to_owned(),
    ))
}

/// The stored images of each item, and the files that hold many.
struct Stored {
    images: Vec<Vec<StoredImage>>,
    shards: Vec<Shard>,
}

/// Stores all images that are not stored yet.
fn store(
    writer: &dyn format::Writer,
    items: &[SourceItem],
    renderer: &CopyRenderer,
    options: &Options,
    progress: &Progress,
) -> Result<Stored> {
    writer.begin()?;
    let bar = progress.bar("Preparing", "images", image_count(items));
    let context = WriteContext { renderer, options, bar: &bar };
    let groups = writer.groups(items);
    let written = groups.par_iter().map(|group| writer.store(group, &context)).collect::<Result<Vec<_>>>();
    bar.finish();
    let mut stored = Stored { images: vec![Vec::new(); items.len()], shards: Vec::new() };
    for (group, written) in groups.iter().zip(written?) {
        group.iter().zip(written.images).for_each(|(item, images)| stored.images[item.row] = images);
        stored.shards.extend(written.shard);
    }
    writer.finish(items)?;
    Ok(stored)
}

/// The description of the set, except what is known only after storing it.
fn describe(dataset: &Dataset, options: &Options, items: &[SourceItem]) -> Result<Prepared> {
    let counts = |split: Split| {
        let of_split = items.iter().filter(|item| item.annotation.split == split);
        of_split.fold(Counts::default(), |counts, item| Counts {
            sources: counts.sources + 1,
            stored: counts.stored + item.copies as usize,
        })
    };
    let training = items.iter().filter(|item| item.annotation.split == Split::Train);
    let pipeline = options.pipeline.to_toml()?;
    Ok(Prepared {
        dataset: dataset.name.label().to_owned(),
        split_official: dataset.partition.official,
        split: dataset.partition.description.clone(),
        val_split: dataset.partition.val_split,
        extent: dataset.partition.extent.clone(),
        notes: Vec::new(),
        seed: options.seed,
        size: options.size,
        format: options.format,
        quality: options.format.is_jpeg().then_some(options.quality),
        origin: if options.format == Format::Virtual { Some(source_images(&dataset.images)?) } else { None },
        copies: training.map(|item| item.copies).max().unwrap_or(1),
        balance: None,
        pipeline_digest: hex_digest(pipeline.as_bytes()),
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

fn source_images(images: &Images) -> Result<SourceImages> {
    match images {
        // Absolute: the set may be read from another working directory.
        Images::Folder(root) => std::fs::canonicalize(root).map(SourceImages::Folder).map_err(Error::io("find", root)),
        Images::Synthetic(renderer) => Ok(SourceImages::Synthetic(renderer.seed())),
    }
}
