//! JPEG files in folders, `images/<split>/<shard>/<stem>-<copy>.jpg`, with a thousand sources a shard.

use super::writer::{StoredGroup, StoredImage, WriteContext, Writer};
use crate::error::{Error, Result};
use crate::io;
use crate::store::items::{SourceItem, shards};
use crate::store::jpeg;
use crate::store::layout::IMAGES;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Sources a shard.
const SHARD_SOURCES: usize = 1000;

pub(super) struct JpegFolders {
    folder: PathBuf,
    /// The shard of each item, a path below `folder`.
    shards: Vec<String>,
}

impl JpegFolders {
    pub(super) fn new(folder: &Path, items: &[SourceItem]) -> Self {
        let numbers = shards(items, SHARD_SOURCES, |item| item.annotation.split as usize, |_| 1);
        let name =
            |(item, number): (&SourceItem, usize)| format!("{IMAGES}/{}/{number:04}", item.annotation.split.label());
        Self { folder: folder.to_path_buf(), shards: items.iter().zip(numbers).map(name).collect() }
    }

    fn file(&self, item: &SourceItem, copy: u32) -> String {
        format!("{}/{}.jpg", self.shards[item.row], item.name(copy))
    }

    fn path(&self, item: &SourceItem, copy: u32) -> PathBuf {
        self.folder.join(self.file(item, copy))
    }

    /// Stores the copies of one source that are not stored yet.
    fn store_item(&self, item: &SourceItem, context: &WriteContext) -> Result<Vec<StoredImage>> {
        let renderer = context.renderer;
        let mut source = None;
        let mut images = Vec::with_capacity(item.copies as usize);
        for copy in 0..item.copies {
            let path = self.path(item, copy);
            let bytes = if let Some(bytes) = stored(&path) {
                bytes
            } else {
                let source = match &mut source {
                    Some(source) => source,
                    none => none.insert(renderer.open(item.row, item.annotation.source, item.digest)?),
                };
                let image = source.render(&renderer.plan(item.annotation.source, copy));
                let bytes = jpeg::encode(&image, context.options.quality)?;
                io::write_unsynced(&path, &bytes)?;
                bytes
            };
            images.push(StoredImage { offset: 0, bytes: bytes.len() as u64, digest: blake3::hash(&bytes) });
            context.bar.advance(1);
        }
        Ok(images)
    }
}

impl Writer for JpegFolders {
    fn remove_stale(&self, changed: &[&SourceItem]) -> Result<()> {
        let mut paths = changed.iter().flat_map(|item| (0..item.copies).map(|copy| self.path(item, copy)));
        paths.try_for_each(|path| io::remove(&path))
    }

    fn begin(&self) -> Result<()> {
        let shards: BTreeSet<&String> = self.shards.iter().collect();
        shards.into_iter().try_for_each(|shard| {
            io::create_folder_below(&self.folder, shard)?;
            io::sweep_partial_files(&self.folder.join(shard), Duration::ZERO)
        })
    }

    fn store(&self, group: &[&SourceItem], context: &WriteContext) -> Result<StoredGroup> {
        let images = group.iter().map(|item| self.store_item(item, context)).collect::<Result<_>>()?;
        Ok(StoredGroup { images, shard: None })
    }

    fn finish(&self, items: &[SourceItem]) -> Result<()> {
        sync(self, items)
    }

    fn file_and_member(&self, item: &SourceItem, copy: u32) -> (Option<String>, Option<String>) {
        (Some(self.file(item, copy)), None)
    }
}

/// A complete image from an earlier run. A renamed file is complete, except that a power failure can leave it empty.
fn stored(path: &Path) -> Option<Vec<u8>> {
    let bytes = io::read_opened(io::open_unlinked(path).ok()?, path, io::RECORD_BYTES).ok()?;
    (bytes.starts_with(&[0xff, 0xd8]) && bytes.ends_with(&[0xff, 0xd9])).then_some(bytes)
}

/// Syncs all images with one call for the whole file system. One call an image takes longer than writing the images,
/// of which there are tens of thousands.
#[cfg(target_os = "linux")]
fn sync(writer: &JpegFolders, _: &[SourceItem]) -> Result<()> {
    let folder = &writer.folder;
    let opened = std::fs::File::open(folder).map_err(Error::io("sync", folder))?;
    rustix::fs::syncfs(opened).map_err(|e| Error::io("sync", folder)(e.into()))
}

/// Syncs all images.
#[cfg(not(target_os = "linux"))]
fn sync(writer: &JpegFolders, items: &[SourceItem]) -> Result<()> {
    use rayon::prelude::*;
    items.par_iter().flat_map_iter(|item| (0..item.copies).map(|copy| writer.path(item, copy))).try_for_each(|path| {
        let file = std::fs::OpenOptions::new().write(true).open(&path);
        file.and_then(|file| file.sync_all()).map_err(Error::io("sync", &path))
    })
}
