//! Results become a page: [`collect`] gathers finished runs, and tests of their differences, into the small files of
//! `results/`, [`render`] makes README.md, its figures and index.html from those files alone, a pure function of them,
//! so that a checked-in report can be proved to say what its results say. A comparison of any runs has a page of its own.

mod album;
mod comparison_page;
mod comparison_results;
mod comparison_text;
mod comparisons;
mod correlation;
mod figures;
mod folder_name;
mod page;
mod provenance;
pub mod published;
mod results;
mod sections;
mod sentences;
mod tables;
mod terminal;
mod tested;
mod variants;
mod wide_table;

pub use album::{Album, TILE};
pub use comparison_results::write_comparison;
pub use comparison_text::comparison_text;
pub use folder_name::folder_name;
pub use results::Run;
pub use sentences::findings;
pub use terminal::{line, overview, table};

use crate::error::{Error, Result};
use crate::evaluate::dependence::{Correlations, DependenceStats};
use crate::evaluate::masks::Masks;
use crate::evaluate::{Classifier, Correctness, Evaluation, Statistics};
use crate::io;
use crate::render::html;
use crate::variant::{REGISTRY, Registry};
use std::path::{Path, PathBuf};
use variants::Report;

/// Finished runs, by variant and seed.
#[derive(Debug)]
pub struct Collected {
    /// What they are worth.
    pub evaluations: Vec<Evaluation>,
    /// What tests of their differences show.
    pub statistics: Statistics,
    /// What they say of single faces.
    pub albums: Vec<Album>,
}

/// Gathers the finished runs in `runs` (their folders) into `folder`/results, from which [`render`] works.
///
/// # Errors
/// Runs that are not finished or not whole; runs that cannot share a report because their data, profile or test
/// images differ; two runs of one variant with one seed.
pub fn collect(runs: &[PathBuf], folder: &Path) -> Result<Collected> {
    collect_with(REGISTRY, runs, folder)
}

/// As [`collect`], for the variants of `registry`.
pub fn collect_with(registry: Registry, runs: &[PathBuf], folder: &Path) -> Result<Collected> {
    if runs.is_empty() {
        return Err(Error::Request("a report needs at least one finished run".to_owned()));
    }
    if comparison_results::read(folder)?.is_some() {
        let shown = folder.display();
        return Err(Error::Request(format!("{shown} holds a comparison: give --reports another folder, or remove it")));
    }
    let mut read = runs.iter().map(|path| read_run(path)).collect::<Result<Vec<_>>>()?;
    read.sort_by_key(|(run, ..)| variants::place(registry, run.summary()));
    let (collected, correctness, stats, albums): (Vec<Run>, Vec<Correctness>, Vec<DependenceStats>, Vec<Album>) =
        read.into_iter().collect();
    refuse_unlike(&collected, &correctness)?;
    let profile = provenance::shared_profile(runs)?;
    let classifiers: Vec<Classifier> = collected.iter().zip(&correctness).map(classifier).collect();
    let mut names: Vec<&str> = classifiers.iter().map(|classifier| classifier.name).collect();
    names.dedup();
    let statistics = Statistics::new(&classifiers, &registry.comparisons(&names))?;
    results::write(&collected, folder)?;
    tested::write(&statistics, folder)?;
    provenance::write_profile(profile.as_deref(), folder)?;
    album::remove(folder)?;
    let runs = collected.iter().zip(stats).map(|(run, stats)| (run.summary(), run.affinity.as_ref(), stats));
    if let Some(correlations) = Correlations::new(runs)? {
        correlation::write(&correlations, folder)?;
    }
    Ok(Collected { evaluations: collected.into_iter().map(|run| run.evaluation).collect(), statistics, albums })
}

/// Reads a run's folder, its predictions once for all that they are asked.
fn read_run(folder: &Path) -> Result<(Run, Correctness, DependenceStats, Album)> {
    let (evaluation, predictions) = Evaluation::with_predictions(folder)?;
    let masks = Masks::of_run(folder)?;
    let stats = DependenceStats::new(&predictions, masks.as_ref());
    let album = Album::new(folder, &evaluation.run, &predictions, masks);
    Ok((Run::new(evaluation, folder)?, Correctness::new(predictions), stats, album))
}

