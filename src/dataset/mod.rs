//! Stage 1a: annotation files become one typed table.
//!
//! Each source has a file ([`celeba`], [`lfwa`], [`synthetic`], [`user_table`]) that returns a [`Dataset`]. Below them, `layout`
//! finds files, `annotation` reads text and CSV files with the columns that `header` finds, and `matlab` reads MATLAB files. `join` combines labels, partition,
//! identities and images; [`table`] builds and reads the table.

mod annotation;
pub mod celeba;
mod checksums;
mod delimited;
mod extent;
mod fields;
#[doc(hidden)]
pub mod fuzzing;
mod header;
mod join;
mod layout;
pub mod lfwa;
mod matlab;
mod name;
mod people;
mod set;
mod split;
pub mod synthetic;
pub mod table;
mod text;
pub mod user_table;
mod val_split;

pub use name::DatasetName;
pub use set::{Annotations, Dataset, Images, Options, Partition};
pub use split::Split;
pub use table::Row;
