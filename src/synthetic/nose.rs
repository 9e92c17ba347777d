//! The nose: bridge, tip, wings and nostrils.

use super::canvas::{Canvas, Mask, Point, scaled};
use super::curve;
use super::face::SIDES;
use super::subject::Subject;

/// Measures of the nose in face units.
struct Nose {
    big: f32,
    sharp: f32,
    /// y of the base.
    base: f32,
    /// Half of the width.
    wide: f32,
    /// Sideways offset of the tip.
    bend: f32,
    tip: Point,
}

impl Nose {
    fn new(subject: &Subject) -> Self {
        let (big, sharp) = (subject.levels.big_nose, subject.levels.pointy_nose);
        let base = 0.38 + 0.02 * subject.scene.proportions[3] + 0.07 * big + 0.03 * sharp;
        let wide = 0.165 + 0.085 * big - 0.055 * sharp;
        let bend = 0.055 * subject.uneven(2);
        Self { big, sharp, base, wide, bend, tip: [bend, base - 0.05 + 0.03 * sharp] }
    }
}

/// Paints the nose.
pub(super) fn nose(canvas: &mut Canvas, subject: &Subject, face: &Mask) {
    let nose = Nose::new(subject);
    bridge(canvas, subject, &nose, face);
    tip(canvas, subject, &nose, face);
    wings(canvas, subject, &nose, face);
}

fn bridge(canvas: &mut Canvas, subject: &Subject, nose: &Nose, face: &Mask) {
    let Nose { big, sharp, base, wide, bend, tip } = *nose;
    let (scene, projection) = (subject.scene, &subject.projection);
    let dark_side = if scene.light[0] > 0.0 { -1.0 } else { 1.0 };
    let ridge = 0.075 + 0.045 * big - 0.03 * sharp;
    let side = [
        [dark_side * 0.10, -0.26],
        [dark_side * ridge + bend * 0.5, 0.0],
        [dark_side * (wide - 0.02) + bend, base - 0.10],
        [bend, base - 0.06],
        [bend * 0.5 + dark_side * 0.015, 0.05],
    ];
    let side = projection.on_skin(&[curve::spline(&side, true)], 0.08).feathered(2.6).within(face);
    canvas.fill(&side, subject.skin.shadow, 0.40 + 0.45 * scene.contrast);
    let lit = curve::stroke(&[[0.0, -0.22], [bend * 0.5, 0.05], [tip[0], tip[1] - 0.04]], |_| {
        0.055 + 0.03 * big - 0.022 * sharp
    });
    let lit = projection.on_skin(&[lit], 0.14).feathered(1.6).within(face);
    canvas.fill(&lit, subject.skin.lit, 0.45 + 0.4 * sharp);
}

/// Paints the tip. A big nose ends in a ball, a pointed one in an edge above a triangular shadow.
fn tip(canvas: &mut Canvas, subject: &Subject, nose: &Nose, face: &Mask) {
    let Nose { big, sharp, base, wide, tip, .. } = *nose;
    let projection = &subject.projection;
    let ball = curve::ellipse(tip, [wide * 0.75, 0.10 + 0.04 * big]);
    let ball = projection.on_skin(&[ball], 0.16).feathered(2.2).within(face);
    canvas.fill(&ball, subject.skin.lit, (0.22 + 0.35 * big) * (1.0 - 0.7 * sharp));
    let under = [
        [tip[0] - wide * 0.8, base],
        [tip[0], base + 0.045 + 0.07 * sharp],
        [tip[0] + wide * 0.8, base],
        [tip[0], base - 0.01],
    ];
    let under = projection.on_skin(&[under.to_vec()], 0.1).feathered(1.2).within(face);
    canvas.fill(&under, subject.skin.crease, 0.45 + 0.45 * sharp);
}

fn wings(canvas: &mut Canvas, subject: &Subject, nose: &Nose, face: &Mask) {
    let Nose { big, sharp, base, wide, tip, .. } = *nose;
    let projection = &subject.projection;
    let mut wings = Vec::new();
    let mut nostrils = Vec::new();
    for side in SIDES {
        let x = |out: f32| tip[0] + side * out;
        let wing = [
            [x(wide * 0.80), base - 0.15 - 0.03 * big],
            [x(wide + 0.02), base - 0.07],
            [x(wide * 0.98), base + 0.005],
            [x(wide * 0.62), base + 0.03],
        ];
        wings.push(curve::stroke(&curve::spline(&wing, false), curve::tapered(0.028 + 0.02 * big)));
        let radius = [0.045 + 0.028 * big - 0.014 * sharp, 0.022 + 0.012 * big];
        nostrils.push(curve::ellipse([x(wide * 0.50), base + 0.005], radius));
    }
    canvas.fill(&projection.on_skin(&wings, 0.04).feathered(0.8).within(face), subject.skin.crease, 0.85);
    let nostrils = projection.on_skin(&nostrils, 0.08).feathered(0.6).within(face);
    canvas.fill(&nostrils, scaled(subject.skin.crease, 0.6), 0.85);
}
