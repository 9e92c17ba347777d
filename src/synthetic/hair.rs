//! Hair on the head, made of ribbons. A ribbon has an inner and an outer edge, with strands between them from root to
//! tip. Waves bend edges and strands; straight hair has parallel strands and a band of sheen.

use super::canvas::{Canvas, Colour, Mask, Point, mix, scaled, smooth};
use super::curve;
use super::face::SIDES;
use super::levels::FAINT;
use super::scene::SceneRng;
use super::subject::Subject;

/// Number of points along a ribbon's edge.
const LENGTH: usize = 30;

/// The style of a ribbon.
struct Style {
    colour: Colour,
    /// Amplitude of the waves, in pixels; `period` is their length.
    wave: f32,
    period: f32,
    /// Sheen of parallel strands, 0 to 1.
    straight: f32,
    strands: usize,
    opacity: f32,
}

impl Style {
    fn new(subject: &Subject, strands: usize) -> Self {
        let levels = subject.levels;
        Self {
            colour: subject.hair,
            wave: subject.projection.pixels(0.012 + 0.075 * levels.wavy_hair * (1.0 - 0.55 * levels.straight_hair)),
            period: subject.projection.pixels(0.46),
            straight: levels.straight_hair,
            strands,
            opacity: 1.0,
        }
    }
}

/// Resamples `line` to `LENGTH` points and adds the style's waves; `phase` is in turns.
fn bent(line: &[Point], style: &Style, phase: f32, amount: f32) -> Vec<Point> {
    let last = line.len() - 1;
    let mut along = 0.0;
    let mut before = line[0];
    (0..LENGTH)
        .map(|i| {
            let position = i as f32 / (LENGTH - 1) as f32 * last as f32;
            let low = (position as usize).min(last.saturating_sub(1));
            let (a, b) = (line[low], line[(low + 1).min(last)]);
            let t = position - low as f32;
            let p = [a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t];
            let step = [p[0] - before[0], p[1] - before[1]];
            along += (step[0] * step[0] + step[1] * step[1]).sqrt();
            before = p;
            let direction = [b[0] - a[0], b[1] - a[1]];
            let length = (direction[0] * direction[0] + direction[1] * direction[1]).sqrt().max(1e-3);
            let off = style.wave * amount * curve::turn(along / style.period + phase).0 * smooth(0.0, 14.0, along);
            [p[0] - direction[1] / length * off, p[1] + direction[0] / length * off]
        })
        .collect()
}

/// Paints one ribbon; both edges are in pixels and run from root to tip.
fn ribbon(
    canvas: &mut Canvas,
    inner: &[Point],
    outer: &[Point],
    style: &Style,
    rng: &mut SceneRng,
    clip: Option<&Mask>,
) {
    let phase = rng.unit();
    let (a, b) = (bent(inner, style, phase, 0.6), bent(outer, style, phase, 1.0));
    let outline: Vec<Point> = a.iter().copied().chain(b.iter().rev().copied()).collect();
    let mut mask = Mask::new(&[outline]);
    if let Some(clip) = clip {
        mask = mask.within(clip);
    }
    canvas.fill(&mask, style.colour, style.opacity);
    let dark = scaled(style.colour, 0.55);
    let light = mix(scaled(style.colour, 1.28), [255.0, 240.0, 220.0], 0.10);
    for (colour, strong) in [(dark, 0.50), (light, 0.42)] {
        let lines: Vec<_> = (0..style.strands).map(|i| strand(&a, &b, i, style, rng)).collect();
        canvas.fill(&Mask::new(&lines).within(&mask), colour, strong * style.opacity);
    }
    if style.straight > FAINT {
        sheen(canvas, &a, &b, style, &mask);
    }
}

/// Paints a band of light across parallel strands.
fn sheen(canvas: &mut Canvas, a: &[Point], b: &[Point], style: &Style, mask: &Mask) {
    let band: Vec<_> = (0..style.strands * 3 / 2)
        .map(|i| {
            let u = (i as f32 + 0.5) / (style.strands * 3 / 2) as f32;
            let ragged = (i * 7 % 11) as f32 / 11.0;
            let (from, to) = (0.20 + 0.14 * ragged, 0.52 + 0.20 * ragged);
            let cut = |t: f32| (t * (LENGTH - 1) as f32) as usize;
            let line: Vec<Point> = (cut(from)..=cut(to)).map(|k| between(a[k], b[k], u)).collect();
            curve::stroke(&line, curve::tapered(2.0))
        })
        .collect();
    let sheen = mix(scaled(style.colour, 1.4), [255.0, 246.0, 236.0], 0.22);
    canvas.fill(&Mask::new(&band).feathered(1.0).within(mask), sheen, 0.75 * style.straight * style.opacity);
}

fn between(a: Point, b: Point, share: f32) -> Point {
    [a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share]
}

