//! `results/`: the small files a report is rendered from, and nothing else is. Each number is in one place only:
//! `results.json` holds the runs' summaries, `accuracy.csv` a row for every run, head and attribute, `curves.csv` the
//! training curves, `affinity-VARIANT-seedN.csv` each mean affinity; [`super::tested`] adds intervals and tests.

use crate::attribute::{COUNT, NAMES};
use crate::config::RunSummary;
use crate::error::{Error, Result};
use crate::evaluate::{self, Affinity, AttributeResult, Evaluation, Head, HeadResult, Point, run_files};
use crate::io;
use crate::metrics::interval::Interval;
use crate::metrics::mean::mean;
use crate::metrics::scores::Scores;
use crate::variant::{REGISTRY, deserialize_name};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The most points of one run's training curve that a report keeps.
const CURVE_POINTS: usize = 400;

/// The form of `results.json`, for readers of another version.
const FORMAT: u32 = 1;

/// One run as a report knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Summary and accuracies.
    pub evaluation: Evaluation,
    /// The thinned training curve.
    pub curve: Vec<Point>,
    /// Mean affinity over the test split, where the variant has a CLN.
    pub affinity: Option<Affinity>,
}

impl Run {
    /// What the folder of an evaluated run holds besides.
    pub(super) fn new(evaluation: Evaluation, folder: &Path) -> Result<Self> {
        let curve = thinned(&evaluate::read_curve(folder)?, CURVE_POINTS);
        Ok(Self { evaluation, curve, affinity: evaluate::read_affinity(folder)? })
    }

    /// The run's own record.
    pub fn summary(&self) -> &RunSummary {
        &self.evaluation.run
    }

    fn affinity_file(variant: &str, seed: u64) -> String {
        format!("affinity-{variant}-seed{seed}.csv")
    }
}

/// `results.json`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Index {
    format: u32,
    runs: Vec<RunSummary>,
}

/// A row of `accuracy.csv`; accuracies are shares in [0, 1].
#[derive(Serialize, Deserialize)]
struct AccuracyRow {
    #[serde(deserialize_with = "deserialize_name")]
    variant: String,
    seed: u64,
    head: Head,
    attribute: String,
    n: usize,
    correct: usize,
    accuracy: f64,
    floor: f64,
    gain: f64,
    balanced_accuracy: f64,
    interval_low: f64,
    interval_high: f64,
    #[serde(default)]
    f1: Option<f64>,
    #[serde(default)]
    average_precision: Option<f64>,
    #[serde(default)]
    auroc: Option<f64>,
    #[serde(default)]
    calibration_error: Option<f64>,
}

/// A row of `curves.csv`.
#[derive(Serialize, Deserialize)]
struct CurveRow {
    #[serde(deserialize_with = "deserialize_name")]
    variant: String,
    seed: u64,
    step: u64,
    loss_fln: Option<f64>,
    loss_cln: Option<f64>,
    validation_accuracy_fln: Option<f64>,
    validation_accuracy_cln: Option<f64>,
}

/// Writes `runs` to the `results` folder below `folder`; affinities of an earlier report go.
pub(super) fn write(runs: &[Run], folder: &Path) -> Result<()> {
    let results = folder.join("results");
    io::create_folder(&results)?;
    remove_affinities(&results)?;
    for run in runs {
        if let Some(affinity) = &run.affinity {
            let text = run_files::affinity_text(affinity);
            io::write(&results.join(Run::affinity_file(&run.summary().variant, run.summary().seed)), text.as_bytes())?;
        }
    }
    write_csv(&results.join("accuracy.csv"), runs.iter().flat_map(accuracy_rows))?;
    write_csv(&results.join("curves.csv"), runs.iter().flat_map(curve_rows))?;
    let index = Index { format: FORMAT, runs: runs.iter().map(|run| run.summary().clone()).collect() };
    io::write_json(&results.join("results.json"), &index)
}

