//! Checks whether a device computes correctly: every operation forward and backward, and training steps of every variant,
//! against our own CPU kernels. Without a CUDA device, candle's operations on the CPU are checked, which are those that a
//! CUDA device would run.

mod check;
mod diagnosis;
mod operations;
mod steps;

pub use check::{Check, Tolerances};
pub use diagnosis::{Diagnosis, examine};
