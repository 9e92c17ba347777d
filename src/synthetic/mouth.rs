//! Nose and mouth.

use super::canvas::{Canvas, Colour, Mask, Point, mix, scaled, tinted};
use super::curve;
use super::face::SIDES;
use super::subject::Subject;

/// Paints the nose: the shaded side of its bridge, tip, wings and nostrils.
pub(super) fn nose(canvas: &mut Canvas, subject: &Subject, face: &Mask) {
    let (levels, scene, projection) = (subject.levels, subject.scene, &subject.projection);
    let (big, sharp) = (levels.big_nose, levels.pointy_nose);
    let base = 0.38 + 0.02 * scene.proportions[3] + 0.07 * big + 0.03 * sharp;
    let wide = 0.165 + 0.085 * big - 0.055 * sharp;
    let bend = 0.055 * subject.uneven(2);
    let tip: Point = [bend, base - 0.05 + 0.03 * sharp];
    let dark_side = if scene.light[0] > 0.0 { -1.0 } else { 1.0 };

    let ridge = 0.075 + 0.045 * big - 0.03 * sharp;
    let side = [
        [dark_side * 0.10, -0.26],
        [dark_side * ridge + bend * 0.5, 0.0],
        [dark_side * (wide - 0.02) + bend, base - 0.10],
        [bend, base - 0.06],
        [bend * 0.5 + dark_side * 0.015, 0.05],
    ];
    canvas.fill(
        &projection.on_skin(&[curve::spline(&side, true)], 0.08).feathered(2.6).within(face),
        subject.skin.shadow,
        0.40 + 0.45 * scene.contrast,
    );
    let lit = curve::stroke(&[[0.0, -0.22], [bend * 0.5, 0.05], [tip[0], tip[1] - 0.04]], |_| {
        0.055 + 0.03 * big - 0.022 * sharp
    });
    canvas.fill(&projection.on_skin(&[lit], 0.14).feathered(1.6).within(face), subject.skin.lit, 0.45 + 0.4 * sharp);

    // A big nose ends in a ball, a pointed one in an edge above a triangular shadow.
    let ball =
        projection.on_skin(&[curve::ellipse(tip, [wide * 0.75, 0.10 + 0.04 * big])], 0.16).feathered(2.2).within(face);
    canvas.fill(&ball, subject.skin.lit, (0.22 + 0.35 * big) * (1.0 - 0.7 * sharp));
    let under = [
        [tip[0] - wide * 0.8, base],
        [tip[0], base + 0.045 + 0.07 * sharp],
        [tip[0] + wide * 0.8, base],
        [tip[0], base - 0.01],
    ];
    canvas.fill(
        &projection.on_skin(&[under.to_vec()], 0.1).feathered(1.2).within(face),
        subject.skin.crease,
        0.45 + 0.45 * sharp,
    );
    let mut wings = Vec::new();
    let mut holes = Vec::new();
    for side in SIDES {
        let x = |out: f32| tip[0] + side * out;
        let wing = [
            [x(wide * 0.80), base - 0.15 - 0.03 * big],
            [x(wide + 0.02), base - 0.07],
            [x(wide * 0.98), base + 0.005],
            [x(wide * 0.62), base + 0.03],
        ];
        wings.push(curve::stroke(&curve::spline(&wing, false), curve::tapered(0.028 + 0.02 * big)));
        holes.push(curve::ellipse(
            [x(wide * 0.50), base + 0.005],
            [0.045 + 0.028 * big - 0.014 * sharp, 0.022 + 0.012 * big],
        ));
    }
    canvas.fill(&projection.on_skin(&wings, 0.04).feathered(0.8).within(face), subject.skin.crease, 0.85);
    canvas.fill(&projection.on_skin(&holes, 0.08).feathered(0.6).within(face), scaled(subject.skin.crease, 0.6), 0.85);
}

/// Measures of the mouth in face units.
pub(super) struct Mouth {
    /// y of the line between the lips.
    pub(super) y: f32,
    /// Half of the width.
    pub(super) wide: f32,
    lift: f32,
    gap: f32,
    upper: f32,
    lower: f32,
    skew: f32,
}

impl Mouth {
    /// The mouth of `subject`.
    pub(super) fn new(subject: &Subject) -> Self {
        let (levels, odd) = (subject.levels, &subject.scene.proportions);
        Self {
            y: 0.74 + 0.012 * odd[2] + 0.02 * levels.male,
            wide: 0.29 + 0.012 * odd[4] + 0.115 * levels.smiling + 0.015 * levels.big_lips,
            lift: 0.125 * levels.smiling - 0.025,
            gap: 0.17 * levels.mouth_slightly_open + 0.004,
            upper: 0.050 + 0.062 * levels.big_lips + 0.006 * (1.0 - levels.male),
            lower: 0.075 + 0.085 * levels.big_lips + 0.008 * (1.0 - levels.male),
            skew: 0.05 * subject.uneven(3),
        }
    }

