//! The page of a comparison of any runs: the same tables and tests as in a report.

use super::super::runs::counted_attributes;
use super::differences::{differing, method, table};
use super::findings::{few_units, findings, resampling};
use crate::attribute::NAMES;
use crate::evaluate::Comparison;
use crate::evaluate::comparison_report::{ComparisonReport, Entry, letter};
use crate::metrics::scores::Scores;
use crate::render::format::{or_dash, p_cell, percent, percent_interval, points, thousands};
use crate::render::markdown::{Table, bold};
use crate::untrusted::{markdown, markdown_block, markdown_code};
use crate::variant::REGISTRY;

/// The text of README.md.
pub(in crate::report) fn page(report: &ComparisonReport) -> String {
    let warning = warning(report);
    let report = &in_markdown(report);
    let mut text = format!("# gal-bench comparison with {}\n\n{warning}", report.reference().name);
    text += "## Findings\n\n";
    for sentence in findings(&report.statistics) {
        text += &format!("- {sentence}\n");
    }
    text += &format!("\n## Compared predictions\n\n{}\n", entries_table(report));
    text += &format!("## Mean accuracy\n\n{}\n", means(report));
    let rows: Vec<&Comparison> = report.statistics.comparisons.iter().collect();
    text += &format!(
        "## Differences\n\n{}{}\n\n{}\n",
        few_units(&report.statistics),
        method(&report.statistics.resampling, false, &attributes(report)),
        table(REGISTRY, &rows)
    );
    let named: String = rows.iter().map(|comparison| differing(REGISTRY, comparison)).collect();
    text += &if named.is_empty() { named } else { format!("{named}\n") };
    text += &format!("## Accuracy by attribute\n\n{}\n", by_attribute(report));
    let paths = report.entries.iter().map(|entry| quoted(&entry.path));
    let command = format!("gal-bench compare {}", paths.collect::<Vec<String>>().join(" "));
    text + &format!(
        "## Provenance\n\n`gal-bench report --check` verifies that this page matches \
         [results/comparison.json](results/comparison.json). The command that repeats it:\n\n{}",
        markdown_block("sh", &command)
    )
}

/// A path as a shell reads it.
fn quoted(path: &str) -> String {
    shlex::try_quote(path).map_or_else(|_| path.to_owned(), std::borrow::Cow::into_owned)
}

/// The comparison with its names in Markdown: another tool's file has any name.
fn in_markdown(report: &ComparisonReport) -> ComparisonReport {
    let mut shown = report.clone();
    for entry in &mut shown.entries {
        entry.name = markdown(&entry.name);
    }
    for mean in &mut shown.statistics.means {
        mean.name = markdown(&mean.name);
    }
    for comparison in &mut shown.statistics.comparisons {
        comparison.name = markdown(&comparison.name);
        comparison.reference = markdown(&comparison.reference);
        comparison.attributes.iter_mut().for_each(|test| test.attribute = markdown(&test.attribute));
    }
    shown
}

/// Differences between the entries that make their comparison less meaningful.
fn warning(report: &ComparisonReport) -> String {
    let of_reference = report.reference().run.as_ref();
    let mut lines: Vec<String> = Vec::new();
    for entry in &report.entries[1..] {
        let (Some(a), Some(b)) = (of_reference, entry.run.as_ref()) else {
            let left_out = left_out(entry, markdown_code).map_or_else(String::new, |words| format!(" {words}."));
            let name = markdown_code(&entry.name);
            lines.push(format!("{name} holds predictions of another tool, made in an unknown way.{left_out}"));
            continue;
        };
        let aspects = [
            ("data digest", a.data_digest.clone(), b.data_digest.clone()),
            ("profile", a.profile.clone(), b.profile.clone()),
            ("seed", a.seed.to_string(), b.seed.to_string()),
            ("steps", a.steps.to_string(), b.steps.to_string()),
            ("input size", a.input.to_string(), b.input.to_string()),
            ("training images", a.train_images.to_string(), b.train_images.to_string()),
        ];
        let different: Vec<&str> = aspects.iter().filter(|(_, a, b)| a != b).map(|(what, ..)| *what).collect();
        if !different.is_empty() {
            lines.push(format!(
                "{} differs from the reference in {}.",
                markdown_code(&entry.name),
                different.join(", ")
            ));
        }
    }
    if lines.is_empty() { String::new() } else { format!("> {}\n\n", lines.join("\n>\n> ")) }
}

