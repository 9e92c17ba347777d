//! Notes that several tables share.

use super::super::published::Protocol;
use super::super::results::runs::Diverged;
use super::super::runs::Report;
use super::deviations;
use crate::render::format::thousands;
use crate::variant::Kind;

/// How variants with two heads are scored.
pub(super) const PRIMARY_HEAD: &str =
    "A variant is scored by its primary head: that of the CLN, or that of the FLN if it has no CLN.";

/// Sentences on cells with several seeds and on the paper's variants that diverged, each after a blank.
pub(super) fn seeds_note(report: &Report) -> String {
    let several = report.variants().iter().any(|v| v.runs.len() > 1);
    let seeds = if several { " `a ± b` is the mean and the sample standard deviation over seeds." } else { "" };
    let is_of_paper = |name: &str| report.registry.find(name).is_none_or(|variant| variant.kind == Kind::Paper);
    format!("{seeds}{}", diverged_note(report, is_of_paper))
}

/// A sentence on each wanted run that diverged, after a blank.
pub(super) fn diverged_note(report: &Report, wanted: impl Fn(&str) -> bool) -> String {
    let finished = report.with_controls();
    let sentence = |run: &Diverged| {
        let (title, step, seed) = (report.registry.title(&run.variant), thousands(run.step), run.seed);
        let rest = if finished.iter().any(|variant| variant.name == run.variant) {
            ": its figures are of its other seeds"
        } else {
            " and has no row"
        };
        format!(" {title} diverged at step {step} with seed {seed}{rest}.")
    };
    let runs = report.diverged.iter().map(|run| &run.record);
    runs.filter(|run| wanted(&run.variant)).map(sentence).collect()
}

/// The comparability of the published figures below with the report's.
pub(super) fn beside_the_paper(report: &Report, protocol: Protocol) -> String {
    let of = protocol.label();
    let papers = papers_protocol(protocol);
    if report.protocol() != Some(protocol) {
        return format!(
            "**{of}, published, other data.** For reference only: the runs above used {}, so their figures cannot be \
             compared with these. The paper used {papers}.",
            report.data(),
        );
    }
    if report.is_papers_protocol() {
        return format!("**{of}, published.** The same data, partition and protocol as the paper's.");
    }
    let split = if report.shared().is_official_test() { " The test images are the same." } else { "" };
    format!(
        "**{of}, published, another protocol.**{split} The paper used {papers}. The runs of this report deviate from that as \
         [listed below](#{}), so a difference in accuracy is not a difference between methods.",
        deviations::ANCHOR
    )
}

fn papers_protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Celeba => {
            "162,770 training and 19,962 test images of the official partition, 227 px input, 25,600 steps and weights \
             pretrained on ImageNet"
        }
        Protocol::Lfwa => {
            "6,263 training images in 12 distorted copies each and 6,880 test images of the official partition, \
             227 px input, 10,000 steps and weights pretrained on ImageNet"
        }
    }
}
