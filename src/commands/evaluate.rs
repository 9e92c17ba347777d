//! `gal-bench evaluate`.

use super::{Selection, faces};
use crate::cli::{DataArgs, EvaluateArgs, RetestArgs};
use gal_bench::augment::Pipeline;
use gal_bench::config::run_dir::CONFIG;
use gal_bench::config::{Compute, Divergence, Profile, RunConfig};
use gal_bench::dataset::DatasetName;
use gal_bench::evaluate::{Evaluation, Statistics};
use gal_bench::progress::Progress;
use gal_bench::report::{Collected, overview, table};
use gal_bench::store::Reader;
use gal_bench::train::{NamedDevice, RetestImages, has_ended, is_finished, retest, select_device};
use gal_bench::variant::REGISTRY;
use gal_bench::{Error, Result, io, report};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Result of an evaluation.
#[derive(Debug, Serialize)]
pub(super) struct Evaluated {
    /// Report folder that the results were written to.
    #[serde(serialize_with = "gal_bench::io::serialize_path")]
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
    /// Text for a terminal: with details a table of attributes for each run, then the findings, the first sentences of the
    /// report, which name the runs that diverged, and a line for each run and head.
    pub(super) fn text(&self, with_details: bool) -> String {
        let tables = self.evaluations.iter().filter(|_| with_details).map(table);
        let found = report::findings(&self.statistics).into_iter().map(|sentence| sentence + "\n");
        let answers = self.answers.iter().map(|answer| answer.replace("**", "") + "\n");
        let few = self.statistics.few_units().map(|few| format!("No intervals and no tests: {few}.\n"));
        let overview = overview(&self.evaluations) + "\n";
        tables.chain(few).chain(found).chain(answers).chain([overview]).collect::<Vec<_>>().join("\n")
    }
}

pub(super) fn run(args: &EvaluateArgs) -> Result<()> {
    let progress = args.output_args.progress();
    let retests = Retests::new(args, &progress)?;
    let selection = args.selection.resolve(args.data.dataset)?;
    let evaluated = evaluate(&args.data, &selection, &args.reports, Some(&retests), args.force, &progress)?;
    args.output_args.result(&evaluated, || {
        let text = evaluated.text(args.output_args.verbose);
        format!("{text}\nresults in {}; `gal-bench report` renders them", evaluated.report.display())
    })
}

/// Tests of the runs on other images.
pub(super) struct Retests {
    perturbed: Option<(String, Pipeline, Reader)>,
    other: Option<(&'static str, Reader)>,
    device: Option<NamedDevice>,
}

impl Retests {
    fn new(args: &EvaluateArgs, progress: &Progress) -> Result<Self> {
        let RetestArgs { perturb, on, on_prepared, device } = &args.retest;
        if *on == Some(args.data.dataset) {
            let name = args.data.dataset.label();
            return Err(Error::Request(format!("the runs were trained on {name}: give --on another data set")));
        }
        let perturbed = perturb.as_deref().map(|file| -> Result<_> {
            let (name, pipeline) = pipeline(file)?;
            Ok((name, pipeline, Reader::open_for(args.data.dataset, &args.data.prepared())?))
        });
        let other = on.map(|dataset| -> Result<_> {
            let data = DataArgs { dataset, prepared: on_prepared.clone() };
            Ok((dataset.label(), Reader::open_for(dataset, &data.prepared())?))
        });
        let device = (perturb.is_some() || on.is_some())
            .then(|| -> Result<_> { select_device(device, None, Compute::default(), progress) });
        Ok(Self { perturbed: perturbed.transpose()?, other: other.transpose()?, device: device.transpose()? })
    }

