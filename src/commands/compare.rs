//! `gal-bench compare`.

use crate::cli::Compare;
use gal_bench::Result;
use gal_bench::report::Contest;

pub(super) fn run(options: &Compare) -> Result<()> {
    let paths: Vec<_> = std::iter::once(&options.reference).chain(&options.others).cloned().collect();
    let contest = Contest::new(&paths)?;
    if let Some(folder) = &options.output {
        contest.write(folder)?;
    }
    options.voice.result(&contest, || {
        let written =
            options.output.as_ref().map(|folder| format!("\nwritten to {}", folder.join("README.md").display()));
        contest.text() + &written.unwrap_or_default()
    })
}
