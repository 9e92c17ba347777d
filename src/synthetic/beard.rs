//! Hair of the face: shadow, beard, goatee, moustache, sideburns.

use super::curve;
use super::draw::{Canvas, Colour, Mask, Point, mix, scaled, smooth};
use super::face::SIDES;
use super::grain;
use super::look::FAINT;
use super::mouth::Mouth;
use super::sitter::Sitter;

/// The colour of facial hair: that of the head, a little darker.
fn colour(sitter: &Sitter) -> Colour {
    mix(scaled(sitter.hair, 0.72), [48.0, 34.0, 28.0], 0.30)
}

/// The jaw from ear to ear, up to the mouth: where a beard grows.
fn jaw(sitter: &Sitter, sink: f32) -> Vec<Point> {
    let chin = sitter.chin + 0.03;
    let up =
        [[0.90, 0.14], [0.72, 0.46 + sink], [0.46, 0.66 + sink], [0.30, 0.92 + sink * 0.6], [0.0, 0.98 + sink * 0.6]];
    let down = [[0.99, 0.10], [0.97, 0.60], [0.76, 1.02], [0.40, chin - 0.02], [0.0, chin + 0.02]];
    let right = |p: Point| p;
    let left = |p: Point| [-p[0], p[1]];
    let inner = up.map(right).into_iter().chain(up.map(left).into_iter().rev().skip(1)).collect::<Vec<_>>();
    let outer = down.map(right).into_iter().chain(down.map(left).into_iter().rev().skip(1)).collect::<Vec<_>>();
    curve::spline(&outer, false).into_iter().chain(curve::spline(&inner, false).into_iter().rev()).collect()
}

/// Stubble and the beard along the jaw, under the mouth's paint.
pub(super) fn beard(canvas: &mut Canvas, sitter: &Sitter, face: &Mask) {
    let (look, place) = (sitter.look, &sitter.place);
    let seed = sitter.scene.dice("stubble").bits() as u32;
    let lip = curve::ellipse([0.0, 0.60], [0.36, 0.13]);
    let chin = curve::ellipse([0.0, 1.10], [0.40, 0.28]);
    if look.five_o_clock_shadow > FAINT {
        let stubble = place
            .on_skin(&[jaw(sitter, -0.04), lip, chin], 0.0)
            .feathered(6.0)
            .within(face)
            .modulated(|x, y| 0.62 + 0.38 * grain::speckle(x as u32, y as u32, seed));
        let grey = mix(mix(sitter.skin.shadow, colour(sitter), 0.45), [70.0, 78.0, 90.0], 0.40);
        canvas.fill(&stubble, grey, 0.52 * look.five_o_clock_shadow);
    }
    // Where other facial hair says what grows, the jaw's own is trimmed.
    let other = look.goatee.max(look.mustache).max(look.five_o_clock_shadow);
    let full = (1.0 - look.no_beard) * (1.0 - 0.35 * other);
    if full > FAINT {
        let mask = place.on_skin(&[jaw(sitter, 0.04)], 0.0).feathered(2.5).within(face);
        let thick = mask.modulated(|x, y| 0.62 + 0.38 * grain::speckle(x as u32, y as u32, seed ^ 7));
        canvas.fill(&thick, colour(sitter), 0.90 * full);
        hairs(canvas, sitter, &place.on_skin(&[jaw(sitter, 0.0)], 0.0).within(face), "beard hairs", 90, full, |d| {
            let (x, y) = (1.9 * d[0] - 0.95, 0.2 + 1.2 * d[1]);
            ([x, y], [0.03 * x, 0.10])
        });
    }
}

/// Short hairs within a mask; `root` gives a hair's root and direction from two even numbers.
fn hairs(
    canvas: &mut Canvas,
    sitter: &Sitter,
    mask: &Mask,
    detail: &str,
    count: usize,
    shown: f32,
    root: impl Fn([f32; 2]) -> (Point, Point),
) {
    let mut dice = sitter.scene.dice(detail);
    for tone in [0.55, 1.45] {
        let lines: Vec<_> = (0..count)
            .map(|_| {
                let (at, way) = root([dice.unit(), dice.unit()]);
                let bend = 0.03 * (dice.unit() - 0.5);
                curve::stroke(&[at, [at[0] + way[0] + bend, at[1] + way[1]]], |t| 0.024 * (1.1 - t))
            })
            .collect();
        canvas.fill(&sitter.place.on_skin(&lines, 0.02).within(mask), scaled(colour(sitter), tone), 0.6 * shown);
    }
}

/// Moustache and goatee, around the painted mouth.
pub(super) fn around_mouth(canvas: &mut Canvas, sitter: &Sitter, face: &Mask) {
    let (look, place) = (sitter.look, &sitter.place);
    let m = Mouth::new(sitter);
    if look.mustache > 0.05 {
        let shown = smooth(0.05, 0.7, look.mustache);
        let wide = m.wide + 0.02 + 0.06 * look.mustache;
        let y = m.y - 0.115;
        let half = [
            [0.0, y - 0.045],
            [0.12, y - 0.10],
            [wide * 0.65, y - 0.035],
            [wide, y + 0.10],
            [wide * 0.75, y + 0.075],
            [0.14, y + 0.055],
            [0.0, y + 0.035],
        ];
        let mask = place.on_skin(&[curve::spline(&curve::mirrored(&half), true)], 0.08).feathered(0.9).within(face);
        canvas.fill(&mask, colour(sitter), 0.92 * shown);
        hairs(canvas, sitter, &mask, "moustache hairs", 34, shown, |d| {
            let x = (2.0 * d[0] - 1.0) * wide;
            ([x, y - 0.08 + 0.10 * d[1]], [0.06 * x.signum(), 0.07])
        });
    }
    if look.goatee > 0.05 {
        let shown = smooth(0.05, 0.7, look.goatee);
        let top = m.y + 0.22;
        let half = [
            [0.0, top],
            [0.10, top + 0.02],
            [0.20, top + 0.10],
            [0.27, top + 0.24],
            [0.20, sitter.chin + 0.02],
            [0.0, sitter.chin + 0.09 * look.goatee],
        ];
        let mask = place.on_skin(&[curve::spline(&curve::mirrored(&half), true)], 0.03).feathered(1.2);
        canvas.fill(&mask, colour(sitter), 0.92 * shown);
        hairs(canvas, sitter, &mask, "goatee hairs", 34, shown, |d| {
            let x = 0.5 * d[0] - 0.25;
            ([x, top + 0.34 * d[1]], [0.02 * x, 0.12])
        });
    }
}

/// Hair before the ears.
pub(super) fn sideburns(canvas: &mut Canvas, sitter: &Sitter, face: &Mask) {
    let shown = sitter.look.sideburns;
    if shown < 0.05 {
        return;
    }
    let end = 0.16 + 0.40 * shown;
    for side in SIDES {
        let patch =
            [[0.99, -0.40], [0.84, -0.36], [0.815, 0.0], [0.79, end - 0.04], [0.86, end + 0.04], [1.0, end - 0.08]]
                .map(|p: Point| [side * p[0], p[1]]);
        let mask = sitter.place.on_skin(&[curve::spline(&patch, true)], 0.02).feathered(1.0).within(face);
        canvas.fill(&mask, colour(sitter), smooth(0.05, 0.6, shown) * 0.92);
        hairs(canvas, sitter, &mask, "sideburn hairs", 22, shown, |d| {
            ([side * (0.80 + 0.18 * d[0]), -0.3 + (end + 0.3) * d[1]], [0.0, 0.10])
        });
    }
}
