//! Experiment configuration: profiles, the configuration and the summary of a run, deviations from the paper's protocol.

mod choice;
mod deviations;
mod divergence;
mod embedded;
mod evaluation;
mod init;
mod overrides;
mod profile;
mod record;
mod regularization;
mod retest;
mod run_config;
pub mod run_dir;
mod schedule;
mod summary;
mod validate;

pub use deviations::paper_copies;
pub use divergence::Divergence;
pub use embedded::parse as parse_profile;
pub use evaluation::{CheckpointChoice, EvaluationPolicy};
pub use init::{Init, InitNet, InitParts};
pub use overrides::Overrides;
pub use profile::{
    Compute, Crop, Description, ImagePolicy, InitialWeights, Optimizer, Prepare, Profile, Protocol, Training,
};
pub use record::{EVALUATED, Record};
pub use regularization::Regularization;
pub use retest::Retest;
pub use run_config::{RunConfig, run_folder};
pub use schedule::Schedule;
pub use summary::{KnownLabels, RunSummary};
