//! Mean PSE masks: for each attribute, the weights of the positions of its branch's feature map.

use super::super::headings;
use super::super::runs::{Report, VariantRuns};
use super::figure::Figure;
use crate::attribute::{NAMES, by_group};
use crate::evaluate::dependence::{Correlations, RunDependence};
use crate::evaluate::masks::Maps;
use crate::render::svg::{Anchor, Svg, viridis};
use std::collections::BTreeMap;

const COLUMNS: usize = 8;
const SIDE: f64 = 72.0;
const PITCH: (f64, f64) = (118.0, 116.0);
const LEFT: f64 = 12.0;
const TOP: f64 = 96.0;

/// One figure for all variants with the same masks, as those that share an FLN have.
pub(super) fn figures(report: &Report, all: &Correlations) -> Vec<Figure> {
    let variants = report.variants();
    let mut drawn: Vec<(Maps, Vec<&VariantRuns>)> = Vec::new();
    for variant in &variants {
        let Some(maps) = mean_maps(&all.of(variant.name)) else { continue };
        match drawn.iter_mut().find(|(known, _)| *known == maps) {
            Some((_, variants)) => variants.push(variant),
            None => drawn.push((maps, vec![variant])),
        }
    }
    drawn.iter().map(|(maps, variants)| figure(report, maps, variants)).collect()
}

/// The mean over the seeds; `None` unless all have masks of one size.
fn mean_maps(found: &[&RunDependence]) -> Option<Maps> {
    let all: Vec<&Maps> = found.iter().map(|run| run.masks.as_ref()).collect::<Option<_>>()?;
    let area = all.first()?[0].len();
    let even = all.iter().all(|maps| maps.iter().all(|map| map.len() == area));
    let cell = |i: usize, cell: usize| all.iter().map(|maps| maps[i][cell]).sum::<f32>() / all.len() as f32;
    even.then(|| (0..NAMES.len()).map(|i| (0..area).map(|c| cell(i, c)).collect()).collect())
}

fn figure(report: &Report, maps: &Maps, variants: &[&VariantRuns]) -> Figure {
    let names: Vec<&str> = variants.iter().map(|variant| variant.title).collect();
    let (first, others) = (names[0], &names[1..]);
    let same =
        if others.is_empty() { String::new() } else { format!(" (those of {} are the same)", others.join(", ")) };
    let side = maps[0].len().isqrt();
    Figure {
        section: headings::MASKS,
        file: format!("masks-{}.svg", variants[0].name),
        alt: format!("The mean mask of each of the 40 attributes, {first}"),
        text: format!(
            "{first}{same}: the mean over the test images{} of the PSE mask, which scales each position of an attribute's \
             {side} x {side} feature map by a factor from 0 to 1. All maps share one colour scale; the smallest and the \
             largest value of a map are below its name.",
            if variants[0].runs.len() > 1 { " and seeds" } else { "" }
        ),
        svg: draw(report, first, maps, side),
    }
}

/// The smallest and the largest of some values.
pub(super) fn range<'a>(values: impl IntoIterator<Item = &'a f32>) -> (f64, f64) {
    values.into_iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &value| {
        (low.min(f64::from(value)), high.max(f64::from(value)))
    })
}

fn draw(report: &Report, name: &str, maps: &Maps, side: usize) -> Vec<u8> {
    let rows = maps.len().div_ceil(COLUMNS);
    let title = format!("Mean masks of {name}");
    let (width, height) = (LEFT + COLUMNS as f64 * PITCH.0, TOP + rows as f64 * PITCH.1);
    let mut svg = Svg::new(width, height, &title);
    svg.heading((LEFT, 24.0), 16.0, &title);
    svg.text((LEFT, 42.0), Anchor::Start, 11.0, &report.caption());
    let (low, high) = range(maps.iter().flatten());
    legend(&mut svg, low, high);
    let mut cells: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    let cell = SIDE / side as f64;
    for (place, (i, _)) in by_group().into_iter().enumerate() {
        let (x, y) = (LEFT + (place % COLUMNS) as f64 * PITCH.0, TOP + (place / COLUMNS) as f64 * PITCH.1);
        for (position, value) in maps[i].iter().enumerate() {
            let share = if high > low { (f64::from(*value) - low) / (high - low) } else { 0.5 };
            let corner = (x + (position % side) as f64 * cell, y + (position / side) as f64 * cell);
            cells.entry(viridis(share)).or_default().push(corner);
        }
        let (least, largest) = range(&maps[i]);
        svg.text((x, y + SIDE + 13.0), Anchor::Start, 10.5, NAMES[i]);
        svg.text((x, y + SIDE + 26.0), Anchor::Start, 9.5, &format!("{least:.3} to {largest:.3}"));
    }
    svg.cells(&cells, cell);
    svg.finish()
}

/// The colour scale, from left to right.
fn legend(svg: &mut Svg, low: f64, high: f64) {
    const STEPS: usize = 64;
    const WIDTH: f64 = 256.0;
    for i in 0..STEPS {
        let width = WIDTH / STEPS as f64;
        svg.rect(LEFT + 52.0 + i as f64 * width, 58.0, width + 0.5, 12.0, &viridis((i as f64 + 0.5) / STEPS as f64));
    }
    svg.text((LEFT + 46.0, 68.0), Anchor::End, 10.5, &format!("{low:.3}"));
    svg.text((LEFT + 58.0 + WIDTH, 68.0), Anchor::Start, 10.5, &format!("{high:.3}"));
}
