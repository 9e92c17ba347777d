//! Tar files as `WebDataset` loaders read them: `<split>-<number>.tar` with `<stem>-<copy>.jpg` and, beside it,
//! `<stem>-<copy>.json` for every image, the images of one source together. A file holds at most a thousand images; it is
//! written aside, synced and renamed, so that one that is there is whole.

use super::{Group, Job, Stored, Writer, grouped};
use crate::attribute;
use crate::error::{Error, Result};
use crate::io;
use crate::store::hashed::Hashed;
use crate::store::items::{Item, shards};
use crate::store::jpeg;
use crate::store::prepared::Shard;
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Images a tar file; those of one source stay together.
const SHARD: usize = 1000;

pub(super) struct WebDataset {
    folder: PathBuf,
    /// Of each item.
    shards: Vec<usize>,
}

/// Whether a file of this name is one of ours.
pub(in crate::store) fn is_shard(name: &str) -> bool {
    let number = name.strip_suffix(".tar").and_then(|name| name.split_once('-'));
    number.is_some_and(|(split, number)| {
        crate::dataset::Split::ALL.iter().any(|known| known.label() == split)
            && number.len() >= 6
            && number.bytes().all(|digit| digit.is_ascii_digit())
    })
}

impl WebDataset {
    pub(super) fn new(folder: &Path, items: &[Item]) -> Self {
        let shards = shards(items, SHARD, |item| item.face.split as usize, |item| item.copies as usize);
        Self { folder: folder.to_path_buf(), shards }
    }

    fn file(&self, item: &Item) -> String {
        format!("{}-{:06}.tar", item.face.split.label(), self.shards[item.row])
    }

    fn write(&self, file: &str, group: &[&Item], job: &Job) -> Result<Group> {
        let path = self.folder.join(file);
        // A name that `folder` clears away, should this run be killed.
        let aside = self.folder.join(format!(".partial-{file}"));
        let written = fill(&aside, group, job).and_then(|made| {
            std::fs::rename(&aside, &path).map_err(Error::io("write", &path))?;
            Ok(made)
        });
        if written.is_err() {
            // Half a file on a full disk helps nobody; if it stays, the next run clears it away.
            let _ = std::fs::remove_file(&aside);
        }
        Ok(written?.into_group(file))
    }
}

/// What is in a tar file.
struct Content {
    images: Vec<Vec<Stored>>,
    bytes: u64,
    digest: blake3::Hash,
}

impl Content {
    fn into_group(self, file: &str) -> Group {
        let (bytes, digest) = (self.bytes, self.digest.to_hex().to_string());
        Group { images: self.images, shard: Some(Shard { file: file.to_owned(), bytes, digest }) }
    }
}

/// Makes the tar file of a group and brings it to the disk.
fn fill(path: &Path, group: &[&Item], job: &Job) -> Result<Content> {
    let failed = || Error::io("write", path);
    let mut archive = Archive::new(File::create(path).map_err(failed())?);
    let mut images = Vec::with_capacity(group.len());
    for item in group {
        let mut source = job.studio.open(item.row, item.face.source, item.digest)?;
        let mut copies = Vec::with_capacity(item.copies as usize);
        for copy in 0..item.copies {
            let bytes = jpeg::encode(&source.render(&job.studio.plan(item.face.source, copy)), job.options.quality)?;
            let offset = archive.append(&format!("{}.jpg", item.name(copy)), &bytes).map_err(failed())?;
            archive.append(&format!("{}.json", item.name(copy)), &label(item, copy)?).map_err(failed())?;
            copies.push(Stored { offset, bytes: bytes.len() as u64, digest: blake3::hash(&bytes) });
            job.bar.advance(1);
        }
        images.push(copies);
    }
    let (bytes, digest) = archive.finish().map_err(failed())?;
    Ok(Content { images, bytes, digest })
}

