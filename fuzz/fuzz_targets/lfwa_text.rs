//! The readers of LFWA's text files: any bytes are rows, no more than there are lines, or a sentence with a line that exists.

#![no_main]

#[path = "../lines.rs"]
mod lines;

use gal_bench::dataset::{DatasetName, fuzzing};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    lines::check(input, fuzzing::labels(DatasetName::Lfwa, input));
    lines::check(input, fuzzing::partition(input));
});
