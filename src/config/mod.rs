//! Experiment configuration: profiles, the configuration and the summary of a run, deviations from the paper's protocol.

mod choice;
mod deviations;
mod divergence;
mod embedded;
mod init;
mod profile;
mod run_config;
pub mod run_dir;
mod schedule;
mod summary;
mod validate;

pub use divergence::Divergence;
pub use init::{Init, InitNet, InitParts};
pub use profile::{Compute, Crop, ImagePolicy, InitialWeights, Optimizer, Prepare, Profile, Protocol, Training};
pub use run_config::{RunConfig, run_folder};
pub use schedule::Schedule;
pub use summary::RunSummary;
