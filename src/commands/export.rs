//! `gal-bench export`.

use crate::cli::ExportArgs;
use gal_bench::{Result, export};

pub(super) fn run(args: &ExportArgs) -> Result<()> {
    let folder = args.run.folder()?;
    super::verify::note_unsealed([folder.as_path()].into_iter(), &args.output_args.progress());
    let exported = export::export(&folder, &args.output, args.force)?;
    args.output_args.result(&exported, || {
        let (module, weights) = (exported.module.display(), exported.weights.display());
        format!("wrote {module} and {weights}; test them with `python {module} IMAGE`")
    })
}
