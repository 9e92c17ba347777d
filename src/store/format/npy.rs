//! One array of bytes, `images.npy`, `[images, size, size, 3]` in the manifest's order, as `numpy.lib.format` version 1.0
//! describes it. It is written in place, block by block, under another name until it is whole; which blocks are written
//! stands in one small file each, made after the block's pixels have reached the disk.

use super::{Group, Job, Stored, Writer, grouped};
use crate::error::{Error, Result};
use crate::io;
use crate::store::items::{Item, images, shards};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The array.
pub(in crate::store) const ARRAY: &str = "images.npy";
/// What it is called until it is whole.
pub(in crate::store) const UNFINISHED: &str = "images.npy.partial";
/// The folder of what is said of written blocks: the digests of their images.
pub(in crate::store) const PROGRESS: &str = "progress";
/// Images a block; those of one source stay together.
const BLOCK: usize = 256;
/// Length of the array's header.
pub(in crate::store) const HEADER: u64 = io::npy::HEADER_LENGTH as u64;

pub(super) struct Npy {
    folder: PathBuf,
    size: u32,
    images: usize,
    /// Of each item.
    blocks: Vec<usize>,
}

/// The first [`HEADER`] bytes of the array.
pub(in crate::store) fn header(images: usize, size: u32) -> Vec<u8> {
    io::npy::header("|u1", &[images, size as usize, size as usize, 3])
}

impl Npy {
    pub(super) fn new(folder: &Path, size: u32, items: &[Item]) -> Self {
        let blocks = shards(items, BLOCK, |_| 0, |item| item.copies as usize);
        Self { folder: folder.to_path_buf(), size, images: images(items), blocks }
    }

    /// Bytes of an image.
    fn row(&self) -> u64 {
        3 * u64::from(self.size) * u64::from(self.size)
    }

    fn offset(&self, image: usize) -> u64 {
        HEADER + image as u64 * self.row()
    }

    fn whole(&self) -> PathBuf {
        self.folder.join(ARRAY)
    }

    fn unfinished(&self) -> PathBuf {
        self.folder.join(UNFINISHED)
    }

    fn progress(&self, item: &Item) -> PathBuf {
        self.folder.join(PROGRESS).join(format!("{:06}", self.blocks[item.row]))
    }

    /// The digests of a block that an earlier run has written.
    fn written(&self, group: &[&Item]) -> Option<Vec<blake3::Hash>> {
        let bytes = std::fs::read(self.progress(group.first()?)).ok()?;
        let digests: Vec<_> = bytes.as_chunks().0.iter().map(|bytes| blake3::Hash::from_bytes(*bytes)).collect();
        (digests.len() == count(group)).then_some(digests)
    }

    /// The digests of a block of the whole array, which was there before anything was said of it.
    fn read(&self, group: &[&Item]) -> Result<Vec<blake3::Hash>> {
        let path = self.whole();
        let read = || -> std::io::Result<_> {
            let mut file = File::open(&path)?;
            file.seek(SeekFrom::Start(self.offset(group[0].first)))?;
            let mut row = vec![0; self.row() as usize];
            (0..count(group)).map(|_| file.read_exact(&mut row).map(|()| blake3::hash(&row))).collect()
        };
        read().map_err(Error::io("read", &path))
    }

    /// Draws a block and writes it to its place.
    fn write(&self, group: &[&Item], job: &Job) -> Result<Vec<blake3::Hash>> {
        let path = self.unfinished();
        let failed = || Error::io("write", &path);
        let mut file = OpenOptions::new().write(true).open(&path).map_err(failed())?;
        file.seek(SeekFrom::Start(self.offset(group[0].first))).map_err(failed())?;
        let mut digests = Vec::with_capacity(count(group));
        for item in group {
            let mut source = job.studio.open(item.row, item.face.source, item.digest)?;
            for copy in 0..item.copies {
                let image = source.render(&job.studio.plan(item.face.source, copy));
                file.write_all(image.as_raw()).map_err(failed())?;
                digests.push(blake3::hash(image.as_raw()));
                job.bar.advance(1);
            }
        }
        file.sync_data().map_err(failed())?;
        let bytes: Vec<u8> = digests.iter().flat_map(blake3::Hash::as_bytes).copied().collect();
        io::write(&self.progress(group[0]), &bytes)?;
        Ok(digests)
    }
}

fn count(group: &[&Item]) -> usize {
    group.iter().map(|item| item.copies as usize).sum()
}

impl Writer for Npy {
    /// A block is done again where one of its images is; of the whole array, all are.
    fn forget(&self, changed: &[&Item]) -> Result<()> {
        if self.whole().exists() {
            io::remove_folder(&self.folder.join(PROGRESS))?;
            io::remove(&self.whole())?;
        }
        changed.iter().try_for_each(|item| io::remove(&self.progress(item)))
    }

    fn begin(&self) -> Result<()> {
        if self.whole().exists() {
            return Ok(());
        }
        io::create_folder(&self.folder.join(PROGRESS))?;
        let path = self.unfinished();
        let begin = || -> std::io::Result<()> {
            let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(&path)?;
            file.set_len(self.offset(self.images))?;
            file.write_all(&header(self.images, self.size))
        };
        begin().map_err(Error::io("write", &path))
    }

    fn groups<'a>(&self, items: &'a [Item<'a>]) -> Vec<Vec<&'a Item<'a>>> {
        grouped(items, |item| self.blocks[item.row])
    }

    fn store(&self, group: &[&Item], job: &Job) -> Result<Group> {
        let earlier = if self.whole().exists() { Some(self.read(group)?) } else { self.written(group) };
        let digests = match earlier {
            Some(digests) => {
                job.bar.advance(digests.len());
                digests
            }
            None => self.write(group, job)?,
        };
        let mut images = (group[0].first..).zip(digests).map(|(place, digest)| Stored {
            offset: self.offset(place),
            bytes: self.row(),
            digest,
        });
        let images = group.iter().map(|item| images.by_ref().take(item.copies as usize).collect());
        Ok(Group { images: images.collect(), shard: None })
    }

    fn finish(&self, _: &[Item]) -> Result<()> {
        if !self.whole().exists() {
            let path = self.unfinished();
            // The header: every block is on the disk already.
            let file = OpenOptions::new().write(true).open(&path).map_err(Error::io("sync", &path))?;
            file.sync_all().map_err(Error::io("sync", &path))?;
            std::fs::rename(&path, self.whole()).map_err(Error::io("write", self.whole()))?;
        }
        io::remove_folder(&self.folder.join(PROGRESS))
    }

    fn place(&self, _: &Item, _: u32) -> (Option<String>, Option<String>) {
        (Some(ARRAY.to_owned()), None)
    }
}
