//! `gal-bench compare`.

use crate::cli::CompareArgs;
use gal_bench::Result;
use gal_bench::report::ComparisonReport;

pub(super) fn run(args: &CompareArgs) -> Result<()> {
    let paths: Vec<_> = std::iter::once(&args.reference).chain(&args.others).cloned().collect();
    let report = ComparisonReport::new(&paths)?;
    if let Some(folder) = &args.output {
        report.write(folder)?;
    }
    args.output_args.result(&report, || {
        let written = args.output.as_ref().map(|folder| format!("\nwritten to {}", folder.join("README.md").display()));
        report.text() + &written.unwrap_or_default()
    })
}
