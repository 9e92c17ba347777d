//! `gal-bench profile`.

use crate::cli::ProfileArgs;
use gal_bench::config::Profile;
use gal_bench::{Error, Result};

pub(super) fn run(args: &ProfileArgs) -> Result<()> {
    let text = Profile::text(&args.name).ok_or_else(|| {
        let names = Profile::names().join(", ");
        Error::Request(format!("there is no embedded profile {}: use one of {names}", args.name))
    })?;
    args.output_args.result(&Profile::load(&args.name)?, || text.trim_end().to_owned())
}
