//! Fuzzes a prepared set's `prepared.json` beside a manifest that it does not describe: an error.

#![no_main]

#[path = "../place.rs"]
mod place;

use gal_bench::store::Reader;
use libfuzzer_sys::fuzz_target;

const MANIFEST: &[u8] = include_bytes!("../seeds/manifest/npy");

fuzz_target!(|bytes: &[u8]| {
    let folder = place::folder(|folder| std::fs::write(folder.join("manifest.parquet"), MANIFEST).unwrap());
    std::fs::write(folder.join("prepared.json"), bytes).unwrap();
    place::check(Reader::open(folder));
});
