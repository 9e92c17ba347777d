//! Which runs a job still has to train, the same on every rank.

use super::init::InitialRun;
use super::job::{DivergedRun, TrainJob, TrainOutcome, TrainedRun};
use super::run_dir::RunDir;
use super::shared_run::{SharedRun, shared_runs};
use crate::config::{Divergence, Profile};
use crate::dataset::DatasetName;
use crate::distributed::{ProcessGroup, Setting};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::variant::{BASELINE, Fln, Variant};

/// Longest plan that is sent to the ranks.
const MAX_PLAN_BYTES: usize = 16 << 20;

/// A shared run with its seed.
pub(super) struct PlannedRun {
    pub(super) seed: u64,
    pub(super) shared: SharedRun,
}

/// The runs to train, and those that ended in earlier jobs.
pub(super) fn open_runs(
    job: &TrainJob,
    dataset: DatasetName,
    progress: &Progress,
) -> Result<(Vec<PlannedRun>, TrainOutcome)> {
    if let Some(init) = job.init {
        let runs = job.seeds.iter().flat_map(|seed| job.variants.iter().map(move |variant| (*variant, *seed)));
        init.check_apart(runs.map(|(variant, seed)| RunDir::new(job, dataset, variant, seed).folder))?;
    }
    let (mut open, mut ended) = (Vec::new(), TrainOutcome::default());
    for seed in job.seeds.iter().copied() {
        for mut shared in shared_runs(job.variants, job.profile) {
            let mut missing = Vec::new();
            for variant in shared.variants {
                let run = RunDir::new(job, dataset, variant, seed);
                if job.force || !add_ended(run, &mut ended, progress)? {
                    missing.push(variant);
                }
            }
            shared.variants = missing;
            if !shared.variants.is_empty() {
                open.push(PlannedRun { seed, shared });
            }
        }
    }
    Ok((open, ended))
}

/// Adds a run to `ended` if it finished or diverged; true if so.
fn add_ended(run: RunDir, ended: &mut TrainOutcome, progress: &Progress) -> Result<bool> {
    let folder = run.folder.display();
    if let Some(summary) = run.finished()? {
        progress.log(format!("{folder} is already trained"));
        ended.finished.push(TrainedRun { folder: run.folder, summary, reused: true });
    } else if let Some(diverged) = Divergence::of_run(&run.folder)? {
        progress.log(format!("{folder} diverged at step {}; --force trains it again", diverged.step));
        ended.diverged.push(DivergedRun { folder: run.folder, diverged, reused: true });
    } else {
        return Ok(false);
    }
    Ok(true)
}

/// Sends rank 0's open runs to every rank.
pub(super) fn broadcast_plan(
    group: &ProcessGroup,
    open: Vec<PlannedRun>,
    profile: &Profile,
) -> Result<Vec<PlannedRun>> {
    if group.world_size() == 1 {
        return Ok(open);
    }
    let internal = |e: serde_json::Error| Error::Internal(e.to_string());
    let names = |run: &PlannedRun| run.shared.variants.iter().map(|variant| variant.name).collect::<Vec<_>>();
    let plan: Vec<_> = open.iter().map(|run| (run.seed, names(run))).collect();
    let plan = group.broadcast(MAX_PLAN_BYTES, || serde_json::to_vec(&plan).map_err(internal))?;
    let plan: Vec<(u64, Vec<String>)> = serde_json::from_slice(&plan).map_err(internal)?;
    let runs = plan.into_iter().flat_map(|(seed, names)| {
        let variants: Vec<Variant> = names.iter().filter_map(|name| Variant::named(name)).collect();
        shared_runs(&variants, profile).into_iter().map(move |shared| PlannedRun { seed, shared })
    });
    Ok(runs.collect())
}

/// Logs which networks share an FLN.
pub(super) fn announce(runs: &[PlannedRun], progress: &Progress) {
    let networks: usize = runs.iter().map(|run| run.shared.variants.len()).sum();
    let trained = runs.iter().filter(|run| run.shared.fln == Fln::Trained).count();
    progress.log(format!("training {networks} networks: {trained} FLNs to train, {} to reuse", runs.len() - trained));
    for PlannedRun { seed, shared } in runs {
        let names = shared.variants.iter().map(|variant| variant.title).collect::<Vec<_>>().join(", ");
        progress.detail(match shared.fln {
            Fln::Trained => format!("  seed {seed}: one FLN for {names}"),
            Fln::FrozenBaseline => format!("  seed {seed}: {names} on Baseline's FLN"),
        });
    }
}

/// The settings that all ranks of a job must have in common.
pub(super) fn common_settings(job: &TrainJob, dataset: DatasetName) -> Result<Vec<Setting>> {
    let config = job.config(dataset, &BASELINE, 0);
    let variants: Vec<&str> = job.variants.iter().map(|variant| variant.name).collect();
    let seeds: Vec<String> = job.seeds.iter().map(ToString::to_string).collect();
    let start = job.init.map_or_else(|| config.start(), InitialRun::description);
    let settings = [
        ("prepared set", format!("{} {}", config.dataset, config.data_digest)),
        ("choice of variants", variants.join(",")),
        ("choice of seeds", seeds.join(",")),
        ("start", start),
        ("profile", toml::to_string(&config.profile).map_err(|e| Error::Internal(e.to_string()))?),
    ];
    Ok(settings.map(|(name, value)| Setting { name: name.to_owned(), value }).into())
}
