//! The reader of what caffe-tensorflow's converter saves: any bytes are weights or one sentence, and take little memory.

#![no_main]

#[path = "../memory.rs"]
mod memory;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| memory::weights("bytes.npy", bytes));
