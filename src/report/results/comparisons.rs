//! The results files of intervals and tests. `means.csv` holds a row for each mean accuracy, `comparisons.csv` for each
//! comparison a row for the mean and one for every attribute, and `bootstrap.json` how the test images were resampled.

use super::csv_file;
use crate::attribute::{COUNT, NAMES};
use crate::error::{Error, Result};
use crate::evaluate::comparison::{AttributeTest, MeanAccuracy, MeanDifference};
use crate::evaluate::{Comparison, Head, Statistics};
use crate::io;
use crate::metrics::bootstrap::BootstrapInfo;
use crate::metrics::interval::Interval;
use crate::variant::deserialize_name;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Attribute in the row about the mean.
const MEAN: &str = "mean";

/// A row of `means.csv`.
#[derive(Serialize, Deserialize)]
struct MeanRow {
    #[serde(deserialize_with = "deserialize_name")]
    variant: String,
    /// Separated by spaces.
    seeds: String,
    head: Head,
    accuracy: f64,
    interval_low: Option<f64>,
    interval_high: Option<f64>,
}

/// A row of `comparisons.csv`. The row of the mean has an interval, the row of an attribute has counts. Interval and p-values
/// are empty without a test.
#[derive(Serialize, Deserialize)]
struct Row {
    #[serde(deserialize_with = "deserialize_name")]
    variant: String,
    #[serde(deserialize_with = "deserialize_name")]
    reference: String,
    seeds: String,
    same_features: bool,
    attribute: String,
    difference: Option<f64>,
    interval_low: Option<f64>,
    interval_high: Option<f64>,
    deviation_over_seeds: Option<f64>,
    same_sign_with_every_seed: Option<bool>,
    #[serde(alias = "only_variant_right")]
    only_variant_correct: Option<usize>,
    #[serde(alias = "only_reference_right")]
    only_reference_correct: Option<usize>,
    p: Option<f64>,
    p_holm: Option<f64>,
    /// Number of people or images with a difference in the mean.
    #[serde(default)]
    differing: Option<usize>,
}

/// Writes into the folder `results`.
pub(in crate::report) fn write(statistics: &Statistics, results: &Path) -> Result<()> {
    csv_file::write(&results.join("means.csv"), statistics.means.iter().map(mean_row))?;
    csv_file::write(&results.join("comparisons.csv"), statistics.comparisons.iter().flat_map(rows))?;
    io::write_json(&results.join("bootstrap.json"), &statistics.resampling)
}

/// Reads the folder `results`; `None` if a version without these files wrote it.
pub(in crate::report) fn read(results: &Path) -> Result<Option<Statistics>> {
    let path = results.join("bootstrap.json");
    let Some(resampling) = io::read_json_if_exists::<BootstrapInfo>(&path, "a description of the bootstrap")? else {
        return Ok(None);
    };
    let path = results.join("means.csv");
    let means: Vec<MeanRow> = csv_file::read(&path)?;
    let means = means.into_iter().map(|row| mean(&path, row)).collect::<Result<_>>()?;
    let path = results.join("comparisons.csv");
    let rows: Vec<Row> = csv_file::read(&path)?;
    let comparisons = rows.chunks(1 + COUNT).map(|rows| comparison(&path, rows)).collect::<Result<_>>()?;
    Ok(Some(Statistics { resampling, means, comparisons }.without_claims_of_few()))
}

fn listed(seeds: &[u64]) -> String {
    seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(" ")
}

fn seeds(path: &Path, listed: &str) -> Result<Vec<u64>> {
    let wrong = |e| Error::file(path, format!("`{listed}` is not a list of seeds: {e}; collect the runs again"));
    listed.split_whitespace().map(|seed| seed.parse().map_err(wrong)).collect()
}

fn mean_row(mean: &MeanAccuracy) -> MeanRow {
    MeanRow {
        variant: mean.name.clone(),
        seeds: listed(&mean.seeds),
        head: mean.head,
        accuracy: mean.accuracy,
        interval_low: mean.interval.map(|interval| interval.low),
        interval_high: mean.interval.map(|interval| interval.high),
    }
}

fn mean(path: &Path, row: MeanRow) -> Result<MeanAccuracy> {
    Ok(MeanAccuracy {
        seeds: seeds(path, &row.seeds)?,
        name: row.variant,
        head: row.head,
        accuracy: row.accuracy,
        interval: Interval::of_bounds(row.interval_low, row.interval_high),
    })
}

