//! One array of bytes, `images.npy`, `[images, size, size, 3]` in the manifest's order. It is written in place, block by
//! block, under a temporary name until it is complete. A small file for each written block holds the digests of its
//! images; it is written after the block is synced.

use super::writer::{StoredGroup, StoredImage, WriteContext, Writer, grouped};
use crate::error::{Error, Result};
use crate::io;
use crate::store::items::{SourceItem, image_count, shards};
use crate::store::layout::{self, ARRAY, PARTIAL_ARRAY, PROGRESS};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Images a block; those of one source are in one block.
const BLOCK_IMAGES: usize = 256;

/// The header of an array of `images`.
pub(in crate::store) fn header(images: usize, size: u32) -> Vec<u8> {
    io::npy::header("|u1", &[images, size as usize, size as usize, 3])
}

pub(super) struct Npy {
    folder: PathBuf,
    size: u32,
    images: usize,
    /// The block of each item.
    blocks: Vec<usize>,
}

impl Npy {
    pub(super) fn new(folder: &Path, size: u32, items: &[SourceItem]) -> Self {
        let blocks = shards(items, BLOCK_IMAGES, |_| 0, |item| item.copies as usize);
        Self { folder: folder.to_path_buf(), size, images: image_count(items), blocks }
    }

    /// Bytes an image.
    fn image_bytes(&self) -> u64 {
        3 * u64::from(self.size) * u64::from(self.size)
    }

    fn offset(&self, image: usize) -> u64 {
        io::npy::HEADER_LENGTH as u64 + image as u64 * self.image_bytes()
    }

    fn array(&self) -> PathBuf {
        self.folder.join(ARRAY)
    }

    fn partial_array(&self) -> PathBuf {
        self.folder.join(PARTIAL_ARRAY)
    }

    fn progress(&self, item: &SourceItem) -> PathBuf {
        self.folder.join(PROGRESS).join(format!("{:06}", self.blocks[item.row]))
    }

    /// The digests of a block that an earlier run has written.
    fn written(&self, group: &[&SourceItem]) -> Option<Vec<blake3::Hash>> {
        let bytes = io::read(&self.progress(group.first()?)).ok()?;
        let digests: Vec<_> = bytes.as_chunks().0.iter().map(|bytes| blake3::Hash::from_bytes(*bytes)).collect();
        (digests.len() == copies(group)).then_some(digests)
    }

    /// The digests of a block of the complete array: an earlier run was interrupted before it wrote the manifest.
    fn read(&self, group: &[&SourceItem]) -> Result<Vec<blake3::Hash>> {
        let path = self.array();
        let mut file = io::open_unlinked(&path)?;
        let mut read = || -> std::io::Result<_> {
            file.seek(SeekFrom::Start(self.offset(group[0].first)))?;
            let mut image = vec![0; self.image_bytes() as usize];
            (0..copies(group)).map(|_| file.read_exact(&mut image).map(|()| blake3::hash(&image))).collect()
        };
        read().map_err(Error::io("read", &path))
    }

    /// Renders a block and writes it at its offset; returns the digests.
    fn write(&self, group: &[&SourceItem], context: &WriteContext) -> Result<Vec<blake3::Hash>> {
        let path = self.partial_array();
        let failed = || Error::io("write", &path);
        let mut file = io::open_own(&path)?;
        file.seek(SeekFrom::Start(self.offset(group[0].first))).map_err(failed())?;
        let mut digests = Vec::with_capacity(copies(group));
        for item in group {
            let mut source = context.renderer.open(item.row, item.annotation.source, item.digest)?;
            for copy in 0..item.copies {
                let image = source.render(&context.renderer.plan(item.annotation.source, copy));
                file.write_all(image.as_raw()).map_err(failed())?;
                digests.push(blake3::hash(image.as_raw()));
                context.bar.advance(1);
            }
        }
        file.sync_data().map_err(failed())?;
        let bytes: Vec<u8> = digests.iter().flat_map(blake3::Hash::as_bytes).copied().collect();
        io::write(&self.progress(group[0]), &bytes)?;
        Ok(digests)
    }
}

fn copies(group: &[&SourceItem]) -> usize {
    group.iter().map(|item| item.copies as usize).sum()
}

impl Writer for Npy {
    /// Removes the blocks of `changed` items. A complete array is removed as a whole.
    fn remove_stale(&self, changed: &[&SourceItem]) -> Result<()> {
        if self.array().exists() {
            io::remove_own(&self.folder.join(PROGRESS), &layout::is_block)?;
            io::remove(&self.array())?;
        }
        changed.iter().try_for_each(|item| io::remove(&self.progress(item)))
    }

    fn begin(&self) -> Result<()> {
        if self.array().exists() {
            return Ok(());
        }
        io::create_folder_below(&self.folder, PROGRESS)?;
        let path = self.partial_array();
        let mut file = io::open_own(&path)?;
        let mut begin = || -> std::io::Result<()> {
            file.set_len(self.offset(self.images))?;
            file.write_all(&header(self.images, self.size))
        };
        begin().map_err(Error::io("write", &path))
    }

    fn groups<'a>(&self, items: &'a [SourceItem<'a>]) -> Vec<Vec<&'a SourceItem<'a>>> {
        grouped(items, |item| self.blocks[item.row])
    }

    fn store(&self, group: &[&SourceItem], context: &WriteContext) -> Result<StoredGroup> {
        let earlier = if self.array().exists() { Some(self.read(group)?) } else { self.written(group) };
        let digests = match earlier {
            Some(digests) => {
                context.bar.advance(digests.len());
                digests
            }
            None => self.write(group, context)?,
        };
        let mut images = (group[0].first..).zip(digests).map(|(image, digest)| StoredImage {
            offset: self.offset(image),
            bytes: self.image_bytes(),
            digest,
        });
        let images = group.iter().map(|item| images.by_ref().take(item.copies as usize).collect());
        Ok(StoredGroup { images: images.collect(), shard: None })
    }

    fn finish(&self, _: &[SourceItem]) -> Result<()> {
        if !self.array().exists() {
            let path = self.partial_array();
            // Syncs the header; the blocks are synced already.
            let file = io::open_own(&path)?;
            file.sync_all().map_err(Error::io("sync", &path))?;
            std::fs::rename(&path, self.array()).map_err(Error::io("write", self.array()))?;
            io::sync_folder(&self.folder)?;
        }
        io::remove_own(&self.folder.join(PROGRESS), &layout::is_block)
    }

    fn file_and_member(&self, _: &SourceItem, _: u32) -> (Option<String>, Option<String>) {
        (Some(ARRAY.to_owned()), None)
    }
}
