//! A comparison of any runs as text for a terminal.

use super::super::page::comparison_report::left_out;
use super::super::page::findings::findings;
use crate::attribute::NAMES;
use crate::evaluate::comparison_report::{ComparisonReport, Entry, letter};
use crate::render::format::{bootstrap_p_cell, or_dash, p_cell, percent, points};
use crate::render::text_table::TextTable;

/// A line an attribute: accuracies in percent, differences in points with Holm's p-value. Then the findings.
pub fn comparison_text(report: &ComparisonReport) -> String {
    let entries = report.entries.iter().enumerate().map(|(place, entry)| {
        let role = if place == 0 { " (reference)" } else { "" };
        format!("{}{role}: {}, {}\n", letter(place), entry.name, describe(entry))
    });
    format!("{}\n{}\n{}", entries.collect::<String>(), accuracies(report), findings(&report.statistics).join("\n"))
}

fn accuracies(report: &ComparisonReport) -> TextTable {
    let mut header = vec!["accuracy in %".to_owned(), "floor".to_owned(), letter(0)];
    for other in (1..report.entries.len()).map(letter) {
        header.extend([other.clone(), format!("{other}-A"), "p".to_owned()]);
    }
    let mut table = TextTable::new(1);
    table.row(header);
    for (i, name) in NAMES.iter().enumerate() {
        let mut cells = vec![(*name).to_owned(), or_dash(report.reference().result.attributes[i].floor, percent)];
        for entry in &report.entries {
            cells.push(or_dash(entry.result.attributes[i].accuracy, percent));
            if let Some(test) = report.comparison(entry).and_then(|c| c.attributes.get(i)) {
                cells.extend([or_dash(test.difference, points), or_dash(test.p_holm, p_cell)]);
            }
        }
        table.row(cells);
    }
    let mut cells = vec!["mean".to_owned(), percent(report.reference().result.mean_floor())];
    for entry in &report.entries {
        cells.push(percent(entry.result.mean_accuracy()));
        if let Some(comparison) = report.comparison(entry) {
            cells.extend([points(comparison.mean.difference), or_dash(comparison.mean.p, bootstrap_p_cell)]);
        }
    }
    table.row(cells);
    table
}

fn describe(entry: &Entry) -> String {
    let Some(run) = &entry.run else {
        let left_out =
            left_out(entry, |title| format!("`{title}`")).map_or_else(String::new, |words| format!(". {words}"));
        return format!("predictions in {}{left_out}", entry.path);
    };
    format!(
        "{} on {}, profile {}, seed {}, {} head",
        run.variant,
        run.dataset,
        run.profile,
        run.seed,
        entry.result.head.label()
    )
}
