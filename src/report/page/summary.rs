//! The first screen of a page: the question, its answer, the figure and the table behind it, and how far the figures hold.

use super::super::figures::figure::Figure;
use super::super::headings;
use super::super::runs::{Report, VariantRuns};
use super::claims::Answers;
use super::{deviations, differences, method, start, unknown_labels};
use crate::evaluate::Statistics;
use crate::metrics::bootstrap::Unit;
use crate::render::format::{capitalized, percent, percent_mean_std, thousands};
use crate::render::markdown::Table;
use crate::untrusted::markdown;
use crate::variant::{BASELINE, Kind};

/// Most rows of the table.
const ROWS: usize = 10;

/// The text above the first section.
pub(super) fn summary(report: &Report, figures: &[Figure]) -> String {
    let Answers { diverged, failed, gain, explanations } = Answers::new(report);
    let question = if gain.is_some() { ": is GAL-j more accurate than Baseline?" } else { "" };
    let data = capitalized(&report.data());
    let mut text = format!("# {data}, profile {}{question}\n\n", report.shared().profile);
    for paragraph in gain.into_iter().chain([validity(report, "")]) {
        text += &format!("{paragraph}\n\n");
    }
    let findings: Vec<String> = failed.into_iter().chain(explanations).chain(diverged).collect();
    if !findings.is_empty() {
        text += &format!("- {}\n\n", findings.join("\n- "));
    }
    for figure in figures.iter().filter(|figure| figure.section == headings::SUMMARY) {
        text += &format!("![{}]({})\n\n", figure.alt, figure.file);
    }
    text + &table(report) + "\n"
}

/// The limits of the figures in a paragraph: seeds, test images, protocol, and what an interval covers. `page` is the path of
/// the report's page; empty on that page.
pub(super) fn validity(report: &Report, page: &str) -> String {
    let shared = report.shared();
    let mut text = start::start(report);
    if shared.dataset == "synthetic" {
        text += "**The faces are synthetic**, so no figure here is about real faces. ";
    } else if !shared.is_official_test() {
        text += &format!(
            "**No figure here is a result on the official test split of {}.** ",
            markdown(shared.dataset_title())
        );
    }
    let statistics = report.statistics.as_ref();
    let people = statistics.map(|statistics| statistics.resampling).filter(|info| info.unit == Unit::Identity);
    let of_people = people.map_or_else(String::new, |info| format!(" of {} people", thousands(info.units)));
    let images = thousands(shared.test_images);
    text += &if shared.is_official_test() {
        format!("{}, all {images} images{of_people} of {}.", seeds(report), report.test_data())
    } else {
        format!("{}, {images} test images{of_people}.", seeds(report))
    };
    text += &unknown_labels::warning(report, page).map_or_else(String::new, |warning| format!(" {warning}"));
    if let Some(few) = statistics.and_then(Statistics::few_units) {
        text += &format!(" **No difference can be tested.** {few}.");
    } else if let Some(resampled) = report.resampled() {
        text += &format!(" Intervals resample {resampled}.");
    }
    let deviations = deviations::distinct(report).len();
    if deviations > 0 {
        let counted = if deviations == 1 { "one deviation".to_owned() } else { format!("{deviations} deviations") };
        text += &format!(" **Not the paper's protocol** ([{counted}]({page}#{}))", deviations::ANCHOR);
        text += ": do not compare with published figures.";
    }
    text + &format!(" [Method and validity]({page}#{})", method::ANCHOR) + " has the details."
}

/// Numbers of seeds as a noun phrase.
fn seeds(report: &Report) -> String {
    match report.seeds() {
        (1, 1) => "One seed".to_owned(),
        (least, most) if least == most => format!("{most} seeds"),
        (least, most) => format!("{least} to {most} seeds"),
    }
}

/// The majority class, the paper's variants and the controls that test an explanation, then others as rows are left.
fn table(report: &Report) -> String {
    let header = ["", "Accuracy, %", "From Baseline", "95 % interval", "Better / worse"];
    let mut table = Table::new(1, header);
    let floor = vec!["Floor".to_owned(), percent(report.mean_floor())];
    table.row([floor, vec![String::new(); 3]].concat());
    let variants = report.with_controls();
    let shown = shown(&variants);
    for variant in variants.iter().filter(|variant| shown.contains(&variant.name)) {
        let mut cells = vec![variant.title.to_owned(), percent_mean_std(variant.accuracy())];
        cells.extend(differences::from_baseline(report, variant.name));
        let tested = report.statistics.as_ref().filter(|_| variant.name != BASELINE.name);
        cells.push(tested.map_or_else(String::new, |statistics| {
            differences::counts(statistics, variant.name, BASELINE.name).join(" / ")
        }));
        table.row(cells);
    }
    let scored = report.attributes();
    let several = variants.iter().any(|variant| variant.runs.len() > 1);
    let deviation = if several { "; ± is the standard deviation over seeds" } else { "" };
    let left = variants.len() - shown.len();
    let rest = if left > 0 { format!(" {left} more variants follow below.") } else { String::new() };
    format!(
        "{table}\nMean accuracy over {scored} of {}, and its difference from Baseline in percentage points{deviation}. The \
         floor always predicts the most frequent training label. Better and worse count attributes (exact McNemar test, \
         Holm's correction, 5 %).{rest}\n",
        report.test_data()
    )
}

/// Names of the variants in the table.
pub(super) fn shown<'a>(variants: &[VariantRuns<'a>]) -> Vec<&'a str> {
    let rank = |variant: &&VariantRuns| match variant.facts {
        Some(facts) if facts.kind != Kind::Paper && facts.tests.is_none() => 1,
        _ => 0,
    };
    let mut ranked: Vec<&VariantRuns> = variants.iter().collect();
    ranked.sort_by_key(rank);
    ranked.into_iter().take(ROWS - 1).map(|variant| variant.name).collect()
}
