//! Stage 1: annotation files and images become a prepared set.

mod augment;
mod dataset;
mod images;
mod inspect;
mod pipeline;
mod store;
mod synthetic;
