//! What a copy shows at a place of its source: bilinear, which is fast, or bicubic as Pillow defines it (Keys 1981, a =
//! -0.5), which is sharper. Integer arithmetic, so that the bytes do not depend on the machine.

use multiversion::multiversion;
use serde::{Deserialize, Serialize};

/// Fraction bits of a place, which is known to lie inside the source.
pub(super) const PLACE: u32 = 16;

/// Fraction bits of a bicubic weight.
const WEIGHT: u32 = 12;

/// How pixels are mixed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sampling {
    /// From the nearest 2 x 2 pixels.
    #[default]
    Bilinear,
    /// From the nearest 4 x 4 pixels.
    Bicubic,
}

/// A pixel with room between its channels, so that they are mixed at once: red, green, blue, nothing.
pub(super) type Pixel = [u16; 4];

/// A row of the copy from `packed`, a source in rows of `stride`, at `places` (x, y); weights in 1/256.
pub(super) fn bilinear(packed: &[Pixel], stride: usize, places: &[(i32, i32)], row: &mut [u8]) {
    const HALF: u64 = 0x0080_0080_0080;
    const BYTES: u64 = 0x00ff_00ff_00ff;
    for (&(x, y), pixel) in places.iter().zip(row.chunks_exact_mut(3)) {
        let place = (y >> PLACE) as usize * stride + (x >> PLACE) as usize;
        let (right, lower) = (part(x) as u64, part(y) as u64);
        let near = &packed[place..place + stride + 2];
        let across = |left: Pixel, next: Pixel| (word(left) * (256 - right) + word(next) * right + HALF) >> 8 & BYTES;
        let (above, below) = (across(near[0], near[1]), across(near[stride], near[stride + 1]));
        let mixed = (above * (256 - lower) + below * lower + HALF) >> 8;
        pixel.copy_from_slice(&[mixed as u8, (mixed >> 16) as u8, (mixed >> 32) as u8]);
    }
}

/// As [`bilinear`], from the 4 x 4 pixels around each place; those beyond the border are the border's. `packed` holds one
/// column more than the source is wide.
#[multiversion(targets("x86_64+avx2", "x86_64+sse4.1"))]
pub(super) fn bicubic(packed: &[Pixel], (width, height): (usize, usize), places: &[(i32, i32)], row: &mut [u8]) {
    for (&(x, y), pixel) in places.iter().zip(row.chunks_exact_mut(3)) {
        let around = |place: i32, size: usize| {
            let first = (place >> PLACE) as usize;
            [first.saturating_sub(1), first, (first + 1).min(size - 1), (first + 2).min(size - 1)]
        };
        let (columns, weights) = (around(x, width), CUBIC[part(x)]);
        let mut sum = [1 << (2 * WEIGHT - 5); 4];
        for (line, weight) in around(y, height).into_iter().zip(CUBIC[part(y)]) {
            let line = &packed[line * (width + 1)..][..width];
            let mut across = [0; 4];
            for (column, weight) in columns.into_iter().zip(weights) {
                let value = line[column];
                (0..4).for_each(|channel| across[channel] += i32::from(value[channel]) * weight);
            }
            // Four bits less, so that the product stays within 32.
            (0..4).for_each(|channel| sum[channel] += (across[channel] >> 4) * weight);
        }
        for (value, sum) in pixel.iter_mut().zip(sum) {
            *value = (sum >> (2 * WEIGHT - 4)).clamp(0, 255) as u8;
        }
    }
}

/// The channels in the 16-bit lanes of one number.
fn word(pixel: Pixel) -> u64 {
    pixel.iter().rev().fold(0, |word, channel| word << 16 | u64::from(*channel))
}

/// How far a place lies beyond its pixel, in 1/256.
fn part(place: i32) -> usize {
    usize::from((place >> (PLACE - 8)) as u8)
}

/// The weights of the pixels at -1, 0, 1 and 2 for every 1/256 beyond pixel 0; each four sum to one.
static CUBIC: [[i32; 4]; 256] = cubic();

const fn cubic() -> [[i32; 4]; 256] {
    let mut weights = [[0; 4]; 256];
    let mut part = 0;
    while part < 256 {
        // Twice the weights, times 256 cubed.
        let (t, one) = (part as i64, 256_i64);
        let twice = [
            -t * t * t + 2 * t * t * one - t * one * one,
            3 * t * t * t - 5 * t * t * one + 2 * one * one * one,
            -3 * t * t * t + 4 * t * t * one + t * one * one,
            t * t * t - t * t * one,
        ];
        let mut rest = 1 << WEIGHT;
        let mut tap = 0;
        while tap < 4 {
            let shift = 25 - WEIGHT;
            weights[part][tap] = ((twice[tap] + (1 << (shift - 1))) >> shift) as i32;
            rest -= weights[part][tap];
            tap += 1;
        }
        // What rounding left over goes to the nearer pixel.
        weights[part][if part < 128 { 1 } else { 2 }] += rest;
        part += 1;
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bicubic_weights_sum_to_one_and_mirror() {
        for part in 1..256 {
            assert_eq!(CUBIC[part].iter().sum::<i32>(), 1 << WEIGHT);
            for tap in 0..4 {
                assert!(CUBIC[part][tap].abs_diff(CUBIC[256 - part][3 - tap]) <= 1, "{part}");
            }
        }
        // Half way: -1/16, 9/16, 9/16, -1/16.
        assert_eq!(CUBIC[128], [-256, 2304, 2304, -256]);
        assert_eq!(CUBIC[0], [0, 4096, 0, 0]);
    }
}
