//! What runs say of how attributes depend on each other, as small files among the results: `correlation.csv` holds a row
//! a run, `phi.csv` the correlation of every pair of labels and of each run's answers, `contradictions.csv` how often
//! either contradict themselves, `reliability.csv` the bins of the reliability diagram, `masks-VARIANT-seedN.csv` the
//! mean masks. Reports from before these files have none of them, and none of the sections they feed.

use super::results::{Run, files_of, read_csv, write_csv};
use crate::attribute::{COUNT, NAMES};
use crate::error::{Error, Result};
use crate::evaluate::Predictions;
use crate::evaluate::masks::{Maps, Masks};
use crate::io;
use crate::metrics::affinity::AffinityConcentration;
use crate::metrics::labels::{CONTRADICTIONS, Labels};
use crate::metrics::mantel::MantelTest;
use crate::metrics::phi::{AttributeMatrix, PhiGap, absolute, order, phi};
use crate::metrics::reliability::{BINS, Bin, bins};
use crate::synthetic::latent_correlation;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The seed of the permutations behind every p-value.
const SEED: u64 = 0;

/// A row of `correlation.csv`; cells that are not defined are empty.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) variant: String,
    pub(super) seed: u64,
    /// Mean weight of an attribute on itself.
    pub(super) diagonal: Option<f64>,
    /// Mean entropy of a row in nats.
    pub(super) entropy: Option<f64>,
    /// As how many equal weights have that entropy.
    pub(super) neighbours: Option<f64>,
    /// Rank correlation of the affinity with |phi| of the test labels, and Mantel's p of it.
    pub(super) rho_strength: Option<f64>,
    pub(super) p_strength: Option<f64>,
    /// The same with phi, in which opposites rank lowest.
    pub(super) rho_phi: Option<f64>,
    pub(super) p_phi: Option<f64>,
    /// The same with the absolute correlation that synthetic labels were drawn with.
    pub(super) rho_truth_strength: Option<f64>,
    pub(super) p_truth_strength: Option<f64>,
    /// The same with its sign.
    pub(super) rho_truth: Option<f64>,
    pub(super) p_truth: Option<f64>,
    /// Pairs of attributes with a phi of labels and of answers.
    pub(super) pairs: usize,
    /// Mean absolute difference of the two, their correlation, and the mean absolute phi of either.
    pub(super) phi_difference: Option<f64>,
    pub(super) phi_correlation: Option<f64>,
    pub(super) phi_labels: Option<f64>,
    pub(super) phi_answers: Option<f64>,
}

/// A row of `reliability.csv`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct ReliabilityRow {
    variant: String,
    seed: u64,
    bin: usize,
    low: f64,
    high: f64,
    count: usize,
    positives: usize,
    probability: f64,
}

/// What one run says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    pub(super) row: Row,
    /// Phi of the answers.
    pub(super) phi: AttributeMatrix,
    /// Images whose answers contradict themselves, for each of [`CONTRADICTIONS`].
    pub(super) contradictions: Vec<usize>,
    /// All answers of the judged head.
    pub(super) reliability: Vec<Bin>,
    /// The mean masks, `[40][side * side]`, where the run wrote them.
    pub(super) masks: Option<Maps>,
}

/// What all runs of a report say, and their labels.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Correlations {
    /// Phi of the test labels.
    pub(super) labels: AttributeMatrix,
    /// What contradicts what, and in how many images the labels do.
    pub(super) contradictions: Vec<(String, usize)>,
    /// Test images.
    pub(super) images: usize,
    /// In the order of the report's runs.
    pub(super) runs: Vec<Found>,
}

impl Correlations {
    /// Those of one variant, a seed each.
    pub(super) fn of(&self, variant: &str) -> Vec<&Found> {
        self.runs.iter().filter(|run| run.row.variant == variant).collect()
    }

    /// The attributes with those neighbours that go together in the labels.
    pub(super) fn order(&self) -> Vec<usize> {
        order(&self.labels)
    }
}

