//! Fuzzes a run's `config.toml`: a configuration with possible values, or an error.

#![no_main]

#[path = "../place.rs"]
mod place;

use gal_bench::config::RunConfig;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let path = place::folder(|_| ()).join("config.toml");
    std::fs::write(&path, bytes).unwrap();
    let read = RunConfig::read(&path);
    assert!(read.as_ref().map_or(true, |config| config.profile.network.map_size().is_ok()));
    place::check(read);
});
