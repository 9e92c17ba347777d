//! What tests of differences show, in plain sentences, for a terminal and for a page.

use crate::evaluate::{Comparison, Statistics, Verdict};
use crate::metrics::bootstrap::{BootstrapInfo, Unit};
use crate::render::format::{bootstrap_p, difference_words, percent, points_interval, thousands};
use crate::variant::{REGISTRY, Registry};

/// One sentence on each pair: of all its seeds together where there are several.
pub fn findings(statistics: &Statistics) -> Vec<String> {
    broadest(statistics).map(|comparison| sentence(REGISTRY, comparison)).collect()
}

/// The comparisons that say most, one a pair.
pub(super) fn broadest(statistics: &Statistics) -> impl Iterator<Item = &Comparison> {
    let most = |c: &&Comparison| statistics.comparison(&c.name, &c.reference).is_some_and(|most| most == *c);
    statistics.comparisons.iter().filter(most)
}

/// What a comparison shows of attributes and of the mean.
pub(super) fn sentence(registry: Registry, comparison: &Comparison) -> String {
    let mean = &comparison.mean;
    let (name, reference) = (registry.title(&comparison.name), registry.title(&comparison.reference));
    let (lead, averaged) = match comparison.seeds.len() {
        0 | 1 => (format!("{name} is"), ""),
        count => (format!("With every one of {count} seeds, {name} is"), ", averaged over the seeds,"),
    };
    let over_seeds = mean.deviation.map_or_else(String::new, |deviation| {
        format!("; sample standard deviation over the seeds {} points", percent(deviation))
    });
    let shown = match mean.verdict() {
        Verdict::Better | Verdict::Worse => "a difference is shown",
        Verdict::Inconclusive if !mean.every_seed && comparison.seeds.len() > 1 => {
            "the sign is not the same with every seed, so no difference is shown"
        }
        Verdict::Inconclusive => "no difference is shown",
    };
    let features = if comparison.same_features {
        " Both have the same feature learning net: the difference is that of the correlation net alone."
    } else {
        ""
    };
    let better = comparison.count(Verdict::Better);
    format!(
        "{lead} better than {reference} on {} attribute{}, worse on {}, no difference shown on {} (exact McNemar test, \
         Holm's correction, 5 %). Its mean accuracy{averaged} is {} that of {reference} (95 % interval of the difference \
         {}, {}{over_seeds}): {shown}.{features}",
        better,
        if better == 1 { "" } else { "s" },
        comparison.count(Verdict::Worse),
        comparison.count(Verdict::Inconclusive),
        difference_words(mean.difference, "above", "below", "level with"),
        points_interval(mean.interval),
        bootstrap_p(mean.p),
    )
}

/// How intervals of means were drawn.
pub(super) fn drawn(drawn: &BootstrapInfo) -> String {
    let units = thousands(drawn.units);
    let (what, why) = match drawn.unit {
        Unit::Identity => (
            format!("{units} people of the test images, each with all images of theirs"),
            "images of one person are answered alike",
        ),
        Unit::Image => (
            format!("{units} test images, as the runs do not say whose faces they show"),
            "where a person has several, these intervals are too narrow",
        ),
    };
    format!("{} draws, with replacement, of the {what}: {why}", thousands(drawn.resamples))
}
