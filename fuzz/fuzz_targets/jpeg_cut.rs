//! Fuzzes the check that a JPEG file is complete. A file that is read, then cut anywhere and ended by a marker, is refused
//! or has the same pixels.

#![no_main]

use gal_bench::io::decode_image;
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    let Some((place, file)) = bytes.split_first_chunk::<2>() else { return };
    let Ok(whole) = decode_image(file, Path::new("bytes")) else { return };
    if !file.starts_with(&[0xff, 0xd8]) {
        return;
    }
    let length = usize::from(u16::from_le_bytes(*place)) % file.len();
    let cut = [&file[..length], &[0xff, 0xd9]].concat();
    if let Ok(part) = decode_image(&cut, Path::new("bytes")) {
        assert!(part == whole, "cut at {length}");
    }
});
