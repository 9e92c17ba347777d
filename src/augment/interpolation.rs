//! Interpolation between source pixels: bilinear, which is faster, or bicubic as in Pillow (Keys 1981, a = -0.5), which is
//! sharper. Integer arithmetic gives the same bytes on every machine.

use multiversion::multiversion;
use serde::{Deserialize, Serialize};

/// Fraction bits of a coordinate, which lies inside the source.
pub(super) const COORDINATE_BITS: u32 = 16;

/// Fraction bits of a bicubic weight.
const WEIGHT_BITS: u32 = 12;

/// How a copy is interpolated from source pixels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interpolation {
    /// From the nearest 2 x 2 pixels.
    #[default]
    Bilinear,
    /// From the nearest 4 x 4 pixels.
    Bicubic,
}

/// Red, green, blue and 0, with room between the channels so that all are interpolated at once.
pub(super) type Pixel = [u16; 4];

/// Interpolates a row of the copy at `coordinates` (x, y) of `packed`, a source with rows of `stride` pixels. Weights are
/// in 1/256.
pub(super) fn bilinear(packed: &[Pixel], stride: usize, coordinates: &[(i32, i32)], row: &mut [u8]) {
    const HALF: u64 = 0x0080_0080_0080;
    const BYTES: u64 = 0x00ff_00ff_00ff;
    for (&(x, y), pixel) in coordinates.iter().zip(row.chunks_exact_mut(3)) {
        let index = (y >> COORDINATE_BITS) as usize * stride + (x >> COORDINATE_BITS) as usize;
        let (right, lower) = (fraction(x) as u64, fraction(y) as u64);
        let near = &packed[index..index + stride + 2];
        let across = |left: Pixel, next: Pixel| (word(left) * (256 - right) + word(next) * right + HALF) >> 8 & BYTES;
        let (above, below) = (across(near[0], near[1]), across(near[stride], near[stride + 1]));
        let mixed = (above * (256 - lower) + below * lower + HALF) >> 8;
        pixel.copy_from_slice(&[mixed as u8, (mixed >> 16) as u8, (mixed >> 32) as u8]);
    }
}

/// Like [`bilinear`], from the 4 x 4 pixels around each coordinate; the border's pixels continue beyond it. `packed` has
/// one column more than the source.
#[multiversion(targets("x86_64+avx2", "x86_64+sse4.1"))]
pub(super) fn bicubic(packed: &[Pixel], (width, height): (usize, usize), coordinates: &[(i32, i32)], row: &mut [u8]) {
    for (&(x, y), pixel) in coordinates.iter().zip(row.chunks_exact_mut(3)) {
        let around = |coordinate: i32, size: usize| {
            let first = (coordinate >> COORDINATE_BITS) as usize;
            [first.saturating_sub(1), first, (first + 1).min(size - 1), (first + 2).min(size - 1)]
        };
        let (columns, weights) = (around(x, width), CUBIC[fraction(x)].map(i32::from));
        let are_neighbours = columns[3] == columns[0] + 3;
        let mut sum = [1 << (2 * WEIGHT_BITS - 5); 4];
        for (line, weight_down) in around(y, height).into_iter().zip(CUBIC[fraction(y)]) {
            let line = &packed[line * (width + 1)..][..width];
            let mut across = [0; 4];
            // The mask changes nothing, but proves that factors have 16 bits: their product is faster than that of 32 bits.
            let product = |value: u16, weight: i32| i32::from(value & 0xff) * weight;
            if are_neighbours {
                let near: &[Pixel; 4] = line[columns[0]..].first_chunk().expect("four columns");
                for (value, weight) in near.iter().zip(weights) {
                    (0..4).for_each(|channel| across[channel] += product(value[channel], weight));
                }
            } else {
                for (column, weight) in columns.into_iter().zip(weights) {
                    let value = line[column];
                    (0..4).for_each(|channel| across[channel] += product(value[channel], weight));
                }
            }
            // Drops four bits: the product must fit in 32.
            (0..4).for_each(|channel| sum[channel] += (across[channel] >> 4) * i32::from(weight_down));
        }
        for (value, sum) in pixel.iter_mut().zip(sum) {
            *value = (sum >> (2 * WEIGHT_BITS - 4)).clamp(0, 255) as u8;
        }
    }
}

/// The channels in the 16-bit lanes of one number.
fn word(pixel: Pixel) -> u64 {
    pixel.iter().rev().fold(0, |word, channel| word << 16 | u64::from(*channel))
}

/// The fraction of a coordinate, in 1/256.
fn fraction(coordinate: i32) -> usize {
    usize::from((coordinate >> (COORDINATE_BITS - 8)) as u8)
}

/// The weights of the pixels at -1, 0, 1 and 2, for each fraction in 1/256. Each four sum to one.
static CUBIC: [[i16; 4]; 256] = cubic();

const fn cubic() -> [[i16; 4]; 256] {
    let mut weights = [[0; 4]; 256];
    let mut fraction = 0;
    while fraction < 256 {
        // The weights times 2 * 256^3.
        let (t, one) = (fraction as i64, 256_i64);
        let twice = [
            -t * t * t + 2 * t * t * one - t * one * one,
            3 * t * t * t - 5 * t * t * one + 2 * one * one * one,
            -3 * t * t * t + 4 * t * t * one + t * one * one,
            t * t * t - t * t * one,
        ];
        let mut rest = 1 << WEIGHT_BITS;
        let mut tap = 0;
        while tap < 4 {
            let shift = 25 - WEIGHT_BITS;
            weights[fraction][tap] = ((twice[tap] + (1 << (shift - 1))) >> shift) as i16;
            rest -= weights[fraction][tap];
            tap += 1;
        }
        // The rounding error goes to the nearer pixel.
        weights[fraction][if fraction < 128 { 1 } else { 2 }] += rest;
        fraction += 1;
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bicubic_weights_sum_to_one_and_are_symmetric() {
        for fraction in 1..256 {
            assert_eq!(CUBIC[fraction].iter().sum::<i16>(), 1 << WEIGHT_BITS);
            for tap in 0..4 {
                assert!(CUBIC[fraction][tap].abs_diff(CUBIC[256 - fraction][3 - tap]) <= 1, "{fraction}");
            }
        }
        // In the middle: -1/16, 9/16, 9/16, -1/16.
        assert_eq!(CUBIC[128], [-256, 2304, 2304, -256]);
        assert_eq!(CUBIC[0], [0, 4096, 0, 0]);
    }
}
