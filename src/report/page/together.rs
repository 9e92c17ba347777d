//! The page of several reports: whether GAL-j gains over Baseline on any of their data sets.

use super::super::figures::figure::Figure;
use super::super::figures::forest;
use super::super::runs::{Report, VariantRuns};
use super::claims::Answers;
use super::{differences, summary};
use crate::evaluate::Verdict;
use crate::render::format::{capitalized, percent, percent_mean_std};
use crate::render::markdown::Table;
use crate::untrusted::{markdown, markdown_block};
use crate::variant::{BASELINE, GAL_J};
use std::collections::BTreeSet;

/// A report with the name of its folder.
pub(in crate::report) type Named = (String, Report);

/// The forest plot with a panel a report.
pub(in crate::report) fn figure(reports: &[Named]) -> Option<Figure> {
    let titles = titles(reports);
    let panels: Vec<(&str, &Report)> = titles.iter().map(String::as_str).zip(reports.iter().map(|(_, r)| r)).collect();
    forest::figure(&panels)
}

/// The data set of each report, or the name of its folder if another report has the same data set.
fn titles(reports: &[Named]) -> Vec<String> {
    let dataset = |report: &Report| capitalized(report.shared().dataset_title());
    let is_alone = |title: &String| reports.iter().filter(|(_, other)| dataset(other) == *title).count() == 1;
    let title = |(name, report): &Named| Some(dataset(report)).filter(is_alone).unwrap_or_else(|| name.clone());
    reports.iter().map(title).collect()
}

/// The text of README.md.
pub(in crate::report) fn page(reports: &[Named], figure: Option<&Figure>) -> String {
    let titles: Vec<String> = titles(reports).iter().map(|title| markdown(title)).collect();
    let mut text =
        format!("# {}: is GAL-j more accurate than Baseline?\n\n{}\n\n", titles.join(", "), answer(reports, &titles));
    for ((name, report), title) in reports.iter().zip(&titles) {
        let page = format!("../{name}/README.md");
        let gain = Answers::new(report).gain.unwrap_or_else(|| "GAL-j is not compared with Baseline.".to_owned());
        text += &format!("- [{title}]({page}): {gain}\n");
    }
    text.push('\n');
    if let Some(figure) = figure {
        text += &format!("## Difference from Baseline\n\n![{}]({})\n\n", figure.alt, figure.file);
    }
    text += &format!("## Mean accuracy\n\n{}", table(reports, &titles));
    text += "\n## Validity\n\n";
    for ((name, report), title) in reports.iter().zip(&titles) {
        text += &format!("- **{title}.** {}\n", summary::validity(report, &format!("../{name}/README.md")));
    }
    let names: Vec<&str> = reports.iter().map(|(name, _)| name.as_str()).collect();
    let command = format!("gal-bench report --together {}", names.join(" "));
    text + &format!(
        "\n## Reproduce\n\n`gal-bench report --check` verifies that this page matches the results of the reports that \
         [results/together.json](results/together.json) names. The command that made it:\n\n{}",
        markdown_block("sh", &command)
    )
}

/// The data sets on which a difference of GAL-j from Baseline is shown.
fn answer(reports: &[Named], titles: &[String]) -> String {
    let verdict = |report: &Report| {
        let (mean, _) = report.statistics.as_ref()?.difference(GAL_J.name, BASELINE.name)?;
        mean.verdict()
    };
    let verdicts: Vec<Option<Verdict>> = reports.iter().map(|(_, report)| verdict(report)).collect();
    let with = |wanted: Verdict| -> Vec<&str> {
        let found = verdicts.iter().zip(titles).filter(|(verdict, _)| **verdict == Some(wanted));
        found.map(|(_, title)| title.as_str()).collect()
    };
    let tested = verdicts.iter().flatten().count();
    let (better, worse) = (with(Verdict::Better), with(Verdict::Worse));
    let all = reports.len();
    let datasets: BTreeSet<&str> = reports.iter().map(|(_, report)| &*report.shared().dataset).collect();
    let (place, noun) = if datasets.len() == all { ("on", "data sets") } else { ("in", "reports") };
    let sets = if tested == all { format!("{all} {noun}") } else { format!("{tested} tested of {all} {noun}") };
    let gain = match better.len() {
        _ if tested == 0 => format!("**GAL-j is tested against Baseline {place} none of {all} {noun}**"),
        0 => format!("**No gain of GAL-j over Baseline is shown {place} any of {sets}**"),
        count => format!("**GAL-j gains over Baseline {place} {count} of {sets}** ({})", better.join(", ")),
    };
    let loss = match worse.len() {
        0 => String::new(),
        count => format!(", and a loss {place} {count} ({})", worse.join(", ")),
    };
    format!("{gain}{loss}.")
}

/// The variants that the first screens of the reports show, with two columns a report.
fn table(reports: &[Named], titles: &[String]) -> String {
    let mut header = vec![String::new()];
    for title in titles {
        header.extend([format!("{title}, %"), "From Baseline".to_owned(), "95 % interval".to_owned()]);
    }
    let mut table = Table::new(1, header);
    let floors = reports.iter().flat_map(|(_, report)| [percent(report.mean_floor()), String::new(), String::new()]);
    table.row(["Floor".to_owned()].into_iter().chain(floors));
    let registry = reports[0].1.registry;
    let variants: Vec<Vec<VariantRuns>> = reports.iter().map(|(_, report)| report.with_controls()).collect();
    let mut names: Vec<&str> = variants.iter().flat_map(|variants| summary::shown(variants)).collect();
    names.sort_by_key(|name| (registry.rank(name), *name));
    names.dedup();
    for name in names {
        let cells = variants.iter().zip(reports).flat_map(|(variants, (_, report))| cells(report, variants, name));
        table.row([registry.title(name).to_owned()].into_iter().chain(cells));
    }
    format!(
        "{table}\nMean accuracy on the test images of each report, and its difference from Baseline in percentage points; ± \
         is the standard deviation over seeds. The floor always predicts the most frequent training label.\n"
    )
}

/// Accuracy, difference and interval of a variant; dashes if the report does not have it.
fn cells(report: &Report, variants: &[VariantRuns], name: &str) -> [String; 3] {
    let Some(variant) = variants.iter().find(|variant| variant.name == name) else {
        return ["-", "-", "-"].map(str::to_owned);
    };
    let [difference, interval] = differences::from_baseline(report, name);
    [percent_mean_std(variant.accuracy()), difference, interval]
}
