//! A whole training job, by one process or several ranks.

use super::job::{TrainJob, TrainedRun};
use super::plan_runs::{announce, broadcast_plan, common_settings, open_runs};
use super::splits::Splits;
use super::trainer::Trainer;
use crate::dataset::DatasetName;
use crate::distributed::ProcessGroup;
use crate::error::Result;
use crate::progress::Progress;

/// Trains what is not finished yet. Returns the runs seed by seed, in the order of `job.variants`; only rank 0 returns any.
pub fn train(job: &TrainJob, progress: &Progress) -> Result<Vec<TrainedRun>> {
    let dataset = job.dataset()?;
    let Some(rendezvous) = job.rendezvous else { return train_in(&ProcessGroup::single(), job, dataset, progress) };
    // Refuses a batch that cannot be split before waiting for other ranks.
    job.local_range(dataset)?;
    let group = ProcessGroup::init(rendezvous, common_settings(job, dataset)?, &job.device.device, progress)?;
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
    group: &ProcessGroup,
    job: &TrainJob,
    dataset: DatasetName,
    progress: &Progress,
) -> Result<Vec<TrainedRun>> {
    let (open, mut trained) =
        if group.is_main() { open_runs(job, dataset, progress)? } else { (Vec::new(), Vec::new()) };
    let open = broadcast_plan(group, open, job.profile)?;
    if !open.is_empty() {
        announce(&open, progress);
        let splits = Splits::load(job, group, progress)?;
        for planned in &open {
            trained.extend(Trainer::new(job, group, dataset, planned, &splits)?.run(progress)?);
        }
    }
    trained.sort_by_key(|run| {
        let variant = job.variants.iter().position(|variant| variant.name == run.summary.variant);
        (job.seeds.iter().position(|seed| *seed == run.summary.seed), variant)
    });
    Ok(trained)
}
