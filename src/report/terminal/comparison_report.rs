//! A comparison of any runs as text for a terminal.

use super::super::page::findings::findings;
use crate::attribute::NAMES;
use crate::evaluate::comparison_report::{ComparisonReport, Entry, letter};
use crate::render::format::{bootstrap_p_cell, p_cell, percent, points};
use crate::render::text_table::TextTable;

/// A line an attribute: accuracies in percent, differences in points with Holm's p-value. Then the findings.
pub fn comparison_text(report: &ComparisonReport) -> String {
    let who = report.entries.iter().enumerate().map(|(place, entry)| {
        let role = if place == 0 { " (reference)" } else { "" };
        format!("{}{role}: {}, {}\n", letter(place), entry.name, describe(entry))
    });
    format!("{}\n{}\n{}", who.collect::<String>(), accuracies(report), findings(&report.statistics).join("\n"))
}

fn accuracies(report: &ComparisonReport) -> TextTable {
    let mut header = vec!["accuracy in %".to_owned(), "floor".to_owned(), letter(0)];
    for other in (1..report.entries.len()).map(letter) {
        header.extend([other.clone(), format!("{other}-A"), "p".to_owned()]);
    }
    let mut table = TextTable::new(1);
    table.row(header);
    for (i, name) in NAMES.iter().enumerate() {
        let mut cells = vec![(*name).to_owned(), percent(report.reference().result.attributes[i].floor)];
        for entry in &report.entries {
            cells.push(percent(entry.result.attributes[i].accuracy));
            if let Some(test) = report.comparison(entry).and_then(|c| c.attributes.get(i)) {
                cells.extend([points(test.difference), p_cell(test.p_holm)]);
            }
        }
        table.row(cells);
    }
    let mut cells = vec!["mean".to_owned(), percent(report.reference().result.mean_floor())];
    for entry in &report.entries {
        cells.push(percent(entry.result.mean_accuracy()));
        if let Some(comparison) = report.comparison(entry) {
            cells.extend([points(comparison.mean.difference), bootstrap_p_cell(comparison.mean.p)]);
        }
    }
    table.row(cells);
    table
}

fn describe(entry: &Entry) -> String {
    match &entry.run {
        Some(run) => format!(
            "{} on {}, profile {}, seed {}, {} head",
            run.variant,
            run.dataset,
            run.profile,
            run.seed,
            entry.result.head.label()
        ),
        None => format!("predictions in {}", entry.path),
    }
}
