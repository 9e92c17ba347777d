//! Writes a prepared set: every source is decoded once for all its copies, sources go over the threads, and what is
//! there already from a killed run is kept.

use super::folder::{self, Inputs, State};
use super::jpeg;
use super::manifest::{self, Item};
use super::prepared::{Counts, Options, Prepared, VERSION, digest};
use crate::augment::Source;
use crate::dataset::{Dataset, Images, Split};
use crate::error::{Error, Result};
use crate::files;
use crate::progress::{Bar, Progress};
use image::RgbImage;
use rayon::prelude::*;
use std::collections::{BTreeSet, HashSet};
use std::path::{Component, Path};

/// Sources a folder of images.
const SHARD: usize = 1000;

/// Stores `dataset` below `folder`: all images brought to one size, and of the training images as many copies as asked
/// for, the first undistorted. The same inputs give the same bytes on any number of threads, in one go or in several.
///
/// # Errors
/// Unreadable or damaged images, a folder that is not ours to fill, options out of bounds. An unfinished set never has
/// a manifest or `prepared.json`.
pub fn prepare(dataset: &Dataset, folder: &Path, options: &Options, progress: &Progress) -> Result<Prepared> {
    let training = splits(dataset)?.iter().filter(|split| **split == Split::Train).count();
    let copies = options.copies(training)?;
    let items = items(dataset, copies)?;
    let file_sizes = find_sources(dataset, &items)?;
    let inputs = Inputs { digest: digest(dataset, options, copies)?, file_sizes };
    // Held until everything is written.
    let (_lock, state) = folder::claim(folder, &inputs, options.force)?;
    let changed = match state {
        State::Finished(prepared) => {
            progress.say(format!("{} is already prepared.", folder.display()));
            return Ok(*prepared);
        }
        State::Open(changed) => changed,
    };
    for item in changed.into_iter().map(|row| &items[row]) {
        (0..item.copies).try_for_each(|copy| folder::remove(&folder.join(item.file(copy))))?;
    }
    folder::begin(folder, &inputs)?;
    create_shards(folder, &items)?;
    let stored = items.iter().map(|item| item.copies as usize).sum();
    let bar = progress.bar("prepare", "images", stored);
    let job = Job { dataset, folder, options, bar: &bar };
    let digests = items.par_iter().map(|item| job.store(item)).collect::<Result<Vec<_>>>();
    bar.finish();
    let digests = digests?;
    sync(folder, &items)?;
    let manifest_digest = manifest::write(dataset, folder, &items, &digests, |item, copy| {
        options.pipeline.plan(options.seed, &item.source, copy).to_string()
    })?;
    let prepared = describe(dataset, options, copies, &items, inputs.whole_digest(), manifest_digest)?;
    folder::write_json(&folder.join(folder::PREPARED), &prepared)?;
    Ok(prepared)
}

fn describe(
    dataset: &Dataset,
    options: &Options,
    copies: u32,
    items: &[Item],
    input_digest: String,
    manifest_digest: String,
) -> Result<Prepared> {
    let counts = |split: Split| {
        let of_split = items.iter().filter(|item| item.split == split);
        of_split.fold(Counts::default(), |counts, item| Counts {
            sources: counts.sources + 1,
            stored: counts.stored + item.copies as usize,
        })
    };
    let pipeline = options.pipeline.to_toml()?;
    Ok(Prepared {
        dataset: dataset.name.label().to_owned(),
        split_official: dataset.partition.official,
        split: dataset.partition.description.clone(),
        notes: dataset.notes.clone(),
        seed: options.seed,
        size: options.size,
        quality: options.quality,
        copies,
        pipeline_digest: folder::digest(pipeline.as_bytes()),
        pipeline,
        input_digest,
        train: counts(Split::Train),
        val: counts(Split::Val),
        test: counts(Split::Test),
        manifest_digest,
        version: VERSION,
    })
}

fn splits(dataset: &Dataset) -> Result<Vec<Split>> {
    let parse = |label: Option<&str>| {
        label.and_then(Split::parse).ok_or_else(|| Error::Internal(format!("there is no split {label:?}")))
    };
    dataset.table.column("split")?.str()?.iter().map(parse).collect()
}

/// Every source with its place in the folder, in the order of the table.
fn items(dataset: &Dataset, copies: u32) -> Result<Vec<Item>> {
    let splits = splits(dataset)?;
    let sources: Vec<&str> = dataset.table.column("source")?.str()?.iter().map(Option::unwrap_or_default).collect();
    let stems: Vec<&str> = sources
        .iter()
        .map(|source| Path::new(source).file_stem().and_then(|s| s.to_str()).unwrap_or("image"))
        .collect();
    // Names that differ by folder or by case alone would meet in one file: then the row tells them apart.
    let mut seen = HashSet::new();
    let unique = stems.iter().all(|stem| seen.insert(stem.to_lowercase()));
    let mut places = [0_usize; 3];
    let mut items = Vec::with_capacity(sources.len());
    for (row, ((&source, stem), split)) in sources.iter().zip(stems).zip(splits).enumerate() {
        let shard = places[split as usize] / SHARD;
        places[split as usize] += 1;
        items.push(Item {
            row,
            source: source.to_owned(),
            split,
            shard: format!("{}/{}/{shard:04}", folder::IMAGES, split.label()),
            stem: if unique { stem.to_owned() } else { format!("{row:07}-{stem}") },
            copies: if split == Split::Train { copies } else { 1 },
        });
    }
    Ok(items)
}