    /// Makes the tests of the finished run in `folder` that are missing.
    fn run(&self, folder: &Path, progress: &Progress) -> Result<()> {
        let Some(device) = &self.device else { return Ok(()) };
        if let Some((_, _, data)) = &self.perturbed
            && RunConfig::read(&folder.join(CONFIG))?.data_digest != data.prepared.manifest_digest
        {
            // Its test images may be others, even ones that the run was trained on.
            return Err(Error::Request(format!(
                "{} was trained on other prepared data than --perturb would distort: give the set of its training with \
                 --prepared",
                folder.display()
            )));
        }
        let perturbed = self.perturbed.iter().map(|(name, pipeline, data)| (name.as_str(), data, Some(pipeline)));
        let other = self.other.iter().map(|(name, data)| (*name, data, None));
        for (name, data, pipeline) in perturbed.chain(other) {
            progress.log(format!("{} on {name}", folder.display()));
            retest(folder, &RetestImages { name, data, pipeline }, &device.device, progress)?;
        }
        Ok(())
    }
}

/// A pipeline and its name: an embedded one, or a file's.
fn pipeline(file: &Path) -> Result<(String, Pipeline)> {
    let embedded = match file.to_str() {
        Some("affact") => Some(include_str!("../../datasets/pipelines/affact.toml").to_owned()),
        Some("default") => Some(Pipeline::default().to_toml()?),
        _ => None,
    };
    let text = embedded.map_or_else(|| io::read_text(file), Ok)?;
    let name = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let known = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    // The test on another data set has that one's name.
    if name.is_empty() || !name.chars().all(known) || DatasetName::parse(name).is_some() {
        return Err(Error::Request(format!(
            "{} cannot name a test: use letters, digits, - and _ in the file's name, and no data set's name",
            file.display()
        )));
    }
    Ok((name.to_owned(), Pipeline::from_toml(file, &text)?))
}

/// Evaluates the selected runs that are finished, and lists those that diverged. `force` replaces files of others in the
/// report's folder.
pub(super) fn evaluate(
    data: &DataArgs,
    selection: &Selection,
    reports: &Path,
    retests: Option<&Retests>,
    force: bool,
    progress: &Progress,
) -> Result<Evaluated> {
    let dataset = data.dataset.label();
    let Selection { profile: trained, variants, seeds, .. } = selection;
    // Runs that start from another one have folders and a report of their own.
    let profile = Profile { name: selection.profile_id(), ..trained.clone() };
    let folder = |variant, seed| selection.folder(variant, seed);
    let all = variants.iter().flat_map(|variant| seeds.iter().map(move |seed| (variant, *seed)));
    let (ended, open): (Vec<PathBuf>, Vec<PathBuf>) =
        all.map(|(variant, seed)| folder(variant, seed)).partition(|folder| has_ended(folder));
    if !ended.iter().any(|folder| is_finished(folder)) {
        return Err(Error::Request(format!(
            "no finished run of {dataset} with profile {} and seed {} in {}: run `gal-bench train --dataset {dataset}` \
             first",
            profile.name,
            seeds.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            selection.runs.display()
        )));
    }
    // The folder's name would promise a seed without results.
    if let Some(seed) = seeds.iter().find(|seed| !variants.iter().any(|variant| has_ended(&folder(variant, **seed)))) {
        return Err(Error::Request(format!(
            "no run of {dataset} with profile {} and seed {seed} in {} is finished: train it first, or leave out seed {seed}",
            profile.name,
            selection.runs.display()
        )));
    }
    if !open.is_empty() {
        let open: Vec<String> = open.iter().map(|folder| folder.display().to_string()).collect();
        progress.warn(format!("left out, since they are not finished: {}", open.join(", ")));
    }
    for run in &ended {
        if let Some(difference) = RunConfig::other_profile(run, trained)? {
            return Err(Error::Request(format!(
                "{} was trained with another configuration: {difference}; choose another --runs folder or profile, or train \
                 it again with --force",
                run.display()
            )));
        }
    }
    // Before the tests on other images, which take minutes.
    let report = reports.join(report::folder_name(REGISTRY, dataset, &profile, variants, seeds)?);
    let output = report::claim(&report, force)?;
    for folder in ended.iter().filter(|folder| is_finished(folder)) {
        retests.map_or(Ok(()), |retests| retests.run(folder, progress))?;
    }
    super::verify::note_unsealed(ended.iter().map(PathBuf::as_path), progress);
    let Collected { evaluations, statistics, examples, diverged, answers } = report::collect(&ended, &report)?;
    faces::show(&examples, data, &report, force, progress)?;
    output.record()?;
    Ok(Evaluated { report, evaluations, statistics, diverged, answers })
}
