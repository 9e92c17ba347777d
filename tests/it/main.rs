//! The binary and the library from outside, stage by stage. One test binary, since polars and candle link slowly.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod augment;
mod bad_input;
mod cells;
mod compare;
mod dataset;
mod doctor;
mod figures;
mod finite_differences;
mod golden;
mod house;
mod inspect;
mod predict;
mod prepare;
mod ranks;
mod report;
mod run_all;
mod statistics;
mod synthetic;
mod train;
mod watch;
mod weights;
