//! JPEG files in folders, `images/<split>/<shard>/<stem>-<copy>.jpg`, with a thousand sources a shard.

use super::{Group, Job, Stored, Writer};
use crate::error::{Error, Result};
use crate::io;
use crate::store::items::{Item, shards};
use crate::store::jpeg;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The folder of all images.
pub(in crate::store) const IMAGES: &str = "images";
/// Sources a shard.
const SHARD: usize = 1000;

pub(super) struct JpegFolders {
    folder: PathBuf,
    /// Of each item.
    shards: Vec<String>,
}

impl JpegFolders {
    pub(super) fn new(folder: &Path, items: &[Item]) -> Self {
        let numbers = shards(items, SHARD, |item| item.face.split as usize, |_| 1);
        let name = |(item, number): (&Item, usize)| format!("{IMAGES}/{}/{number:04}", item.face.split.label());
        Self { folder: folder.to_path_buf(), shards: items.iter().zip(numbers).map(name).collect() }
    }

    fn file(&self, item: &Item, copy: u32) -> String {
        format!("{}/{}.jpg", self.shards[item.row], item.name(copy))
    }

    fn path(&self, item: &Item, copy: u32) -> PathBuf {
        self.folder.join(self.file(item, copy))
    }
}

impl Writer for JpegFolders {
    fn forget(&self, changed: &[&Item]) -> Result<()> {
        let mut paths = changed.iter().flat_map(|item| (0..item.copies).map(|copy| self.path(item, copy)));
        paths.try_for_each(|path| io::remove(&path))
    }

    fn begin(&self) -> Result<()> {
        let shards: BTreeSet<&String> = self.shards.iter().collect();
        shards.into_iter().try_for_each(|shard| io::create_folder(&self.folder.join(shard)))
    }

    fn store(&self, group: &[&Item], job: &Job) -> Result<Group> {
        let images = group.iter().map(|item| self.store_item(item, job)).collect::<Result<_>>()?;
        Ok(Group { images, shard: None })
    }

    fn finish(&self, items: &[Item]) -> Result<()> {
        sync(self, items)
    }

    fn place(&self, item: &Item, copy: u32) -> (Option<String>, Option<String>) {
        (Some(self.file(item, copy)), None)
    }
}

impl JpegFolders {
    /// Stores the copies of one source that are not there yet.
    fn store_item(&self, item: &Item, job: &Job) -> Result<Vec<Stored>> {
        let mut source = None;
        let mut images = Vec::with_capacity(item.copies as usize);
        for copy in 0..item.copies {
            let path = self.path(item, copy);
            let bytes = if let Some(bytes) = stored(&path) {
                bytes
            } else {
                let source = match &mut source {
                    Some(source) => source,
                    none => none.insert(job.studio.open(item.row, item.face.source, item.digest)?),
                };
                let image = source.render(&job.studio.plan(item.face.source, copy));
                let bytes = jpeg::encode(&image, job.options.quality)?;
                write_aside(&path, &bytes)?;
                bytes
            };
            images.push(Stored { offset: 0, bytes: bytes.len() as u64, digest: blake3::hash(&bytes) });
            job.bar.advance(1);
        }
        Ok(images)
    }
}

/// A whole image from an earlier run. Renaming makes files whole, but a power cut can leave one without content.
fn stored(path: &Path) -> Option<Vec<u8>> {
    let bytes = std::fs::read(path).ok()?;
    (bytes.starts_with(&[0xff, 0xd8]) && bytes.ends_with(&[0xff, 0xd9])).then_some(bytes)
}

/// As [`io::write`], but not synced yet: see [`sync`]. The folder is locked, so the name aside is nobody else's.
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
fn sync(writer: &JpegFolders, _: &[Item]) -> Result<()> {
    let folder = &writer.folder;
    let opened = std::fs::File::open(folder).map_err(Error::io("sync", folder))?;
    rustix::fs::syncfs(opened).map_err(|e| Error::io("sync", folder)(e.into()))
}

/// Brings all images to the disk before anything says that they are there.
#[cfg(not(target_os = "linux"))]
fn sync(writer: &JpegFolders, items: &[Item]) -> Result<()> {
    use rayon::prelude::*;
    items.par_iter().flat_map_iter(|item| (0..item.copies).map(|copy| writer.path(item, copy))).try_for_each(|path| {
        let file = std::fs::OpenOptions::new().write(true).open(&path);
        file.and_then(|file| file.sync_all()).map_err(Error::io("sync", &path))
    })
}
