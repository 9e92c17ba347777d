//! Fuzzes the readers of PyTorch weights in every form: weights or an error of one line, in bounded memory.

#![no_main]

#[path = "../memory.rs"]
mod memory;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    memory::weights("bytes.pth", bytes);
    memory::weights("bytes.safetensors", bytes);
});
