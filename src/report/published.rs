//! Published accuracies, embedded from `datasets/published/`, with their sources and the grades of these.

use crate::attribute::{self, COUNT};
use crate::variant::Registry;
use serde::Deserialize;

/// Data set and test split of published results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// CelebA's official test split.
    Celeba,
    /// LFWA's official test split.
    Lfwa,
}

impl Protocol {
    /// The data set's name in `trust.csv` and in print.
    pub fn label(self) -> &'static str {
        match self {
            Self::Celeba => "CelebA",
            Self::Lfwa => "LFWA",
        }
    }

    /// Number of images in the official training split.
    pub(super) fn train_images(self) -> usize {
        match self {
            Self::Celeba => 162_770,
            Self::Lfwa => 6_263,
        }
    }

    fn results(self) -> &'static str {
        match self {
            Self::Celeba => include_str!("../../datasets/published/celeba.csv"),
            Self::Lfwa => include_str!("../../datasets/published/lfwa.csv"),
        }
    }
}

const GRADES: &str = include_str!("../../datasets/published/trust.csv");
const CELEBA_MAJORITY: &str = include_str!("../../datasets/published/celeba_majority.csv");

/// Attribute of a row that holds an average only.
const PRINTED_ROW: &str = "AVERAGE_PRINTED";

/// The source's name for the majority classifier of LFWA's test split.
const LFWA_MAJORITY: &str = "MCNN-AUX paper Baseline (test-majority)";

/// One method's published results; accuracies in percent.
#[derive(Debug, Clone, PartialEq)]
pub struct Method {
    /// Name of the method.
    pub name: String,
    /// Year of publication.
    pub year: u16,
    /// Source of the accuracies.
    pub source: String,
    /// Grade of the source, such as primary or secondary; `None` if it has none.
    pub source_grade: Option<String>,
    /// Accuracy per attribute, in the order of [`attribute::NAMES`].
    pub accuracies: Option<[f64; COUNT]>,
    /// The average that the source prints.
    pub printed: Option<f64>,
}

impl Method {
    /// Mean over the 40 attributes as published.
    pub fn recomputed(&self) -> Option<f64> {
        self.accuracies.map(|a| a.iter().sum::<f64>() / COUNT as f64)
    }

    /// True if the printed average is the recomputed mean, rounded as the source rounds.
    pub fn average_agrees(&self) -> bool {
        let (Some(printed), Some(mean)) = (self.printed, self.recomputed()) else { return false };
        let decimals = printed.to_string().split_once('.').map_or(0, |(_, decimals)| decimals.len() as i32);
        // An exact half may be rounded either way.
        (printed - mean).abs() <= 0.5 * 10_f64.powi(-decimals) + 1e-9
    }
}

/// The majority-class floor on the data set's official test split.
#[derive(Debug, Clone, PartialEq)]
pub struct Floor {
    /// Percent per attribute.
    pub accuracies: [f64; COUNT],
    /// Its definition and source.
    pub source: &'static str,
}

impl Floor {
    /// Mean over the attributes.
    pub fn mean(&self) -> f64 {
        self.accuracies.iter().sum::<f64>() / COUNT as f64
    }
}

#[derive(Deserialize)]
struct Row {
    method: String,
    year: u16,
    attribute: String,
    accuracy: f64,
    source: String,
}

#[derive(Deserialize)]
struct GradeRow {
    dataset: String,
    method: String,
    #[serde(rename = "trust")]
    source_grade: String,
    average_printed: Option<f64>,
    #[cfg(test)]
    mean_recomputed: Option<f64>,
}

#[derive(Deserialize)]
struct FloorRow {
    attribute: String,
    accuracy: f64,
}

/// Rows of an embedded table; the tests below check its form.
fn rows<T: serde::de::DeserializeOwned>(text: &str) -> Vec<T> {
    let rows: Result<_, _> = csv::Reader::from_reader(text.as_bytes()).deserialize().collect();
    rows.expect("the embedded tables are well-formed")
}

/// A method's results on a data set, if any were published.
pub fn method(protocol: Protocol, name: &str) -> Option<Method> {
    let rows: Vec<Row> = rows(protocol.results());
    let own: Vec<&Row> = rows.iter().filter(|row| row.method == name).collect();
    let first = own.first()?;
    let grade = grade(protocol, name);
    let alone = own.iter().find(|row| row.attribute == PRINTED_ROW).map(|row| row.accuracy);
    Some(Method {
        name: name.to_owned(),
        year: first.year,
        source: first.source.clone(),
        accuracies: by_attribute(own.iter().map(|row| (row.attribute.as_str(), row.accuracy))),
        printed: alone.or(grade.as_ref().and_then(|t| t.average_printed)),
        source_grade: grade.map(|g| g.source_grade),
    })
}

