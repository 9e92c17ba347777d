//! Prepared sets on disk: [`prepare`] writes them, [`Reader`] reads them, [`verify`] compares them with their digests.
//!
//! | file | content |
//! |---|---|
//! | `inputs.json` | digests of the inputs, with which an interrupted run resumes; written first |
//! | images | in one of four formats, a file each in `format` |
//! | `manifest.parquet`, `manifest.csv` | one row an image, twice the same table |
//! | `prepared.json` | the description; written last, so the set is complete if it exists |
//!
//! The manifest's `file`, `offset` and `bytes` locate every stored image, so reading needs no code for each format.

mod balance;
mod faces;
mod folder;
mod format;
mod hashing;
mod inputs;
mod items;
mod jpeg;
mod layout;
mod manifest;
mod options;
mod prepare;
mod prepared;
mod preprocessing;
mod reader;
mod row;
mod sources;
mod verify;

pub use balance::Rate;
pub use options::{Format, Options};
pub use prepare::{check_labels, check_splits, prepare};
pub use prepared::{Counts, Prepared, Shard, SourceImages};
pub use preprocessing::{Preprocessing, resized};
pub use reader::Reader;
pub use row::{Location, Row};
pub use verify::{verify, verify_sources};