fn classifier<'a>((run, correctness): (&'a Run, &'a Correctness)) -> Classifier<'a> {
    Classifier { name: &run.summary().variant, seed: Some(run.summary().seed), correctness }
}

/// Renders the report in `folder` from its `results` alone: (path below `folder`, content) of each file, the same
/// bytes for the same results.
///
/// # Errors
/// Results that are missing or not as [`collect`] writes them.
pub fn render(folder: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    render_with(REGISTRY, folder)
}

/// As [`render`], for the variants of `registry`.
pub fn render_with(registry: Registry, folder: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    if let Some(comparison) = comparison_results::read(folder)? {
        let page = comparison_page::page(&comparison);
        let html = html::page(&page, |_| None);
        return Ok(pages(page, html));
    }
    let report = Report::new(registry, results::read(folder)?, tested::read(folder)?);
    let correlations = correlation::read(folder)?;
    let faces = album::read(folder)?;
    let profile = provenance::read_profile(folder)?;
    let figures = figures::all(&report, correlations.as_ref(), faces.as_ref());
    let page = page::page(&report, correlations.as_ref(), profile.as_deref(), &figures);
    let html = html::page(&page, |file| figures.iter().find(|figure| figure.file == file).map(|f| f.svg.as_slice()));
    let mut files = pages(page, html);
    files.extend(figures.into_iter().map(|figure| (PathBuf::from(figure.file), figure.svg)));
    Ok(files)
}

fn pages(page: String, html: String) -> Vec<(PathBuf, Vec<u8>)> {
    vec![(PathBuf::from("README.md"), page.into_bytes()), (PathBuf::from("index.html"), html.into_bytes())]
}

/// Renders the report in `folder` and writes it there; figures that it no longer has go. Returns what was written.
pub fn write(folder: &Path) -> Result<Vec<PathBuf>> {
    let rendered = render(folder)?;
    for path in stale(folder, &rendered)? {
        std::fs::remove_file(&path).map_err(Error::io("remove", &path))?;
    }
    rendered
        .into_iter()
        .map(|(path, content)| {
            let path = folder.join(path);
            io::write(&path, &content)?;
            Ok(path)
        })
        .collect()
}

/// The files of the report in `folder` that are not, byte for byte, what its results render to: changed, missing, or
/// figures that belong to no result. Empty when the report is true to its results.
pub fn differences(folder: &Path) -> Result<Vec<PathBuf>> {
    let rendered = render(folder)?;
    let mut different = stale(folder, &rendered)?;
    for (path, content) in rendered {
        let path = folder.join(path);
        if !path.is_file() || io::read(&path)? != content {
            different.push(path);
        }
    }
    different.sort();
    Ok(different)
}

/// Figures in `folder` that are not among the rendered files.
fn stale(folder: &Path, rendered: &[(PathBuf, Vec<u8>)]) -> Result<Vec<PathBuf>> {
    let mut paths = results::files_of(folder)?;
    paths.retain(|path| {
        path.extension().is_some_and(|e| e == "svg") && !rendered.iter().any(|(known, _)| folder.join(known) == *path)
    });
    Ok(paths)
}

/// What all runs of one report must have in common, since one caption and one floor speak for all of them.
fn refuse_unlike(runs: &[Run], correctness: &[Correctness]) -> Result<()> {
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
            "runs {} and {} cannot share a report: they were not tested on the same images with the same labels in the \
             same order; make a report of each",
            a.id,
            runs[other].summary().id
        )));
    }
    // Sorted by variant and seed, so that twins are neighbours.
    let mut neighbours = runs.windows(2).map(|pair| (pair[0].summary(), pair[1].summary()));
    match neighbours.find(|(a, b)| a.variant == b.variant && a.seed == b.seed) {
        Some((a, b)) => Err(Error::Request(format!(
            "runs {} and {} are both {} with seed {}: name one of them only",
            a.id, b.id, a.variant, a.seed
        ))),
        None => Ok(()),
    }
}
