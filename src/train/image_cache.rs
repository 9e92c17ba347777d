//! Decoded images in memory.

use super::online::Online;
use crate::attribute::ImageLabels;
use crate::error::{Error, Result};
use crate::progress::Progress;
use rayon::prelude::*;

/// Decoded images up to this many bytes are kept in memory.
const MAX_RESIDENT_BYTES: usize = 3 << 30;

/// Labelled images in any storage.
pub trait LabelledImages: Sync {
    /// The labels of image `row`, in the order of [`crate::attribute::NAMES`].
    fn labels(&self, row: usize) -> &ImageLabels;
    /// Image `row` as `side x side` RGB, `3 * side * side` bytes.
    fn pixels(&self, row: usize, side: usize) -> Result<Vec<u8>>;
}

/// Some images of a set, decoded once if they fit into memory and whenever they are needed otherwise.
pub struct ImageCache<'a> {
    images: &'a dyn LabelledImages,
    rows: Vec<usize>,
    /// Side of the images in memory in pixels.
    side: usize,
    resident: Option<Vec<u8>>,
    /// Distorts every image that leaves the cache.
    online: Option<Online<'a>>,
}

impl<'a> ImageCache<'a> {
    /// Decodes the images `rows` at `side x side` pixels.
    pub fn new(
        images: &'a dyn LabelledImages,
        rows: Vec<usize>,
        side: usize,
        title: &str,
        progress: &Progress,
    ) -> Result<Self> {
        let size = 3 * side * side;
        let mut cache = Self { images, rows, side, resident: None, online: None };
        if cache.rows.len() * size <= MAX_RESIDENT_BYTES {
            let bar = progress.bar(title, "images", cache.rows.len());
            let mut pixels = vec![0; cache.rows.len() * size];
            pixels.par_chunks_exact_mut(size).zip(&cache.rows).try_for_each(|(to, row)| {
                to.copy_from_slice(&images.pixels(*row, side)?);
                bar.advance(1);
                Ok::<(), Error>(())
            })?;
            bar.finish();
            cache.resident = Some(pixels);
        }
        Ok(cache)
    }

    /// Like [`ImageCache::new`], without the images that cannot be read: their rows and errors are returned.
    pub fn readable(
        images: &'a dyn LabelledImages,
        rows: &[usize],
        side: usize,
        title: &str,
        progress: &Progress,
    ) -> Result<(Self, Vec<(usize, Error)>)> {
        let bar = progress.bar(title, "images", rows.len());
        let read = |row: &usize| {
            let pixels = images.pixels(*row, side);
            bar.advance(1);
            // Pixels beyond the limit are read again when they are needed.
            pixels.map(|pixels| if rows.len() * pixels.len() <= MAX_RESIDENT_BYTES { pixels } else { Vec::new() })
        };
        let pixels: Vec<Result<Vec<u8>>> = rows.par_iter().map(read).collect();
        bar.finish();
        let (mut kept, mut resident, mut unreadable) = (Vec::new(), Vec::new(), Vec::new());
        for (row, pixels) in rows.iter().zip(pixels) {
            match pixels {
                Ok(pixels) => {
                    kept.push(*row);
                    resident.push(pixels);
                }
                Err(error) => unreadable.push((*row, error)),
            }
        }
        let resident = (!resident.first().is_some_and(Vec::is_empty)).then(|| resident.concat());
        Ok((Self { images, rows: kept, side, resident, online: None }, unreadable))
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True if there are no images.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows of the images in the set.
    pub fn rows(&self) -> &[usize] {
        &self.rows
    }

    pub(super) fn labels(&self, index: usize) -> &ImageLabels {
        self.images.labels(self.rows[index])
    }

    /// The same images, of [`Online::working_side`], distorted whenever they are read.
    pub(super) fn distorted(self, online: Online<'a>) -> Self {
        Self { online: Some(online), ..self }
    }

    /// Calls `read` with the pixels of an image. `distortion` is the seed and the epoch of its distortions, if images are
    /// distorted anew in each epoch.
    pub(super) fn with_pixels<R>(
        &self,
        index: usize,
        distortion: Option<(u64, usize)>,
        read: impl FnOnce(&[u8]) -> R,
    ) -> Result<R> {
        let Some(online) = &self.online else { return self.with_stored(index, read) };
        let plan = distortion.map(|(seed, epoch)| online.plan(index, seed, epoch)).unwrap_or_default();
        let distorted = online.render(self.with_stored(index, <[u8]>::to_vec)?, &plan)?;
        Ok(read(&distorted))
    }

    fn with_stored<R>(&self, index: usize, read: impl FnOnce(&[u8]) -> R) -> Result<R> {
        match &self.resident {
            Some(pixels) => {
                let size = 3 * self.side * self.side;
                Ok(read(&pixels[index * size..(index + 1) * size]))
            }
            None => Ok(read(&self.images.pixels(self.rows[index], self.side)?)),
        }
    }
}