/// Reads the `results` folder below `folder`.
pub(super) fn read(folder: &Path) -> Result<Vec<Run>> {
    let results = folder.join("results");
    let path = results.join("results.json");
    let Some(index) = io::read_json_if_exists::<Index>(&path, "a report's index")? else {
        return Err(Error::Request(format!(
            "{} holds no results/results.json: give `gal-bench report` the runs to collect",
            folder.display()
        )));
    };
    if index.format != FORMAT || index.runs.is_empty() {
        let message =
            format!("has format {} and {} runs, expected {FORMAT} and one at least", index.format, index.runs.len());
        return Err(Error::file(&path, message));
    }
    let accuracy_path = results.join("accuracy.csv");
    let accuracies: Vec<AccuracyRow> = read_csv(&accuracy_path)?;
    let curve: Vec<CurveRow> = read_csv(&results.join("curves.csv"))?;
    let runs = index.runs.into_iter().map(|summary| {
        let heads = heads(&accuracy_path, &accuracies, &summary)?;
        let curve = curve.iter().filter(|row| row.variant == summary.variant && row.seed == summary.seed);
        let curve = curve.map(point).collect();
        let names = REGISTRY.names(&summary.variant).into_iter();
        let affinity =
            names.map(|name| results.join(Run::affinity_file(name, summary.seed))).find(|path| path.exists());
        let affinity = affinity.map(|path| run_files::read_affinity(&path)).transpose()?;
        Ok(Run { evaluation: Evaluation { run: summary, heads }, curve, affinity })
    });
    runs.collect()
}

fn accuracy_rows(run: &Run) -> impl Iterator<Item = AccuracyRow> {
    let summary = run.summary();
    run.evaluation.heads.iter().flat_map(move |head| {
        head.attributes.iter().map(move |a| AccuracyRow {
            variant: summary.variant.clone(),
            seed: summary.seed,
            head: head.head,
            attribute: a.attribute.clone(),
            n: a.n,
            correct: a.correct,
            accuracy: a.accuracy,
            floor: a.floor,
            gain: a.gain(),
            balanced_accuracy: a.balanced_accuracy,
            interval_low: a.interval.low,
            interval_high: a.interval.high,
            f1: a.scores.f1,
            average_precision: a.scores.average_precision,
            auroc: a.scores.auroc,
            calibration_error: a.scores.calibration_error,
        })
    })
}

/// The heads of one run, from the rows of all.
fn heads(path: &Path, rows: &[AccuracyRow], summary: &RunSummary) -> Result<Vec<HeadResult>> {
    let mut found = Vec::new();
    for head in [Head::Fln, Head::Cln] {
        let of_head =
            |row: &&AccuracyRow| row.variant == summary.variant && row.seed == summary.seed && row.head == head;
        let attributes: Vec<AttributeResult> = rows.iter().filter(of_head).map(attribute_result).collect();
        if attributes.is_empty() {
            continue;
        }
        if attributes.len() != COUNT || attributes.iter().zip(NAMES).any(|(a, name)| a.attribute != name) {
            let message = format!(
                "holds {} rows for the {} head of {} with seed {}, expected the {COUNT} attributes in CelebA's order: \
                 collect the runs again",
                attributes.len(),
                head.label(),
                summary.variant,
                summary.seed
            );
            return Err(Error::file(path, message));
        }
        found.push(HeadResult { head, attributes });
    }
    if found.is_empty() {
        let message = format!("holds no row of {} with seed {}: collect the runs again", summary.variant, summary.seed);
        return Err(Error::file(path, message));
    }
    Ok(found)
}

fn attribute_result(row: &AccuracyRow) -> AttributeResult {
    AttributeResult {
        attribute: row.attribute.clone(),
        n: row.n,
        correct: row.correct,
        accuracy: row.accuracy,
        interval: Interval { low: row.interval_low, high: row.interval_high },
        balanced_accuracy: row.balanced_accuracy,
        floor: row.floor,
        scores: Scores {
            f1: row.f1,
            average_precision: row.average_precision,
            auroc: row.auroc,
            calibration_error: row.calibration_error,
        },
    }
}

fn curve_rows(run: &Run) -> impl Iterator<Item = CurveRow> {
    let summary = run.summary();
    run.curve.iter().map(move |p| CurveRow {
        variant: summary.variant.clone(),
        seed: summary.seed,
        step: p.step,
        loss_fln: p.loss_fln,
        loss_cln: p.loss_cln,
        validation_accuracy_fln: p.validation_accuracy_fln,
        validation_accuracy_cln: p.validation_accuracy_cln,
    })
}