/// The outline of strand `i` between the edges.
fn strand(a: &[Point], b: &[Point], i: usize, style: &Style, rng: &mut SceneRng) -> Vec<Point> {
    let even = (i as f32 + 0.5) / style.strands as f32;
    let u = even + (1.0 - 0.7 * style.straight) * 0.16 * (rng.unit() - 0.5);
    let drift = (1.0 - style.straight) * 0.10 * (rng.unit() - 0.5);
    let from = (0.45 * rng.unit() * (LENGTH - 2) as f32) as usize;
    let to = LENGTH - 1 - (0.3 * rng.unit() * (LENGTH - 2) as f32) as usize;
    let phase = rng.unit();
    let line: Vec<Point> = (from..=to)
        .map(|k| {
            let wave = 0.022 * style.wave * curve::turn(k as f32 / 11.0 + phase).0;
            between(a[k], b[k], (u + drift * k as f32 / LENGTH as f32 + wave).clamp(0.02, 0.98))
        })
        .collect();
    curve::stroke(&line, curve::tapered(1.5 + 0.7 * style.straight))
}

/// Length of the hair: 0 above the ears, 1 far below the shoulders.
fn length(subject: &Subject) -> f32 {
    let wish = 0.66 - 0.72 * subject.levels.male + 0.22 * subject.scene.hair_length;
    wish.clamp(0.0, 1.0) * (1.0 - 0.9 * subject.levels.bald)
}

/// Distance of the hair's surface from the skull, in face units.
fn volume(subject: &Subject) -> f32 {
    0.10 + 0.10 * subject.levels.wavy_hair + 0.04 * (1.0 - subject.levels.male) - 0.03 * subject.levels.straight_hair
}

/// Half of the cap's outer edge, from the crown down; `side` is the sign of x.
fn cap_edge(side: f32, volume: f32, low: f32) -> Vec<Point> {
    let v = volume;
    let half = [
        [0.0, -1.40 - v * 1.1],
        [0.36, -1.36 - v],
        [0.70, -1.18 - v * 0.9],
        [0.95 + v * 0.6, -0.80],
        [1.02 + v * 0.8, -0.36],
        [0.96, low],
    ];
    curve::spline(&half.map(|p| [side * p[0], p[1]]), false)
}

/// Paints the part of long hair behind face and neck.
pub(super) fn behind(canvas: &mut Canvas, subject: &Subject) {
    let long = length(subject);
    if long < 0.12 {
        return;
    }
    let (v, projection) = (volume(subject), &subject.projection);
    let end = 0.55 + 1.65 * long;
    let blunt = subject.levels.straight_hair;
    let edge = |side: f32| {
        let half = [
            [0.5, -1.2],
            [0.98 + v, -0.6],
            [1.12 + v, 0.1],
            [1.18 + v, 0.1 + (end - 0.1) * 0.6],
            [1.10 + v - 0.25 * (1.0 - blunt), end],
        ];
        curve::spline(&half.map(|p| projection.project([side * p[0], p[1]], -0.25)), false)
    };
    let mut style = Style::new(subject, 34);
    style.colour = scaled(style.colour, 0.66);
    ribbon(canvas, &edge(-1.0), &edge(1.0), &style, &mut subject.scene.rng("hair behind"), None);
}

/// Paints hair on top and at the sides of the head, or the shine of a bald head.
pub(super) fn cap(canvas: &mut Canvas, subject: &Subject, face: &Mask) {
    let (levels, projection, scene) = (subject.levels, &subject.projection, subject.scene);
    let (v, long) = (volume(subject), length(subject));
    if levels.bald > 0.5 {
        let shine = projection.spot([0.25 * scene.light[0].signum(), -0.98], [0.34, 0.20]).within(face);
        canvas.fill(&shine, [255.0, 250.0, 240.0], 0.45);
        fringe_of_the_bald(canvas, subject);
        return;
    }
    let back = 0.33 * levels.receding_hairline + 0.5 * levels.bald;
    let part = 0.30 * scene.parting.clamp(-1.5, 1.5);
    let style = Style::new(subject, 26);
    let mut rng = scene.rng("hair cap");
    let low = if long > 0.12 { 0.30 } else { 0.05 };
    hairline_shadow(canvas, subject, face, back);
    for side in SIDES {
        let near = if part * side > 0.0 { 1.0 } else { 0.0 };
        let line = [
            [part, -0.90 - 0.55 * back],
            [side * (0.26 + 0.1 * near), -0.93 - 0.75 * back],
            [side * 0.58, -0.83 - 1.05 * back],
            [side * 0.80, -0.58 - 0.45 * back],
            [side * 0.875, -0.26],
            [side * 0.93, low],
        ];
        let hairline = curve::spline(&line, false);
        let edge = cap_edge(side, v, low + 0.06);
        let inner: Vec<Point> =
            hairline.iter().map(|p| projection.project(*p, 0.55 * (1.0 - p[0] * p[0]).max(0.0).sqrt())).collect();
        let outer: Vec<Point> = edge.iter().map(|p| projection.project(*p, -0.05)).collect();
        ribbon(canvas, &inner, &outer, &style, &mut rng, None);
    }
    if long > 0.12 {
        locks(canvas, subject, v, long);
    }
    bangs(canvas, subject, face, back);
}

