//! Faces drawn by this program.

/// Draws the faces of the synthetic set.
#[derive(Debug)]
pub struct Renderer;
