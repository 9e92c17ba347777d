//! Fuzzes the reader of caffe-tensorflow's output: weights or an error of one line, in bounded memory.

#![no_main]

#[path = "../memory.rs"]
mod memory;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| memory::weights("bytes.npy", bytes));
