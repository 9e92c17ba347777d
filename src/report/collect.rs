//! From run folders to the results of a report.

use super::page::claims::answers;
use super::results::examples::{self, ExampleFaces};
use super::results::retests::{Description, RetestResults};
use super::results::runs::{DivergedRun, Run};
use super::results::{comparison_report, comparisons, dependence, profile, retests, runs};
use super::runs::{Report, order};
use crate::config::run_dir::{self, PREDICTIONS};
use crate::config::{Divergence, Retest, RunSummary};
use crate::error::{Error, Result};
use crate::evaluate::dependence::{Correlations, DependenceStats};
use crate::evaluate::masks::Masks;
use crate::evaluate::{Classifier, Correctness, Evaluation, Predictions, Statistics, trained};
use crate::io;
use crate::variant::{REGISTRY, Registry};
use std::path::{Path, PathBuf};

/// Evaluations of finished runs, by variant and seed.
#[derive(Debug)]
pub struct Collected {
    /// The evaluation of each run.
    pub evaluations: Vec<Evaluation>,
    /// Intervals of means, and tests of differences.
    pub statistics: Statistics,
    /// Example faces of each run.
    pub examples: Vec<ExampleFaces>,
    /// The runs that diverged, in the same order.
    pub diverged: Vec<Divergence>,
    /// The first sentences of the page, a paragraph each in Markdown.
    pub answers: Vec<String>,
}

/// Evaluates the finished runs in the folders `runs` and writes the results below `folder`, for `report::render`. Runs
/// that diverged are listed in the results.
///
/// # Errors
/// Unfinished or incomplete runs; two runs of one variant with one seed; runs that cannot share a report because their data,
/// profile or test images differ. Runs that diverged must have the same profile, too.
pub fn collect(runs: &[PathBuf], folder: &Path) -> Result<Collected> {
    collect_with(REGISTRY, runs, folder)
}

/// Like [`collect`], for the variants of `registry`.
pub fn collect_with(registry: Registry, folders: &[PathBuf], folder: &Path) -> Result<Collected> {
    let (mut diverged, mut finished) = (Vec::new(), Vec::new());
    for run in folders {
        match Divergence::of_run(run)? {
            Some(divergence) => diverged.push((DivergedRun::new(&divergence, run)?, divergence)),
            None => finished.push(run.clone()),
        }
    }
    diverged.sort_by_key(|(_, run)| (registry.rank(&run.variant), run.variant.clone(), run.seed));
    let (ended, diverged): (Vec<DivergedRun>, Vec<Divergence>) = diverged.into_iter().unzip();
    if finished.is_empty() {
        return Err(Error::Request("a report needs at least one finished run".to_owned()));
    }
    if comparison_report::read(folder)?.is_some() {
        let shown = folder.display();
        return Err(Error::Request(format!("{shown} holds a comparison: give --reports another folder, or remove it")));
    }
    let mut read = finished.iter().map(|path| read_run(path)).collect::<Result<Vec<_>>>()?;
    read.sort_by_key(|(run, ..)| order(registry, run.summary()));
    let (collected, correctness, paths, stats, examples): (Vec<Run>, Vec<Correctness>, Vec<&Path>, Vec<_>, Vec<_>) =
        read.into_iter().collect();
    check_compatible(&collected, &correctness)?;
    // Those that diverged, too: an earlier job may have left them.
    let profile = profile::shared(folders)?;
    let summaries: Vec<&RunSummary> = collected.iter().map(Run::summary).collect();
    let statistics = statistics_of(registry, &summaries, &correctness)?;
    let tests = retests_of(registry, &paths, &summaries)?;
    let with_stats = collected.iter().zip(stats).map(|(run, stats)| (run.summary(), run.affinity.as_ref(), stats));
    let correlations = Correlations::new(with_stats)?;
    // All that can fail by what the runs hold is done: results are replaced as a whole.
    runs::write(&collected, &ended, folder)?;
    comparisons::write(&statistics, &folder.join("results"))?;
    retests::write(&tests, folder)?;
    profile::write(profile.as_deref(), folder)?;
    examples::remove(folder)?;
    if let Some(correlations) = correlations {
        let is_tested = statistics.few_units().is_none();
        dependence::write(&if is_tested { correlations } else { correlations.without_label_tests() }, folder)?;
    }
    let report = Report::new(registry, collected, ended, Some(statistics.clone()), None);
    let answers = answers(&report);
    let evaluations = report.into_runs().into_iter().map(|run| run.evaluation).collect();
    Ok(Collected { evaluations, statistics, examples, diverged, answers })
}

