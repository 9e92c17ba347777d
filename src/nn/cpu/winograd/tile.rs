//! Tiles of a convolution's input and output: which task computes which, and copying between maps and tiles.

use crate::nn::cpu::matmul::Window;
use crate::nn::cpu::simd::{self, copy_run};
use crate::nn::geometry::Geometry;
use std::ops::Range;

/// Tiles transformed side by side; a multiple of every vector length.
pub(super) const LANES: usize = 16;
/// Maximum images whose tiles form one row.
const IMAGES: usize = 16;
/// Approximate tiles of a task: its operands should fit the core's own cache.
const TILES: usize = 224;

/// The tiles of one task: some rows of tiles of some images. The tiles of a row are contiguous over its images and
/// padded to whole [`LANES`].
#[derive(Debug, Clone)]
pub(super) struct TileTask {
    images: Range<usize>,
    pub(super) rows: Range<usize>,
    /// Tiles of one image in a row.
    across: usize,
}

impl TileTask {
    /// All tasks of a convolution.
    pub(super) fn all(g: &Geometry) -> Vec<Self> {
        let (down, across) = (g.out_height().div_ceil(2), g.out_width().div_ceil(2));
        // The number of images that leaves the fewest lanes empty.
        let lanes = |images: usize| (images * across).next_multiple_of(LANES);
        let all = |images: usize| g.batch / images * lanes(images) + lanes(g.batch % images);
        let images = (1..=g.batch.min(IMAGES)).rev().min_by_key(|images| all(*images)).unwrap_or(1);
        let pieces = (down * lanes(images)).div_ceil(TILES).min(down);
        let rows = down.div_ceil(pieces);
        let starts =
            (0..g.batch).step_by(images).flat_map(|image| (0..down).step_by(rows).map(move |row| (image, row)));
        starts
            .map(|(image, row)| Self {
                images: image..(image + images).min(g.batch),
                rows: row..(row + rows).min(down),
                across,
            })
            .collect()
    }

    /// Tiles of a row, padding included.
    pub(super) fn pitch(&self) -> usize {
        (self.images.len() * self.across).next_multiple_of(LANES)
    }

    /// Tiles of all rows, padding included.
    pub(super) fn tiles(&self) -> usize {
        self.rows.len() * self.pitch()
    }

    /// Map rows that the tiles read of one image, at `2 + extra` rows a tile.
    pub(super) fn lines(&self, extra: usize) -> usize {
        2 * self.rows.len() + extra
    }

    /// Floats that [`TileTask::gather`] writes.
    pub(super) fn gathered(&self, extra: usize) -> usize {
        self.lines(extra) * (2 + extra) * self.pitch()
    }

    /// Copies the values of one channel `[batch, height, width]` that the tiles read:
    /// `[lines, 2 + extra columns, tiles of a row]`. `halves` is a buffer for the rows of one image.
    pub(super) fn gather(&self, map: Map, x: &[f32], extra: usize, out: &mut [f32], halves: &mut [f32]) {
        let (taps, pitch) = (2 + extra, self.pitch());
        let used = self.images.len() * self.across;
        // Rows that the tiles read and that are not padding.
        let begin = 2 * self.rows.start;
        let rows_read = begin.max(map.padding) - map.padding
            ..(begin + self.lines(extra)).saturating_sub(map.padding).min(map.height);
        for (line, out) in out.chunks_exact_mut(taps * pitch).enumerate() {
            if !rows_read.contains(&(begin + line).wrapping_sub(map.padding)) {
                out.fill(0.0);
                continue;
            }
            out.chunks_exact_mut(pitch).for_each(|tap| tap[used..].fill(0.0));
        }
        // By tap, the tiles whose column `2 * tile + tap - padding` exists.
        let valid: Vec<Range<usize>> = (0..taps)
            .map(|tap| {
                let low = map.padding.saturating_sub(tap).div_ceil(2).min(self.across);
                low..(map.width + map.padding).saturating_sub(tap).div_ceil(2).clamp(low, self.across)
            })
            .collect();
        let half = (rows_read.len() * map.width).div_ceil(2);
        for (index, image) in self.images.clone().enumerate() {
            let first = (image * map.height + rows_read.start) * map.width;
            let lines = &x[first..][..rows_read.len() * map.width];
            let (even, odd) = halves.split_at_mut(half);
            simd::halve(lines, even, odd);
            for (line, y) in rows_read.clone().enumerate() {
                let out = &mut out[(y + map.padding - begin) * taps * pitch..][..taps * pitch];
                for (tap, out) in out.chunks_exact_mut(pitch).enumerate() {
                    let out = &mut out[index * self.across..][..self.across];
                    let Range { start: low, end: high } = valid[tap].clone();
                    if low > 0 || high < self.across {
                        out.fill(0.0);
                    }
                    if low < high {
                        let at = line * map.width + 2 * low + tap - map.padding;
                        let from = if at.is_multiple_of(2) { &even[at / 2..] } else { &odd[at / 2..] };
                        copy_run(&mut out[low..high], &from[..high - low]);
                    }
                }
            }
        }
    }

    /// Writes the outputs of a row of tiles, `[2, 2, pitch]`, into one channel `[batch, height, width]`. `buffer` holds
    /// two rows of it.
    pub(super) fn scatter(
        &self,
        row: usize,
        outputs: &[f32],
        (height, width): (usize, usize),
        y: Window,
        buffer: &mut [f32],
    ) {
        let lines = &mut buffer[..(height - 2 * row).min(2) * width];
        for (index, image) in self.images.clone().enumerate() {
            for (line, outputs) in lines.chunks_exact_mut(width).zip(outputs.chunks_exact(2 * self.pitch())) {
                let (even, odd) = outputs.split_at(self.pitch());
                let tiles = index * self.across..(index + 1) * self.across;
                let (even, odd) = (&even[tiles.clone()], &odd[tiles]);
                let (pairs, last) = line.as_chunks_mut::<2>();
                for (to, (even, odd)) in pairs.iter_mut().zip(even.iter().zip(odd)) {
                    *to = [*even, *odd];
                }
                if let [last] = last {
                    *last = even[self.across - 1];
                }
            }
            y.at((image * height + 2 * row) * width).write(lines);
        }
    }
}

/// Size of the map that tiles are read from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Map {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) padding: usize,
}
