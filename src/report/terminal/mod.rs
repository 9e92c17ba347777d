//! Text for a terminal.

pub(super) mod comparison_report;
pub(super) mod evaluations;
