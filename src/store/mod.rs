//! The prepared set on disk: written by [`prepare`], read by [`Reader`], verified by [`check`].
//!
//! Every folder holds `manifest.parquet` (the same as text in `manifest.csv`) with one row an image, `inputs.json`,
//! written first, from which a killed run knows that it may go on, and `prepared.json`, written last: where it is,
//! everything is. The pixels lie beside them in one of four forms, one file each in `format`; what a manifest says of
//! an image (`file`, `offset`, `bytes`) is enough to read any stored one, so the reader knows no format but "stored" and
//! "drawn on demand".

mod balance;
mod check;
mod folder;
mod format;
mod hashed;
mod items;
mod jpeg;
mod manifest;
mod prepared;
mod read;
mod sources;
mod standard;
mod write;

pub use balance::Rate;
pub use check::{check, check_sources};
pub use format::Format;
pub use jpeg::decode as decode_jpeg;
pub use prepared::{Counts, Options, Origin, Prepared, Shard};
pub use read::{Place, Reader, Row};
pub use standard::{Standard, resized};
pub use write::prepare;
