//! Figure 5: heat maps of the learned mean affinity, attributes in the order of Table 1's groups.

use super::super::svg::{Anchor, INK, Svg, viridis};
use super::super::variants::{Report, Variant};
use super::Figure;
use super::grid::{self, LEFT, SIDE, TOP};
use crate::attribute::{COUNT, NAMES, group_of};
use crate::evaluate::Affinity;

/// The variants whose affinity is learned; GAL-p's is Table 1 itself.
const LEARNED: [&str; 2] = ["gal-j", "gal-c"];

/// One heat map a variant with a learned affinity.
pub(super) fn figures(report: &Report) -> Vec<Figure> {
    let variants = report.variants();
    let learned = LEARNED.iter().filter_map(|name| variants.iter().find(|v| v.name == *name));
    learned.filter_map(|variant| Some(figure(report, variant, &variant.affinity()?))).collect()
}

fn figure(report: &Report, variant: &Variant, affinity: &Affinity) -> Figure {
    let scale = scale_end(affinity);
    let alt = format!("Heat map of the mean affinity that {} learned between the 40 attributes", variant.label());
    Figure {
        section: "Figure 5. Learned affinity",
        file: format!("figure-5-{}.svg", variant.name),
        text: words(variant, affinity, scale),
        svg: draw(report, variant, affinity, scale),
        alt,
    }
}

/// The scale ends at the largest weight between two different attributes: an attribute's weight on itself can be so
/// large that everything else would be one colour.
fn scale_end(affinity: &Affinity) -> f64 {
    let largest = links(affinity).map(|(_, _, weight)| weight).fold(0.0, f64::max);
    if largest > 0.0 { largest } else { 1.0 }
}

/// Weights between different attributes: (of, on, weight).
fn links(affinity: &Affinity) -> impl Iterator<Item = (usize, usize, f64)> {
    (0..COUNT)
        .flat_map(|i| (0..COUNT).map(move |j| (i, j)))
        .filter(|(i, j)| i != j)
        .map(|(i, j)| (i, j, affinity[i][j]))
}

/// How to read the map, and what it says in numbers.
fn words(variant: &Variant, affinity: &Affinity, scale: f64) -> String {
    let groups = group_of();
    let own: f64 = (0..COUNT).map(|i| affinity[i][i]).sum();
    let same: f64 = links(affinity).filter(|&(i, j, _)| groups[i] == groups[j]).map(|(_, _, w)| w).sum();
    let other: f64 = links(affinity).filter(|&(i, j, _)| groups[i] != groups[j]).map(|(_, _, w)| w).sum();
    let neighbours = links(affinity).filter(|&(i, j, _)| groups[i] == groups[j]).count() as f64;
    let share = |weight: f64| 100.0 * weight / COUNT as f64;
    let even = |cells: f64| 100.0 * cells / (COUNT * COUNT) as f64;
    let mut strongest: Vec<(usize, usize, f64)> = links(affinity).collect();
    // Ties stay in the order of the attributes, as the sort is stable.
    strongest.sort_by(|a, b| b.2.total_cmp(&a.2));
    let strongest: Vec<String> =
        strongest[..5].iter().map(|&(i, j, w)| format!("`{}` on `{}` {w:.4}", NAMES[i], NAMES[j])).collect();
    format!(
        "{}: mean over the test images{} of the affinity after the softmax. A row shows with which weights an \
         attribute's refined node mixes the 40 nodes; groups of Table 1 are set apart by lines. The colour scale ends \
         at {scale:.4}, the largest weight between two different attributes; larger weights of an attribute on itself \
         have the same colour. On average an attribute gives {:.1} % of its weight to itself, {:.1} % to the others of \
         its group and {:.1} % to other groups (equal weights would be {:.1}, {:.1} and {:.1} %). Largest weights on \
         another attribute: {}.",
        variant.label(),
        match variant.runs.len() {
            1 => String::new(),
            seeds => format!(" and {seeds} seeds"),
        },
        share(own),
        share(same),
        share(other),
        even(COUNT as f64),
        even(neighbours),
        even((COUNT * COUNT) as f64 - COUNT as f64 - neighbours),
        strongest.join(", ")
    )
}

fn draw(report: &Report, variant: &Variant, affinity: &Affinity, scale: f64) -> Vec<u8> {
    let title = format!("Figure 5. Affinity learned by {}", variant.label());
    let mut svg = Svg::new(LEFT + SIDE + 100.0, TOP + SIDE + 16.0, &title);
    svg.heading((12.0, 24.0), 16.0, &title);
    svg.text((12.0, 42.0), Anchor::Start, 11.0, &report.caption());
    // White between groups, as the ground of the map is dark.
    grid::draw(&mut svg, |i, j| Some(viridis(affinity[i][j] / scale)), ("#ffffff", 1.6));
    legend(&mut svg, scale);
    svg.finish()
}

/// The colour scale with its numbers.
fn legend(svg: &mut Svg, scale: f64) {
    const STEPS: usize = 64;
    let (x, width) = (LEFT + SIDE + 18.0, 16.0);
    let step = SIDE / STEPS as f64;
    for i in 0..STEPS {
        let y = TOP + SIDE - (i + 1) as f64 * step;
        // A hair taller than its step, so that no seam shows.
        svg.rect(x, y, width, step + 0.5, &viridis((i as f64 + 0.5) / STEPS as f64));
    }
    for part in 0..=4 {
        let share = part as f64 / 4.0;
        let y = TOP + SIDE * (1.0 - share);
        svg.line((x + width, y), (x + width + 4.0, y), INK, 1.0);
        let more = if part == 4 { "≥ " } else { "" };
        svg.text((x + width + 7.0, y + 4.0), Anchor::Start, 10.5, &format!("{more}{:.4}", share * scale));
    }
    svg.text((x, TOP - 10.0), Anchor::Start, 10.5, "weight");
}
