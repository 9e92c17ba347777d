//! Clothes, necktie and necklace.

use super::body::Build;
use super::canvas::{Canvas, Colour, Mask, Point, SIZE, mix, scaled};
use super::curve;
use super::face::SIDES;
use super::noise::Clouds;
use super::scene::Jewelry;
use super::subject::Subject;

/// Paints clothes, and necktie and necklace if they are worn.
pub(super) fn clothes(canvas: &mut Canvas, subject: &Subject) {
    let build = Build::new(subject);
    if subject.levels.wearing_necktie > 0.5 {
        suit(canvas, subject, &build);
    } else {
        pullover(canvas, subject, &build);
    }
    if subject.levels.wearing_necklace > 0.5 {
        necklace(canvas, subject, build.neck, build.slope);
    }
}

/// Paints a shirt, a jacket and a necktie.
fn suit(canvas: &mut Canvas, subject: &Subject, build: &Build) {
    let (scene, slope) = (subject.scene, build.slope);
    let edge = build.neck + 0.02;
    let shirt = [[0.0, 2.04], [edge, slope - 0.18], [edge + 0.35, slope + 0.10], [0.9, 2.9], [0.0, 2.9]];
    let white = mix(scene.second_cloth, [244.0, 244.0, 248.0], 0.8);
    paint_cloth(canvas, subject, &shape_of(subject, &shirt), white);
    let jacket = coat(build, 2.75, [0.16, 2.62], edge, 0.10);
    let cloth = mix(scene.cloth, [40.0, 44.0, 58.0], 0.6);
    paint_cloth(canvas, subject, &shape_of(subject, &jacket), cloth);
    necktie(canvas, subject, edge, slope);
}

/// Paints a pullover with a round neckline.
fn pullover(canvas: &mut Canvas, subject: &Subject, build: &Build) {
    let (scene, slope) = (subject.scene, build.slope);
    let edge = build.neck + 0.16;
    let deep = 1.80 + 0.16 * scene.rng("neckline").unit() + 0.16 * (1.0 - subject.levels.male);
    let inner = [edge * 0.72, slope + 0.62 * (deep - slope)];
    let outline = coat(build, deep, inner, edge, 0.0);
    paint_cloth(canvas, subject, &shape_of(subject, &outline), scene.cloth);
    let rim = [[-edge, slope - 0.05], [-inner[0], inner[1]], [0.0, deep], inner, [edge, slope - 0.05]];
    let rim = curve::spline(&rim, false);
    canvas.fill(&subject.projection.on_body(&[curve::stroke(&rim, |_| 0.05)]), scaled(scene.cloth, 0.75), 0.7);
}

/// The right half of a garment's outline; its neckline runs from `hem` in the middle over `inner` to `edge`.
fn coat(build: &Build, hem: f32, inner: Point, edge: f32, lapel: f32) -> [Point; 8] {
    let Build { wide, slope, .. } = *build;
    [
        [0.0, hem],
        inner,
        [edge + lapel, slope - 0.05],
        [wide * 0.36 + edge * 0.5, slope + 0.05],
        [wide * 0.72 + 0.06, slope + 0.15],
        [wide + 0.06, slope + 0.40],
        [wide + 0.36, 2.95],
        [0.0, 2.95],
    ]
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
