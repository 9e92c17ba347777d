//! Hats: a beanie, a cap, or a hat with a brim.

use super::canvas::{Canvas, Colour, Mask, Point, mix, scaled};
use super::curve;
use super::pose;
use super::scene::Hat;
use super::subject::Subject;

/// Paints the hat and its shadow on the forehead.
pub(super) fn hat(canvas: &mut Canvas, subject: &Subject, face: &Mask) {
    if subject.levels.wearing_hat <= 0.5 {
        return;
    }
    let (projection, scene) = (&subject.projection, subject.scene);
    let colour = mix(scene.second_cloth, scene.cloth, 0.3);
    let shadow = curve::ellipse([0.0, -0.72], [0.98, 0.26]);
    canvas.fill(&projection.on_skin(&[shadow], 0.0).feathered(6.0).within(face), subject.skin.crease, 0.65);
    let crown = match scene.hat {
        Hat::Beanie => crown(-1.86, 1.14),
        Hat::Cap => crown(-1.74, 1.10),
        Hat::Brim => crown(-1.96, 0.98),
    };
    let mask = pose::mask(&[crown], |p| projection.project(p, 0.10));
    let light = scene.light[0];
    canvas.fill_with(&mask, 1.0, |x, y| {
        let p = projection.unproject(x, y);
        scaled(colour, 1.0 - 0.24 * p[0] * p[0] + 0.22 * p[0] * light - 0.18 * (p[1] + 1.2).max(0.0))
    });
    match scene.hat {
        Hat::Beanie => ribs_and_cuff(canvas, subject, &mask, colour),
        Hat::Cap => visor(canvas, subject, colour),
        Hat::Brim => brim(canvas, subject, colour),
    }
}

/// The outline of a crown with its top at y = `high` and half as wide as `wide`.
fn crown(high: f32, wide: f32) -> Vec<Point> {
    let half = [
        [0.0, high],
        [wide * 0.6, high + 0.07],
        [wide * 0.95, high + 0.42],
        [wide, -0.78],
        [wide * 0.9, -0.58],
        [0.0, -0.62],
    ];
    curve::spline(&curve::mirrored(&half), true)
}

fn ribs_and_cuff(canvas: &mut Canvas, subject: &Subject, crown: &Mask, colour: Colour) {
    let projection = &subject.projection;
    let rib = |i: i32| {
        let x = i as f32 * 0.17;
        let line = [[x * 0.75, -1.75], [x, -1.2], [x * 1.04, -0.6]].map(|p| projection.project(p, 0.10));
        curve::stroke(&line, |_| 2.2)
    };
    let ribs: Vec<_> = (-6..=6).map(rib).collect();
    canvas.fill(&Mask::new(&ribs).within(crown), scaled(colour, 0.72), 0.6);
    let cuff = [[-1.13, -0.86], [-0.6, -0.80], [0.0, -0.78], [0.6, -0.80], [1.13, -0.86]];
    let cuff = curve::spline(&cuff.map(|p| projection.project(p, 0.30)), false);
    canvas.fill(&Mask::new(&[curve::stroke(&cuff, |_| projection.pixels(0.30))]), scaled(colour, 0.84), 1.0);
}

fn visor(canvas: &mut Canvas, subject: &Subject, colour: Colour) {
    let projection = &subject.projection;
    let front = |p: Point| projection.project(p, 0.30);
    let half = [[0.0, -0.86], [0.62, -0.80], [0.98, -0.66], [0.86, -0.52], [0.5, -0.44], [0.0, -0.40]];
    let visor = curve::spline(&curve::mirrored(&half), true);
    canvas.fill(&pose::mask(&[visor], |p| projection.project(p, 0.62)), scaled(colour, 0.66), 1.0);
    let seam = curve::stroke(&[[0.0, -1.72], [0.0, -0.85]].map(front), |_| 1.6);
    canvas.fill(&Mask::new(&[seam]), scaled(colour, 0.7), 0.8);
    let badge = curve::ellipse([0.0, -1.15], [0.20, 0.17]);
    canvas.fill(&pose::mask(&[badge], front), subject.scene.background[2], 0.9);
}

fn brim(canvas: &mut Canvas, subject: &Subject, colour: Colour) {
    let projection = &subject.projection;
    let brim = curve::ellipse([0.0, -0.72], [1.62, 0.22]);
    canvas.fill(&pose::mask(&[brim], |p| projection.project(p, 0.22)), scaled(colour, 0.80), 1.0);
    let lit = curve::ellipse([0.0, -0.78], [1.5, 0.13]);
    canvas.fill(&pose::mask(&[lit], |p| projection.project(p, 0.22)).feathered(2.0), colour, 0.7);
    let band = [[-0.98, -0.94], [0.0, -0.86], [0.98, -0.94]].map(|p| projection.project(p, 0.16));
    let band = curve::stroke(&curve::spline(&band, false), |_| projection.pixels(0.17));
    canvas.fill(&Mask::new(&[band]), scaled(subject.scene.cloth, 0.5), 1.0);
}
