//! Facial hair: stubble, beard, goatee, moustache, sideburns.

use super::canvas::{Canvas, Colour, Mask, Point, mix, scaled, smooth};
use super::curve;
use super::face::SIDES;
use super::levels::FAINT;
use super::mouth::Mouth;
use super::noise;
use super::subject::Subject;

/// The colour of facial hair, a little darker than that of the head.
fn colour(subject: &Subject) -> Colour {
    mix(scaled(subject.hair, 0.72), [48.0, 34.0, 28.0], 0.30)
}

/// The outline of a beard: the jaw from ear to ear, up to the mouth.
fn jaw(subject: &Subject, sink: f32) -> Vec<Point> {
    let chin = subject.chin + 0.03;
    let up =
        [[0.90, 0.14], [0.72, 0.46 + sink], [0.46, 0.66 + sink], [0.30, 0.92 + sink * 0.6], [0.0, 0.98 + sink * 0.6]];
    let down = [[0.99, 0.10], [0.97, 0.60], [0.76, 1.02], [0.40, chin - 0.02], [0.0, chin + 0.02]];
    let right = |p: Point| p;
    let left = |p: Point| [-p[0], p[1]];
    let inner = up.map(right).into_iter().chain(up.map(left).into_iter().rev().skip(1)).collect::<Vec<_>>();
    let outer = down.map(right).into_iter().chain(down.map(left).into_iter().rev().skip(1)).collect::<Vec<_>>();
    curve::spline(&outer, false).into_iter().chain(curve::spline(&inner, false).into_iter().rev()).collect()
}

/// Paints stubble and the beard along the jaw, before the mouth.
pub(super) fn beard(canvas: &mut Canvas, subject: &Subject, face: &Mask) {
    let (levels, projection) = (subject.levels, &subject.projection);
    let seed = subject.scene.rng("stubble").bits() as u32;
    let lip = curve::ellipse([0.0, 0.60], [0.36, 0.13]);
    let chin = curve::ellipse([0.0, 1.10], [0.40, 0.28]);
    if levels.five_o_clock_shadow > FAINT {
        let stubble = projection
            .on_skin(&[jaw(subject, -0.04), lip, chin], 0.0)
            .feathered(6.0)
            .within(face)
            .modulated(|x, y| 0.62 + 0.38 * noise::speckle(x as u32, y as u32, seed));
        let grey = mix(mix(subject.skin.shadow, colour(subject), 0.45), [70.0, 78.0, 90.0], 0.40);
        canvas.fill(&stubble, grey, 0.52 * levels.five_o_clock_shadow);
    }
    // Other facial hair weakens the full beard, so that it stays visible.
    let other = levels.goatee.max(levels.mustache).max(levels.five_o_clock_shadow);
    let full = (1.0 - levels.no_beard) * (1.0 - 0.35 * other);
    if full > FAINT {
        let mask = projection.on_skin(&[jaw(subject, 0.04)], 0.0).feathered(2.5).within(face);
        let thick = mask.modulated(|x, y| 0.62 + 0.38 * noise::speckle(x as u32, y as u32, seed ^ 7));
        canvas.fill(&thick, colour(subject), 0.90 * full);
        hairs(
            canvas,
            subject,
            &projection.on_skin(&[jaw(subject, 0.0)], 0.0).within(face),
            "beard hairs",
            90,
            full,
            |d| {
                let (x, y) = (1.9 * d[0] - 0.95, 0.2 + 1.2 * d[1]);
                ([x, y], [0.03 * x, 0.10])
            },
        );
    }
}

/// Paints short hairs within a mask; `root` maps two uniform numbers to a hair's root and direction.
fn hairs(
    canvas: &mut Canvas,
    subject: &Subject,
    mask: &Mask,
    detail: &str,
    count: usize,
    shown: f32,
    root: impl Fn([f32; 2]) -> (Point, Point),
) {
    let mut rng = subject.scene.rng(detail);
    for tone in [0.55, 1.45] {
        let lines: Vec<_> = (0..count)
            .map(|_| {
                let (at, way) = root([rng.unit(), rng.unit()]);
                let bend = 0.03 * (rng.unit() - 0.5);
                curve::stroke(&[at, [at[0] + way[0] + bend, at[1] + way[1]]], |t| 0.024 * (1.1 - t))
            })
            .collect();
        canvas.fill(&subject.projection.on_skin(&lines, 0.02).within(mask), scaled(colour(subject), tone), 0.6 * shown);
    }
}

/// Paints moustache and goatee around the mouth.
pub(super) fn around_mouth(canvas: &mut Canvas, subject: &Subject, face: &Mask) {
    let (levels, projection) = (subject.levels, &subject.projection);
    let m = Mouth::new(subject);
    if levels.mustache > 0.05 {
        let shown = smooth(0.05, 0.7, levels.mustache);
        let wide = m.wide + 0.02 + 0.06 * levels.mustache;
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
        let mask =
            projection.on_skin(&[curve::spline(&curve::mirrored(&half), true)], 0.08).feathered(0.9).within(face);
        canvas.fill(&mask, colour(subject), 0.92 * shown);
        hairs(canvas, subject, &mask, "moustache hairs", 34, shown, |d| {
            let x = (2.0 * d[0] - 1.0) * wide;
            ([x, y - 0.08 + 0.10 * d[1]], [0.06 * x.signum(), 0.07])
        });
    }
    if levels.goatee > 0.05 {
        let shown = smooth(0.05, 0.7, levels.goatee);
        let top = m.y + 0.22;
        let half = [
            [0.0, top],
            [0.10, top + 0.02],
            [0.20, top + 0.10],
            [0.27, top + 0.24],
            [0.20, subject.chin + 0.02],
            [0.0, subject.chin + 0.09 * levels.goatee],
        ];
        let mask = projection.on_skin(&[curve::spline(&curve::mirrored(&half), true)], 0.03).feathered(1.2);
        canvas.fill(&mask, colour(subject), 0.92 * shown);
        hairs(canvas, subject, &mask, "goatee hairs", 34, shown, |d| {
            let x = 0.5 * d[0] - 0.25;
            ([x, top + 0.34 * d[1]], [0.02 * x, 0.12])
        });
    }
}

/// Paints sideburns.
pub(super) fn sideburns(canvas: &mut Canvas, subject: &Subject, face: &Mask) {
    let shown = subject.levels.sideburns;
    if shown < 0.05 {
        return;
    }
    let end = 0.16 + 0.40 * shown;
    for side in SIDES {
        let patch =
            [[0.99, -0.40], [0.84, -0.36], [0.815, 0.0], [0.79, end - 0.04], [0.86, end + 0.04], [1.0, end - 0.08]]
                .map(|p: Point| [side * p[0], p[1]]);
        let mask = subject.projection.on_skin(&[curve::spline(&patch, true)], 0.02).feathered(1.0).within(face);
        canvas.fill(&mask, colour(subject), smooth(0.05, 0.6, shown) * 0.92);
        hairs(canvas, subject, &mask, "sideburn hairs", 22, shown, |d| {
            ([side * (0.80 + 0.18 * d[0]), -0.3 + (end + 0.3) * d[1]], [0.0, 0.10])
        });
    }
}
