//! Noise as a function of position: a hash for single pixels, and smooth value noise. The `noise` crate does not promise
//! the same values in every version.

use super::canvas::SIZE;

/// 32 pseudorandom bits of a position.
fn hash(x: u32, y: u32, seed: u32) -> u32 {
    let mut h = x.wrapping_mul(0x9E37_79B1) ^ y.wrapping_mul(0x85EB_CA77) ^ seed.wrapping_mul(0xC2B2_AE3D);
    h = (h ^ (h >> 15)).wrapping_mul(0x2C1B_3C6D);
    h = (h ^ (h >> 12)).wrapping_mul(0x297A_2D39);
    h ^ (h >> 15)
}

/// A uniform number in 0 to 1 for a position.
pub(super) fn speckle(x: u32, y: u32, seed: u32) -> f32 {
    (hash(x, y, seed) >> 8) as f32 / 16_777_216.0
}

/// Triangular noise for a position: the sum of two uniform numbers, from -1 to 1, with standard deviation 0.41.
pub(super) fn noise(position: u32, seed: u32) -> f32 {
    let bits = hash(position, 1, seed);
    ((bits >> 16) + (bits & 0xFFFF)) as f32 / 65_535.0 - 1.0
}

fn ease(t: f32) -> f32 {
    t * t * (3.0 - 2.0 * t)
}

/// Value noise over an image, from 0 to 1.
pub(super) struct Clouds {
    size: f32,
    row: usize,
    corners: Vec<f32>,
}

impl Clouds {
    /// Noise with features of about `size` pixels.
    pub(super) fn new(size: f32, seed: u32) -> Self {
        let row = (SIZE as f32 / size) as usize + 2;
        let corners = (0..row * row).map(|i| speckle((i % row) as u32, (i / row) as u32, seed)).collect();
        Self { size, row, corners }
    }

    /// The values along a row, as [`Clouds::at`] at the left edges of the pixels.
    pub(super) fn along(&self, y: f32) -> [f32; SIZE] {
        let y = y / self.size;
        let (top, v) = (y as usize * self.row, ease(y - (y as usize) as f32));
        let mut blended: Vec<f32> = self.corners[top..top + self.row].to_vec();
        for (above, below) in blended.iter_mut().zip(&self.corners[top + self.row..]) {
            *above += (below - *above) * v;
        }
        std::array::from_fn(|x| {
            let x = x as f32 / self.size;
            let left = x as usize;
            blended[left] + (blended[left + 1] - blended[left]) * ease(x - left as f32)
        })
    }

    /// The value at a position, clamped to the image.
    pub(super) fn at(&self, x: f32, y: f32) -> f32 {
        let side = SIZE as f32 - 0.5;
        let (x, y) = (x.clamp(0.0, side) / self.size, y.clamp(0.0, side) / self.size);
        let (left, top) = (x as usize, y as usize);
        let (u, v) = (ease(x - left as f32), ease(y - top as f32));
        let at = top * self.row + left;
        let (above, below) = (&self.corners[at..at + 2], &self.corners[at + self.row..at + self.row + 2]);
        let above = above[0] + (above[1] - above[0]) * u;
        above + (below[0] + (below[1] - below[0]) * u - above) * v
    }
}
