//! Stage 2: batches of a prepared set through the network, two losses, an optimizer, and a run folder for each variant
//! with everything that later stages read.

mod batches;
mod checkpoint;
mod device;
mod divergence;
mod features;
mod outputs;
mod plan;
mod run;
mod session;
mod trained;
mod trainer;

pub use batches::{Batch, Batches, Faces, Preload};
pub use checkpoint::Checkpoint;
pub use device::{DeviceFacts, check_batch, facts as device_facts, select as select_device};
pub use plan::{Cell, Plan, cells, plans};
pub use run::{is_begun, is_finished};
pub use session::{Losses, Outputs, Session};
pub use trained::Trained;
pub use trainer::{Outcome, Request, cpu_features, train};
