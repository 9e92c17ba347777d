//! Fuzzes the JPEG decoder: an image with pixels, or an error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(image) = gal_bench::io::decode_image(bytes, Path::new("bytes")) {
        assert!(image.width() > 0 && image.height() > 0);
    }
});
