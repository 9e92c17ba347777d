//! Fuzzes the reader of a run's predictions in Parquet: predictions of at most 60 images, or an error.

#![no_main]

#[path = "../place.rs"]
mod place;

use gal_bench::evaluate::Predictions;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let path = place::folder(|_| ()).join("predictions.parquet");
    std::fs::write(&path, bytes).unwrap();
    let read = Predictions::read(&path, Some(60));
    assert!(read.as_ref().map_or(true, |predictions| predictions.images.names.len() <= 60));
    place::check(read);
});