/// What an earlier run has put into a whole file; nothing where that is not what belongs there.
fn stored(path: &Path, group: &[&Item]) -> Option<Content> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path).ok()?).ok()?;
    let mut archive = tar::Archive::new(std::io::BufReader::new(File::open(path).ok()?));
    let mut entries = archive.entries().ok()?;
    let mut next = |name: &str| -> Option<(u64, Vec<u8>)> {
        let mut entry = entries.next()?.ok()?;
        if entry.path_bytes() != name.as_bytes() {
            return None;
        }
        let mut bytes = Vec::with_capacity(entry.size() as usize);
        entry.read_to_end(&mut bytes).ok()?;
        Some((entry.raw_file_position(), bytes))
    };
    let mut image = |item: &Item, copy: u32| -> Option<Stored> {
        let (offset, bytes) = next(&format!("{}.jpg", item.name(copy)))?;
        next(&format!("{}.json", item.name(copy)))?;
        Some(Stored { offset, bytes: bytes.len() as u64, digest: blake3::hash(&bytes) })
    };
    let images = group.iter().map(|item| (0..item.copies).map(|copy| image(item, copy)).collect::<Option<Vec<_>>>());
    Some(Content { images: images.collect::<Option<_>>()?, bytes: hasher.count(), digest: hasher.finalize() })
}

impl Writer for WebDataset {
    fn forget(&self, changed: &[&Item]) -> Result<()> {
        changed.iter().try_for_each(|item| io::remove(&self.folder.join(self.file(item))))
    }

    fn groups<'a>(&self, items: &'a [Item<'a>]) -> Vec<Vec<&'a Item<'a>>> {
        grouped(items, |item| (item.face.split as usize, self.shards[item.row]))
    }

    fn store(&self, group: &[&Item], job: &Job) -> Result<Group> {
        let file = self.file(group[0]);
        match stored(&self.folder.join(&file), group) {
            Some(content) => {
                job.bar.advance(content.images.iter().map(Vec::len).sum());
                Ok(content.into_group(&file))
            }
            None => self.write(&file, group, job),
        }
    }

    fn place(&self, item: &Item, copy: u32) -> (Option<String>, Option<String>) {
        (Some(self.file(item)), Some(format!("{}.jpg", item.name(copy))))
    }
}

/// A tar file without times and owners.
struct Archive(tar::Builder<Hashed<File>>);

impl Archive {
    fn new(file: File) -> Self {
        Self(tar::Builder::new(Hashed::new(file)))
    }

    /// Where the bytes begin.
    fn append(&mut self, name: &str, bytes: &[u8]) -> std::io::Result<u64> {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        self.0.append_data(&mut header, name, bytes)?;
        Ok(self.0.get_ref().count() - (bytes.len() as u64).next_multiple_of(512))
    }

    /// Brings the file to the disk; its length and digest.
    fn finish(self) -> std::io::Result<(u64, blake3::Hash)> {
        let hashed = self.0.into_inner()?;
        let bytes = hashed.count();
        let (file, digest) = hashed.finish()?;
        file.sync_all()?;
        Ok((bytes, digest))
    }
}

/// What stands beside an image.
struct Label<'a> {
    item: &'a Item<'a>,
    copy: u32,
}

impl Serialize for Label<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let face = &self.item.face;
        let mut map = serializer.serialize_map(Some(4 + attribute::COUNT))?;
        map.serialize_entry("source", face.source)?;
        map.serialize_entry("copy", &self.copy)?;
        map.serialize_entry("split", face.split.label())?;
        map.serialize_entry("identity", &face.identity)?;
        for (name, label) in attribute::NAMES.iter().zip(face.labels) {
            map.serialize_entry(name, &u8::from(label))?;
        }
        map.end()
    }
}

fn label(item: &Item, copy: u32) -> Result<Vec<u8>> {
    serde_json::to_vec(&Label { item, copy }).map_err(|e| Error::Internal(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::is_shard;

    #[test]
    fn only_our_names_are_shards() {
        assert!(is_shard("train-000000.tar") && is_shard("test-1234567.tar"));
        for other in ["train.tar", "train-0.tar", "holiday-000000.tar", "train-00000x.tar", "train-000000.tar.gz"] {
            assert!(!is_shard(other), "{other}");
        }
    }
}
