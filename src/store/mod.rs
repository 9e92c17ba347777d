//! The prepared set on disk: written by [`prepare`], read by [`Reader`], verified by [`check`].
//!
//! A folder holds `images/<split>/<shard>/<stem>-<copy>.jpg` with at most a thousand sources a shard, `manifest.parquet`
//! (the same as text in `manifest.csv`) with one row a stored image, `inputs.json`, written first, from which a killed
//! run knows that it may go on, and `prepared.json`, written last: where it is, everything is.

mod folder;
mod jpeg;
mod manifest;
mod prepared;
mod read;
mod write;

pub use prepared::{Counts, Options, Prepared};
pub use read::{Reader, Row, check};
pub use write::prepare;