/// Paints the shadow of the hair on forehead and temples.
fn hairline_shadow(canvas: &mut Canvas, subject: &Subject, face: &Mask, back: f32) {
    let shadow: Vec<Point> = curve::spline(
        &[
            [-1.1, -1.6],
            [-0.98, 0.2],
            [-0.80, -0.52],
            [-0.5, -0.80 - back],
            [0.0, -0.84 - 0.45 * back],
            [0.5, -0.80 - back],
            [0.80, -0.52],
            [0.98, 0.2],
            [1.1, -1.6],
        ],
        false,
    );
    canvas.fill(&subject.projection.on_skin(&[shadow], 0.0).feathered(4.5).within(face), subject.skin.crease, 0.45);
}

/// Paints the short band of hair above the ears of a bald head.
fn fringe_of_the_bald(canvas: &mut Canvas, subject: &Subject) {
    let mut style = Style::new(subject, 12);
    style.opacity = 0.75;
    let mut rng = subject.scene.rng("hair band");
    for side in SIDES {
        let inner = curve::spline(
            &[[0.945, -0.46], [0.93, -0.18], [0.94, 0.08]]
                .map(|p| subject.projection.project([side * p[0], p[1]], 0.15)),
            false,
        );
        let outer = curve::spline(
            &[[0.97, -0.56], [1.04, -0.24], [1.02, 0.12]]
                .map(|p| subject.projection.project([side * p[0], p[1]], -0.05)),
            false,
        );
        ribbon(canvas, &inner, &outer, &style, &mut rng, None);
    }
}

/// Paints long hair beside the face, in front of ears and shoulders.
fn locks(canvas: &mut Canvas, subject: &Subject, v: f32, long: f32) {
    let projection = &subject.projection;
    let style = Style::new(subject, 18);
    let mut rng = subject.scene.rng("hair locks");
    let end = 0.40 + 1.55 * long;
    let blunt = subject.levels.straight_hair;
    for side in SIDES {
        let cover = 0.06 * rng.bell().clamp(-1.0, 1.0);
        let at = |p: Point| projection.project([side * p[0], p[1]], -0.05);
        let inner = curve::spline(
            &[
                [0.80, -0.70],
                [0.90 - cover, -0.2],
                [0.92 - cover, 0.3],
                [0.86 - cover, 0.3 + (end - 0.3) * 0.5],
                [0.82 + 0.12 * (1.0 - blunt), end],
            ]
            .map(at),
            false,
        );
        let outer = curve::spline(
            &[
                [0.96 + v * 0.6, -0.80],
                [1.06 + v, -0.3],
                [1.14 + v, 0.25],
                [1.22 + v, 0.3 + (end - 0.3) * 0.5],
                [1.16 + v - 0.22 * (1.0 - blunt), end],
            ]
            .map(at),
            false,
        );
        ribbon(canvas, &inner, &outer, &style, &mut rng, None);
    }
}

/// Paints bangs down to the brows; wavy ones are swept to a side.
fn bangs(canvas: &mut Canvas, subject: &Subject, face: &Mask, back: f32) {
    let shown = subject.levels.bangs;
    if shown < 0.25 {
        return;
    }
    let projection = &subject.projection;
    let reach = -0.86 + 0.46 * smooth(0.2, 0.8, shown);
    let top = -1.02 - 0.5 * back;
    let sweep = 0.22 * subject.scene.side * (1.0 - 0.7 * subject.levels.straight_hair);
    let style = Style::new(subject, 14);
    let mut rng = subject.scene.rng("bangs");
    let cast = curve::rectangle([-0.80, top], [0.80, reach + 0.10]);
    canvas.fill(&projection.on_skin(&[cast], 0.0).feathered(4.0).within(face), subject.skin.crease, 0.40);
    for i in 0..5 {
        let (x, step) = (-0.84 + 0.336 * i as f32, 0.336);
        let ragged = 0.07 * (rng.unit() - 0.5);
        let lower = reach + ragged + 0.14 * (x + step / 2.0).abs();
        let at = |p: Point| projection.project(p, 0.85 * (1.0 - p[0] * p[0] * 0.9 - p[1] * p[1] / 2.6).max(0.0).sqrt());
        let left = curve::spline(
            &[[x * 0.86, top], [x - 0.02 + sweep * 0.4, f32::midpoint(top, lower)], [x + 0.02 + sweep, lower]].map(at),
            false,
        );
        let right = curve::spline(
            &[
                [(x + step) * 0.86, top],
                [x + step + 0.05 + sweep * 0.4, f32::midpoint(top, lower)],
                [x + step - 0.03 + sweep, lower - 0.01],
            ]
            .map(at),
            false,
        );
        ribbon(canvas, &left, &right, &style, &mut rng, None);
    }
}
