//! The reader of Caffe's networks: any bytes are weights or one sentence, and take little memory.

#![no_main]

#[path = "../memory.rs"]
mod memory;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| memory::weights("bytes.caffemodel", bytes));