/// What is counted of one run's predictions.
pub(super) struct Said {
    labels: Labels,
    answers: Labels,
    /// All answers of the judged head.
    reliability: Vec<Bin>,
    /// The mean masks.
    masks: Option<Maps>,
}

impl Said {
    pub(super) fn of(predictions: &Predictions, masks: Option<&Masks>) -> Self {
        let (_, primary) = predictions.primary_head();
        Self {
            labels: Labels::of_images(&predictions.labels),
            answers: Labels::predicted(primary),
            reliability: bins(predictions.labels.iter().copied().zip(primary.iter().copied())).to_vec(),
            masks: masks.map(|masks| masks.mean.clone()),
        }
    }
}

/// Writes what each of `runs` said, all of the same test images, into the results below `folder`; what an earlier report
/// left there goes.
pub(super) fn write(runs: &[Run], said: Vec<Said>, folder: &Path) -> Result<()> {
    let results = folder.join("results");
    for path in mask_files(&results)? {
        io::remove(&path)?;
    }
    let Some(Said { labels, .. }) = said.first() else { return Ok(()) };
    let words = CONTRADICTIONS.iter().zip(labels.contradictions);
    let mut all = Correlations {
        labels: phi(labels),
        contradictions: words.map(|(rule, count)| (rule.words.to_owned(), count)).collect(),
        images: labels.images,
        runs: Vec::with_capacity(runs.len()),
    };
    for (run, said) in runs.iter().zip(said) {
        let answers = phi(&said.answers);
        all.runs.push(Found {
            row: row(run, &all.labels, &answers)?,
            phi: answers,
            contradictions: said.answers.contradictions.to_vec(),
            reliability: said.reliability,
            masks: said.masks,
        });
    }
    write_csv(&results.join("correlation.csv"), all.runs.iter().map(|run| &run.row))?;
    write_csv(&results.join("reliability.csv"), all.runs.iter().flat_map(reliability_rows))?;
    write_wide(&results.join("phi.csv"), &all.phi_table())?;
    write_wide(&results.join("contradictions.csv"), &all.contradiction_table())?;
    for run in &all.runs {
        if let Some(maps) = &run.masks {
            write_wide(&results.join(mask_file(&run.row)), &mask_table([("mean".to_owned(), maps)]))?;
        }
    }
    Ok(())
}

/// What one run's affinity and answers are worth beside the labels.
fn row(run: &Run, labels: &AttributeMatrix, answers: &AttributeMatrix) -> Result<Row> {
    let summary = run.summary();
    let residual = PhiGap::of(labels, answers);
    let mut row = Row {
        variant: summary.variant.clone(),
        seed: summary.seed,
        pairs: residual.map_or(0, |r| r.pairs),
        phi_difference: residual.map(|r| r.difference),
        phi_correlation: residual.and_then(|r| r.correlation),
        phi_labels: residual.map(|r| r.labels),
        phi_answers: residual.map(|r| r.predictions),
        ..Row::default()
    };
    let Some(affinity) = &run.affinity else { return Ok(row) };
    let concentration = AffinityConcentration::of(affinity);
    row.diagonal = Some(concentration.diagonal);
    row.entropy = Some(concentration.entropy);
    row.neighbours = Some(concentration.neighbours());
    let against = |cells: &AttributeMatrix| MantelTest::of(affinity, cells, SEED).map(|a| (a.rho, a.p)).unzip();
    (row.rho_strength, row.p_strength) = against(&absolute(labels));
    (row.rho_phi, row.p_phi) = against(labels);
    if summary.dataset == "synthetic" {
        let truth = latent_correlation()?;
        (row.rho_truth_strength, row.p_truth_strength) = against(&absolute(&truth));
        (row.rho_truth, row.p_truth) = against(&truth);
    }
    Ok(row)
}

