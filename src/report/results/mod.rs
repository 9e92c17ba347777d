//! The folder `results` of a report: the small files that it is rendered from. `results.json` holds the summaries of the
//! runs, `affinity-VARIANT-seedN.csv` their mean affinities; each other file here has a module of its own. Every number
//! stands in one file only.

pub(super) mod accuracy;
pub(super) mod comparison_report;
pub(super) mod comparisons;
pub(super) mod csv_file;
pub(super) mod curves;
pub(super) mod dependence;
pub(super) mod examples;
mod plain;
pub(super) mod profile;
pub(super) mod retests;
pub(super) mod runs;
pub(super) mod together;
mod wide_table;
