//! The operations of [`nn`](super) on CUDA devices: matrix products of cuBLAS, through candle, and kernels of our own (`*.cu`)
//! for all between them. The reference implementations, from candle's operations, are what they are compared with.

mod attention;
mod branch;
mod conv;
mod correlation;
mod launch;
mod loss;
mod norm;
mod update;

pub(super) use attention::{additive_scores, attend, classify, dot_products, nodes};
pub(super) use branch::branches;
pub(super) use conv::{conv_block, plain_block};
pub(super) use correlation::{MOST_SCORES, correlation, product_sizes};
pub use loss::cross_entropy;
pub(super) use norm::standardize;
pub(super) use update::{average_into, momentum_step};
