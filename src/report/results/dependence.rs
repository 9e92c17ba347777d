//! The results files of how attributes depend on each other.
//! - `correlation.csv`: the measures, a row a run
//! - `phi.csv`: phi of labels and predictions, a row a pair of attributes
//! - `contradictions.csv`: counts, a row a contradiction
//! - `reliability.csv`: the bins of the reliability diagrams
//! - `masks-VARIANT-seedN.csv`: a run's mean masks
//!
//! Reports of older versions lack these files and the sections about them.

use super::csv_file;
use super::wide_table::WideTable;
use crate::attribute::{NAMES, pairs};
use crate::error::Result;
use crate::evaluate::dependence::{Correlations, DependenceMeasures, RunDependence};
use crate::metrics::reliability::{BINS, Bin};
use crate::variant::{REGISTRY, deserialize_name};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A row of `reliability.csv`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct ReliabilityRow {
    #[serde(deserialize_with = "deserialize_name")]
    variant: String,
    seed: u64,
    bin: usize,
    low: f64,
    high: f64,
    count: usize,
    positives: usize,
    probability: f64,
}

/// Writes into the results below `folder`, and removes masks of an earlier report.
pub(in crate::report) fn write(correlations: &Correlations, folder: &Path) -> Result<()> {
    let results = folder.join("results");
    csv_file::remove_all(folder, "masks-")?;
    let runs = &correlations.runs;
    csv_file::write(&results.join("correlation.csv"), runs.iter().map(|run| &run.measures))?;
    csv_file::write(&results.join("reliability.csv"), runs.iter().flat_map(reliability_rows))?;
    phi_table(correlations, results.join("phi.csv")).write()?;
    contradiction_table(correlations, results.join("contradictions.csv")).write()?;
    for run in runs {
        if let Some(maps) = &run.masks {
            WideTable::of_masks(
                results.join(mask_file(&run.measures.variant, run.measures.seed)),
                [("mean".to_owned(), maps)],
            )
            .write()?;
        }
    }
    Ok(())
}

/// Reads what [`write()`] wrote; `None` in a report of an older version.
///
/// # Errors
/// Files that are not as described above.
pub(in crate::report) fn read(folder: &Path) -> Result<Option<Correlations>> {
    let results = folder.join("results");
    let path = results.join("correlation.csv");
    if !path.is_file() {
        return Ok(None);
    }
    let measures: Vec<DependenceMeasures> = csv_file::read(&path)?;
    let reliability: Vec<ReliabilityRow> = csv_file::read(&results.join("reliability.csv"))?;
    let phi = WideTable::read(&results.join("phi.csv"))?;
    let contradictions = WideTable::read(&results.join("contradictions.csv"))?;
    let runs = measures.into_iter().map(|measures| {
        let own = |r: &&ReliabilityRow| r.variant == measures.variant && r.seed == measures.seed;
        let bin = |r: &ReliabilityRow| Bin { count: r.count, positives: r.positives, probability: r.probability };
        let names = REGISTRY.names(&measures.variant).into_iter();
        let masks = names.map(|name| results.join(mask_file(name, measures.seed))).find(|path| path.is_file());
        Ok(RunDependence {
            phi: phi.matrix(&measures.column())?,
            contradictions: contradictions.numbers(&measures.column())?,
            reliability: reliability.iter().filter(own).map(bin).collect(),
            masks: masks.map(|path| WideTable::read(&path)?.masks()).transpose()?.and_then(|mut masks| masks.pop()),
            measures,
        })
    });
    let runs = runs.collect::<Result<_>>()?;
    let words = contradictions.column("contradiction")?.map(str::to_owned);
    Ok(Some(Correlations {
        labels: phi.matrix("labels")?,
        contradictions: words.zip(contradictions.numbers("labels")?).collect(),
        images: contradictions.numbers("images")?.first().copied().unwrap_or(0),
        runs,
    }))
}

fn reliability_rows(run: &RunDependence) -> impl Iterator<Item = ReliabilityRow> {
    run.reliability.iter().enumerate().map(|(i, bin)| ReliabilityRow {
        variant: run.measures.variant.clone(),
        seed: run.measures.seed,
        bin: i,
        low: i as f64 / BINS as f64,
        high: (i + 1) as f64 / BINS as f64,
        count: bin.count,
        positives: bin.positives,
        probability: bin.probability,
    })
}

fn header(first: [&str; 3], correlations: &Correlations) -> Vec<String> {
    let runs = correlations.runs.iter().map(|run| run.measures.column());
    first.map(str::to_owned).into_iter().chain(runs).collect()
}

fn phi_table(correlations: &Correlations, path: PathBuf) -> WideTable {
    let mut table = WideTable::new(path, header(["attribute", "other", "labels"], correlations));
    for (i, j) in pairs() {
        let phis = std::iter::once(&correlations.labels).chain(correlations.runs.iter().map(|run| &run.phi));
        let cells = phis.map(|phi| phi[i][j].map_or_else(String::new, |phi| format!("{phi:.6}")));
        table.row([NAMES[i], NAMES[j]].map(str::to_owned).into_iter().chain(cells));
    }
    table
}

fn contradiction_table(correlations: &Correlations, path: PathBuf) -> WideTable {
    let mut table = WideTable::new(path, header(["contradiction", "images", "labels"], correlations));
    for (i, (words, count)) in correlations.contradictions.iter().enumerate() {
        let counts = [correlations.images, *count].into_iter();
        let counts = counts.chain(correlations.runs.iter().map(|run| run.contradictions[i]));
        table.row(std::iter::once(words.clone()).chain(counts.map(|count| count.to_string())));
    }
    table
}

fn mask_file(variant: &str, seed: u64) -> String {
    format!("masks-{variant}-seed{seed}.csv")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Version 0.1.0 wrote `phi_answers`.
    #[test]
    fn measures_are_read_under_their_former_names() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("correlation.csv");
        let variant = "gal-j".to_owned();
        let measures = DependenceMeasures { variant, phi_predictions: Some(0.25), ..DependenceMeasures::default() };
        csv_file::write(&path, std::iter::once(&measures)).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("phi_predictions", "phi_answers")).unwrap();
        assert_eq!(csv_file::read::<DependenceMeasures>(&path).unwrap(), [measures]);
    }
}
