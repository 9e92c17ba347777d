//! The record of a finished run.

use super::job::TrainJob;
use super::run_dir::RunDir;
use crate::attribute::{COUNT, ImageLabels};
use crate::augment::Pipeline;
use crate::config::{KnownLabels, RunSummary, paper_copies};
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
    let mut deviations = job.profile.deviations(dataset, sources, run.config.init.as_ref())?;
    let ranks = run.config.ranks;
    if ranks > 1 && !job.profile.compute.sync_bn {
        deviations.push(format!(
            "Batch norm in training: over {local_batch} images on each of {ranks} ranks (paper: over the batch of {}).",
            job.profile.training(dataset)?.batch
        ));
    }
    let prepared = &job.data.prepared;
    // Distortions that are drawn anew use the undistorted images only, and the profile names them.
    if job.profile.online.is_none() {
        let copies = Copies {
            largest: prepared.copies as usize,
            is_balanced: prepared.balance.is_some(),
            is_default: prepared.pipeline == Pipeline::default().to_toml()?,
        };
        deviations.extend(copies.deviations(paper_copies(dataset)?));
    }
    if let Some(extent) = &prepared.extent {
        deviations.push(format!("Images: {extent} (paper: all, at the data set's size)."));
    } else if !prepared.split_official && dataset != DatasetName::Synthetic {
        deviations.push(format!("Partition: not known to be the official one. {}", prepared.split));
    }
    if let Some(share) = prepared.val_split {
        deviations
            .push(format!("Training images: without {share} of the people, held out for validation (paper: all)."));
    }
    Ok(deviations)
}

/// The stored copies of training images, the undistorted one included.
struct Copies {
    /// The number of each image, in a balanced set the largest one.
    largest: usize,
    /// More of images with rare attributes.
    is_balanced: bool,
    /// The default pipeline distorted them.
    is_default: bool,
}

impl Copies {
    /// The differences from the paper, which makes `theirs` of each image, or does not use this data.
    fn deviations(&self, theirs: Option<usize>) -> Vec<String> {
        let Self { largest, is_balanced, is_default } = *self;
        let mut found = Vec::new();
        if is_balanced {
            found.push(format!(
                "Copies of each training image: up to {largest}, more with rare attributes (paper: as many of each)."
            ));
        } else if let Some(theirs) = theirs.filter(|theirs| *theirs != largest) {
            found.push(format!("Copies of each training image, itself included: {largest} (paper: {theirs})."));
        }
        if largest > 1 && !is_default {
            found.push("Distortions of the copies: those of another pipeline than the default one.".to_owned());
        }
        found
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_that_are_not_the_papers_are_deviations() {
        let [celeba, lfwa] = [DatasetName::Celeba, DatasetName::Lfwa].map(|name| paper_copies(name).unwrap());
        assert_eq!((celeba, lfwa, paper_copies(DatasetName::Table).unwrap()), (Some(1), Some(12), None));
        let copies = |largest, is_balanced, is_default| Copies { largest, is_balanced, is_default };
        let found = |copies: Copies, theirs| copies.deviations(theirs).join(" ");
        assert_eq!(found(copies(12, false, true), lfwa) + &found(copies(1, false, false), celeba), "");
        assert_eq!(
            found(copies(1, false, true), lfwa),
            "Copies of each training image, itself included: 1 (paper: 12)."
        );
        assert_eq!(
            found(copies(40, true, false), lfwa),
            "Copies of each training image: up to 40, more with rare attributes (paper: as many of each). Distortions of the \
             copies: those of another pipeline than the default one."
        );
        assert_eq!(found(copies(3, false, true), None), "");
    }
}
