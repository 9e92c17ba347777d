//! Stage 2: batches of a prepared set through the network, two losses, an optimizer, and a run folder for each variant
//! with everything that later stages read.

mod checkpoint;
mod device;
mod divergence;
mod features;
mod learner;
mod loader;
mod outputs;
mod run;
mod shared_run;
mod trained_model;
mod trainer;

pub use checkpoint::Checkpoint;
pub use device::{DeviceFacts, NamedDevice, check_batch, facts as device_facts, select as select_device};
pub use learner::{Learner, Losses, Outputs};
pub use loader::{Batch, DataLoader, ImageCache, LabelledImages};
pub use run::{is_finished, is_resumable};
pub use shared_run::{SharedRun, Task, shared_runs, tasks};
pub use trained_model::TrainedModel;
pub use trainer::{TrainJob, TrainedRun, cpu_features, train};
