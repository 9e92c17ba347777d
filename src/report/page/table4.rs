//! Table 4: accuracy by attribute.

use super::super::published::Protocol;
use super::super::runs::{Report, VariantRuns};
use super::notes::{PRIMARY_HEAD, beside_the_paper, seeds_note};
use super::published_columns::PublishedColumns;
use crate::attribute::NAMES;
use crate::metrics::mean::MeanStd;
use crate::render::format::{or_dash, percent, percent_interval, percent_mean_std, points, thousands};
use crate::render::markdown::{Table, bold, folded};
use crate::variant::{BASELINE, GAL_J};

/// Accuracy of the paper's variants, with their gains over the floor folded.
pub(super) fn by_attribute(report: &Report) -> String {
    let own = OwnColumns::new(report);
    format!(
        "Accuracy in %. {PRIMARY_HEAD}{}{}\n\n{}\n{}",
        seeds_note(report),
        own.widest(report).unwrap_or_default(),
        own.accuracies(),
        folded("Gains over the floor, in percentage points", &own.gains().to_string())
    )
}

/// Published accuracies.
pub(super) fn published(report: &Report) -> String {
    let protocol = report.protocol().unwrap_or(Protocol::Celeba);
    let published = PublishedColumns::new(protocol);
    format!(
        "{}\n\n{}\n{}",
        beside_the_paper(report, protocol),
        folded("Published accuracy by attribute, in %", &published.table().to_string()),
        published.notes()
    )
}

/// The columns of the report's own runs.
struct OwnColumns<'a> {
    variants: Vec<VariantRuns<'a>>,
    floors: Vec<Option<f64>>,
    /// Number of attributes with labels.
    scored: usize,
    mean_floor: f64,
}

impl<'a> OwnColumns<'a> {
    fn new(report: &'a Report) -> Self {
        let (floors, scored, mean_floor) = (report.floors(), report.scored(), report.mean_floor());
        Self { variants: report.variants(), floors, scored, mean_floor }
    }

    /// Baseline and GAL-j, if the report has both.
    fn pair(&self) -> Option<(&VariantRuns<'a>, &VariantRuns<'a>)> {
        let find = |name| self.variants.iter().find(|v| v.name == name);
        find(BASELINE.name).zip(find(GAL_J.name))
    }

    fn accuracies(&self) -> Table {
        let mut header = vec!["Attribute".to_owned(), "Floor".to_owned()];
        header.extend(self.variants.iter().map(|v| v.title.to_owned()));
        header.extend(self.pair().map(|(baseline, gal_j)| format!("{} - {}", gal_j.title, baseline.title)));
        self.table(header, |floor, accuracies| {
            let mean = |variant: &VariantRuns| accuracies(variant).map(|accuracy| accuracy.mean);
            let mut cells = vec![or_dash(floor, percent)];
            cells.extend(self.variants.iter().map(|variant| or_dash(accuracies(variant), percent_mean_std)));
            cells.extend(self.pair().map(|(baseline, gal_j)| difference(mean(gal_j), mean(baseline))));
            cells
        })
    }

    fn gains(&self) -> Table {
        let header = std::iter::once("Attribute".to_owned()).chain(self.variants.iter().map(|v| v.title.to_owned()));
        self.table(header.collect(), |floor, accuracies| {
            let mean = |variant: &VariantRuns| accuracies(variant).map(|accuracy| accuracy.mean);
            self.variants.iter().map(|variant| difference(mean(variant), floor)).collect()
        })
    }

    /// A row for each attribute and one for the mean; `cells` takes the floor and each variant's accuracy.
    fn table(
        &self,
        header: Vec<String>,
        cells: impl Fn(Option<f64>, &dyn Fn(&VariantRuns) -> Option<MeanStd>) -> Vec<String>,
    ) -> Table {
        let mut table = Table::new(1, header);
        for (i, name) in NAMES.iter().enumerate() {
            let of_attribute = cells(self.floors[i], &|variant| variant.of_attribute(i, |a| a.accuracy));
            table.row([vec![format!("`{name}`")], of_attribute].concat());
        }
        let means = cells(Some(self.mean_floor), &|variant| Some(variant.accuracy()));
        let means: Vec<String> = means.into_iter().map(bold).collect();
        table.row([vec![bold(format!("Mean of {}", self.scored))], means].concat());
        table
    }

    /// The widest interval of a run and an attribute in a sentence, after a blank; `None` if too few test images give any.
    fn widest(&self, report: &Report) -> Option<String> {
        if report.statistics.as_ref().is_some_and(|statistics| statistics.few_units().is_some()) {
            return None;
        }
        let runs = self.variants.iter().flat_map(|v| &v.runs);
        let intervals = runs.flat_map(|run| &run.evaluation.primary_head().attributes).filter_map(|a| a.interval);
        let widest = intervals.max_by(|a, b| (a.high - a.low).total_cmp(&(b.high - b.low)))?;
        Some(format!(
            " [results/accuracy.csv](results/accuracy.csv) holds Wilson's 95 % interval of every cell; with {} test images the \
             widest is {}.",
            thousands(report.shared().test_images),
            percent_interval(widest)
        ))
    }
}

/// A difference in percentage points.
fn difference(a: Option<f64>, b: Option<f64>) -> String {
    or_dash(a.zip(b), |(a, b)| points(a - b))
}
