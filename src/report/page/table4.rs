//! Table 4: accuracy by attribute.

use super::super::published::Protocol;
use super::super::runs::{Report, VariantRuns};
use super::notes::{PRIMARY_HEAD, beside_the_paper, gain_header, seeds_note};
use super::published_columns::PublishedColumns;
use crate::attribute::NAMES;
use crate::metrics::mean::MeanStd;
use crate::render::format::{or_dash, percent, percent_interval, percent_mean_std, points, thousands};
use crate::render::markdown::{Table, bold};
use crate::variant::{BASELINE, GAL_J};

/// The section's text. Published columns on the same data are in the same table, others in a table of their own.
pub(super) fn by_attribute(report: &Report) -> String {
    let protocol = report.protocol().unwrap_or(Protocol::Celeba);
    let published = PublishedColumns::new(protocol);
    let same_data = report.protocol().is_some();
    let own = OwnColumns::new(report);
    let table = table(&own, same_data.then_some(&published));
    let mut text = format!(
        "Accuracy in %. {PRIMARY_HEAD}{}{}\n\n{table}\n{}\n\n",
        seeds_note(report),
        own.widest(report).unwrap_or_default(),
        beside_the_paper(report, protocol)
    );
    if !same_data {
        text += &format!("{}\n", published.table());
    }
    text + &published.notes()
}

fn table(own: &OwnColumns, published: Option<&PublishedColumns>) -> Table {
    let with_published = |mut cells: Vec<String>, of: &dyn Fn(&PublishedColumns) -> Vec<String>| {
        cells.extend(published.into_iter().flat_map(of));
        cells
    };
    let mut table = Table::new(1, with_published(own.header(), &PublishedColumns::header));
    for (i, name) in NAMES.iter().enumerate() {
        let cells = [vec![format!("`{name}`")], own.cells(i)].concat();
        table.row(with_published(cells, &|columns| columns.cells(i)));
    }
    let means = [vec![bold(format!("Mean of {}", own.scored))], own.means()].concat();
    let blanks = means.len() - 1;
    table.row(with_published(means, &PublishedColumns::means));
    for (label, cells) in published.into_iter().flat_map(PublishedColumns::footer) {
        table.row([vec![label.to_owned()], vec![String::new(); blanks], cells].concat());
    }
    table
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

    fn header(&self) -> Vec<String> {
        let mut header = vec!["Attribute".to_owned(), "Floor".to_owned()];
        header.extend(self.variants.iter().map(|v| v.title.to_owned()));
        header.extend(self.variants.iter().map(gain_header));
        header.extend(self.pair().map(|(baseline, gal_j)| format!("{} - {}", gal_j.title, baseline.title)));
        header
    }

    /// Baseline and GAL-j, if the report has both.
    fn pair(&self) -> Option<(&VariantRuns<'a>, &VariantRuns<'a>)> {
        let find = |name| self.variants.iter().find(|v| v.name == name);
        find(BASELINE.name).zip(find(GAL_J.name))
    }

    fn row(&self, floor: Option<f64>, value: impl Fn(&VariantRuns) -> Option<MeanStd>) -> Vec<String> {
        let difference = |a: Option<f64>, b: Option<f64>| or_dash(a.zip(b), |(a, b)| points(a - b));
        let mean = |variant: &VariantRuns| value(variant).map(|accuracy| accuracy.mean);
        let mut cells = vec![or_dash(floor, percent)];
        cells.extend(self.variants.iter().map(|variant| or_dash(value(variant), percent_mean_std)));
        cells.extend(self.variants.iter().map(|variant| difference(mean(variant), floor)));
        cells.extend(self.pair().map(|(baseline, gal_j)| difference(mean(gal_j), mean(baseline))));
        cells
    }

    fn cells(&self, i: usize) -> Vec<String> {
        self.row(self.floors[i], |variant| variant.of_attribute(i, |a| a.accuracy))
    }

    fn means(&self) -> Vec<String> {
        self.row(Some(self.mean_floor), |variant| Some(variant.accuracy())).into_iter().map(bold).collect()
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