/// The paper's mean accuracy of a variant, in percent.
pub fn paper_mean(protocol: Protocol, registry: Registry, variant: &str) -> Option<f64> {
    method(protocol, registry.find(variant)?.published_name?)?.printed
}

/// The floor on the data set's official test split.
pub fn floor(protocol: Protocol) -> Floor {
    let (accuracies, source) = match protocol {
        Protocol::Celeba => {
            let rows: Vec<FloorRow> = rows(CELEBA_MAJORITY);
            let accuracies = by_attribute(rows.iter().map(|row| (row.attribute.as_str(), row.accuracy)));
            (accuracies, "most frequent training label, computed from the official annotation and partition")
        }
        Protocol::Lfwa => {
            let accuracies = method(protocol, LFWA_MAJORITY).and_then(|m| m.accuracies);
            (accuracies, "most frequent test label, as printed by Hand & Chellappa, arXiv 1604.07360, Table 3")
        }
    };
    Floor { accuracies: accuracies.expect("the embedded floors name every attribute"), source }
}

fn grade(protocol: Protocol, name: &str) -> Option<GradeRow> {
    rows::<GradeRow>(GRADES).into_iter().find(|row| row.dataset == protocol.label() && row.method == name)
}

/// Sorts values by attribute; `None` unless every attribute has one.
fn by_attribute<'a>(values: impl Iterator<Item = (&'a str, f64)>) -> Option<[f64; COUNT]> {
    let mut found = [None; COUNT];
    for (name, value) in values {
        if let Some(i) = attribute::index(name) {
            found[i] = Some(value);
        }
    }
    let values: Vec<f64> = found.into_iter().collect::<Option<_>>()?;
    values.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recomputed_means_are_those_of_the_grades_file() {
        let mut compared = 0;
        for row in rows::<GradeRow>(GRADES) {
            let protocol = if row.dataset == "CelebA" { Protocol::Celeba } else { Protocol::Lfwa };
            let recomputed = method(protocol, &row.method).unwrap().recomputed();
            assert_eq!(recomputed.is_some(), row.mean_recomputed.is_some(), "{}", row.method);
            if let (Some(found), Some(expected)) = (recomputed, row.mean_recomputed) {
                // The file keeps four decimals, some of them of an exact half.
                assert!((found - expected).abs() <= 0.000_051, "{} on {}: {found}", row.method, row.dataset);
                compared += 1;
            }
        }
        assert_eq!(compared, 30);
    }

    #[test]
    fn every_accuracy_is_a_percentage_with_a_source_and_a_known_attribute() {
        for protocol in [Protocol::Celeba, Protocol::Lfwa] {
            for row in rows::<Row>(protocol.results()) {
                assert!((50.0..=100.0).contains(&row.accuracy), "{}: {}", row.method, row.accuracy);
                assert!(!row.source.is_empty(), "{}", row.method);
                let known = row.attribute == PRINTED_ROW || attribute::index(&row.attribute).is_some();
                assert!(known, "{}: {}", row.method, row.attribute);
            }
        }
    }

    /// 79.9077 was computed from the official annotation on its own, apart from `tests/golden/majority.py`.
    #[test]
    fn the_floor_on_celeba_is_the_known_one() {
        assert!((floor(Protocol::Celeba).mean() - 79.9077).abs() < 0.000_05);
    }

    #[test]
    fn the_paper_printed_these_averages() {
        let printed = |protocol, name| method(protocol, name).and_then(|m| m.printed);
        assert_eq!(printed(Protocol::Celeba, "GAL Baseline"), Some(90.73));
        assert_eq!(printed(Protocol::Celeba, "GAL-c"), Some(90.89));
        assert_eq!(printed(Protocol::Celeba, "GAL-j"), Some(91.43));
        assert_eq!(printed(Protocol::Celeba, "GAL-p"), Some(90.13));
        assert_eq!(printed(Protocol::Lfwa, "GAL Baseline"), Some(85.19));
        assert_eq!(printed(Protocol::Lfwa, "GAL-j"), Some(85.25));
    }

    /// Liu et al. 2015 print averages for these columns that are not their means.
    #[test]
    fn printed_averages_that_are_not_those_of_their_columns_are_known() {
        let mut found = Vec::new();
        for row in rows::<GradeRow>(GRADES) {
            let protocol = if row.dataset == "CelebA" { Protocol::Celeba } else { Protocol::Lfwa };
            let method = method(protocol, &row.method).unwrap();
            if method.printed.is_some() && method.accuracies.is_some() && !method.average_agrees() {
                found.push(format!("{} on {}", method.name, protocol.label()));
            }
        }
        assert_eq!(found, ["PANDA-w on CelebA", "PANDA-w on LFWA", "LNets+ANet(w/o) on LFWA"]);
    }

    #[test]
    fn a_method_unknown_on_a_data_set_has_no_results() {
        assert_eq!(method(Protocol::Lfwa, "DMTL"), None);
    }
}
