//! The affinity as a picture: a square a pair of attributes, in their order, white for nothing to dark blue for all.

use crate::attribute::COUNT;
use image::{Rgb, RgbImage};

/// Side of a pair's square in pixels.
const SQUARE: u32 = 8;

/// Colours of the weights 0 and 1.
const NONE: [f32; 3] = [255.0, 255.0, 255.0];
const ALL: [f32; 3] = [8.0, 29.0, 88.0];

/// Weights `[40 * 40]` as a picture of 320 x 320 pixels, rows from the top. The scale is the same at every step, and goes
/// by the square root: most weights are small.
pub(crate) fn heat_map(weights: &[f32]) -> RgbImage {
    let side = COUNT as u32 * SQUARE;
    RgbImage::from_fn(side, side, |x, y| {
        let weight = weights[(y / SQUARE) as usize * COUNT + (x / SQUARE) as usize];
        let share = weight.clamp(0.0, 1.0).sqrt();
        Rgb(std::array::from_fn(|channel| (NONE[channel] + (ALL[channel] - NONE[channel]) * share).round() as u8))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_colours_the_square_of_its_row_and_column() {
        let mut weights = vec![0.0; COUNT * COUNT];
        weights[3 * COUNT + 5] = 1.0;
        let picture = heat_map(&weights);
        let dark: Vec<(u32, u32)> = picture
            .enumerate_pixels()
            .filter(|(_, _, p)| p.0 == [8, 29, 88])
            .map(|(x, y, _)| (x / SQUARE, y / SQUARE))
            .collect();
        assert_eq!(dark, vec![(5, 3); (SQUARE * SQUARE) as usize]);
        assert_eq!(picture.get_pixel(0, 0).0, [255; 3]);
    }
}
