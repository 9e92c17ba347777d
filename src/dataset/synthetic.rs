//! Faces drawn by this program.

/// Draws the faces of the synthetic set.
#[derive(Debug)]
pub struct Renderer;

impl Renderer {
    /// stub, replaced at merge
    pub fn render(&self, _row: usize) -> image::RgbImage {
        image::RgbImage::from_pixel(8, 8, image::Rgb([90, 120, 150]))
    }
}
