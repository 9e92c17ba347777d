//! Fuzzes the reader of MATLAB 7.3 files: labels, and a partition of six images, or an error.

#![no_main]

use gal_bench::dataset::fuzzing;
use libfuzzer_sys::fuzz_target;

const LABELS: &[u8] = include_bytes!("../../tests/golden/lfwa_attributes.mat");

// The reader turns panics of the HDF5 crate into errors; libFuzzer's own hook would abort before that. A panic outside the
// reader still ends the run.
fuzz_target!(init: std::panic::set_hook(Box::new(|_| {})), |input: &[u8]| {
    let _ = fuzzing::matlab_labels(input.to_vec());
    if let Ok(images) = fuzzing::matlab_partition(LABELS.to_vec(), input.to_vec()) {
        assert_eq!(images, 6);
    }
});