fn reliability_rows(run: &Found) -> impl Iterator<Item = ReliabilityRow> {
    run.reliability.iter().enumerate().map(|(bin, found)| ReliabilityRow {
        variant: run.row.variant.clone(),
        seed: run.row.seed,
        bin,
        low: bin as f64 / BINS as f64,
        high: (bin + 1) as f64 / BINS as f64,
        count: found.count,
        positives: found.positives,
        probability: found.probability,
    })
}

/// The name of a run in the header of a table with a column a run.
fn column(row: &Row) -> String {
    format!("{}-seed{}", row.variant, row.seed)
}

fn mask_file(row: &Row) -> String {
    format!("masks-{}.csv", column(row))
}

/// A table whose columns depend on the runs: header, then rows.
pub(super) type Wide = Vec<Vec<String>>;

/// Pairs of different attributes, each once.
fn pairs() -> impl Iterator<Item = (usize, usize)> {
    (0..COUNT).flat_map(|i| (i + 1..COUNT).map(move |j| (i, j)))
}

impl Correlations {
    fn header(&self, first: &[&str]) -> Vec<String> {
        first.iter().map(|&name| name.to_owned()).chain(self.runs.iter().map(|run| column(&run.row))).collect()
    }

    fn phi_table(&self) -> Wide {
        let cell = |phi: Option<f64>| phi.map_or_else(String::new, |phi| format!("{phi:.6}"));
        let row = |(i, j): (usize, usize)| -> Vec<String> {
            let names = [NAMES[i], NAMES[j]].map(str::to_owned).into_iter();
            let phis = std::iter::once(&self.labels).chain(self.runs.iter().map(|run| &run.phi));
            names.chain(phis.map(|phi| cell(phi[i][j]))).collect()
        };
        std::iter::once(self.header(&["attribute", "other", "labels"])).chain(pairs().map(row)).collect()
    }

    fn contradiction_table(&self) -> Wide {
        let row = |(place, (words, count)): (usize, &(String, usize))| -> Vec<String> {
            let counts = self.runs.iter().map(|run| run.contradictions[place]);
            let counts = [self.images, *count].into_iter().chain(counts);
            std::iter::once(words.clone()).chain(counts.map(|count| count.to_string())).collect()
        };
        let rows = self.contradictions.iter().enumerate().map(row);
        std::iter::once(self.header(&["contradiction", "images", "labels"])).chain(rows).collect()
    }
}

/// Masks as a table: what they are of, the attribute, and the cells row by row.
pub(super) fn mask_table<'a>(entries: impl IntoIterator<Item = (String, &'a Maps)>) -> Wide {
    let mut table = Vec::new();
    for (of, maps) in entries {
        if table.is_empty() {
            let cells = (0..maps[0].len()).map(|cell| format!("cell{cell}"));
            table.push(["of", "attribute"].map(str::to_owned).into_iter().chain(cells).collect());
        }
        table.extend(NAMES.iter().zip(maps).map(|(name, map)| {
            let cells = map.iter().map(|value| format!("{value:.5}"));
            [of.clone(), (*name).to_owned()].into_iter().chain(cells).collect::<Vec<String>>()
        }));
    }
    table
}

pub(super) fn write_wide(path: &Path, table: &Wide) -> Result<()> {
    let text: String = table.iter().map(|row| row.join(",") + "\n").collect();
    io::write(path, text.as_bytes())
}