/// The columns of another tool's file that were left out, with `quoted` titles; `None` without any.
pub(in crate::report) fn left_out(entry: &Entry, quoted: impl Fn(&str) -> String) -> Option<String> {
    let titles: Vec<String> = entry.left_out.iter().map(|title| quoted(title)).collect();
    (!titles.is_empty()).then(|| format!("Columns that are no attribute were left out: {}", titles.join(", ")))
}

fn entries_table(report: &ComparisonReport) -> Table {
    let header = ["", "Name", "Given as", "Variant", "Data", "Profile", "Seed", "Steps", "Input", "Training images"];
    let mut table = Table::new(6, header);
    for (place, entry) in report.entries.iter().enumerate() {
        let mut cells = vec![letter(place), entry.name.clone(), markdown_code(&entry.path)];
        if let Some(run) = &entry.run {
            cells.extend([
                run.variant.clone(),
                markdown(&run.test_data()),
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

fn means(report: &ComparisonReport) -> String {
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
    let floor = report.reference().result.mean_floor();
    for (place, entry) in report.entries.iter().enumerate() {
        let result = &entry.result;
        let interval =
            report.statistics.mean(&entry.name, result.head).map(|mean| or_dash(mean.interval, percent_interval));
        let score = |score: fn(&Scores) -> Option<f64>| or_dash(result.mean_of(|a| score(&a.scores)), percent);
        table.row([
            letter(place),
            entry.name.clone(),
            bold(percent(result.mean_accuracy())),
            interval.unwrap_or_default(),
            percent(floor),
            points(result.mean_accuracy() - floor),
            or_dash(result.mean_balanced_accuracy(), percent),
            score(|s| s.f1),
            score(|s| s.average_precision),
            score(|s| s.auroc),
            score(|s| s.calibration_error),
        ]);
    }
    let images = report.reference().run.as_ref().map_or(0, |run| run.test_images);
    let interval = match report.statistics.few_units() {
        Some(few) => format!("There are no intervals: {few}."),
        None => format!("The interval is the middle 95 % of {}.", resampling(&report.statistics.resampling)),
    };
    format!("In %, means over the {} of {} test images. {interval}\n\n{table}", attributes(report), thousands(images))
}

/// The attributes that are compared, as a noun phrase.
fn attributes(report: &ComparisonReport) -> String {
    counted_attributes(report.reference().result.scored())
}

fn by_attribute(report: &ComparisonReport) -> String {
    let mut header = vec!["Attribute".to_owned(), "Floor".to_owned()];
    for place in 0..report.entries.len() {
        header.extend([letter(place), "95 % interval".to_owned(), "Gain".to_owned()]);
        if place > 0 {
            header.extend([format!("{} - A", letter(place)), "p (Holm)".to_owned()]);
        }
    }
    let mut table = Table::new(1, header);
    for (i, name) in NAMES.iter().enumerate() {
        let mut cells = vec![format!("`{name}`"), or_dash(report.reference().result.attributes[i].floor, percent)];
        for entry in &report.entries {
            let a = &entry.result.attributes[i];
            cells.extend([
                or_dash(a.accuracy, percent),
                or_dash(a.interval, percent_interval),
                or_dash(a.gain(), points),
            ]);
            if let Some(test) = report.comparison(entry).and_then(|c| c.attributes.get(i)) {
                cells.extend([or_dash(test.difference, points), or_dash(test.p_holm, p_cell)]);
            }
        }
        table.row(cells);
    }
    let interval = if report.statistics.few_units().is_some() { "" } else { " with Wilson's 95 % interval" };
    format!("Accuracy in %{interval}.\n\n{table}")
}
