//! Stage 2: trains networks on batches of a prepared set. Each variant gets a run folder with everything that later stages
//! read.

mod checkpoint;
mod device;
mod divergence;
mod dropout;
mod evaluation;
mod features;
mod feed;
mod image_cache;
mod init;
mod job;
mod known_labels;
mod learner;
mod learner_state;
mod loader;
mod loss_weights;
mod meters;
mod online;
mod optimizers;
mod outputs;
mod plan_runs;
mod retest;
mod run_dir;
mod run_job;
mod running_statistics;
mod shared_run;
mod soft_targets;
mod splits;
mod summary;
mod trained_model;
mod trainer;
mod weight_average;

pub use checkpoint::Checkpoint;
pub use device::{DeviceFacts, NamedDevice, check_batch, facts as device_facts, select as select_device};
pub use image_cache::{ImageCache, LabelledImages};
pub use init::InitialRun;
pub use job::{DivergedRun, TrainJob, TrainOutcome, TrainedRun};
pub use learner::{Learner, Losses, Outputs};
pub use loader::{Batch, DataLoader, prefetch};
pub use outputs::mean_probabilities;
pub use retest::{RetestImages, retest};
pub use run_dir::{has_ended, is_diverged, is_finished, is_resumable};
pub use run_job::train;
pub use shared_run::{SharedRun, Task, shared_runs, tasks};
pub use summary::cpu_features;
pub use trained_model::TrainedModel;
