//! `gal-bench evaluate`.

use super::faces;
use crate::cli::{DataArgs, EvaluateArgs, SelectionArgs};
use gal_bench::config::Divergence;
use gal_bench::evaluate::{Evaluation, Statistics};
use gal_bench::progress::Progress;
use gal_bench::report::{Collected, line, table};
use gal_bench::train::{is_diverged, is_finished};
use gal_bench::variant::REGISTRY;
use gal_bench::{Error, Result, report};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Largest number of runs printed as a table each: the paper's variants with one seed.
const TABLES: usize = 4;

/// Result of an evaluation.
#[derive(Debug, Serialize)]
pub(super) struct Evaluated {
    /// Report folder that the results were written to.
    pub(super) report: PathBuf,
    pub(super) evaluations: Vec<Evaluation>,
    /// Intervals of means, and tests of differences.
    pub(super) statistics: Statistics,
    /// The runs that diverged.
    pub(super) diverged: Vec<Divergence>,
    /// The first sentences of the report, a paragraph each in Markdown.
    pub(super) answers: Vec<String>,
}

impl Evaluated {
    /// Text for a terminal: a table for each run, or a line for each of many runs, then the findings, and the first
    /// sentences of the report, which name the runs that diverged.
    pub(super) fn text(&self) -> String {
        let show = if self.evaluations.len() > TABLES { line } else { table };
        let tables = self.evaluations.iter().map(show);
        let found = report::findings(&self.statistics).into_iter().map(|sentence| sentence + "\n");
        let answers = self.answers.iter().map(|answer| answer.replace("**", "") + "\n");
        tables.chain(found).chain(answers).collect::<Vec<_>>().join("\n")
    }
}

pub(super) fn run(args: &EvaluateArgs) -> Result<()> {
    let progress = args.output_args.progress();
    let evaluated = evaluate(&args.data, &args.selection, &args.reports, &progress)?;
    args.output_args.result(&evaluated, || {
        format!("{}\nresults in {}; `gal-bench report` renders them", evaluated.text(), evaluated.report.display())
    })
}

/// Evaluates the selected runs that are finished, and lists those that diverged.
pub(super) fn evaluate(
    data: &DataArgs,
    selection: &SelectionArgs,
    reports: &Path,
    progress: &Progress,
) -> Result<Evaluated> {
    let dataset = data.dataset.label();
    let mut profile = selection.profile()?;
    // Runs that start from another one have folders and a report of their own.
    profile.name = selection.profile_id(&profile)?;
    let (variants, seeds) = (selection.variants()?, selection.seeds());
    let all = variants.iter().flat_map(|variant| seeds.iter().map(move |seed| (variant, *seed)));
    let all = all.map(|(variant, seed)| selection.folder(dataset, &profile.name, variant, seed));
    let ended: Vec<PathBuf> = all.filter(|folder| is_finished(folder) || is_diverged(folder)).collect();
    if !ended.iter().any(|folder| is_finished(folder)) {
        return Err(Error::Request(format!(
            "no finished run of {dataset} with profile {} and seed {} in {}: run `gal-bench train --dataset {dataset}` \
             first",
            profile.name,
            seeds.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            selection.runs.display()
        )));
    }
    let report = reports.join(report::folder_name(REGISTRY, dataset, &profile, &variants, &seeds)?);
    let Collected { evaluations, statistics, examples, diverged, answers } = report::collect(&ended, &report)?;
    faces::show(&examples, data, &report, progress)?;
    Ok(Evaluated { report, evaluations, statistics, diverged, answers })
}
