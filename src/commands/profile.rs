//! `gal-bench profile`.

use crate::cli;
use gal_bench::config::Profile;
use gal_bench::{Error, Result};

pub(super) fn run(args: &cli::ProfileArgs) -> Result<()> {
    let text = Profile::text(&args.name).ok_or_else(|| {
        Error::Request(format!("there is no embedded profile {}: use {}", args.name, Profile::names().join(", ")))
    })?;
    super::print(text)
}
