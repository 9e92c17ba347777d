//! Predictions become metrics: per attribute and head the accuracy, its interval, and what always answering the most
//! frequent training label would have reached, the floor without which no accuracy can be judged; and tests of whether
//! one network is better than another.

pub mod answers;
pub mod bootstrap;
pub mod comparison;
pub mod correlation;
pub mod curves;
pub mod foreign;
pub mod labels;
pub mod masks;
pub mod mistakes;
mod overview;
pub mod predictions;

pub use answers::Answers;
pub use comparison::{Comparison, Contestant, Statistics, Verdict};
pub use curves::{Affinity, Point};
pub use overview::overview;
pub use predictions::Predictions;

use crate::attribute::{COUNT, NAMES};
use crate::config::RunSummary;
use crate::error::{Error, Result};
use crate::metrics::scores::Scores;
use crate::metrics::statistics::{Confusion, Interval, mean, wilson};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::path::Path;

/// The two classifiers of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Head {
    /// The feature learning network's own heads.
    Fln,
    /// The heads of the correlation learning network.
    Cln,
}

impl Head {
    /// As the paper writes it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Fln => "FLN",
            Self::Cln => "CLN",
        }
    }
}

/// One head's answers to one attribute. Shares are in [0, 1].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttributeResult {
    /// The attribute's name.
    pub attribute: String,
    /// Test images.
    pub n: usize,
    /// Right answers.
    pub correct: usize,
    /// Share of right answers.
    pub accuracy: f64,
    /// Wilson's 95 % interval of the accuracy.
    pub interval: Interval,
    /// Mean of the shares of positives and of negatives answered rightly.
    pub balanced_accuracy: f64,
    /// The majority-class floor: accuracy on the same images of always answering the most frequent training label
    /// ("no" where both are equally frequent).
    pub floor: f64,
    /// What accuracy does not say; missing in results of a time before these were kept.
    pub scores: Scores,
}

impl AttributeResult {
    /// Accuracy above the floor.
    pub fn gain(&self) -> f64 {
        self.accuracy - self.floor
    }

    /// Counts the answers to one attribute; `majority` is the most frequent training label.
    fn new(attribute: &str, answers: &[(bool, f32)], majority: bool) -> Self {
        let counts = Confusion::count(answers.iter().copied());
        let n = counts.total();
        let floor = if majority { counts.positives() } else { counts.negatives() };
        Self {
            attribute: attribute.to_owned(),
            n,
            correct: counts.correct(),
            accuracy: counts.correct() as f64 / n as f64,
            interval: wilson(counts.correct(), n),
            balanced_accuracy: counts.balanced_accuracy(),
            floor: floor as f64 / n as f64,
            scores: Scores::new(answers, counts),
        }
    }
}

/// One head's results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeadResult {
    /// Which head.
    pub head: Head,
    /// The 40 attributes in the order of [`NAMES`].
    pub attributes: Vec<AttributeResult>,
}

impl HeadResult {
    /// Mean over the attributes of the accuracy: the figure of the paper's Table 2.
    pub fn mean_accuracy(&self) -> f64 {
        self.mean_of(|a| a.accuracy)
    }

    /// Mean over the attributes of the majority-class floor.
    pub fn mean_floor(&self) -> f64 {
        self.mean_of(|a| a.floor)
    }

    /// Mean over the attributes of the balanced accuracy.
    pub fn mean_balanced_accuracy(&self) -> f64 {
        self.mean_of(|a| a.balanced_accuracy)
    }

    fn mean_of(&self, value: impl Fn(&AttributeResult) -> f64) -> f64 {
        mean(&self.attributes.iter().map(value).collect::<Vec<f64>>())
    }

    /// Mean of a score over the attributes that have it, if any has.
    pub fn mean_score(&self, score: impl Fn(&Scores) -> Option<f64>) -> Option<f64> {
        let values: Vec<f64> = self.attributes.iter().filter_map(|a| score(&a.scores)).collect();
        (!values.is_empty()).then(|| mean(&values))
    }

    /// Scores the probabilities of one head (`[images * 40]`) against `labels`; `majority` is each attribute's most
    /// frequent training label.
    pub fn new(head: Head, labels: &[bool], probabilities: &[f32], majority: &[bool; COUNT]) -> Self {
        let of_attribute = |i: usize| {
            let answers = labels.iter().copied().zip(probabilities.iter().copied()).skip(i).step_by(COUNT);
            AttributeResult::new(NAMES[i], &answers.collect::<Vec<_>>(), majority[i])
        };
        Self { head, attributes: (0..COUNT).into_par_iter().map(of_attribute).collect() }
    }
}

/// What a finished run's predictions are worth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The run's own record.
    pub run: RunSummary,
    /// The heads that the run has, FLN before CLN.
    pub heads: Vec<HeadResult>,
}

impl Evaluation {
    /// Evaluates the run in `folder` from its `summary.json` and `predictions.parquet`.
    ///
    /// # Errors
    /// A run that is missing or not finished; files that contradict their format or one another.
    pub fn of_run(folder: &Path) -> Result<Self> {
        Ok(Self::with_predictions(folder)?.0)
    }

