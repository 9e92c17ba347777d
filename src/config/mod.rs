//! Experiment configuration and the record of a run.

pub mod summary;
pub use summary::RunSummary;
