//! Helpers that tests of several stages share. No test file imports from another one.

pub(crate) mod celeba_files;
pub(crate) mod fake_runs;
pub(crate) mod gal_bench;
pub(crate) mod images;
pub(crate) mod training;
pub(crate) mod workspace;
