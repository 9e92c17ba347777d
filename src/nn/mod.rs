//! What candle lacks for training this network, each with its gradient.
//!
//! Activations are f32 in `[channel, batch, height, width]` order: a 1x1 convolution is then one plain matrix product,
//! forty branches are one `[40 * channels, in] x [in, batch * positions]` product, batch norm runs over contiguous
//! rows, and the groups of a convolution are an offset.
//!
//! Every operation has two paths. On the CPU it is a candle custom operation over our own loops; `plain` is the same
//! mathematics from candle's own operations, which runs on any device and which tests compare the fast path with.

mod attention;
mod block;
mod branch;
mod convolution;
mod convolve;
mod linear;
mod matrix;
mod norm;
mod optimizer;
mod parameters;
mod portable;
mod precision;
mod process;
mod rows;
mod scratch;
mod tensors;
mod winograd;

pub use attention::{Edges, graph_attention, graph_attention_plain};
pub use block::{ConvBlock, ConvParameters};
pub use branch::{BranchBlock, BranchMoments, BranchOutput, BranchParameters, BranchStatistics};
pub use convolve::{convolve, convolve_plain};
pub use linear::{batched_linear, batched_linear_plain};
pub use norm::{Moments, Statistics, batch_norm, standardize};
pub use optimizer::{Group, Momentum};
pub use parameters::Parameters;
pub use portable::max_pool;
pub use precision::Precision;
pub use process::{keep_memory, rest_idle_threads};