fn point(row: &CurveRow) -> Point {
    Point {
        step: row.step,
        loss_fln: row.loss_fln,
        loss_cln: row.loss_cln,
        validation_accuracy_fln: row.validation_accuracy_fln,
        validation_accuracy_cln: row.validation_accuracy_cln,
    }
}

/// At most `limit` points: losses are averaged over windows of equal count, since each is a mean already and a mean
/// of them hides no spike as leaving out would; of validations every k-th and the last are kept.
fn thinned(points: &[Point], limit: usize) -> Vec<Point> {
    let (validations, losses): (Vec<Point>, Vec<Point>) = points.iter().partition(|p| p.is_validation());
    let every = validations.len().div_ceil(limit / 2).max(1);
    // Counted from the end, so that the last validation stays.
    let mut kept: Vec<Point> = validations.into_iter().rev().step_by(every).collect();
    let window = losses.len().div_ceil(limit - kept.len()).max(1);
    kept.extend(losses.chunks(window).filter_map(|chunk| {
        let average = |value: fn(&Point) -> Option<f64>| {
            let values: Vec<f64> = chunk.iter().filter_map(value).collect();
            (!values.is_empty()).then(|| mean(&values))
        };
        let last = chunk.last()?;
        Some(Point { loss_fln: average(|p| p.loss_fln), loss_cln: average(|p| p.loss_cln), ..*last })
    }));
    kept.sort_by_key(|p| (p.step, p.is_validation()));
    kept
}

pub(super) fn write_csv(path: &Path, rows: impl Iterator<Item = impl Serialize>) -> Result<()> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.serialize(row).map_err(|e| Error::Internal(e.to_string()))?;
    }
    let bytes = writer.into_inner().map_err(|e| Error::Internal(e.to_string()))?;
    io::write(path, &bytes)
}

pub(super) fn read_csv<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let bytes = io::read(path)?;
    csv::Reader::from_reader(bytes.as_slice())
        .deserialize()
        .map(|row| row.map_err(|e| Error::file(path, format!("is not as `gal-bench report` writes it: {e}"))))
        .collect()
}

fn remove_affinities(results: &Path) -> Result<()> {
    for path in files_of(results)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("affinity-") && name.ends_with(".csv") {
            std::fs::remove_file(&path).map_err(Error::io("remove", &path))?;
        }
    }
    Ok(())
}

/// The files directly in a folder, sorted.
pub(super) fn files_of(folder: &Path) -> Result<Vec<PathBuf>> {
    let read = || -> std::io::Result<Vec<PathBuf>> {
        std::fs::read_dir(folder)?.map(|entry| entry.map(|e| e.path())).collect()
    };
    let mut paths = read().map_err(Error::io("read", folder))?;
    paths.retain(|path| path.is_file());
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loss(step: u64, loss: f64) -> Point {
        Point {
            step,
            loss_fln: Some(loss),
            loss_cln: None,
            validation_accuracy_fln: None,
            validation_accuracy_cln: None,
        }
    }

    fn validation(step: u64) -> Point {
        Point { loss_fln: None, validation_accuracy_fln: Some(0.8), ..loss(step, 0.0) }
    }

    #[test]
    fn a_short_curve_is_kept_as_it_is() {
        let points = [loss(50, 27.0), loss(100, 25.0), validation(100)];
        assert_eq!(thinned(&points, 400), points);
    }

    #[test]
    fn a_long_curve_keeps_its_mean_its_end_and_at_most_the_limit() {
        let mut points: Vec<Point> = (1..=1000).map(|i| loss(i, i as f64)).collect();
        points.extend((1..=100).map(|i| validation(10 * i)));
        let found = thinned(&points, 40);
        assert!(found.len() <= 40, "{}", found.len());
        let losses: Vec<f64> = found.iter().filter_map(|p| p.loss_fln).collect();
        assert!((mean(&losses) - 500.5).abs() < 15.0, "{}", mean(&losses));
        assert!(found.iter().any(|p| p.is_validation() && p.step == 1000));
        assert!(found.iter().any(|p| !p.is_validation() && p.step == 1000));
    }
}
