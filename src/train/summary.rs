//! The record of a finished run.

use super::job::TrainJob;
use super::run_dir::RunDir;
use crate::attribute::{COUNT, ImageLabels};
use crate::config::{KnownLabels, RunSummary};
use crate::dataset::{DatasetName, Split};
use crate::error::Result;
use crate::store::Row;

/// Sizes of a run that neither its job nor its configuration holds.
pub(super) struct RunSizes {
    pub(super) local_batch: usize,
    pub(super) train_images: usize,
    pub(super) test_images: usize,
    pub(super) parameters: usize,
}

/// The record of a run that took `wall_seconds`.
pub(super) fn summarize(
    job: &TrainJob,
    dataset: DatasetName,
    run: &RunDir,
    sizes: &RunSizes,
    wall_seconds: f64,
) -> Result<RunSummary> {
    let (prepared, training) = (&job.data.prepared, job.profile.training(dataset)?);
    let sources = sources(&job.data.rows).count();
    let device = match run.config.ranks {
        1 => job.device.name.clone(),
        ranks => format!("{ranks} ranks, rank 0 on {}", job.device.name),
    };
    Ok(RunSummary {
        id: run.id(),
        dataset: run.config.dataset.clone(),
        split_official: prepared.split_official,
        split: prepared.split.clone(),
        extent: prepared.extent.clone(),
        data_digest: run.config.data_digest.clone(),
        data_notes: prepared.notes.clone(),
        profile: run.config.profile_id(),
        init: run.config.init.clone(),
        variant: run.variant.name.to_owned(),
        seed: run.config.seed,
        device,
        cpu_features: cpu_features(),
        threads: rayon::current_num_threads(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: env!("GAL_BENCH_COMMIT").to_owned(),
        command: job.command.to_owned(),
        wall_seconds: (wall_seconds * 1000.0).round() / 1000.0,
        steps: training.steps,
        batch: training.batch,
        input: job.profile.network.input_size,
        train_images: sizes.train_images,
        train_sources: sources,
        test_images: sizes.test_images,
        parameters: sizes.parameters,
        train_positive_rate: positive_rates(&job.data.rows),
        known_labels: known_labels(job),
        deviations: deviations(job, dataset, run, (sizes.local_batch, sources))?,
    })
}

/// The labels of the undistorted training images.
pub(super) fn sources(rows: &[Row]) -> impl Iterator<Item = &ImageLabels> {
    undistorted(rows, Split::Train)
}

/// The labels of each image of a split; distorted copies have those of their source.
fn undistorted(rows: &[Row], split: Split) -> impl Iterator<Item = &ImageLabels> {
    rows.iter().filter(move |row| row.split == split && row.copy == 0).map(|row| &row.labels)
}

/// Share of positive labels among the known labels of the undistorted training images, by attribute.
pub(super) fn positive_rates(rows: &[Row]) -> Vec<Option<f64>> {
    let rate = |attribute: usize| {
        let known = || sources(rows).filter_map(|labels| labels[attribute]);
        let (positive, all) = (known().filter(|label| *label).count(), known().count());
        (all > 0).then(|| positive as f64 / all as f64)
    };
    (0..COUNT).map(rate).collect()
}

/// The numbers of known labels; `None` if all are known.
fn known_labels(job: &TrainJob) -> Option<KnownLabels> {
    let images = |split: Split| undistorted(&job.data.rows, split);
    let known = |split: Split| -> Vec<usize> {
        (0..COUNT).map(|attribute| images(split).filter(|labels| labels[attribute].is_some()).count()).collect()
    };
    let is_whole = |split: Split, counts: &[usize]| counts.iter().all(|count| *count == images(split).count());
    let (train, test) = (known(Split::Train), known(Split::Test));
    (!is_whole(Split::Train, &train) || !is_whole(Split::Test, &test)).then_some(KnownLabels { train, test })
}

/// The differences from the paper's protocol: of the profile, the initial weights, the ranks and the partition.
fn deviations(
    job: &TrainJob,
    dataset: DatasetName,
    run: &RunDir,
    (local_batch, sources): (usize, usize),
) -> Result<Vec<String>> {
    let mut deviations = job.profile.deviations_from(dataset, sources, run.config.init.as_ref())?;
    let ranks = run.config.ranks;
    if ranks > 1 && !job.profile.compute.sync_bn {
        deviations.push(format!(
            "Batch norm in training: over {local_batch} images on each of {ranks} ranks (paper: over the batch of {}).",
            job.profile.training(dataset)?.batch
        ));
    }
    let prepared = &job.data.prepared;
    if let Some(extent) = &prepared.extent {
        deviations.push(format!("Images: {extent} (paper: all, at the data set's size). {}", prepared.split));
    } else if !prepared.split_official && dataset != DatasetName::Synthetic {
        deviations.push(format!("Partition: not known to be the official one. {}", prepared.split));
    }
    if let Some(share) = prepared.val_split {
        deviations
            .push(format!("Training images: without {share} of the people, held out for validation (paper: all)."));
    }
    Ok(deviations)
}

/// The processor's vector extensions that decide which code runs.
pub fn cpu_features() -> Vec<String> {
    #[cfg(target_arch = "x86_64")]
    let features = [
        ("avx2", std::arch::is_x86_feature_detected!("avx2")),
        ("fma", std::arch::is_x86_feature_detected!("fma")),
        ("avx512f", std::arch::is_x86_feature_detected!("avx512f")),
        ("avx512vl", std::arch::is_x86_feature_detected!("avx512vl")),
    ];
    #[cfg(target_arch = "aarch64")]
    let features = [("neon", std::arch::is_aarch64_feature_detected!("neon"))];
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let features: [(&str, bool); 0] = [];
    features.into_iter().filter(|(_, detected)| *detected).map(|(name, _)| name.to_owned()).collect()
}