/// The sizes of the image files, where there are files. That all are there is known before hours are spent on the first.
fn find_sources(dataset: &Dataset, items: &[Item]) -> Result<Vec<u64>> {
    let Images::Folder(root) = &dataset.images else { return Ok(Vec::new()) };
    if let Some(item) = items.iter().find(|item| !is_below(&item.source)) {
        return Err(Error::Request(format!(
            "the image name {:?} does not name a file below the image folder",
            item.source
        )));
    }
    let size = |item: &Item| {
        let found = std::fs::metadata(root.join(&item.source)).ok();
        found.filter(std::fs::Metadata::is_file).map(|file| file.len())
    };
    let sizes: Vec<Option<u64>> = items.par_iter().map(size).collect();
    let mut missing = items.iter().zip(&sizes).filter(|(_, size)| size.is_none()).map(|(item, _)| item);
    let Some(first) = missing.next() else { return Ok(sizes.into_iter().flatten().collect()) };
    let more = match missing.count() {
        0 => String::new(),
        count => format!(", and so are {count} more"),
    };
    Err(Error::file(
        root.join(&first.source),
        format!("is missing, though the annotation names it{more}: unpack the images below {}", root.display()),
    ))
}

fn is_below(source: &str) -> bool {
    !source.is_empty() && Path::new(source).components().all(|part| matches!(part, Component::Normal(_)))
}

fn create_shards(folder: &Path, items: &[Item]) -> Result<()> {
    let shards: BTreeSet<&str> = items.iter().map(|item| item.shard.as_str()).collect();
    shards.into_iter().try_for_each(|shard| files::create_folder(&folder.join(shard)))
}

/// What all threads share.
struct Job<'a> {
    dataset: &'a Dataset,
    folder: &'a Path,
    options: &'a Options,
    bar: &'a Bar,
}

impl Job<'_> {
    /// Stores all copies of one source that are not there yet; the digests of all.
    fn store(&self, item: &Item) -> Result<Vec<blake3::Hash>> {
        let mut source = None;
        let mut digests = Vec::with_capacity(item.copies as usize);
        for copy in 0..item.copies {
            let path = self.folder.join(item.file(copy));
            if let Some(bytes) = stored(&path) {
                digests.push(blake3::hash(&bytes));
            } else {
                let source = match &mut source {
                    Some(source) => source,
                    none => none.insert(Source::new(self.load(item)?, self.options.size)),
                };
                let plan = self.options.pipeline.plan(self.options.seed, &item.source, copy);
                let bytes = jpeg::encode(&source.render(&plan), self.options.quality)?;
                write_aside(&path, &bytes)?;
                digests.push(blake3::hash(&bytes));
            }
            self.bar.advance(1);
        }
        Ok(digests)
    }

    fn load(&self, item: &Item) -> Result<RgbImage> {
        match &self.dataset.images {
            Images::Folder(root) => {
                let path = root.join(&item.source);
                jpeg::decode(&files::read(&path)?, &path)
            }
            Images::Synthetic(renderer) => Ok(renderer.render(item.row)),
        }
    }
}

/// A whole image from an earlier run. Renaming makes files whole, but a power cut can leave one without content.
fn stored(path: &Path) -> Option<Vec<u8>> {
    let bytes = std::fs::read(path).ok()?;
    (bytes.starts_with(&[0xff, 0xd8]) && bytes.ends_with(&[0xff, 0xd9])).then_some(bytes)
}

/// As [`files::write`], but not synced yet: see [`sync`]. The folder is locked, so the name aside is nobody else's.
fn write_aside(path: &Path, bytes: &[u8]) -> Result<()> {
    let aside = path.with_extension("jpg.partial");
    std::fs::write(&aside, bytes).and_then(|()| std::fs::rename(&aside, path)).map_err(|e| {
        // Half a file on a full disk helps nobody; if it stays, the next run writes over it.
        let _ = std::fs::remove_file(&aside);
        Error::io("write", path)(e)
    })
}

/// Brings all images to the disk before anything says that they are there: one call for the whole file system, since a
/// call for each of tens of thousands of images takes longer than the images.
#[cfg(target_os = "linux")]
fn sync(folder: &Path, _: &[Item]) -> Result<()> {
    let opened = std::fs::File::open(folder).map_err(Error::io("sync", folder))?;
    rustix::fs::syncfs(opened).map_err(|e| Error::io("sync", folder)(e.into()))
}

/// Brings all images to the disk before anything says that they are there.
#[cfg(not(target_os = "linux"))]
fn sync(folder: &Path, items: &[Item]) -> Result<()> {
    items.par_iter().flat_map_iter(|item| (0..item.copies).map(|copy| folder.join(item.file(copy)))).try_for_each(
        |path| {
            let file = std::fs::OpenOptions::new().write(true).open(&path);
            file.and_then(|file| file.sync_all()).map_err(Error::io("sync", &path))
        },
    )
}
