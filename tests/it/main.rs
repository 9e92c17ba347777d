//! Integration tests by stage; `tests/README.md` describes them. One test binary, since polars and candle link slowly.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod cli;
mod common;
mod distributed;
mod hostile;
mod house;
mod predict;
mod prepare;
mod report;
mod train;
