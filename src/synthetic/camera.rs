//! Camera model: turns a canvas into an image with blur, exposure and noise.

use super::canvas::{Canvas, Colour, SIZE, tinted};
use super::levels::AttributeLevels;
use super::noise;
use super::scene::Scene;
use image::RgbImage;

/// Renders the canvas as an image with blur, light fall-off, tint and noise.
pub(super) fn photograph(canvas: Canvas, levels: &AttributeLevels, scene: &Scene) -> RgbImage {
    let mut pixels = canvas.into_pixels();
    let sigma = (scene.blur * scene.blur + (4.2 * (levels.blurry - 0.22).max(0.0)).powi(2)).sqrt();
    if sigma > 0.3 {
        blur(&mut pixels, sigma);
    }
    let seed = scene.rng("camera").bits() as u32;
    let tint: Colour = scene.light_colour.map(|v| v * scene.exposure);
    let mut bytes = vec![0; SIZE * SIZE * 3];
    for (i, (pixel, out)) in pixels.iter().zip(bytes.chunks_exact_mut(3)).enumerate() {
        let (x, y) = ((i % SIZE) as f32 / SIZE as f32 - 0.5, (i / SIZE) as f32 / SIZE as f32 - 0.5);
        let fall = 1.0 + 0.16 * scene.contrast * (x * scene.light[0] + y * scene.light[1]) - 0.25 * (x * x + y * y);
        let lit = tinted(*pixel, tint);
        for (channel, byte) in out.iter_mut().enumerate() {
            let noise = noise::noise((i * 3 + channel) as u32, seed);
            *byte = (lit[channel] * fall + 2.45 * scene.noise * noise + 0.5).clamp(0.0, 255.0) as u8;
        }
    }
    RgbImage::from_raw(SIZE as u32, SIZE as u32, bytes).expect("three bytes a pixel")
}

/// Approximates a Gaussian blur of `sigma` pixels by two box blurs along each axis; border pixels repeat.
fn blur(pixels: &mut [Colour], sigma: f32) {
    // A box of half width r has variance ((2 r + 1)^2 - 1) / 12; two boxes add up to sigma^2.
    let radius = 0.5 * ((6.0 * sigma * sigma + 1.0).sqrt() - 1.0);
    let mut scratch = vec![[0.0; 3]; pixels.len()];
    for _ in 0..2 {
        blur_rows(pixels, &mut scratch, radius);
        blur_rows(&scratch, pixels, radius);
    }
}

/// Box blur along the rows; writes the result transposed.
fn blur_rows(from: &[Colour], to: &mut [Colour], radius: f32) {
    let whole = radius as isize;
    let part = radius - whole as f32;
    let scale = 1.0 / (2.0 * radius + 1.0);
    for y in 0..SIZE {
        let row = &from[y * SIZE..(y + 1) * SIZE];
        let at = |x: isize| row[x.clamp(0, SIZE as isize - 1) as usize];
        for x in 0..SIZE {
            let here = x as isize;
            let (first, last) = (at(here - whole - 1), at(here + whole + 1));
            let mut sum: Colour = std::array::from_fn(|c| part * (first[c] + last[c]));
            for i in here - whole..=here + whole {
                let value = at(i);
                sum = std::array::from_fn(|c| sum[c] + value[c]);
            }
            to[x * SIZE + y] = sum.map(|v| v * scale);
        }
    }
}
