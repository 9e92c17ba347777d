//! Background, neck, clothes, necklace, tie.

use super::canvas::{Canvas, Colour, Mask, Point, SIZE, mix, scaled, smooth};
use super::curve;
use super::face::{self, SIDES};
use super::noise::Clouds;
use super::scene::{Jewelry, Scene};
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

fn both(half: &[Point]) -> Vec<Point> {
    curve::spline(&curve::mirrored(half), false)
}

/// Paints neck, shoulders and clothes.
pub(super) fn body(canvas: &mut Canvas, subject: &Subject) {
    let (levels, projection) = (subject.levels, &subject.projection);
    let neck = 0.46 + 0.13 * levels.male + 0.10 * levels.chubby;
    let wide = 1.45 + 0.35 * levels.male + 0.15 * levels.chubby;
    let slope = 1.66 - 0.05 * levels.male;
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
    let shape = projection.on_body(&[both(&half)]);
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

    let tie = levels.wearing_necktie > 0.5;
    let deep = if tie { 1.98 } else { 1.80 + 0.16 * subject.scene.rng("neckline").unit() + 0.16 * (1.0 - levels.male) };
    let edge = if tie { neck + 0.02 } else { neck + 0.16 };
    let cloth = if tie { mix(subject.scene.cloth, [40.0, 44.0, 58.0], 0.6) } else { subject.scene.cloth };
    if tie {
        let shirt = [[0.0, 2.04], [edge, slope - 0.18], [edge + 0.35, slope + 0.10], [0.9, 2.9], [0.0, 2.9]];
        paint_cloth(
            canvas,
            subject,
            &shape_of(subject, &shirt),
            mix(subject.scene.second_cloth, [244.0, 244.0, 248.0], 0.8),
        );
    }
    let inner = if tie { [0.16, 2.62] } else { [edge * 0.72, slope + 0.62 * (deep - slope)] };
    let hem = if tie { 2.75 } else { deep };
    let coat = [
        [0.0, hem],
        inner,
        [edge + if tie { 0.10 } else { 0.0 }, slope - 0.05],
        [wide * 0.36 + edge * 0.5, slope + 0.05],
        [wide * 0.72 + 0.06, slope + 0.15],
        [wide + 0.06, slope + 0.40],
        [wide + 0.36, 2.95],
        [0.0, 2.95],
    ];
    paint_cloth(canvas, subject, &shape_of(subject, &coat), cloth);
    if !tie {
        let rim = [[-edge, slope - 0.05], [-inner[0], inner[1]], [0.0, hem], inner, [edge, slope - 0.05]];
        let rim = curve::spline(&rim, false);
        canvas.fill(&projection.on_body(&[curve::stroke(&rim, |_| 0.05)]), scaled(cloth, 0.75), 0.7);
    }
    if tie {
        necktie(canvas, subject, edge, slope);
    }
    if levels.wearing_necklace > 0.5 {
        necklace(canvas, subject, neck, slope);
    }
}

fn shape_of(subject: &Subject, half: &[Point]) -> Mask {
    subject.projection.on_body(&[curve::mirrored(half)])
}

/// Paints cloth with folds.
fn paint_cloth(canvas: &mut Canvas, subject: &Subject, mask: &Mask, colour: Colour) {
    let seed = subject.scene.rng("cloth").bits() as u32;
    let light = subject.scene.light[0];
    let folds = Clouds::new(21.0, seed);
    canvas.fill_with(mask, 1.0, |x, y| {
        let fold = folds.at(0.7 * x + 0.3 * y, 0.9 * y - 0.4 * x) - 0.5;
        let side = (x / SIZE as f32 - 0.5) * light;
        scaled(colour, 0.92 + 0.26 * fold + 0.35 * side)
    });
}

