//! TensorBoard event files for `tensorboard --logdir runs`: one file for each run, with scalars and images in the summary
//! format that every version reads. Two trainings of one run differ only in wall times and speeds.
//!
//! Not the tensorboard-rs crate: it needs protobuf code generation, and cannot truncate a file when a run resumes.

mod event_file;
mod heat_map;
mod message;
mod record;
mod value;

pub(super) use event_file::{append, truncate_after_step};
pub(super) use heat_map::heat_map;
pub(super) use value::Value;
