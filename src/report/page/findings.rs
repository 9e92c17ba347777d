//! Findings in sentences, for the page and for a terminal.

use super::super::published::{Protocol, paper_mean};
use super::super::runs::{Report, VariantRuns, tally};
use super::affinity;
use crate::attribute::COUNT;
use crate::evaluate::comparison::MeanDifference;
use crate::evaluate::dependence::Correlations;
use crate::evaluate::{AttributeResult, Comparison, Head, HeadResult, Statistics, Verdict};
use crate::metrics::bootstrap::{BootstrapInfo, Unit};
use crate::render::format::{
    bootstrap_p, difference_words, percent, percent_mean_std, points, points_interval, thousands,
};
use crate::variant::{BASELINE, REGISTRY, Registry};

/// One finding for each pair: the one of all seeds together, if there are several.
pub fn findings(statistics: &Statistics) -> Vec<String> {
    broadest(statistics).map(|comparison| sentence(REGISTRY, statistics, comparison)).collect()
}

/// One comparison for each pair, that of all seeds together if there are several.
pub(super) fn broadest(statistics: &Statistics) -> impl Iterator<Item = &Comparison> {
    let most = |c: &&Comparison| statistics.comparison(&c.name, &c.reference).is_some_and(|most| most == *c);
    statistics.comparisons.iter().filter(most)
}

/// The result of a comparison on attributes and on the mean.
pub(super) fn sentence(registry: Registry, statistics: &Statistics, comparison: &Comparison) -> String {
    let mean = &comparison.mean;
    let (name, reference) = (registry.title(&comparison.name), registry.title(&comparison.reference));
    let (lead, averaged) = match comparison.seeds.len() {
        0 | 1 => (format!("{name} is"), String::new()),
        count => (format!("With each of {count} seeds, {name} is"), format!(", averaged over {count} seeds,")),
    };
    let difference = difference_words(mean.difference, "above", "below", "equal to");
    let features =
        if comparison.same_features { " Both share the FLN, so the difference comes from the CLN alone." } else { "" };
    if let Some(few) = statistics.few_units() {
        return format!(
            "{name} is not tested against {reference}: {few}. On these test images, its mean accuracy{averaged} is {difference} \
             that of {reference}.{features}"
        );
    }
    let over_seeds = mean.deviation.map_or_else(String::new, |deviation| {
        format!("; sample standard deviation over seeds {} points", percent(deviation))
    });
    let shown = match mean.verdict() {
        Some(Verdict::Better | Verdict::Worse) => ": a difference is shown",
        Some(Verdict::Inconclusive) if !mean.every_seed && comparison.seeds.len() > 1 => {
            ": its sign differs between seeds, so no difference is shown"
        }
        Some(Verdict::Inconclusive) => ": no difference is shown",
        None => "",
    };
    let better = comparison.count(Verdict::Better);
    format!(
        "{lead} better than {reference} on {better} attribute{} and worse on {}, with no difference shown on {} (exact \
         McNemar test, Holm's correction, 5 %). Its mean accuracy{averaged} is {difference} that of {reference} \
         ({}{over_seeds}){shown}.{features}",
        if better == 1 { "" } else { "s" },
        comparison.count(Verdict::Worse),
        comparison.count(Verdict::Inconclusive),
        test_words(statistics, mean, "95 % interval of the difference"),
    )
}

/// Interval and p-value of a difference in mean accuracy, or the reason why it has none.
pub(super) fn test_words(statistics: &Statistics, mean: &MeanDifference, of: &str) -> String {
    match (statistics.untested(mean), mean.interval, mean.p) {
        (None, Some(interval), Some(p)) => format!("{of} {}, {}", points_interval(interval), bootstrap_p(p)),
        (None, None, Some(p)) => {
            format!("no interval, as the difference is the same on all test images, {}", bootstrap_p(p))
        }
        (reason, ..) => reason.unwrap_or_default(),
    }
}

/// A paragraph on units that are too few for intervals and tests; empty if there are enough.
pub(super) fn few_units(statistics: &Statistics) -> String {
    statistics.few_units().map_or_else(String::new, |few| format!("**No intervals and no tests.** {few}.\n\n"))
}

/// The resamples behind intervals, as a noun phrase.
pub(super) fn resampling(info: &BootstrapInfo) -> String {
    let (resamples, units) = (thousands(info.resamples), thousands(info.units));
    match info.unit {
        Unit::Identity => format!(
            "{resamples} bootstrap resamples of the {units} people in the test images, each with all of their images, \
             because predictions on images of one person are not independent"
        ),
        Unit::Image => format!(
            "{resamples} bootstrap resamples of the {units} test images (the runs record no identities, so intervals are \
             too narrow if a person has several images)"
        ),
    }
}

