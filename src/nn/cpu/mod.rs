//! Operations of the network over f32 slices on the CPU, parallel with rayon.

pub(super) mod branch;
pub(super) mod conv;
pub(super) mod correlation;
pub(super) mod im2col;
pub(super) mod mask;
pub(super) mod matmul;
pub(super) mod nodes;
pub(super) mod pool;
pub(super) mod relu;
pub(super) mod scratch;
pub(super) mod simd;
pub(super) mod tokens;
mod winograd;
