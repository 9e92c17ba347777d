//! Any runs, and predictions of other tools, against the first of them: the same tables and tests as in a report, kept
//! in one file of results, `results/comparison.json`, from which the page is rendered.

#![allow(
    clippy::format_push_string,
    reason = "a page is text put together once: `write!` would add a result to ignore"
)]

use super::comparisons::{differing, how_tested, table};
use super::sentences::{self, findings};
use crate::attribute::{COUNT, NAMES};
use crate::config::RunSummary;
use crate::error::{Error, Result};
use crate::evaluate::{self, Classifier, Comparison, Correctness, HeadResult, Predictions, Statistics, external};
use crate::io;
use crate::render::format::{p_cell, percent, percent_interval, points, thousands};
use crate::render::markdown::{Table, bold};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The form of `comparison.json`, for readers of another version.
const FORMAT: u32 = 1;

/// The file below a comparison's folder, then its name in version 0.1.0.
const FILES: [&str; 2] = ["results/comparison.json", "results/contest.json"];

/// Who was compared, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComparisonReport {
    format: u32,
    /// The reference first.
    pub entries: Vec<Entry>,
    /// Of every other entry against the reference.
    pub statistics: Statistics,
}

/// A run, or predictions of another tool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The run's name or the file's, or all of the path where two have the same.
    pub name: String,
    /// As it was given.
    pub path: String,
    /// The record of a run; nothing for another tool.
    pub run: Option<RunSummary>,
    /// Scores by the head it is judged by; the floor is that of the reference's training labels.
    pub result: HeadResult,
}

/// An entry with its answers.
struct Read {
    entry: Entry,
    correctness: Correctness,
}

impl ComparisonReport {
    /// Compares the run in the first of `paths` with the others: run folders, or files of predictions.
    ///
    /// # Errors
    /// Fewer than two; a first that is no run; runs that are not finished; images or labels that are not those of the
    /// first.
    pub fn new(paths: &[PathBuf]) -> Result<Self> {
        let [first, others @ ..] = paths else {
            return Err(Error::Request("a comparison needs a run folder to compare with".to_owned()));
        };
        if others.is_empty() {
            return Err(Error::Request(format!("{} alone cannot be compared: name another run", first.display())));
        }
        if first.is_file() {
            return Err(Error::Request(format!(
                "{} is a file: the first must be the folder of a run, which knows the labels",
                first.display()
            )));
        }
        if let Some(twice) = (1..paths.len()).find(|&i| paths[..i].contains(&paths[i])) {
            return Err(Error::Request(format!("{} is given twice", paths[twice].display())));
        }
        let (run, predictions) = evaluate::read_run(first)?;
        let reference = Reference { majority: evaluate::majority(&run), predictions };
        let mut read = vec![reference.score(first, Some(run), reference.predictions.clone())];
        for path in others {
            read.push(reference.read(path)?);
        }
        // An older reference may not say whose faces its images show while another run does.
        let identities = read.iter().find_map(|one| one.correctness.identities.clone());
        read[0].correctness.identities = identities;
        unique_names(&mut read);
        let classifiers: Vec<Classifier> = read
            .iter()
            .map(|one| Classifier { name: &one.entry.name, seed: None, correctness: &one.correctness })
            .collect();
        let pairs: Vec<(&str, &str)> = classifiers[1..].iter().map(|c| (c.name, classifiers[0].name)).collect();
        let statistics = Statistics::new(&classifiers, &pairs)?;
        Ok(Self { format: FORMAT, entries: read.into_iter().map(|one| one.entry).collect(), statistics })
    }

    /// Reads what [`ComparisonReport::write`] wrote below `folder`; nothing where it wrote nothing.
    pub fn read(folder: &Path) -> Result<Option<Self>> {
        let Some(path) = FILES.iter().map(|file| folder.join(file)).find(|path| path.is_file()) else {
            return Ok(None);
        };
        let comparison: Self = io::read_json(&path, "a result of `gal-bench compare`")?;
        let whole = |entry: &Entry| entry.result.attributes.len() == COUNT;
        if comparison.format != FORMAT || comparison.entries.len() < 2 || !comparison.entries.iter().all(whole) {
            return Err(Error::file(path, "is not of this version's form: run `gal-bench compare` again"));
        }
        Ok(Some(comparison))
    }

    /// Writes results and page below `folder`; what was written.
    ///
    /// # Errors
    /// A folder that holds a report of another kind.
    pub fn write(&self, folder: &Path) -> Result<Vec<PathBuf>> {
        if folder.join("results/results.json").exists() {
            return Err(Error::Request(format!(
                "{} holds a report already: give --output another folder",
                folder.display()
            )));
        }
        io::create_folder(&folder.join("results"))?;
        io::write_json(&folder.join(FILES[0]), self)?;
        for old in &FILES[1..] {
            io::remove(&folder.join(old))?;
        }
        super::write(folder)
    }

    fn reference(&self) -> &Entry {
        &self.entries[0]
    }