/// Paints collar, knot and blade of a necktie.
fn necktie(canvas: &mut Canvas, subject: &Subject, edge: f32, slope: f32) {
    let projection = &subject.projection;
    let rng = &mut subject.scene.rng("necktie");
    let colour = rng.colour(0.2, 0.8);
    let shown = subject.levels.wearing_necktie;
    let wide = 0.13 + 0.04 * shown;
    let blade = [[0.0, 2.02], [wide * 0.7, 2.04], [wide * 1.6, 2.9], [0.0, 2.9]];
    canvas.fill(&shape_of(subject, &blade), colour, 1.0);
    let stripes: Vec<_> = (0..6)
        .map(|i| curve::stroke(&[[-0.4, 2.0 + 0.16 * i as f32], [0.4, 2.22 + 0.16 * i as f32]], |_| 0.045))
        .collect();
    canvas.fill(&projection.on_body(&stripes).within(&shape_of(subject, &blade)), mix(colour, [255.0; 3], 0.6), 0.8);
    let knot = [[0.0, 1.86], [wide * 1.05, 1.87], [wide * 0.7, 2.06], [0.0, 2.07]];
    canvas.fill(&shape_of(subject, &knot), scaled(colour, 0.85), 1.0);
    for side in SIDES {
        let collar = [[edge - 0.02, slope - 0.22], [edge + 0.20, slope + 0.02], [0.36, 2.16], [0.06, 1.88]]
            .map(|p| [side * p[0], p[1]]);
        let mask = projection.on_body(&[collar.to_vec()]);
        canvas.fill(&mask, [236.0, 238.0, 244.0], 1.0);
        let lower = curve::stroke(&[collar[1], collar[2], collar[3]], |_| 0.025);
        canvas.fill(&projection.on_body(&[lower]), [150.0, 152.0, 166.0], 0.8);
    }
}

/// Paints beads, a chain, or a chain with a pendant.
fn necklace(canvas: &mut Canvas, subject: &Subject, neck: f32, slope: f32) {
    let (projection, scene) = (&subject.projection, subject.scene);
    let shown = subject.levels.wearing_necklace;
    let low = slope + 0.24;
    let line = curve::spline(
        &[
            [-neck - 0.10, slope - 0.12],
            [-neck * 0.62, slope + 0.10],
            [0.0, low],
            [neck * 0.62, slope + 0.10],
            [neck + 0.10, slope - 0.12],
        ],
        false,
    );
    let wide = 0.035 + 0.035 * shown;
    let under: Vec<Point> = line.iter().map(|p| [p[0], p[1] + 0.04]).collect();
    canvas.fill(&projection.on_body(&[curve::stroke(&under, |_| wide)]).feathered(1.0), subject.skin.crease, 0.6);
    if scene.jewelry == Jewelry::Round {
        let beads: Vec<_> = line.iter().step_by(2).map(|p| curve::ellipse(*p, [wide * 0.95, wide * 0.95])).collect();
        canvas.fill(&projection.on_body(&beads), mix([244.0, 238.0, 228.0], scene.metal, 0.25), 1.0);
        let glints: Vec<_> =
            line.iter().step_by(2).map(|p| curve::ellipse([p[0] - 0.012, p[1] - 0.016], [0.016, 0.016])).collect();
        canvas.fill(&projection.on_body(&glints), [255.0; 3], 0.9);
        return;
    }
    canvas.fill(&projection.on_body(&[curve::stroke(&line, |_| wide)]), scaled(scene.metal, 0.8), 1.0);
    let bright: Vec<_> = line.windows(2).step_by(2).map(|p| curve::stroke(p, |_| wide * 0.5)).collect();
    canvas.fill(&projection.on_body(&bright), mix(scene.metal, [255.0; 3], 0.6), 0.9);
    if scene.jewelry == Jewelry::Drop {
        canvas.fill(
            &projection.on_body(&[curve::ellipse([0.0, low + 0.10], [0.07, 0.10])]),
            scaled(scene.metal, 0.7),
            1.0,
        );
        canvas.fill(&projection.on_body(&[curve::ellipse([0.0, low + 0.10], [0.045, 0.07])]), scene.second_cloth, 1.0);
    }
}
