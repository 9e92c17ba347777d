//! Prepared sets on disk: [`prepare`] writes them, [`Reader`] reads them, [`verify`] compares them with their digests.
//!
//! A folder holds `inputs.json`, written first, with which an interrupted run resumes; the images, in one of four
//! formats; `manifest.parquet`, one row an image, and the same table as `manifest.csv`; and `prepared.json`, written
//! last: a set is complete if that file exists. The manifest's `file`, `offset` and `bytes` locate every stored image,
//! so the reader needs no code for each format.

mod balance;
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
pub use jpeg::decode as decode_jpeg;
pub use options::{Format, Options};
pub use prepare::prepare;
pub use prepared::{Counts, Prepared, Shard, SourceImages};
pub use preprocessing::{Preprocessing, resized};
pub use reader::Reader;
pub use row::{Location, Row};
pub use verify::{verify, verify_sources};