    /// A line from corner to corner, `middle` below the mouth's line up to `full` of the half width. `dip` adds a notch in
    /// the centre.
    fn line(&self, middle: f32, full: f32, dip: f32) -> Vec<Point> {
        let at = |x: f32, y: f32| [x + 0.4 * self.skew, self.y + y + self.skew * x / self.wide];
        let corner = -self.lift;
        let sag = 0.35 * self.lift.max(0.0);
        curve::spline(
            &[
                at(-self.wide, corner),
                at(-self.wide * full, (middle + sag) * 0.86 + corner * 0.14),
                at(-self.wide * 0.24, middle + sag),
                at(0.0, middle + sag + dip),
                at(self.wide * 0.24, middle + sag),
                at(self.wide * full, (middle + sag) * 0.86 + corner * 0.14),
                at(self.wide, corner),
            ],
            false,
        )
    }
}

fn between(above: Vec<Point>, below: Vec<Point>) -> Vec<Point> {
    above.into_iter().chain(below.into_iter().rev()).collect()
}

/// Paints the lips and the open mouth.
pub(super) fn mouth(canvas: &mut Canvas, subject: &Subject, face: &Mask) {
    let (levels, projection) = (subject.levels, &subject.projection);
    let m = Mouth::new(subject);
    let (inner_up, inner_low) = (-0.35 * m.gap, 0.65 * m.gap);
    let top = m.line(inner_up - m.upper, 0.55, 0.35 * m.upper);
    let bottom = m.line(inner_low + m.lower, 0.52, 0.0);
    let on = |outline: Vec<Point>| projection.on_skin(&[outline], 0.06);

    let natural = mix(tinted(subject.skin.base, [0.86, 0.60, 0.58]), [176.0, 92.0, 88.0], 0.3);
    let lips: Colour = mix(natural, subject.scene.lipstick, 0.92 * levels.wearing_lipstick);
    let upper = on(between(top, m.line(inner_up, 0.6, 0.01)));
    let lower = on(between(m.line(inner_low, 0.6, 0.01), bottom));
    let shade = m.line(inner_low + m.lower + 0.05, 0.4, 0.0);
    let shade = curve::stroke(&shade[shade.len() / 4..=shade.len() * 3 / 4], curve::tapered(0.05));
    canvas.fill(&projection.on_skin(&[shade], 0.04).feathered(2.2).within(face), subject.skin.crease, 0.40);
    canvas.fill(&upper.clone().within(face), scaled(lips, 0.82), 0.95);
    canvas.fill(&lower.clone().within(face), lips, 0.95);
    let glow = m.line(inner_low + m.lower * 0.45, 0.4, 0.0);
    let glow = curve::stroke(&glow[glow.len() * 3 / 8..=glow.len() * 5 / 8], curve::tapered(m.lower * 0.42));
    canvas.fill(
        &projection.on_skin(&[glow], 0.06).feathered(1.2).within(&lower),
        [255.0, 226.0, 218.0],
        0.25 + 0.3 * levels.wearing_lipstick,
    );

    inside(canvas, subject, &m, face);
    if levels.mouth_slightly_open < 0.9 {
        let line = curve::stroke(&m.line(0.3 * (inner_up + inner_low), 0.6, 0.012), |t| 0.018 + 0.05 * t * (1.0 - t));
        canvas.fill(&on(line).within(face), [74.0, 30.0, 32.0], 0.85 * (1.0 - levels.mouth_slightly_open));
    }
    let corners: Vec<_> = [m.line(0.0, 0.6, 0.0)[0], *m.line(0.0, 0.6, 0.0).last().unwrap_or(&[0.0; 2])]
        .into_iter()
        .map(|p| curve::ellipse(p, [0.035, 0.03]))
        .collect();
    canvas.fill(&projection.on_skin(&corners, 0.05).feathered(1.2).within(face), subject.skin.crease, 0.5);
}

/// Paints the inside of the mouth with teeth and tongue.
fn inside(canvas: &mut Canvas, subject: &Subject, m: &Mouth, face: &Mask) {
    let projection = &subject.projection;
    let (up, low) = (-0.35 * m.gap, 0.65 * m.gap);
    let mask = projection.on_skin(&[between(m.line(up, 0.6, 0.01), m.line(low, 0.6, 0.01))], 0.05).within(face);
    let shown = (subject.levels.mouth_slightly_open * 2.0).min(1.0);
    canvas.fill(&mask, [58.0, 20.0, 24.0], shown);
    let tongue = curve::ellipse([0.4 * m.skew, m.y + low + 0.03], [m.wide * 0.5, m.gap * 0.45]);
    canvas.fill(&projection.on_skin(&[tongue], 0.05).feathered(1.0).within(&mask), [172.0, 82.0, 84.0], 0.75);
    let deep = 0.075 + 0.02 * subject.levels.smiling;
    let teeth = between(m.line(up - 0.01, 0.62, 0.0), m.line(up + deep, 0.6, 0.0));
    canvas.fill(&projection.on_skin(&[teeth], 0.05).within(&mask), [240.0, 236.0, 226.0], 0.95 * shown);
}
