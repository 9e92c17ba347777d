//! `gal-bench compare`.

use crate::cli::CompareArgs;
use gal_bench::Result;
use gal_bench::evaluate::ComparisonReport;
use gal_bench::report;
use std::path::PathBuf;

pub(super) fn run(args: &CompareArgs) -> Result<()> {
    let paths: Vec<_> = std::iter::once(&args.reference).chain(&args.others).cloned().collect();
    // Before the work, which takes minutes.
    let output = args.output.as_ref().map(|folder| report::claim(folder, args.force)).transpose()?;
    super::verify::note_unsealed(paths.iter().map(PathBuf::as_path), &args.output_args.progress());
    let comparison = ComparisonReport::new(&paths)?;
    if let (Some(folder), Some(output)) = (&args.output, output) {
        report::write_comparison(&comparison, folder)?;
        report::write(folder)?;
        output.record()?;
    }
    args.output_args.result(&comparison, || {
        let written = args.output.as_ref().map(|folder| format!("\nwritten to {}", folder.join("README.md").display()));
        report::comparison_text(&comparison) + &written.unwrap_or_default()
    })
}
