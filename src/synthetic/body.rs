//! Background, neck and shoulders.

use super::canvas::{Canvas, Mask, SIZE, mix, smooth};
use super::curve;
use super::face::{self, SIDES};
use super::noise::Clouds;
use super::scene::Scene;
use super::subject::Subject;

/// Paints a background of two colours with blurred shapes.
pub(super) fn background(scene: &Scene) -> Canvas {
    let [top, bottom, thing] = scene.background;
    let mut rng = scene.rng("background");
    let seed = rng.bits() as u32;
    let lean = rng.bell() * 0.5;
    let side = SIZE as f32;
    let clouds = Clouds::new(37.0, seed);
    let mut canvas = Canvas::new(|y| {
        let cloud = clouds.along(y);
        std::array::from_fn(|x| {
            let share = ((y + lean * x as f32) / side).clamp(0.0, 1.0);
            mix(top, bottom, share).map(|v| v + 26.0 * (cloud[x] - 0.5))
        })
    });
    for _ in 0..2 + (rng.bits() % 5) {
        let (x, y) = (side * rng.unit(), side * rng.unit());
        let (wide, high) = (10.0 + 34.0 * rng.unit(), 10.0 + 50.0 * rng.unit());
        let shape = match rng.bits() % 3 {
            0 => curve::ellipse([x, y], [wide, wide]),
            1 => curve::rectangle([x - wide, y - high], [x + wide, y + high]),
            _ => curve::stroke(&[[x - 3.0 * wide, y], [x + 3.0 * wide, y + high - 30.0]], |_| 12.0),
        };
        let colour = mix(thing, rng.colour(0.2, 1.0), 0.4);
        let soft = 1.0 + 5.0 * rng.unit();
        canvas.fill(&Mask::new(&[shape]).feathered(soft), colour, 0.25 + 0.5 * rng.unit());
    }
    canvas
}

/// Measures of the body in face units.
pub(super) struct Build {
    /// Half of the neck's width.
    pub(super) neck: f32,
    /// Half of the shoulders' width.
    pub(super) wide: f32,
    /// y where the neck meets the shoulders.
    pub(super) slope: f32,
}

impl Build {
    /// The build of `subject`.
    pub(super) fn new(subject: &Subject) -> Self {
        let levels = subject.levels;
        Self {
            neck: 0.46 + 0.13 * levels.male + 0.10 * levels.chubby,
            wide: 1.45 + 0.35 * levels.male + 0.15 * levels.chubby,
            slope: 1.66 - 0.05 * levels.male,
        }
    }
}

/// Paints neck and shoulders.
pub(super) fn body(canvas: &mut Canvas, subject: &Subject) {
    let projection = &subject.projection;
    let Build { neck, wide, slope } = Build::new(subject);
    let half = [
        [0.0, 0.7],
        [neck * 0.98, 0.8],
        [neck, 1.30],
        [neck + 0.10, slope - 0.06],
        [wide * 0.72, slope + 0.20],
        [wide, slope + 0.44],
        [wide + 0.22, 2.9],
        [0.0, 2.9],
    ];
    let shape = projection.on_body(&[curve::spline(&curve::mirrored(&half), false)]);
    let skin = subject.skin;
    canvas.fill_with(&shape, 1.0, |x, y| {
        let p = projection.unproject(x, y);
        let side = smooth(0.1, 1.0, p[0].abs() / neck) * 0.45 - 0.18 * p[0] * subject.scene.light[0];
        mix(skin.base, skin.shadow, (0.15 + side).clamp(0.0, 0.8))
    });
    let cords: Vec<_> =
        SIDES.map(|s| curve::stroke(&[[s * neck * 0.62, 1.25], [s * 0.12, 1.86]], curve::tapered(0.07))).into();
    canvas.fill(&projection.on_body(&cords).feathered(2.5).within(&shape), skin.shadow, 0.5);
    face::under_chin(canvas, subject, &shape);
}