    fn comparison(&self, entry: &Entry) -> Option<&Comparison> {
        self.statistics.comparison(&entry.name, &self.reference().name)
    }
}

/// The run that all others are compared with.
struct Reference {
    majority: [bool; COUNT],
    predictions: Predictions,
}

impl Reference {
    /// A run's predictions, or another tool's, in the reference's order.
    fn read(&self, path: &Path) -> Result<Read> {
        if path.is_file() {
            let probabilities = external::read(path, &self.predictions.images)?;
            let predictions = Predictions { fln: Some(probabilities), cln: None, ..self.predictions.clone() };
            return Ok(self.score(path, None, predictions));
        }
        let (run, predictions) = evaluate::read_run(path)?;
        let predictions = predictions.in_order_of(&self.predictions).map_err(|message| Error::file(path, message))?;
        Ok(self.score(path, Some(run), predictions))
    }

    fn score(&self, path: &Path, run: Option<RunSummary>, predictions: Predictions) -> Read {
        let of_file = || path.file_stem().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let name = run.as_ref().map_or_else(of_file, |run| run.id.clone());
        let (head, probabilities) = predictions.primary_head();
        let result = HeadResult::new(head, &predictions.labels, probabilities, &self.majority);
        let entry = Entry { name, path: path.display().to_string(), run, result };
        Read { entry, correctness: Correctness::new(predictions) }
    }
}

/// Where two have one name, all of that name take their paths.
fn unique_names(read: &mut [Read]) {
    let names: Vec<String> = read.iter().map(|one| one.entry.name.clone()).collect();
    for one in read {
        if names.iter().filter(|name| **name == one.entry.name).count() > 1 {
            one.entry.name.clone_from(&one.entry.path);
        }
    }
}

/// A letter a contestant, for narrow columns.
fn letter(place: usize) -> String {
    let letters = ('A'..='Z').map(String::from);
    letters.into_iter().nth(place).unwrap_or_else(|| (place + 1).to_string())
}