fn rows(comparison: &Comparison) -> Vec<Row> {
    let mean = &comparison.mean;
    let of_mean = Row {
        variant: comparison.name.clone(),
        reference: comparison.reference.clone(),
        seeds: listed(&comparison.seeds),
        same_features: comparison.same_features,
        attribute: MEAN.to_owned(),
        difference: Some(mean.difference),
        interval_low: mean.interval.map(|interval| interval.low),
        interval_high: mean.interval.map(|interval| interval.high),
        deviation_over_seeds: mean.deviation,
        same_sign_with_every_seed: Some(mean.every_seed),
        only_variant_correct: None,
        only_reference_correct: None,
        p: mean.p,
        p_holm: None,
        differing: mean.differing,
    };
    let of_attribute = |test: &AttributeTest| Row {
        variant: comparison.name.clone(),
        reference: comparison.reference.clone(),
        seeds: listed(&comparison.seeds),
        same_features: comparison.same_features,
        attribute: test.attribute.clone(),
        difference: test.difference,
        interval_low: None,
        interval_high: None,
        deviation_over_seeds: None,
        same_sign_with_every_seed: None,
        only_variant_correct: Some(test.gained),
        only_reference_correct: Some(test.lost),
        p: test.p,
        p_holm: test.p_holm,
        differing: None,
    };
    std::iter::once(of_mean).chain(comparison.attributes.iter().map(of_attribute)).collect()
}

/// A comparison from its 41 rows.
fn comparison(path: &Path, rows: &[Row]) -> Result<Comparison> {
    let read = || {
        let (first, others) = rows.split_first()?;
        let key = |row: &Row| (row.variant.clone(), row.reference.clone(), row.seeds.clone());
        let names = others.iter().map(|row| row.attribute.as_str());
        if first.attribute != MEAN || !names.eq(NAMES) || others.iter().any(|row| key(row) != key(first)) {
            return None;
        }
        let mean = MeanDifference {
            difference: first.difference?,
            interval: Interval::of_bounds(first.interval_low, first.interval_high),
            p: first.p,
            differing: first.differing,
            deviation: first.deviation_over_seeds,
            every_seed: first.same_sign_with_every_seed?,
        };
        let test = |row: &Row| {
            Some(AttributeTest {
                attribute: row.attribute.clone(),
                gained: row.only_variant_correct?,
                lost: row.only_reference_correct?,
                difference: row.difference,
                p: row.p,
                p_holm: row.p_holm,
            })
        };
        Some((first, mean, others.iter().map(test).collect::<Option<Vec<_>>>()?))
    };
    let Some((first, mean, attributes)) = read() else {
        let (variant, reference) = rows.first().map_or(("", ""), |row| (&row.variant, &row.reference));
        let message = format!(
            "the rows of {variant} against {reference} are not the mean and the {COUNT} attributes in CelebA's order: \
             collect the runs again"
        );
        return Err(Error::file(path, message));
    };
    Ok(Comparison {
        name: first.variant.clone(),
        reference: first.reference.clone(),
        seeds: seeds(path, &first.seeds)?,
        same_features: first.same_features,
        mean,
        attributes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::{Classifier, Correctness};
    use crate::metrics::bootstrap::TestImages;

    #[test]
    fn what_was_written_reads_back_the_same() {
        let correctness = |bits: u64| Correctness {
            images: TestImages { names: (0..30).map(|i| i.to_string()).collect(), ..TestImages::default() },
            labels: vec![0; 30],
            known: vec![(1 << COUNT) - 1; 30],
            correct: vec![(Head::Fln, (0..30).map(|i| bits.rotate_left(i) & ((1 << COUNT) - 1)).collect())],
        };
        let (a, b) = (correctness(0x1234_5678_9ABC), correctness(0xFEDC_BA98_7654));
        let classifiers: Vec<Classifier> = [("baseline", &a), ("gal-j", &b)]
            .into_iter()
            .flat_map(|(name, correctness)| [3, 5].map(|seed| Classifier { name, seed: Some(seed), correctness }))
            .collect();
        let statistics = Statistics::new(&classifiers, &[("gal-j", "baseline")]).unwrap();
        assert_eq!((statistics.means.len(), statistics.comparisons.len()), (6, 3));
        let place = tempfile::tempdir().unwrap();
        write(&statistics, place.path()).unwrap();
        assert_eq!(read(place.path()).unwrap().as_ref(), Some(&statistics));
        // The names of version 0.1.0.
        let path = place.path().join("comparisons.csv");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("only_variant_correct,only_reference_correct"));
        std::fs::write(path, text.replace("_correct", "_right")).unwrap();
        assert_eq!(read(place.path()).unwrap(), Some(statistics));
    }
}
