//! `gal-bench weights`.

use crate::cli::{WeightsCommand, WeightsImportArgs};
use gal_bench::weights::{Imported, import};
use gal_bench::{Result, io};
use serde_json::json;

pub(super) fn run(command: &WeightsCommand) -> Result<()> {
    let WeightsCommand::Import(args) = command;
    io::refuse_overwrite(&args.output, args.force)?;
    let imported = import(&args.file, args.backbone)?;
    imported.write(&args.file, &args.output)?;
    let Imported { backbone, matched, left_out, initial, .. } = &imported;
    let result = json!({
        "backbone": backbone, "output": io::path_text(&args.output), "matched": matched, "left_out": left_out, "initial": initial,
    });
    args.output_args.result(&result, || describe(args, &imported))
}

fn describe(args: &WeightsImportArgs, imported: &Imported) -> String {
    let mut lines = vec![format!("weights of {} from {}", imported.backbone, args.file.display())];
    lines.extend(
        imported
            .matched
            .iter()
            .map(|m| format!("  {} {:?} -> {} {:?}, {}", m.source, m.source_shape, m.name, m.shape, m.how)),
    );
    lines.extend(imported.left_out.iter().map(|name| format!("  {name} left out")));
    lines.extend(imported.initial.iter().map(|name| format!("  {name} keeps its initial value")));
    lines.push(format!("wrote {}", args.output.display()));
    lines.join("\n")
}
