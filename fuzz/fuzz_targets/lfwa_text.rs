//! Fuzzes the readers of LFWA's text files: at most one row per line, or an error that names an existing line.

#![no_main]

#[path = "../lines.rs"]
mod lines;

use gal_bench::dataset::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    lines::check(input, fuzzing::labels(input));
    lines::check(input, fuzzing::partition(input));
});
