//! `gal-bench export`.

use crate::cli::ExportArgs;
use gal_bench::{Result, export};

pub(super) fn run(args: &ExportArgs) -> Result<()> {
    let folder = args.run.folder()?;
    let progress = args.output_args.progress();
    super::verify::note_unsealed([folder.as_path()].into_iter(), &progress);
    let exported = export::export(&folder, &args.output, args.format, args.force, &progress)?;
    args.output_args.result(&exported, || {
        let weights = exported.weights.display();
        match &exported.module {
            Some(module) => {
                format!("wrote {0} and {weights}; test them with `python {0} IMAGE`", module.display())
            }
            None => format!("wrote {weights}; {} shows how to run it", exported.card.display()),
        }
    })
}