    /// As [`Evaluation::of_run`], with the predictions behind it.
    pub fn with_predictions(folder: &Path) -> Result<(Self, Predictions)> {
        let (run, predictions) = read_run(folder)?;
        let majority = majority(&run);
        let columns = [(Head::Fln, &predictions.fln), (Head::Cln, &predictions.cln)];
        let present = columns.into_iter().filter_map(|(head, column)| Some((head, column.as_ref()?)));
        let heads: Vec<HeadResult> = present
            .map(|(head, probabilities)| HeadResult::new(head, &predictions.labels, probabilities, &majority))
            .collect();
        if heads.is_empty() {
            let path = folder.join(PREDICTIONS);
            return Err(Error::file(path, "holds no probability of either head; train the run again"));
        }
        Ok((Self { run, heads }, predictions))
    }

    /// The head by which the variant is judged: the CLN's where there is one, else the FLN's.
    pub fn judged(&self) -> &HeadResult {
        self.heads.last().expect("an evaluation has a head")
    }

    /// One head's results, where the run has that head.
    pub fn head(&self, head: Head) -> Option<&HeadResult> {
        self.heads.iter().find(|h| h.head == head)
    }
}

/// Reads a run's summary, whose presence says that the run is finished.
fn read_summary(folder: &Path) -> Result<RunSummary> {
    let shown = folder.display();
    let path = folder.join("summary.json");
    if !folder.is_dir() {
        return Err(Error::Request(format!("there is no run folder {shown}: `gal-bench train` makes one")));
    }
    if !path.is_file() {
        return Err(Error::Request(format!(
            "the run in {shown} is not finished, as it has no summary.json: \
             run the `gal-bench train` command that started it again"
        )));
    }
    let run = RunSummary::read(&path)?;
    let rates = &run.train_positive_rate;
    if rates.len() != COUNT || !rates.iter().all(|rate| (0.0..=1.0).contains(rate)) {
        let message = format!("train_positive_rate holds {} numbers, expected {COUNT} from 0 to 1", rates.len());
        return Err(Error::file(path, message));
    }
    Ok(run)
}

/// The name of a run's predictions in its folder.
const PREDICTIONS: &str = "predictions.parquet";

/// Reads a finished run's summary and its predictions.
pub fn read_run(folder: &Path) -> Result<(RunSummary, Predictions)> {
    let run = read_summary(folder)?;
    let path = folder.join(PREDICTIONS);
    let predictions = Predictions::read(&path)?;
    if predictions.images.len() != run.test_images {
        let (found, expected) = (predictions.images.len(), run.test_images);
        let message =
            format!("holds {found} images, but summary.json says {expected} test images; train the run again");
        return Err(Error::file(path, message));
    }
    Ok((run, predictions))
}

/// Each attribute's most frequent training label; "no" where both are equally frequent.
pub fn majority(run: &RunSummary) -> [bool; COUNT] {
    std::array::from_fn(|i| run.train_positive_rate[i] > 0.5)
}

/// Reads a run's training curve.
pub fn read_curve(folder: &Path) -> Result<Vec<Point>> {
    curves::read_metrics(&folder.join("metrics.jsonl"))
}

/// Reads a run's mean affinity, where it has a CLN.
pub fn read_affinity(folder: &Path) -> Result<Option<Affinity>> {
    let path = folder.join("affinity.csv");
    if path.exists() { curves::read_affinity(&path).map(Some) } else { Ok(None) }
}

/// The evaluation as one line for a terminal.
pub fn line(evaluation: &Evaluation) -> String {
    let (run, judged) = (&evaluation.run, evaluation.judged());
    let (accuracy, floor) = (judged.mean_accuracy(), judged.mean_floor());
    format!(
        "{}: mean accuracy {:.2} % ({} head), {:+.2} over the floor of {:.2} %",
        run.id,
        100.0 * accuracy,
        judged.head.label(),
        100.0 * (accuracy - floor),
        100.0 * floor
    )
}

/// The evaluation as plain text for a terminal: a line an attribute, in percent.
pub fn table(evaluation: &Evaluation) -> String {
    let run = &evaluation.run;
    let mut text = format!(
        "{}: {} on {}, seed {}, {} test images, accuracy in %\n\n",
        run.id, run.variant, run.dataset, run.seed, run.test_images
    );
    let _ = write!(text, "{:<22}{:>8}", "attribute", "floor");
    for head in &evaluation.heads {
        let _ = write!(text, "{:>8}{:>18}{:>8}{:>10}", head.head.label(), "95 % interval", "gain", "balanced");
    }
    text.push('\n');
    for (i, name) in NAMES.iter().enumerate() {
        let _ = write!(text, "{name:<22}{:>8.2}", 100.0 * evaluation.judged().attributes[i].floor);
        for head in &evaluation.heads {
            let a = &head.attributes[i];
            let interval = format!("{:.2} to {:.2}", 100.0 * a.interval.low, 100.0 * a.interval.high);
            let _ = write!(text, "{:>8.2}{interval:>18}", 100.0 * a.accuracy);
            let _ = write!(text, "{:>+8.2}{:>10.2}", 100.0 * a.gain(), 100.0 * a.balanced_accuracy);
        }
        text.push('\n');
    }
    let _ = write!(text, "{:<22}{:>8.2}", "mean", 100.0 * evaluation.judged().mean_floor());
    for head in &evaluation.heads {
        let gain = head.mean_accuracy() - head.mean_floor();
        let _ = write!(text, "{:>8.2}{:>18}{:>+8.2}", 100.0 * head.mean_accuracy(), "", 100.0 * gain);
        let _ = write!(text, "{:>10.2}", 100.0 * head.mean_balanced_accuracy());
    }
    text.push('\n');
    text
}
