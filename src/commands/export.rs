//! `gal-bench export`.

use crate::cli::Export;
use gal_bench::{Result, export};

pub(super) fn run(options: &Export) -> Result<()> {
    let exported = export::export(&options.trained.folder()?, &options.output, options.force)?;
    options.voice.result(&exported, || {
        let (module, weights) = (exported.module.display(), exported.weights.display());
        format!("wrote {module} and {weights}; `python {module} PICTURE` tries them")
    })
}