/// The section of the page.
pub(super) fn section(report: &Report, correlations: Option<&Correlations>) -> String {
    let variants = report.variants();
    let mut lines: Vec<String> = variants.iter().map(against_floor).collect();
    if let Some(baseline) = variants.iter().find(|v| v.name == BASELINE.name) {
        let others = variants.iter().filter(|v| v.name != BASELINE.name);
        lines.extend(others.map(|variant| against_baseline(report, variant, baseline)));
    }
    lines.extend(variants.iter().filter_map(heads));
    let learned = variants.iter().filter(|v| v.learns_affinity() && v.affinity().is_some());
    let learned = learned.filter_map(|variant| Some((variant, correlations?)));
    lines.extend(learned.map(|(variant, all)| affinity::verdict(variant, &all.of(variant.name))));
    lines.push(noise(&variants));
    format!("## Findings\n\n- {}\n\n", lines.join("\n- "))
}

fn against_floor(variant: &VariantRuns) -> String {
    let accuracy = variant.accuracy();
    let floor = variant.of_primary(HeadResult::mean_floor).mean;
    let gains = (0..COUNT).filter_map(|i| variant.of_attribute(i, AttributeResult::gain));
    let count = tally(gains.map(|gain| gain.mean));
    format!(
        "**{}** ({} head) reaches {} % mean accuracy{}, {} the majority-class floor of {} %. It is above the floor on {} \
         attributes, equal to it on {}, below it on {}.",
        variant.title,
        variant.primary_head().label(),
        percent_mean_std(accuracy),
        match variant.runs.len() {
            1 => String::new(),
            seeds => format!(" (mean and sample standard deviation of {seeds} seeds)"),
        },
        difference_words(accuracy.mean - floor, "above", "below", "equal to"),
        percent(floor),
        count.better,
        count.equal,
        count.worse
    )
}

fn against_baseline(report: &Report, variant: &VariantRuns, baseline: &VariantRuns) -> String {
    let of_paper = |name| paper_mean(Protocol::Celeba, report.registry, name);
    let paper = of_paper(variant.name).zip(of_paper(baseline.name)).map_or_else(String::new, |(own, base)| {
        format!(" The paper's difference on CelebA, with its own protocol, is {}.", points((own - base) / 100.0))
    });
    let statistics = report.statistics.as_ref();
    let comparison = statistics.and_then(|s| Some((s, s.comparison(variant.name, baseline.name)?)));
    if let Some((statistics, comparison)) = comparison {
        return format!(
            "**{} against Baseline**. {}{paper}",
            variant.title,
            sentence(report.registry, statistics, comparison)
        );
    }
    let pairs = variant.accuracies().into_iter().zip(baseline.accuracies());
    let count = tally(pairs.filter_map(|(a, b)| Some(a?.mean - b?.mean)));
    format!(
        "**{} against Baseline**: {} Baseline in mean accuracy; better on {} attributes, worse on {}, equal on {}.{paper}",
        variant.title,
        difference_words(variant.accuracy().mean - baseline.accuracy().mean, "above", "below", "equal to"),
        count.better,
        count.worse,
        count.equal
    )
}

/// The two heads of one network; `None` if it has one.
fn heads(variant: &VariantRuns) -> Option<String> {
    let fln = variant.of_head(Head::Fln, HeadResult::mean_accuracy)?;
    let cln = variant.of_head(Head::Cln, HeadResult::mean_accuracy)?;
    Some(format!(
        "Within {}, the CLN head ({} %) is {} the FLN head ({} %).",
        variant.title,
        percent_mean_std(cln),
        difference_words(cln.mean - fln.mean, "above", "below", "equal to"),
        percent_mean_std(fln)
    ))
}

/// The part that chance may have in a difference.
fn noise(variants: &[VariantRuns]) -> String {
    if variants.iter().all(|v| v.runs.len() == 1) {
        return "Every variant was trained with one seed. The variation between seeds is unknown, so a small difference \
                between variants is not yet a finding."
            .to_owned();
    }
    let seeds: Vec<String> = variants.iter().map(|v| format!("{} {}", v.title, v.runs.len())).collect();
    format!(
        "Numbers of seeds: {}. A difference between variants may be chance unless it is several times the standard \
         deviation over seeds.",
        seeds.join(", ")
    )
}
