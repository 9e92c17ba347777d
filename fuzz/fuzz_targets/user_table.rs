//! Fuzzes the reader of a user's table: at most one row per line, or an error that names an existing line.

#![no_main]

#[path = "../lines.rs"]
mod lines;

use gal_bench::dataset::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| lines::check(input, fuzzing::user_table(input)));
