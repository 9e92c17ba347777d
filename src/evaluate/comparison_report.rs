//! Any runs, and predictions of other tools, compared with the first of them.

use super::comparison::{Classifier, Comparison, Statistics};
use super::correctness::Correctness;
use super::evaluation::{majority, read_run, trained};
use super::external::{self, External};
use super::head_result::HeadResult;
use super::predictions::Predictions;
use crate::attribute::COUNT;
use crate::config::RunSummary;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Version of the serialized form.
pub const FORMAT: u32 = 1;

/// Compared entries, and the tests of their differences.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComparisonReport {
    /// [`FORMAT`] of the version that made it.
    pub format: u32,
    /// The reference first.
    pub entries: Vec<Entry>,
    /// Every other entry against the reference.
    pub statistics: Statistics,
}

/// A run, or predictions of another tool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Name of the run or stem of the file; the whole path if two have the same.
    pub name: String,
    /// Path as given.
    pub path: String,
    /// The run's record, `None` for another tool.
    pub run: Option<RunSummary>,
    /// Titles of the columns of another tool's file that are no attribute and were left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
    /// Scores of the primary head; the floor is that of the reference's training labels.
    pub result: HeadResult,
}

/// An entry with the correctness of its predictions.
struct ReadEntry {
    entry: Entry,
    correctness: Correctness,
}

impl ComparisonReport {
    /// Compares the run in the first of `paths` with the others: run folders, or files of predictions.
    ///
    /// # Errors
    /// Fewer than two paths, a first path that is no run, an unfinished run, or images or labels that differ from the
    /// first's.
    pub fn new(paths: &[PathBuf]) -> Result<Self> {
        let [first, others @ ..] = paths else {
            return Err(Error::Request("a comparison needs a run folder to compare with".to_owned()));
        };
        if others.is_empty() {
            return Err(Error::Request(format!("{} alone cannot be compared: name another run", first.display())));
        }
        if first.is_file() {
            return Err(Error::Request(format!(
                "{} is a file: the first path must be the folder of a run, which has the labels",
                first.display()
            )));
        }
        if let Some(twice) = (1..paths.len()).find(|&i| paths[..i].contains(&paths[i])) {
            return Err(Error::Request(format!("{} is given twice", paths[twice].display())));
        }
        let (run, predictions) = read_run(first)?;
        let runs = others.iter().map(|path| if path.is_file() { Ok(None) } else { read_run(path).map(Some) });
        let runs = runs.collect::<Result<Vec<_>>>()?;
        // Attributes that a run was not trained on are compared for none.
        let mut scored = trained(&run);
        for (other, _) in runs.iter().flatten() {
            scored.iter_mut().zip(trained(other)).for_each(|(scored, trained)| *scored &= trained);
        }
        let predictions = predictions.with_labels_of(&scored);
        if predictions.labels.iter().all(Option::is_none) {
            return Err(Error::Request("the runs have no trained attribute in common: compare others".to_owned()));
        }
        let reference = Reference { majority: majority(&run), scored, predictions };
        let mut read = vec![reference.score(first, Some(run), reference.predictions.clone())];
        for (path, run) in others.iter().zip(runs) {
            read.push(reference.read(path, run)?);
        }
        // Predictions of an older version lack identities and duplicates; those of another entry are of the same images.
        let identities = read.iter().find_map(|one| one.correctness.images.identities.clone());
        let duplicate_of = read.iter().find_map(|one| one.correctness.images.duplicate_of.clone());
        let images = &mut read[0].correctness.images;
        (images.identities, images.duplicate_of) = (identities, duplicate_of);
        unique_names(&mut read);
        let classifiers: Vec<Classifier> = read
            .iter()
            .map(|one| Classifier { name: &one.entry.name, seed: None, correctness: &one.correctness })
            .collect();
        let pairs: Vec<(&str, &str)> = classifiers[1..].iter().map(|c| (c.name, classifiers[0].name)).collect();
        let statistics = Statistics::new(&classifiers, &pairs)?;
        let entries = read.into_iter().map(|one| one.entry).collect();
        Ok(Self { format: FORMAT, entries, statistics }.without_claims_of_few())
    }

    /// Without intervals and p-values that too few people or images gave, as in results of older versions.
    pub fn without_claims_of_few(mut self) -> Self {
        if self.statistics.few_units().is_some() {
            for entry in &mut self.entries {
                entry.result = entry.result.clone().without_intervals();
            }
        }
        Self { statistics: self.statistics.without_claims_of_few(), ..self }
    }

    /// The entry that the others are compared with.
    pub fn reference(&self) -> &Entry {
        &self.entries[0]
    }

    /// The comparison of an entry with the reference, `None` for the reference itself.
    pub fn comparison(&self, entry: &Entry) -> Option<&Comparison> {
        self.statistics.comparison(&entry.name, &self.reference().name)
    }
}

/// The run that the others are compared with.
struct Reference {
    majority: [bool; COUNT],
    /// The attributes that every run was trained on.
    scored: [bool; COUNT],
    predictions: Predictions,
}

impl Reference {
    /// The predictions of `run`, or another tool's in the file `path`, in the reference's order.
    fn read(&self, path: &Path, run: Option<(RunSummary, Predictions)>) -> Result<ReadEntry> {
        let Some((run, predictions)) = run else {
            let External { probabilities, left_out } =
                external::read(path, &self.predictions.images.names, &self.scored)?;
            let predictions = Predictions { fln: Some(probabilities), cln: None, ..self.predictions.clone() };
            let mut read = self.score(path, None, predictions);
            read.entry.left_out = left_out;
            return Ok(read);
        };
        let predictions = predictions.with_labels_of(&self.scored);
        let predictions = predictions.in_order_of(&self.predictions).map_err(|message| Error::file(path, message))?;
        Ok(self.score(path, Some(run), predictions))
    }

    fn score(&self, path: &Path, run: Option<RunSummary>, predictions: Predictions) -> ReadEntry {
        let of_file = || path.file_stem().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let name = run.as_ref().map_or_else(of_file, |run| run.id.clone());
        let (head, probabilities) = predictions.primary_head();
        let result = HeadResult::new(head, &predictions.labels, probabilities, &self.majority);
        let entry = Entry { name, path: path.display().to_string(), run, left_out: Vec::new(), result };
        ReadEntry { entry, correctness: Correctness::new(predictions) }
    }
}

/// Replaces names that several entries share by their paths.
fn unique_names(read: &mut [ReadEntry]) {
    let names: Vec<String> = read.iter().map(|one| one.entry.name.clone()).collect();
    for one in read {
        if names.iter().filter(|name| **name == one.entry.name).count() > 1 {
            one.entry.name.clone_from(&one.entry.path);
        }
    }
}

/// A letter that stands for entry `place` in narrow columns: A for the reference.
pub fn letter(place: usize) -> String {
    ('A'..='Z').nth(place).map_or_else(|| (place + 1).to_string(), String::from)
}
