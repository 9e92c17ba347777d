//! The names of the files in a run folder.

use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// The run's configuration, TOML.
pub const CONFIG: &str = "config.toml";
/// The record of a finished run, JSON.
pub const SUMMARY: &str = "summary.json";
/// Training and validation metrics, a JSON object a line.
pub const METRICS: &str = "metrics.jsonl";
/// Probabilities on the test split, Parquet.
pub const PREDICTIONS: &str = "predictions.parquet";
/// The same of the images alone, if [`PREDICTIONS`] are averages with those of the mirror images.
pub const PREDICTIONS_PLAIN: &str = "predictions-plain.parquet";
/// Mean affinity on the test split, CSV.
pub const AFFINITY: &str = "affinity.csv";
/// PSE masks of test images, `.npy`.
pub const MASKS: &str = "masks.npy";
/// The trained network. To read one, use [`model`].
pub const MODEL: &str = "model.safetensors";
/// The network with the best validation accuracy.
pub const BEST_MODEL: &str = "best.safetensors";
/// Start of the name of the TensorBoard event file. TensorBoard finds it by `tfevents`.
pub const EVENTS: &str = "events.out.tfevents.";
/// The state that an unfinished run resumes from. To read one, use [`training_state`].
pub const TRAINING_STATE: &str = "training-state.safetensors";
/// The record of a run that diverged, JSON.
pub const DIVERGED: &str = "diverged.json";
/// The batch at which training diverged, CSV.
pub const DIVERGED_BATCH: &str = "diverged-batch.csv";
/// The lock of the process that trains the run.
pub const LOCK: &str = ".lock";
/// The lock of the `run-task` process whose task starts with this run.
pub const TASK_LOCK: &str = ".task.lock";

/// Former names, which this version still reads.
const FORMER_MODEL: &str = "checkpoint.safetensors";
const FORMER_TRAINING_STATE: &str = "resume.safetensors";
const FORMER_DIVERGED_BATCH: &str = "diverged.csv";

/// Files that a new attempt at a run removes first.
pub const STALE: [&str; 2] = [DIVERGED_BATCH, FORMER_DIVERGED_BATCH];
/// Files of an earlier run that `--force` removes. The network stays until the new one replaces it.
pub const REPLACED: [&str; 10] = [
    SUMMARY,
    DIVERGED,
    TRAINING_STATE,
    FORMER_TRAINING_STATE,
    BEST_MODEL,
    METRICS,
    PREDICTIONS,
    PREDICTIONS_PLAIN,
    AFFINITY,
    MASKS,
];
/// Files that a finished run has no use for.
pub const OBSOLETE: [&str; 4] = [TRAINING_STATE, FORMER_TRAINING_STATE, FORMER_MODEL, ".training"];

/// The present name of a file, of which records hold digests.
pub fn present_name(name: &str) -> &str {
    if name == FORMER_MODEL { MODEL } else { name }
}

/// Checks that `folder` is that of a run with the file `name`, which a run writes at its end.
///
/// # Errors
/// A message that tells a missing folder, another folder, a diverged run and an unfinished one apart.
pub fn check_finished(folder: &Path, name: &str) -> Result<()> {
    let shown = folder.display();
    let message = if !folder.is_dir() {
        format!("there is no run folder {shown}: `gal-bench train` makes one")
    } else if present_or_former(folder, name).is_file() {
        return Ok(());
    } else if folder.join(DIVERGED).is_file() {
        format!(
            "the run in {shown} diverged, so it has no {name}: lower the learning rate in its profile, and train it again with \
             --force"
        )
    } else if folder.join(CONFIG).is_file() {
        format!(
            "the run in {shown} is not finished, as it has no {name}: run the `gal-bench train` command that started it \
             again"
        )
    } else {
        format!("{shown} is not a run folder, as it has no {CONFIG}: name one that `gal-bench train` made")
    };
    Err(Error::Request(message))
}

/// The trained network in a run folder, under its present or its former name.
pub fn model(folder: &Path) -> PathBuf {
    present_or_former(folder, MODEL)
}

/// The training state in a run folder, under its present or its former name.
pub fn training_state(folder: &Path) -> PathBuf {
    present_or_former(folder, TRAINING_STATE)
}

/// The file `name` in a run folder, or the one of its former name if only that exists.
fn present_or_former(folder: &Path, name: &str) -> PathBuf {
    let former = match name {
        MODEL => FORMER_MODEL,
        TRAINING_STATE => FORMER_TRAINING_STATE,
        _ => name,
    };
    let (present, former) = (folder.join(name), folder.join(former));
    if !present.exists() && former.exists() { former } else { present }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_folder_another_one_and_runs_that_did_not_finish_are_told_apart() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("run");
        let message = |name| check_finished(&folder, name).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(message(MODEL).contains("there is no run folder"));
        std::fs::create_dir(&folder).unwrap();
        assert!(message(MODEL).contains("is not a run folder, as it has no config.toml"));
        std::fs::write(folder.join(CONFIG), "").unwrap();
        assert!(message(MODEL).contains("is not finished, as it has no model.safetensors"));
        std::fs::write(folder.join(DIVERGED), "").unwrap();
        assert!(message(MODEL).contains("diverged, so it has no model.safetensors"));
        std::fs::remove_file(folder.join(DIVERGED)).unwrap();
        std::fs::write(folder.join(FORMER_MODEL), "").unwrap();
        assert_eq!(message(MODEL), "");
        assert!(message(SUMMARY).contains("is not finished, as it has no summary.json"));
    }
}
