//! Tar files as `WebDataset` loaders read them: `<split>-<number>.tar` with `<stem>-<copy>.jpg` and, beside it,
//! `<stem>-<copy>.json` for every image, the images of one source together. A file holds at most a thousand images. It
//! is written under a temporary name, synced and renamed, so an existing one is complete.

use super::writer::{StoredGroup, StoredImage, WriteContext, Writer, grouped};
use crate::attribute;
use crate::error::{Error, Result};
use crate::io;
use crate::store::hashing::HashingWriter;
use crate::store::items::{SourceItem, shards};
use crate::store::jpeg;
use crate::store::layout;
use crate::store::prepared::Shard;
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Images a tar file; those of one source are in one file.
const SHARD_IMAGES: usize = 1000;

pub(super) struct WebDataset {
    folder: PathBuf,
    /// The tar file's number of each item.
    shards: Vec<usize>,
}

impl WebDataset {
    pub(super) fn new(folder: &Path, items: &[SourceItem]) -> Self {
        let lane = |item: &SourceItem| item.annotation.split as usize;
        let shards = shards(items, SHARD_IMAGES, lane, |item| item.copies as usize);
        Self { folder: folder.to_path_buf(), shards }
    }

    fn file(&self, item: &SourceItem) -> String {
        layout::shard(item.annotation.split, self.shards[item.row])
    }

    fn write(&self, file: &str, group: &[&SourceItem], context: &WriteContext) -> Result<StoredGroup> {
        let path = self.folder.join(file);
        let content = io::write_with(&path, |partial| write_archive(partial, &path, group, context))?;
        Ok(content.into_group(file))
    }
}

impl Writer for WebDataset {
    fn remove_stale(&self, changed: &[&SourceItem]) -> Result<()> {
        changed.iter().try_for_each(|item| io::remove(&self.folder.join(self.file(item))))
    }

    fn groups<'a>(&self, items: &'a [SourceItem<'a>]) -> Vec<Vec<&'a SourceItem<'a>>> {
        grouped(items, |item| (item.annotation.split as usize, self.shards[item.row]))
    }

    fn store(&self, group: &[&SourceItem], context: &WriteContext) -> Result<StoredGroup> {
        let file = self.file(group[0]);
        match stored(&self.folder.join(&file), group) {
            Some(content) => {
                context.bar.advance(content.images.iter().map(Vec::len).sum());
                Ok(content.into_group(&file))
            }
            None => self.write(&file, group, context),
        }
    }

    fn file_and_member(&self, item: &SourceItem, copy: u32) -> (Option<String>, Option<String>) {
        (Some(self.file(item)), Some(image_name(item, copy)))
    }
}

fn image_name(item: &SourceItem, copy: u32) -> String {
    format!("{}.jpg", item.name(copy))
}

fn label_name(item: &SourceItem, copy: u32) -> String {
    format!("{}.json", item.name(copy))
}

/// The content of a tar file.
struct Content {
    images: Vec<Vec<StoredImage>>,
    bytes: u64,
    digest: blake3::Hash,
}

impl Content {
    fn into_group(self, file: &str) -> StoredGroup {
        let (bytes, digest) = (self.bytes, self.digest.to_hex().to_string());
        StoredGroup { images: self.images, shard: Some(Shard { file: file.to_owned(), bytes, digest }) }
    }
}

/// Writes the tar file of a group, which will be at `path`.
fn write_archive(file: &mut File, path: &Path, group: &[&SourceItem], context: &WriteContext) -> Result<Content> {
    let failed = || Error::io("write", path);
    let mut archive = Archive::new(file);
    let mut images = Vec::with_capacity(group.len());
    for item in group {
        let mut source = context.renderer.open(item.row, item.annotation.source, item.digest)?;
        let mut copies = Vec::with_capacity(item.copies as usize);
        for copy in 0..item.copies {
            let image = source.render(&context.renderer.plan(item.annotation.source, copy));
            let bytes = jpeg::encode(&image, context.options.quality)?;
            let offset = archive.append(&image_name(item, copy), &bytes).map_err(failed())?;
            let label = io::to_json(&Label { item, copy })?;
            archive.append(&label_name(item, copy), label.as_bytes()).map_err(failed())?;
            copies.push(StoredImage { offset, bytes: bytes.len() as u64, digest: blake3::hash(&bytes) });
            context.bar.advance(1);
        }
        images.push(copies);
    }
    let (bytes, digest) = archive.finish().map_err(failed())?;
    Ok(Content { images, bytes, digest })
}

/// The content of a tar file of an earlier run; `None` if it is missing or not that of `group`.
fn stored(path: &Path, group: &[&SourceItem]) -> Option<Content> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(io::open_unlinked(path).ok()?).ok()?;
    let mut archive = tar::Archive::new(std::io::BufReader::new(io::open_unlinked(path).ok()?));
    let mut entries = archive.entries().ok()?;
    let mut next = |name: &str| -> Option<(u64, Vec<u8>)> {
        let mut entry = entries.next()?.ok()?;
        if entry.path_bytes() != name.as_bytes() {
            return None;
        }
        // An entry may state any size, and one of a sparse file may have it.
        if entry.header().entry_type() != tar::EntryType::Regular || entry.size() > io::RECORD_BYTES {
            return None;
        }
        let position = entry.raw_file_position();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).ok()?;
        Some((position, bytes))
    };
    let mut image = |item: &SourceItem, copy: u32| -> Option<StoredImage> {
        let (offset, bytes) = next(&image_name(item, copy))?;
        next(&label_name(item, copy))?;
        Some(StoredImage { offset, bytes: bytes.len() as u64, digest: blake3::hash(&bytes) })
    };
    let images = group.iter().map(|item| (0..item.copies).map(|copy| image(item, copy)).collect::<Option<Vec<_>>>());
    Some(Content { images: images.collect::<Option<_>>()?, bytes: hasher.count(), digest: hasher.finalize() })
}

/// A tar file without times and owners, so that the same images give the same bytes.
struct Archive<'a>(tar::Builder<HashingWriter<&'a mut File>>);

impl<'a> Archive<'a> {
    fn new(file: &'a mut File) -> Self {
        Self(tar::Builder::new(HashingWriter::new(file)))
    }

    /// Appends a file; returns the offset of its bytes.
    fn append(&mut self, name: &str, bytes: &[u8]) -> std::io::Result<u64> {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        self.0.append_data(&mut header, name, bytes)?;
        Ok(self.0.get_ref().count() - (bytes.len() as u64).next_multiple_of(512))
    }

    /// Ends the archive; returns its length and digest.
    fn finish(self) -> std::io::Result<(u64, blake3::Hash)> {
        let writer = self.0.into_inner()?;
        let bytes = writer.count();
        Ok((bytes, writer.finish()?.1))
    }
}

/// The JSON file beside an image.
struct Label<'a> {
    item: &'a SourceItem<'a>,
    copy: u32,
}

impl Serialize for Label<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let annotation = &self.item.annotation;
        let mut map = serializer.serialize_map(Some(4 + attribute::COUNT))?;
        map.serialize_entry("source", annotation.source)?;
        map.serialize_entry("copy", &self.copy)?;
        map.serialize_entry("split", annotation.split.label())?;
        map.serialize_entry("identity", &annotation.identity)?;
        for (name, label) in attribute::NAMES.iter().zip(annotation.labels) {
            map.serialize_entry(name, &label.map(u8::from))?;
        }
        map.end()
    }
}