impl ComparisonReport {
    /// For a terminal: a line an attribute, accuracies in percent, differences in points with Holm's p-value.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (place, entry) in self.entries.iter().enumerate() {
            let role = if place == 0 { " (reference)" } else { "" };
            let _ = writeln!(text, "{}{role}: {}, {}", letter(place), entry.name, entry.describe());
        }
        let _ = write!(text, "\n{:<22}{:>8}", "accuracy in %", "floor");
        for place in 0..self.entries.len() {
            let _ = write!(text, "{:>8}", letter(place));
            if place > 0 {
                let _ = write!(text, "{:>8}{:>9}", format!("{}-A", letter(place)), "p");
            }
        }
        text.push('\n');
        for (i, name) in NAMES.iter().enumerate() {
            let _ = write!(text, "{name:<22}{:>8}", percent(self.reference().result.attributes[i].floor));
            for entry in &self.entries {
                let _ = write!(text, "{:>8}", percent(entry.result.attributes[i].accuracy));
                if let Some(test) = self.comparison(entry).and_then(|c| c.attributes.get(i)) {
                    let _ = write!(text, "{:>8}{:>9}", points(test.difference), p_cell(test.p_holm, 3));
                }
            }
            text.push('\n');
        }
        let _ = write!(text, "{:<22}{:>8}", "mean", percent(self.reference().result.mean_floor()));
        for entry in &self.entries {
            let _ = write!(text, "{:>8}", percent(entry.result.mean_accuracy()));
            if let Some(comparison) = self.comparison(entry) {
                let _ = write!(text, "{:>8}{:>9}", points(comparison.mean.difference), p_cell(comparison.mean.p, 3));
            }
        }
        text.push_str("\n\n");
        text + &findings(&self.statistics).join("\n")
    }

    /// README.md.
    pub(super) fn page(&self) -> String {
        let reference = self.reference();
        let mut text = format!("# gal-bench comparison with {}\n\n", reference.name);
        text += &self.warning();
        text += "## Findings\n\n";
        for sentence in findings(&self.statistics) {
            text += &format!("- {sentence}\n");
        }
        text += &format!("\n## Who is compared\n\n{}\n", self.who());
        text += &format!("## Mean accuracy\n\n{}\n", self.means());
        let rows: Vec<&Comparison> = self.statistics.comparisons.iter().collect();
        text += &format!("## Differences\n\n{}\n\n{}\n", how_tested(false), table(&rows));
        let named: String = rows.iter().map(|comparison| differing(comparison)).collect();
        text += &if named.is_empty() { named } else { format!("{named}\n") };
        text += &format!("## Accuracy by attribute\n\n{}\n", self.by_attribute());
        let paths: Vec<&str> = self.entries.iter().map(|entry| entry.path.as_str()).collect();
        text + &format!(
            "## Provenance\n\nThis page is rendered from [results/comparison.json](results/comparison.json) alone; `gal-bench \
             report --check` proves it. The command that makes it again:\n\n```sh\ngal-bench compare {}\n```\n",
            paths.join(" ")
        )
    }

    /// In what the entries differ besides what they are to be compared for.
    fn warning(&self) -> String {
        let of_reference = self.reference().run.as_ref();
        let mut lines: Vec<String> = Vec::new();
        for entry in &self.entries[1..] {
            let (Some(a), Some(b)) = (of_reference, entry.run.as_ref()) else {
                lines.push(format!("How the predictions of `{}` came about is not known to gal-bench.", entry.name));
                continue;
            };
            let aspects = [
                ("data digest", a.data_digest.clone(), b.data_digest.clone()),
                ("profile", a.profile.clone(), b.profile.clone()),
                ("seed", a.seed.to_string(), b.seed.to_string()),
                ("steps", a.steps.to_string(), b.steps.to_string()),
                ("input side", a.input.to_string(), b.input.to_string()),
                ("training images", a.train_images.to_string(), b.train_images.to_string()),
            ];
            let different: Vec<&str> = aspects.iter().filter(|(_, a, b)| a != b).map(|(what, ..)| *what).collect();
            if !different.is_empty() {
                lines.push(format!("`{}` differs from the reference in {}.", entry.name, different.join(", ")));
            }
        }
        if lines.is_empty() { String::new() } else { format!("> {}\n\n", lines.join("\n>\n> ")) }
    }

    fn who(&self) -> Table {
        let header =
            ["", "Name", "Given as", "Variant", "Data", "Profile", "Seed", "Steps", "Input", "Training images"];
        let mut table = Table::new(6, header);
        for (place, entry) in self.entries.iter().enumerate() {
            let mut cells = vec![letter(place), entry.name.clone(), format!("`{}`", entry.path)];
            if let Some(run) = &entry.run {
                cells.extend([
                    run.variant.clone(),
                    run.dataset.clone(),
                    run.profile.clone(),
                    run.seed.to_string(),
                    thousands(run.steps),
                    format!("{} px", run.input),
                    thousands(run.train_images),
                ]);
            } else {
                cells.push("another tool".to_owned());
                cells.resize(header.len(), "-".to_owned());
            }
            table.row(cells);
        }
        table
    }

    fn means(&self) -> String {
        let header = [
            "",
            "Name",
            "Mean accuracy",
            "95 % interval",
            "Floor",
            "Gain over floor",
            "Balanced accuracy",
            "F1",
            "Average precision",
            "AUROC",
            "Calibration error",
        ];
        let mut table = Table::new(2, header);
        let floor = self.reference().result.mean_floor();
        for (place, entry) in self.entries.iter().enumerate() {
            let result = &entry.result;
            let interval = self.statistics.mean(&entry.name, result.head).map(|mean| percent_interval(mean.interval));
            let score = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), percent);
            table.row([
                letter(place),
                entry.name.clone(),
                bold(percent(result.mean_accuracy())),
                interval.unwrap_or_default(),
                percent(floor),
                points(result.mean_accuracy() - floor),
                percent(result.mean_balanced_accuracy()),
                score(result.mean_score(|s| s.f1)),
                score(result.mean_score(|s| s.average_precision)),
                score(result.mean_score(|s| s.auroc)),
                score(result.mean_score(|s| s.calibration_error)),
            ]);
        }
        let images = self.reference().result.attributes[0].n;
        format!(
            "In %, means over the 40 attributes of {} test images. The interval is the middle 95 % of {}.\n\n{table}",
            thousands(images),
            sentences::drawn(&self.statistics.resampling)
        )
    }

    fn by_attribute(&self) -> String {
        let mut header = vec!["Attribute".to_owned(), "Floor".to_owned()];
        for place in 0..self.entries.len() {
            header.extend([letter(place), "95 % interval".to_owned(), "Gain".to_owned()]);
            if place > 0 {
                header.extend([format!("{} - A", letter(place)), "p (Holm)".to_owned()]);
            }
        }
        let mut table = Table::new(1, header);
        for (i, name) in NAMES.iter().enumerate() {
            let mut cells = vec![format!("`{name}`"), percent(self.reference().result.attributes[i].floor)];
            for entry in &self.entries {
                let a = &entry.result.attributes[i];
                cells.extend([percent(a.accuracy), percent_interval(a.interval), points(a.gain())]);
                if let Some(test) = self.comparison(entry).and_then(|c| c.attributes.get(i)) {
                    cells.extend([points(test.difference), p_cell(test.p_holm, 3)]);
                }
            }
            table.row(cells);
        }
        format!("Accuracy in % with Wilson's 95 % interval.\n\n{table}")
    }
}

impl Entry {
    /// What it is, for a terminal.
    fn describe(&self) -> String {
        match &self.run {
            Some(run) => format!(
                "{} on {}, profile {}, seed {}, {} head",
                run.variant,
                run.dataset,
                run.profile,
                run.seed,
                self.result.head.label()
            ),
            None => format!("predictions in {}", self.path),
        }
    }
}
