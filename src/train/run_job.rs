//! A whole training job, by one process or several ranks.

use super::job::{TrainJob, TrainOutcome};
use super::plan_runs::{announce, broadcast_plan, common_settings, open_runs};
use super::splits::Splits;
use super::trainer::Trainer;
use crate::dataset::DatasetName;
use crate::distributed::ProcessGroup;
use crate::error::Result;
use crate::progress::Progress;
use std::sync::Arc;

/// Trains what has neither finished nor diverged yet. Only rank 0 returns runs.
pub fn train(job: &TrainJob, progress: &Progress) -> Result<TrainOutcome> {
    let dataset = job.dataset()?;
    let profile = job.profile.with_steps_for(dataset, job.training_images())?;
    let job = &TrainJob { profile: &profile, ..*job };
    job.check_labels()?;
    job.check_checkpoint_choice()?;
    job.check_initial_weights()?;
    let Some(rendezvous) = job.rendezvous else {
        return train_in(&Arc::new(ProcessGroup::single()), job, dataset, progress);
    };
    // Refuses a batch that cannot be split before waiting for other ranks.
    job.local_range(dataset)?;
    let settings = common_settings(job, dataset)?;
    let group = Arc::new(ProcessGroup::init(rendezvous, settings, &job.device.device, progress)?);
    // Only rank 0 logs.
    let progress = if group.is_main() { *progress } else { Progress::new(true) };
    let trained = train_in(&group, job, dataset, &progress);
    if let Err(error) = &trained {
        group.abort(error);
    }
    trained
}

/// Trains what rank 0 has not finished yet.
fn train_in(
    group: &Arc<ProcessGroup>,
    job: &TrainJob,
    dataset: DatasetName,
    progress: &Progress,
) -> Result<TrainOutcome> {
    let (open, mut outcome) =
        if group.is_main() { open_runs(job, dataset, progress)? } else { (Vec::new(), TrainOutcome::default()) };
    let open = broadcast_plan(group, open, job.profile)?;
    if !open.is_empty() {
        announce(&open, progress);
        if let Some(init) = job.init {
            init.announce(progress);
        }
        let splits = Splits::load(job, group, progress)?;
        for planned in &open {
            let trained = Trainer::new(job, group, dataset, planned, &splits)?.run(progress)?;
            outcome.finished.extend(trained.finished);
            outcome.diverged.extend(trained.diverged);
        }
    }
    let order = |variant: &str, seed: u64| {
        let variant = job.variants.iter().position(|known| known.name == variant);
        (job.seeds.iter().position(|known| *known == seed), variant)
    };
    outcome.finished.sort_by_key(|run| order(&run.summary.variant, run.summary.seed));
    outcome.diverged.sort_by_key(|run| order(&run.diverged.variant, run.diverged.seed));
    Ok(outcome)
}
