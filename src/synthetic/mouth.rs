//! The mouth: lips, teeth and tongue.

use super::canvas::{Canvas, Colour, Mask, Point, mix, scaled, tinted};
use super::curve;
use super::subject::Subject;

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
