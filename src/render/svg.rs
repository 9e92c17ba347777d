//! A small SVG writer with the shapes that the figures need. Figures have an opaque ground, white or dark as the reader's
//! system prefers. Coordinates have at most two decimals, so that the same figure gives the same bytes.
//!
//! Why not `plotters`: its SVG is neither byte-stable across versions nor themed.

use crate::untrusted;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Colour of text and axes.
pub(crate) const INK: &str = "#1f2328";
/// Colour of grid lines and other guides.
pub(crate) const FAINT: &str = "#d0d7de";
/// Colour of the ground.
const GROUND: &str = "#ffffff";

/// Mean width of a letter for its size, in common fonts.
const LETTER: f64 = 0.49;
/// The least size of a text that is made smaller.
const LEAST_TEXT: f64 = 8.0;

/// Colours that change on a dark ground: class name, colour on white, colour on dark. Colours of data keep a contrast of
/// 3:1 to both grounds.
const THEMED: [(char, &str, &str); 5] = [
    ('i', INK, "#e6edf3"),
    ('f', FAINT, "#3d444d"),
    ('g', GROUND, "#0d1117"),
    ('n', "#4d4d4d", "#b1bac4"),
    ('b', "#0072b2", "#3d9bd6"),
];

/// `class` attribute of a themed colour used as fill (`f`) or stroke (`s`); empty for other colours.
fn class(colour: &str, use_as: char) -> String {
    let found = THEMED.iter().find(|(_, light, _)| *light == colour);
    found.map_or_else(String::new, |(name, ..)| format!(r#" class="{name}{use_as}""#))
}

/// Style sheet of the dark theme.
fn style() -> String {
    let mut text = format!("<style>@media screen and (prefers-color-scheme:dark){{svg{{fill:{}}}", THEMED[0].2);
    for (name, _, dark) in THEMED {
        let _ = write!(text, ".{name}f{{fill:{dark}}}.{name}s{{stroke:{dark}}}");
    }
    text + "}</style>\n"
}

/// Alignment of a text relative to its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// A figure under construction; sizes in pixels, y downwards.
#[derive(Debug)]
pub(crate) struct Svg {
    width: f64,
    height: f64,
    body: String,
}

impl Svg {
    /// An empty figure; screen readers read `title`.
    pub(crate) fn new(width: f64, height: f64, title: &str) -> Self {
        let mut svg = Self { width, height, body: format!("<title>{}</title>\n{}", untrusted::html(title), style()) };
        svg.rect(0.0, 0.0, width, height, GROUND);
        svg
    }

    pub(crate) fn rect(&mut self, x: f64, y: f64, width: f64, height: f64, fill: &str) {
        let (x, y, width, height, class) = (short(x), short(y), short(width), short(height), class(fill, 'f'));
        let _ =
            writeln!(self.body, r#"<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="{fill}"{class}/>"#);
    }

    /// Draws squares of one `side` by colour, at their upper left corners. No seam shows between neighbours.
    pub(crate) fn cells(&mut self, cells: &BTreeMap<String, Vec<(f64, f64)>>, side: f64) {
        for (fill, places) in cells {
            let path = squares(places, side);
            let _ = writeln!(self.body, r#"<path d="{path}" fill="{fill}" shape-rendering="crispEdges"/>"#);
        }
    }

    /// Draws black squares with opacity `darkness`.
    pub(crate) fn shade(&mut self, places: &[(f64, f64)], side: f64, darkness: f64) {
        let (path, darkness) = (squares(places, side), short(darkness));
        let _ = writeln!(
            self.body,
            r##"<path d="{path}" fill="#000000" fill-opacity="{darkness}" shape-rendering="crispEdges"/>"##
        );
    }

    /// Embeds an encoded image file of `size` pixels, whose parts [`Svg::tile`] shows. `id` must be unique on a page.
    pub(crate) fn embed_image(&mut self, id: &str, size: (u32, u32), mime: &str, content: &[u8]) {
        let ((width, height), content) = (size, STANDARD.encode(content));
        let _ = writeln!(
            self.body,
            r#"<defs><image id="{id}" width="{width}" height="{height}" href="data:{mime};base64,{content}"/></defs>"#
        );
    }

    /// Shows the square of `side` pixels at `corner` of the embedded image `id`, at its own size.
    pub(crate) fn tile(&mut self, id: &str, corner: (u32, u32), side: u32, at: (f64, f64)) {
        let (x, y) = (short(at.0), short(at.1));
        let _ = writeln!(
            self.body,
            r##"<svg x="{x}" y="{y}" width="{side}" height="{side}" viewBox="{} {} {side} {side}"><use href="#{id}"/></svg>"##,
            corner.0, corner.1
        );
    }

    pub(crate) fn circle(&mut self, at: (f64, f64), radius: f64, fill: &str) {
        let (x, y, radius, class) = (short(at.0), short(at.1), short(radius), class(fill, 'f'));
        let _ = writeln!(self.body, r#"<circle cx="{x}" cy="{y}" r="{radius}" fill="{fill}"{class}/>"#);
    }

    /// A circle whose ground shows.
    pub(crate) fn ring(&mut self, at: (f64, f64), radius: f64, colour: &str) {
        let (x, y, radius) = (short(at.0), short(at.1), short(radius));
        let (ground, class) = (class(GROUND, 'f'), class(colour, 's'));
        // One class attribute holds both.
        let class = match (ground.strip_suffix('"'), class.strip_prefix(" class=\"")) {
            (Some(ground), Some(stroke)) => format!("{ground} {stroke}"),
            _ => ground,
        };
        let _ = writeln!(
            self.body,
            r#"<circle cx="{x}" cy="{y}" r="{radius}" fill="{GROUND}" stroke="{colour}" stroke-width="1.6"{class}/>"#
        );
    }

    /// Begins a group of marks with a text that a pointer over it shows, and screen readers read.
    pub(crate) fn open_note(&mut self, text: &str) {
        let _ = writeln!(self.body, "<g><title>{}</title>", untrusted::html(text));
    }

    /// Ends the group.
    pub(crate) fn close_note(&mut self) {
        self.body.push_str("</g>\n");
    }

    pub(crate) fn line(&mut self, from: (f64, f64), to: (f64, f64), colour: &str, width: f64) {
        let (x1, y1, x2, y2) = (short(from.0), short(from.1), short(to.0), short(to.1));
        let (width, class) = (short(width), class(colour, 's'));
        let _ = writeln!(
            self.body,
            r#"<path d="M{x1} {y1}L{x2} {y2}" stroke="{colour}" stroke-width="{width}" fill="none"{class}/>"#
        );
    }

    /// An open line through `points`; `dashes` as SVG's `stroke-dasharray`, empty for a solid line.
    pub(crate) fn polyline(&mut self, points: &[(f64, f64)], colour: &str, dashes: &str) {
        let points: Vec<String> = points.iter().map(|&(x, y)| format!("{},{}", short(x), short(y))).collect();
        let dashes = if dashes.is_empty() { String::new() } else { format!(r#" stroke-dasharray="{dashes}""#) };
        let (points, class) = (points.join(" "), class(colour, 's'));
        let _ = writeln!(
            self.body,
            r#"<polyline points="{points}" stroke="{colour}" stroke-width="1.6"{dashes} fill="none"{class}/>"#
        );
    }

    /// A line of text. One that would leave the figure at its right is smaller, down to [`LEAST_TEXT`].
    pub(crate) fn text(&mut self, at: (f64, f64), anchor: Anchor, size: f64, content: &str) {
        let room = (self.width - at.0 - 12.0) / (LETTER * content.chars().count().max(1) as f64);
        let size = if anchor == Anchor::Start && room < size { room.max(LEAST_TEXT).min(size) } else { size };
        self.write_text(at, anchor, size, "", content);
    }

    /// Text that reads upwards.
    pub(crate) fn text_upwards(&mut self, at: (f64, f64), anchor: Anchor, size: f64, content: &str) {
        let turn = format!(r#" transform="rotate(-90 {} {})""#, short(at.0), short(at.1));
        self.write_text(at, anchor, size, &turn, content);
    }

    pub(crate) fn heading(&mut self, at: (f64, f64), size: f64, content: &str) {
        self.write_text(at, Anchor::Start, size, r#" font-weight="600""#, content);
    }

    fn write_text(&mut self, at: (f64, f64), anchor: Anchor, size: f64, more: &str, content: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => r#" text-anchor="middle""#,
            Anchor::End => r#" text-anchor="end""#,
        };
        let (x, y, size, content) = (short(at.0), short(at.1), short(size), untrusted::html(content));
        let _ = writeln!(self.body, r#"<text x="{x}" y="{y}" font-size="{size}"{anchor}{more}>{content}</text>"#);
    }

    /// The file.
    pub(crate) fn finish(self) -> Vec<u8> {
        let (width, height) = (short(self.width), short(self.height));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
             height=\"{height}\" role=\"img\" font-family=\"Helvetica, Arial, 'DejaVu Sans', sans-serif\" \
             fill=\"{INK}\">\n{}</svg>\n",
            self.body
        )
        .into_bytes()
    }
}

/// The outline of squares at their upper left corners.
fn squares(places: &[(f64, f64)], side: f64) -> String {
    let side = short(side);
    let mut path = String::new();
    for &(x, y) in places {
        let _ = write!(path, "M{} {}h{side}v{side}h-{side}z", short(x), short(y));
    }
    path
}

/// A number with at most two decimals and no trailing zeros.
fn short(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// matplotlib's viridis at nine equal steps (van der Walt and Smith 2015): even to the eye, readable without red-green
/// vision and in grey.
const VIRIDIS: [[u8; 3]; 9] = [
    [68, 1, 84],
    [71, 45, 123],
    [59, 82, 139],
    [44, 114, 142],
    [33, 145, 140],
    [40, 174, 128],
    [94, 201, 98],
    [173, 220, 48],
    [253, 231, 37],
];

/// The colour for a share of the scale, clamped to [0, 1], in 64 steps.
pub(crate) fn viridis(share: f64) -> String {
    mixed(&VIRIDIS, (64.0 * share.clamp(0.0, 1.0)).round() / 64.0)
}

/// Blue over near-white to orange, from ColorBrewer; readable without red-green vision.
const BLUE_ORANGE: [[u8; 3]; 5] = [[33, 102, 172], [146, 197, 222], [247, 247, 247], [253, 184, 99], [179, 88, 6]];

/// The colour for a number from -1 (blue) over 0 (near-white) to 1 (orange), clamped, in 64 steps.
pub(crate) fn blue_orange(value: f64) -> String {
    mixed(&BLUE_ORANGE, (32.0 * value.clamp(-1.0, 1.0)).round() / 64.0 + 0.5)
}

/// The colour at a share, in [0, 1], of evenly spaced ones.
fn mixed(colours: &[[u8; 3]], share: f64) -> String {
    let place = share * (colours.len() - 1) as f64;
    let lower = (place.floor() as usize).min(colours.len() - 2);
    let part = place - lower as f64;
    let mix = |channel: usize| {
        let (from, to) = (colours[lower][channel] as f64, colours[lower + 1][channel] as f64);
        (from + part * (to - from)).round() as u8
    };
    format!("#{:02x}{:02x}{:02x}", mix(0), mix(1), mix(2))
}

/// A round step that divides `span` into about `parts`: 1, 2 or 5 times a power of ten.
pub(crate) fn round_step(span: f64, parts: f64) -> f64 {
    let raw = span / parts;
    let power = 10f64.powi(raw.log10().floor() as i32);
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|f| f * power >= raw * 0.999).unwrap_or(10.0);
    factor * power
}

/// The decimals that tell multiples of a [`round_step`] apart.
pub(crate) fn decimals(step: f64) -> usize {
    (0..6).find(|&d| step * 10f64.powi(d) >= 0.999).unwrap_or(6) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_colour_scale_runs_from_dark_violet_to_yellow_and_clamps() {
        assert_eq!(viridis(-1.0), "#440154");
        assert_eq!(viridis(0.5), "#21918c");
        assert_eq!(viridis(2.0), "#fde725");
    }

    #[test]
    fn the_diverging_scale_runs_from_blue_over_white_to_orange() {
        assert_eq!([-2.0, 0.0, 1.0].map(blue_orange), ["#2166ac", "#f7f7f7", "#b35806"]);
    }

    #[test]
    fn ink_and_ground_change_places_on_a_dark_page() {
        let mut svg = Svg::new(10.0, 10.0, "t");
        svg.line((0.0, 0.0), (1.0, 1.0), INK, 1.0);
        let text = String::from_utf8(svg.finish()).unwrap();
        assert!(text.contains("@media screen and (prefers-color-scheme:dark){svg{fill:#e6edf3}"), "{text}");
        assert!(text.contains(r##"fill="#ffffff" class="gf"/>"##) && text.contains(".gf{fill:#0d1117}"), "{text}");
        assert!(text.contains(r#"fill="none" class="is"/>"#) && text.contains(".is{stroke:#e6edf3}"), "{text}");
    }

    #[test]
    fn steps_are_round() {
        let steps = [(10.0, 5.0), (30.0, 5.0), (0.9, 2.0)].map(|(span, parts)| short(round_step(span, parts)));
        assert_eq!(steps, ["2", "10", "0.5"]);
    }

    #[test]
    fn ticks_have_the_decimals_they_need() {
        assert_eq!([20.0, 1.0, 0.5, 0.1, 0.02].map(decimals), [0, 0, 1, 1, 2]);
    }

    #[test]
    fn long_text_stays_within_the_figure() {
        let mut svg = Svg::new(720.0, 10.0, "t");
        for letters in [100, 150, 500] {
            svg.text((12.0, 2.0), Anchor::Start, 11.0, &"x".repeat(letters));
        }
        let text = String::from_utf8(svg.finish()).unwrap();
        for size in ["11", "9.47", "8"] {
            assert_eq!(text.matches(&format!(r#"font-size="{size}""#)).count(), 1, "{text}");
        }
    }

    #[test]
    fn text_is_escaped() {
        let mut svg = Svg::new(10.0, 10.0, "a & b");
        svg.text((1.0, 2.5), Anchor::End, 9.0, "x < y");
        let text = String::from_utf8(svg.finish()).unwrap();
        assert!(text.contains("<title>a &amp; b</title>"), "{text}");
        assert!(text.contains(r#"<text x="1" y="2.5" font-size="9" text-anchor="end">x &lt; y</text>"#), "{text}");
    }
}
