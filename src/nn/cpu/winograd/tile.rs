//! Tiles of a convolution's input and output: which task computes which, and copying between maps and tiles.

use crate::nn::cpu::matmul::Window;
use crate::nn::cpu::simd::{self, copy_run};
use crate::nn::geometry::Geometry;
use std::ops::Range;

/// Tiles transformed side by side; a multiple of every vector length.
pub(super) const LANES: usize = 16;
/// Maximum images whose tiles form one row.
const IMAGES: usize = 16;
/// Values that [`TileTask::gather`] may write past its output, and the width of its widest moves.
pub(super) const OVERRUN: usize = 32;
/// Pairs of columns that are split at once.
const PAIRS: usize = 8;
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
    /// `[lines, 2 + extra columns, tiles of a row]`. `out` has [`OVERRUN`] more values, and `halves` is a buffer of
    /// [`TileTask::halves`].
    pub(super) fn gather(&self, map: Map, x: &[f32], extra: usize, out: &mut [f32], halves: &mut [f32]) {
        let gather = match self.across {
            0..=4 => Self::gather_runs::<4>,
            5..=8 => Self::gather_runs::<8>,
            9..=16 => Self::gather_runs::<16>,
            _ => Self::gather_runs::<OVERRUN>,
        };
        gather(self, map, x, extra, out, halves);
    }

    /// [`TileTask::gather`] in moves of `WIDTH` values. Later moves overwrite the values that a move writes past its run.
    fn gather_runs<const WIDTH: usize>(&self, map: Map, x: &[f32], extra: usize, out: &mut [f32], halves: &mut [f32]) {
        let (taps, pitch) = (2 + extra, self.pitch());
        let used = self.images.len() * self.across;
        let half = self.half(map, taps);
        // Even and odd columns of a row of each image, with the padding's zeros around them.
        let halves = &mut halves[..self.images.len() * 2 * half];
        halves.fill(0.0);
        let shift = map.padding / 2;
        let (evens, odds) =
            if map.padding.is_multiple_of(2) { (shift, half + shift) } else { (half + shift, shift + 1) };
        // The last columns of a row, and zeros.
        let mut last = [0.0; 2 * PAIRS];
        for line in 0..self.lines(extra) {
            let out = &mut out[line * taps * pitch..];
            let y = (2 * self.rows.start + line).wrapping_sub(map.padding);
            if y >= map.height {
                out[..taps * pitch].fill(0.0);
                continue;
            }
            for (image, halves) in self.images.clone().zip(halves.chunks_exact_mut(2 * half)) {
                let row = &x[(image * map.height + y) * map.width..][..map.width];
                let (whole, rest) = row.as_chunks();
                copy_run(&mut last[..rest.len()], rest);
                for (values, at) in whole.iter().chain([&last]).zip((0..).step_by(PAIRS)) {
                    // Not `array::from_fn`, whose closure is not always inlined.
                    let (mut even, mut odd) = ([0.0; PAIRS], [0.0; PAIRS]);
                    for (place, [a, b]) in values.as_chunks().0.iter().enumerate() {
                        (even[place], odd[place]) = (*a, *b);
                    }
                    halves[evens + at..][..PAIRS].copy_from_slice(&even);
                    halves[odds + at..][..PAIRS].copy_from_slice(&odd);
                }
            }
            for tap in 0..taps {
                let out = &mut out[tap * pitch..];
                let from = tap % 2 * half + tap / 2;
                for (halves, at) in halves.chunks_exact(2 * half).zip((0..).step_by(self.across)) {
                    for start in (0..self.across).step_by(WIDTH) {
                        out[at + start..][..WIDTH].copy_from_slice(&halves[from + start..][..WIDTH]);
                    }
                }
                if used < pitch {
                    out[used..][..LANES].copy_from_slice(&[0.0; LANES]);
                }
            }
        }
    }

    /// Floats of every second column of a row in [`TileTask::gather`].
    fn half(&self, map: Map, taps: usize) -> usize {
        let read = self.across.next_multiple_of(OVERRUN) + taps / 2;
        read.max(map.padding / 2 + 1 + map.width.next_multiple_of(2 * PAIRS) / 2 + PAIRS)
    }

    /// Floats of the buffer of [`TileTask::gather`].
    pub(super) fn halves(&self, map: Map, extra: usize) -> usize {
        self.images.len() * 2 * self.half(map, 2 + extra)
    }

    /// Writes the outputs of a row of tiles, `[2, 2, pitch]`, into one channel `[batch, height, width]`. `buffer` holds
    /// two values a tile of a row.
    pub(super) fn scatter(
        &self,
        row: usize,
        outputs: &[f32],
        (height, width): (usize, usize),
        y: Window,
        buffer: &mut [f32],
    ) {
        let pairs = buffer.as_chunks_mut::<2>().0;
        let lines = outputs.chunks_exact(2 * self.pitch()).take(height - 2 * row).enumerate();
        for (line, outputs) in lines {
            let (even, odd) = outputs.split_at(self.pitch());
            simd::interleave(even, odd, &mut pairs[..self.pitch()]);
            for (index, image) in self.images.clone().enumerate() {
                let from = &pairs[index * self.across..].as_flattened()[..width];
                y.at((image * height + 2 * row + line) * width).write_run(from);
            }
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