/// Means of the runs, which are sorted, and the tests of the differences between their variants.
fn statistics_of(registry: Registry, runs: &[&RunSummary], correctness: &[Correctness]) -> Result<Statistics> {
    let pairs = runs.iter().zip(correctness);
    let classifiers: Vec<Classifier> =
        pairs.map(|(run, correctness)| Classifier { name: &run.variant, seed: Some(run.seed), correctness }).collect();
    let mut names: Vec<&str> = classifiers.iter().map(|classifier| classifier.name).collect();
    names.dedup();
    Statistics::new(&classifiers, &registry.comparisons(&names))
}

/// The tests on other images that all runs have, which are sorted.
fn retests_of(registry: Registry, folders: &[&Path], runs: &[&RunSummary]) -> Result<Vec<RetestResults>> {
    let names = Retest::names(folders[0])?;
    // A run may be passed on without its network.
    let network = |run: &&Path| io::digest(&run_dir::model(run), io::NETWORK_BYTES).ok();
    let networks: Vec<Option<String>> =
        if names.is_empty() { Vec::new() } else { folders.iter().map(network).collect() };
    let mut results = Vec::new();
    for name in names {
        let (mut records, mut correctness) = (Vec::new(), Vec::new());
        for ((run, summary), network) in folders.iter().zip(runs).zip(&networks) {
            let folder = Retest::folder(run, &name);
            // A test that was interrupted has no record; other images may lack labels of every trained attribute. The run may
            // have another network since.
            let is_of_network =
                |record: &Retest| network.as_ref().is_none_or(|network| *network == record.model_digest);
            let Some(record) = Retest::read(&folder)?.filter(is_of_network) else { continue };
            let predictions = Predictions::read(&folder.join(PREDICTIONS), None)?.with_labels_of(&trained(summary));
            if predictions.labels.iter().all(Option::is_none) {
                continue;
            }
            records.push(record);
            correctness.push(Correctness::new(predictions));
        }
        let is_same =
            |run: usize| records[run].is_on_the_images_of(&records[0]) && correctness[run].same_test(&correctness[0]);
        if records.len() != runs.len() || !(1..runs.len()).all(is_same) {
            continue;
        }
        let statistics = statistics_of(registry, runs, &correctness)?;
        let (record, correctness) = (&records[0], &correctness[0]);
        let description = Description {
            name,
            dataset: record.dataset.clone(),
            data: record.data.clone(),
            data_digest: record.data_digest.clone(),
            pipeline: record.pipeline.clone(),
            images: correctness.images.names.len(),
            attributes: Some(correctness.scored()),
            floor: correctness.floor(&record.train_positive_rate),
        };
        results.push(RetestResults { description, statistics });
    }
    Ok(results)
}

/// Reads a run's folder; its predictions are large, so everything that needs them is computed here.
fn read_run(folder: &Path) -> Result<(Run, Correctness, &Path, DependenceStats, ExampleFaces)> {
    let (evaluation, predictions) = Evaluation::with_predictions(folder)?;
    let masks = Masks::of_run(folder)?;
    let stats = DependenceStats::new(&predictions, masks.as_ref());
    let examples = ExampleFaces::new(folder, &evaluation.run, &predictions, masks);
    Ok((Run::new(evaluation, folder)?, Correctness::new(predictions), folder, stats, examples))
}

/// Checks that one caption and one floor hold for all runs, which are sorted.
fn check_compatible(runs: &[Run], correctness: &[Correctness]) -> Result<()> {
    let Some((first, others)) = runs.split_first() else { return Ok(()) };
    let a = first.summary();
    for b in others.iter().map(Run::summary) {
        let shared = [
            ("data set", a.dataset.clone(), b.dataset.clone()),
            ("data digest", a.data_digest.clone(), b.data_digest.clone()),
            ("partition", a.split.clone(), b.split.clone()),
            ("profile", a.profile.clone(), b.profile.clone()),
            ("number of test images", a.test_images.to_string(), b.test_images.to_string()),
        ];
        if let Some((what, of_a, of_b)) = shared.into_iter().find(|(_, of_a, of_b)| of_a != of_b) {
            return Err(Error::Request(format!(
                "runs {} and {} cannot share a report: the {what} of one is {of_a}, of the other {of_b}; \
                 make a report of each",
                a.id, b.id
            )));
        }
    }
    if let Some(other) = (1..runs.len()).find(|&other| !correctness[other].same_test(&correctness[0])) {
        return Err(Error::Request(format!(
            "runs {} and {} cannot share a report: their test images, labels or the order of these differ; make a report \
             of each",
            a.id,
            runs[other].summary().id
        )));
    }
    let mut neighbours = runs.windows(2).map(|pair| (pair[0].summary(), pair[1].summary()));
    match neighbours.find(|(a, b)| a.variant == b.variant && a.seed == b.seed) {
        Some((a, b)) => Err(Error::Request(format!(
            "runs {} and {} are both {} with seed {}: name one of them only",
            a.id, b.id, a.variant, a.seed
        ))),
        None => Ok(()),
    }
}
