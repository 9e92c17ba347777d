//! Figure 5: heat maps of the learned mean affinity, attributes in the order of Table 1's groups.

use super::super::headings;
use super::super::runs::{Report, VariantRuns};
use super::figure::Figure;
use crate::attribute::{COUNT, NAMES, group_of};
use crate::evaluate::Affinity;
use crate::render::grid::{self, LEFT, SIDE, TOP};
use crate::render::svg::{Anchor, Svg, viridis};

/// One heat map a variant with a learned affinity.
pub(super) fn figures(report: &Report) -> Vec<Figure> {
    of_learned(report, |variant, affinity| figure(report, variant, affinity))
}

/// The same maps with the attributes in `order`.
pub(super) fn clustered_figures(report: &Report, order: &[usize]) -> Vec<Figure> {
    of_learned(report, |variant, affinity| clustered(report, variant, affinity, order))
}

fn of_learned(report: &Report, figure: impl Fn(&VariantRuns, &Affinity) -> Figure) -> Vec<Figure> {
    let variants = report.variants();
    let learned = variants.iter().filter(|variant| variant.learns_affinity());
    learned.filter_map(|variant| Some(figure(variant, &variant.affinity()?))).collect()
}

fn figure(report: &Report, variant: &VariantRuns, affinity: &Affinity) -> Figure {
    let scale = scale_end(affinity);
    let alt = format!("Heat map of the mean affinity that {} learned between the 40 attributes", variant.title);
    Figure {
        section: headings::FIGURE_5,
        file: format!("figure-5-{}.svg", variant.name),
        text: caption(variant, affinity, scale),
        svg: draw(report, variant, affinity, scale),
        alt,
    }
}

/// The end of the colour scale: the largest weight between two different attributes. An attribute's weight on itself can
/// be so large that all others would have one colour.
fn scale_end(affinity: &Affinity) -> f64 {
    let largest = links(affinity).map(|(_, _, weight)| weight).fold(0.0, f64::max);
    if largest > 0.0 { largest } else { 1.0 }
}

/// Weights between different attributes: (row, column, weight).
fn links(affinity: &Affinity) -> impl Iterator<Item = (usize, usize, f64)> {
    (0..COUNT)
        .flat_map(|i| (0..COUNT).map(move |j| (i, j)))
        .filter(|(i, j)| i != j)
        .map(|(i, j)| (i, j, affinity[i][j]))
}

/// The caption.
fn caption(variant: &VariantRuns, affinity: &Affinity, scale: f64) -> String {
    let groups = group_of();
    let own: f64 = (0..COUNT).map(|i| affinity[i][i]).sum();
    let same: f64 = links(affinity).filter(|&(i, j, _)| groups[i] == groups[j]).map(|(_, _, w)| w).sum();
    let other: f64 = links(affinity).filter(|&(i, j, _)| groups[i] != groups[j]).map(|(_, _, w)| w).sum();
    let neighbours = links(affinity).filter(|&(i, j, _)| groups[i] == groups[j]).count() as f64;
    let share = |weight: f64| 100.0 * weight / COUNT as f64;
    let even = |cells: f64| 100.0 * cells / (COUNT * COUNT) as f64;
    let mut strongest: Vec<(usize, usize, f64)> = links(affinity).collect();
    // The sort is stable, so ties stay in the order of the attributes.
    strongest.sort_by(|a, b| b.2.total_cmp(&a.2));
    let strongest: Vec<String> =
        strongest[..5].iter().map(|&(i, j, w)| format!("`{}` on `{}` {w:.4}", NAMES[i], NAMES[j])).collect();
    format!(
        "{}: mean over the test images{} of the affinity after the softmax. A row holds the weights of the 40 nodes in an \
         attribute's refined node; lines separate the groups of Table 1. The colour scale ends at {scale:.4}, the largest \
         weight between two different attributes; larger weights of an attribute on itself have the same colour. On \
         average an attribute gives {:.1} % of its weight to itself, {:.1} % to the others of its group and {:.1} % to \
         other groups (equal weights would be {:.1}, {:.1} and {:.1} %). Largest weights on another attribute: {}.",
        variant.title,
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

fn draw(report: &Report, variant: &VariantRuns, affinity: &Affinity, scale: f64) -> Vec<u8> {
    let title = format!("Figure 5. Affinity learned by {}", variant.title);
    let mut svg = Svg::new(LEFT + SIDE + 100.0, TOP + SIDE + 16.0, &title);
    svg.heading((12.0, 24.0), 16.0, &title);
    svg.text((12.0, 42.0), Anchor::Start, 11.0, &report.caption());
    // White between groups, as the ground of the map is dark.
    grid::draw(&mut svg, |i, j| Some(viridis(affinity[i][j] / scale)), ("#f7f7f7", 1.6));
    grid::legend(&mut svg, viridis, &scale_labels(scale), "weight");
    svg.finish()
}

/// The map with similar attributes as neighbours.
fn clustered(report: &Report, variant: &VariantRuns, affinity: &Affinity, order: &[usize]) -> Figure {
    let scale = scale_end(affinity);
    let title = format!("Affinity learned by {}, attributes clustered", variant.title);
    let mut svg = Svg::new(LEFT + SIDE + 100.0, TOP + SIDE + 16.0, &title);
    svg.heading((12.0, 24.0), 16.0, &title);
    svg.text((12.0, 42.0), Anchor::Start, 11.0, &report.caption());
    grid::draw_in(&mut svg, order, |i, j| Some(viridis(affinity[i][j] / scale)));
    grid::legend(&mut svg, viridis, &scale_labels(scale), "weight");
    Figure {
        section: headings::AFFINITY,
        file: format!("affinity-clustered-{}.svg", variant.name),
        alt: format!("Heat map of the mean affinity that {} learned, similar attributes as neighbours", variant.title),
        text: format!(
            "{}: the weights of Figure 5, in the order of the map of the labels' correlation above. An affinity that follows \
             that correlation has the same blocks along the diagonal.",
            variant.title
        ),
        svg: svg.finish(),
    }
}

/// The numbers beside the scale; the end stands for all larger weights too.
fn scale_labels(scale: f64) -> [String; 5] {
    std::array::from_fn(|part| {
        let more = if part == 4 { "≥ " } else { "" };
        format!("{more}{:.4}", part as f64 / 4.0 * scale)
    })
}
