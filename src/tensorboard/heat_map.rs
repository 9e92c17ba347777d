//! A square matrix of weights as an image, a square for each weight, from white for 0 to dark blue for 1.

use image::{Rgb, RgbImage};

/// Side of a weight's square in pixels.
const SQUARE: u32 = 8;

/// Colors of the weights 0 and 1.
const ZERO: [f32; 3] = [255.0, 255.0, 255.0];
const ONE: [f32; 3] = [8.0, 29.0, 88.0];

/// Weights `[n * n]` as an image of `8 * n` pixels a side, rows from the top. The scale is the square root, as most weights
/// are small, and the same at every step.
pub(crate) fn heat_map(weights: &[f32]) -> RgbImage {
    let n = weights.len().isqrt();
    let side = n as u32 * SQUARE;
    RgbImage::from_fn(side, side, |x, y| {
        let weight = weights[(y / SQUARE) as usize * n + (x / SQUARE) as usize];
        let share = weight.clamp(0.0, 1.0).sqrt();
        Rgb(std::array::from_fn(|channel| (ZERO[channel] + (ONE[channel] - ZERO[channel]) * share).round() as u8))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_colors_the_square_of_its_row_and_column() {
        let mut weights = vec![0.0; 40 * 40];
        weights[3 * 40 + 5] = 1.0;
        let image = heat_map(&weights);
        let dark: Vec<(u32, u32)> = image
            .enumerate_pixels()
            .filter(|(_, _, p)| p.0 == [8, 29, 88])
            .map(|(x, y, _)| (x / SQUARE, y / SQUARE))
            .collect();
        assert_eq!(dark, vec![(5, 3); (SQUARE * SQUARE) as usize]);
        assert_eq!(image.get_pixel(0, 0).0, [255; 3]);
    }
}
