//! `gal-bench profile`.

use crate::cli;
use gal_bench::config::Profile;
use gal_bench::{Error, Result};

pub(super) fn run(options: &cli::Profile) -> Result<()> {
    let text = Profile::text(&options.name).ok_or_else(|| {
        Error::Request(format!("there is no embedded profile {}: use {}", options.name, Profile::names().join(", ")))
    })?;
    super::print(text)
}