/// Reads what [`write()`] wrote into the results below `folder`, where there is any.
///
/// # Errors
/// Files that are not as described above.
pub(super) fn read(folder: &Path) -> Result<Option<Correlations>> {
    let results = folder.join("results");
    let path = results.join("correlation.csv");
    if !path.is_file() {
        return Ok(None);
    }
    let rows: Vec<Row> = read_csv(&path)?;
    let reliability: Vec<ReliabilityRow> = read_csv(&results.join("reliability.csv"))?;
    let phi = Table::read(&results.join("phi.csv"))?;
    let contradictions = Table::read(&results.join("contradictions.csv"))?;
    let labels = phi.cells("labels")?;
    let images = contradictions.counts("images")?.first().copied().unwrap_or(0);
    let words = contradictions.text("contradiction")?;
    let runs = rows.into_iter().map(|row| {
        let own = |r: &&ReliabilityRow| r.variant == row.variant && r.seed == row.seed;
        let bin = |r: &ReliabilityRow| Bin { count: r.count, positives: r.positives, probability: r.probability };
        let masks = results.join(mask_file(&row));
        Ok(Found {
            phi: phi.cells(&column(&row))?,
            contradictions: contradictions.counts(&column(&row))?,
            reliability: reliability.iter().filter(own).map(bin).collect(),
            masks: if masks.is_file() { Table::read(&masks)?.maps()?.pop() } else { None },
            row,
        })
    });
    Ok(Some(Correlations {
        labels,
        contradictions: words.into_iter().zip(contradictions.counts("labels")?).collect(),
        images,
        runs: runs.collect::<Result<_>>()?,
    }))
}

/// A CSV file by column.
pub(super) struct Table {
    path: PathBuf,
    columns: BTreeMap<String, Vec<String>>,
}

impl Table {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let rows: Vec<BTreeMap<String, String>> = read_csv(path)?;
        let mut columns: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, cell) in rows.into_iter().flatten() {
            columns.entry(name).or_default().push(cell);
        }
        Ok(Self { path: path.to_path_buf(), columns })
    }

    fn wrong(&self, why: impl std::fmt::Display) -> Error {
        Error::file(&self.path, format!("{why}: run `gal-bench evaluate` again"))
    }

    fn text(&self, column: &str) -> Result<Vec<String>> {
        self.columns.get(column).cloned().ok_or_else(|| self.wrong(format!("has no column `{column}`")))
    }

    fn counts(&self, column: &str) -> Result<Vec<usize>> {
        let parse = |cell: String| cell.parse().map_err(|_| self.wrong(format!("`{column}` holds `{cell}`, no count")));
        self.text(column)?.into_iter().map(parse).collect()
    }

    /// A column with a number for each pair of attributes.
    fn cells(&self, column: &str) -> Result<AttributeMatrix> {
        let values = self.text(column)?;
        if values.len() != COUNT * (COUNT - 1) / 2 {
            return Err(self.wrong(format!("holds {} pairs, expected {}", values.len(), COUNT * (COUNT - 1) / 2)));
        }
        let mut cells: AttributeMatrix = vec![[None; COUNT]; COUNT];
        for ((i, j), text) in pairs().zip(values).filter(|(_, text)| !text.is_empty()) {
            let value: f64 = text.parse().map_err(|_| self.wrong(format!("`{column}` holds `{text}`, no number")))?;
            (cells[i][j], cells[j][i]) = (Some(value), Some(value));
        }
        Ok(cells)
    }

    /// The masks of each entry, as [`mask_table`] puts them down.
    pub(super) fn maps(&self) -> Result<Vec<Maps>> {
        let cells = self.columns.len().saturating_sub(2);
        let names = self.text("attribute")?;
        let in_order = names.chunks(COUNT).all(|names| *names == NAMES);
        if !in_order || cells == 0 || cells.isqrt().pow(2) != cells {
            return Err(self.wrong(format!("is not {COUNT} attributes with the cells of a square each")));
        }
        let number = |text: &String| text.parse().map_err(|_| self.wrong(format!("`{text}` is no number")));
        let columns: Vec<Vec<f32>> = (0..cells)
            .map(|cell| self.text(&format!("cell{cell}"))?.iter().map(number).collect::<Result<Vec<f32>>>())
            .collect::<Result<_>>()?;
        let map = |row: usize| columns.iter().map(|column| column[row]).collect();
        Ok((0..names.len() / COUNT).map(|entry| (0..COUNT).map(|i| map(entry * COUNT + i)).collect()).collect())
    }
}

fn mask_files(results: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = files_of(results)?;
    paths.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("masks-") && name.ends_with(".csv")
    });
    Ok(paths)
}
