//! `gal-bench run-all`: the three stages in one; what is done already is not done again.

use super::{evaluate, prepare, train};
use crate::cli::RunAll;
use gal_bench::evaluate::overview;
use gal_bench::{Result, report, store};

pub(super) fn run(options: &RunAll) -> Result<()> {
    super::use_threads(options.compute.work.threads)?;
    let progress = options.voice.progress();
    let (dataset, selection) = (options.data.dataset, &options.selection);
    let profile = selection.profile()?;
    let folder = options.data.prepared();

    progress.say("1/3 prepare");
    let store = store::Options {
        expand: profile.prepare.get(dataset.label()).and_then(|prepare| prepare.expand),
        force: options.compute.work.force,
        ..store::Options::default()
    };
    prepare::prepare(dataset, &options.source, &folder, &store, &progress)?;

    progress.say("2/3 train");
    let command = train::command("run-all", dataset.label(), selection);
    train::train_on(&folder, selection, &options.compute, &command, &progress)?;

    progress.say("3/3 report");
    let evaluated = evaluate::evaluate(&options.data, selection, &options.reports, &progress)?;
    report::write(&evaluated.report)?;
    options.voice.result(&evaluated, || {
        let (text, page) = (evaluated.text(), evaluated.report.join("README.md"));
        format!("{text}\n{}\n\nreport: {}", overview(&evaluated.evaluations), page.display())
    })
}
