//! Figure 5: heat maps of the learned mean affinity, attributes in the order of Table 1's groups.

use super::super::sections;
use super::super::variants::{Report, VariantRuns};
use super::Figure;
use crate::attribute::{COUNT, NAMES, group_of};
use crate::evaluate::Affinity;
use crate::render::grid::{self, LEFT, SIDE, TOP};
use crate::render::svg::{Anchor, Svg, viridis};

/// One heat map a variant with a learned affinity.
pub(super) fn figures(report: &Report) -> Vec<Figure> {
    of_learned(report, |variant, affinity| figure(report, variant, affinity))
}

/// The same with attributes in `order`.
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
fn words(variant: &VariantRuns, affinity: &Affinity, scale: f64) -> String {
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
    grid::legend(&mut svg, viridis, &scale_words(scale), "weight");
    svg.finish()
}

/// The same map with attributes that go together as neighbours.
fn clustered(report: &Report, variant: &VariantRuns, affinity: &Affinity, order: &[usize]) -> Figure {
    let scale = scale_end(affinity);
    let title = format!("Affinity learned by {}, attributes clustered", variant.title);
    let mut svg = Svg::new(LEFT + SIDE + 100.0, TOP + SIDE + 16.0, &title);
    svg.heading((12.0, 24.0), 16.0, &title);
    svg.text((12.0, 42.0), Anchor::Start, 11.0, &report.caption());
    grid::draw_in(&mut svg, order, |i, j| Some(viridis(affinity[i][j] / scale)));
    grid::legend(&mut svg, viridis, &scale_words(scale), "weight");
    Figure {
        section: sections::AFFINITY,
        file: format!("affinity-clustered-{}.svg", variant.name),
        alt: format!(
            "Heat map of the mean affinity that {} learned, similar attributes beside each other",
            variant.title
        ),
        text: format!(
            "{}: the same weights as in Figure 5, in the order of the map of the labels' correlation above. Where the \
             affinity followed that correlation, it would show the same blocks along the diagonal.",
            variant.title
        ),
        svg: svg.finish(),
    }
}

/// The numbers beside the scale: its end stands for all that is larger.
fn scale_words(scale: f64) -> [String; 5] {
    std::array::from_fn(|part| {
        let more = if part == 4 { "≥ " } else { "" };
        format!("{more}{:.4}", part as f64 / 4.0 * scale)
    })
}
