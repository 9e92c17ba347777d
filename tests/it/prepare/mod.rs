//! Stage 1: annotation files and images become a prepared set.

mod augment;
mod dataset;
pub(crate) mod inspect;
pub(crate) mod store;
mod synthetic;
