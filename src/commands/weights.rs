//! `gal-bench weights`.

use crate::cli::{Weights, WeightsImport};
use gal_bench::weights::{Imported, import};
use gal_bench::{Result, io};
use serde_json::json;

pub(super) fn run(command: &Weights) -> Result<()> {
    let Weights::Import(options) = command;
    io::spare(&options.output, options.force)?;
    let imported = import(&options.file, options.backbone)?;
    imported.write(&options.file, &options.output)?;
    let Imported { backbone, matched, left_out, initial, .. } = &imported;
    let result = json!({
        "backbone": backbone, "output": options.output, "matched": matched, "left_out": left_out, "initial": initial,
    });
    options.voice.result(&result, || describe(options, &imported))
}

fn describe(options: &WeightsImport, imported: &Imported) -> String {
    let mut lines = vec![format!("weights of {} from {}", imported.backbone, options.file.display())];
    lines.extend(
        imported
            .matched
            .iter()
            .map(|m| format!("  {} {:?} -> {} {:?}, {}", m.source, m.source_shape, m.name, m.shape, m.how)),
    );
    lines.extend(imported.left_out.iter().map(|name| format!("  {name} left out")));
    lines.extend(imported.initial.iter().map(|name| format!("  {name} keeps its initial value")));
    lines.push(format!("wrote {}", options.output.display()));
    lines.join("\n")
}
