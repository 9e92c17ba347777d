//! Gain over the majority-class floor: a bar for each attribute and variant, by Table 1's groups.

use super::super::headings;
use super::super::runs::{Report, VariantRuns};
use super::figure::Figure;
use super::legend::{Legend, Mark};
use crate::attribute::{COUNT, GROUPS, NAMES, by_group};
use crate::evaluate::AttributeResult;
use crate::render::svg::{Anchor, FAINT, INK, Svg, decimals, round_step};

const WIDTH: f64 = 800.0;
const LEFT: f64 = 232.0;
const RIGHT: f64 = 24.0;
/// Top of the bars below a legend of one row.
const TOP: f64 = 92.0;
const BAR: f64 = 4.5;
const PAD: f64 = 5.0;

/// The figure.
pub(super) fn figure(report: &Report) -> Figure {
    Figure {
        section: headings::GAIN,
        file: "gain-over-floor.svg".to_owned(),
        alt: "Accuracy above the majority-class floor for each attribute and variant, in percentage points".to_owned(),
        text:
            "Accuracy of the primary head minus that of always predicting the attribute's most frequent training label. A \
             bar to the left of zero is worse than ignoring the image."
                .to_owned(),
        svg: draw(report),
    }
}

/// Gains in percentage points, `[variant][attribute]`; `None` for an attribute without labels, which has no bar.
fn gains(variants: &[VariantRuns]) -> Vec<Vec<Option<f64>>> {
    let of =
        |variant: &VariantRuns, i: usize| variant.of_attribute(i, AttributeResult::gain).map(|gain| 100.0 * gain.mean);
    variants.iter().map(|variant| (0..COUNT).map(|i| of(variant, i)).collect()).collect()
}

fn draw(report: &Report) -> Vec<u8> {
    let variants = report.variants();
    let gains = gains(&variants);
    let row = BAR * variants.len() as f64 + PAD;
    let legend =
        Legend::new(variants.iter().map(|variant| (variant.title, variant.style)), Mark::Bar, WIDTH - LEFT - RIGHT);
    let top = TOP + legend.more();
    let bottom = top + row * COUNT as f64;
    let mut svg = Svg::new(WIDTH, bottom + 40.0, "Gain over the majority-class floor");
    svg.heading((12.0, 24.0), 16.0, "Gain over the majority-class floor");
    svg.text((12.0, 42.0), Anchor::Start, 11.0, &report.caption());
    legend.draw(&mut svg, LEFT, 60.0);

    let all = || gains.iter().flatten().flatten().copied();
    let (low, high) = (all().fold(0.0, f64::min), all().fold(0.0, f64::max));
    let step = round_step((high - low).max(0.1), 6.0);
    let (low, high) = ((low / step).floor() * step, (high / step).ceil().max(1.0) * step);
    let x = |gain: f64| LEFT + (gain - low) / (high - low) * (WIDTH - LEFT - RIGHT);
    let (first, last) = ((low / step).round() as i64, (high / step).round() as i64);
    for line in first..=last {
        let gain = line as f64 * step;
        svg.line((x(gain), top), (x(gain), bottom), FAINT, 1.0);
        svg.text((x(gain), bottom + 16.0), Anchor::Middle, 10.5, &format!("{gain:.*}", decimals(step)));
    }
    svg.text((WIDTH - RIGHT, bottom + 32.0), Anchor::End, 10.5, "percentage points");
    for (place, &(i, _)) in by_group().iter().enumerate() {
        let y = top + place as f64 * row;
        svg.text((LEFT - 8.0, y + row / 2.0 + 4.0), Anchor::End, 10.5, NAMES[i]);
        for (v, variant) in variants.iter().enumerate() {
            let Some(gain) = gains[v][i] else { continue };
            let (from, to) = (x(gain.min(0.0)), x(gain.max(0.0)));
            svg.rect(from, y + PAD / 2.0 + v as f64 * BAR, to - from, BAR, variant.style.colour);
        }
    }
    groups(&mut svg, top, row);
    svg.line((x(0.0), top), (x(0.0), bottom), INK, 1.0);
    svg.finish()
}

/// The names of the groups, with a line under each.
fn groups(svg: &mut Svg, top: f64, row: f64) {
    let mut y = top;
    for group in GROUPS {
        let end = y + row * group.members.len() as f64;
        svg.text((12.0, f64::midpoint(y, end) + 4.0), Anchor::Start, 11.0, group.name);
        svg.line((12.0, end), (WIDTH - RIGHT, end), FAINT, 1.0);
        y = end;
    }
}
