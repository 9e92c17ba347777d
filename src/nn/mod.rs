//! Operations that candle lacks for training this network, each with its gradient.
//!
//! Activations are f32 in `[channel, batch, height, width]` order. In this layout a 1x1 convolution is one plain matrix
//! product, and forty branches are one `[40 * channels, in] x [in, batch * positions]` product. Batch norm runs over
//! contiguous rows, and the groups of a convolution are an offset.
//!
//! On the CPU an operation is a candle custom operation over the loops in `cpu`. On a CUDA device it is one over the kernels in
//! `cuda`. Its `reference`, from candle's own operations, runs on any device, and tests compare all of them.

mod attention;
mod average;
mod block;
mod block_op;
mod branch;
mod branch_data;
mod conv;
mod correlation;
mod correlation_data;
mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
mod geometry;
mod linear;
mod moments;
mod norm;
mod optimizer;
mod parameters;
mod plain;
mod precision;
mod reference;
mod runtime;
mod shortcut;
mod storage;
mod tokens;

pub use attention::{
    Attended, additive_scores, additive_scores_reference, attend, attend_reference, classify, classify_reference,
    dot_products, dot_products_reference, leaky_relu, nodes, nodes_reference,
};
pub use average::average_into;
pub use block::ConvBlock;
pub use block_op::{ConvParameters, Tail};
pub use branch::BranchBlock;
pub use branch_data::{BranchMoments, BranchOutput, BranchParameters, BranchStatistics};
pub use conv::{convolve, convolve_reference};
pub use correlation::{CorrelationBlock, product_sizes};
pub use correlation_data::{CorrelationOutput, CorrelationParameters, Edges};
pub use cpu::branch::Gated;
pub use cpu::mask::HIDDEN as MASK_HIDDEN;
pub use cpu::tokens::Activation;
#[cfg(feature = "cuda")]
pub use cuda::cross_entropy;
pub use linear::{batched_linear, batched_linear_reference};
pub use moments::{Moments, Ranks, Statistics};
pub use norm::{batch_norm, standardize};
pub use optimizer::{MomentumSgd, ParamGroup};
pub use parameters::Parameters;
pub use plain::PlainBlock;
pub use precision::Precision;
pub use reference::max_pool;
pub use runtime::{limit_candle_spin, retain_freed_memory};
pub use tokens::{
    add_bias, add_bias_reference, layer_norm, layer_norm_reference, token_product, token_product_reference,
};
