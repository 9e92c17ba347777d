//! Accessories of the head: glasses, earrings, hats.

use super::canvas::{Canvas, Mask, Point, mix, scaled};
use super::curve;
use super::face::SIDES;
use super::pose;
use super::scene::{Hat, Jewelry};
use super::subject::Subject;

/// Paints glasses with round to square frames, clear or dark.
pub(super) fn glasses(canvas: &mut Canvas, subject: &Subject, face: &Mask) {
    if subject.levels.eyeglasses <= 0.5 {
        return;
    }
    let (projection, scene) = (&subject.projection, subject.scene);
    let [square, kind] = scene.glasses;
    let dark = kind < 0.15;
    let mut rng = scene.rng("glasses");
    let frame = if rng.unit() < 0.7 { [28.0, 24.0, 26.0] } else { mix([120.0, 70.0, 40.0], scene.metal, rng.unit()) };
    let width = if dark { 0.05 } else { 0.030 + 0.035 * rng.unit() };
    let (wide, high) = (0.31, 0.235 - 0.03 * square);
    for side in SIDES {
        let c = [side * 0.43, -0.07];
        let corner = 0.72 + 0.22 * square;
        let half = [
            [0.0, -high],
            [corner * wide, -high * corner],
            [wide, 0.0],
            [corner * wide, high * corner],
            [0.0, high],
            [-corner * wide, high * corner],
            [-wide, 0.0],
            [-corner * wide, -high * corner],
        ];
        let mut rim = curve::spline(&half.map(|p| [c[0] + p[0], c[1] + p[1]]), true);
        let lens = projection.on_skin(&[rim.clone()], 0.10);
        canvas.fill(
            &lens,
            if dark { [24.0, 26.0, 34.0] } else { [215.0, 228.0, 240.0] },
            if dark { 0.88 } else { 0.14 },
        );
        let glare = curve::stroke(&[[c[0] - 0.16, c[1] + 0.14], [c[0] + 0.10, c[1] - 0.18]], |_| 0.07);
        canvas.fill(&projection.on_skin(&[glare], 0.10).feathered(1.5).within(&lens), [255.0; 3], 0.40);
        rim.push(rim[0]);
        let shadow = pose::mask(&[curve::stroke(&rim, |_| width)], |p| projection.project([p[0], p[1] + 0.05], 0.7))
            .feathered(2.0)
            .within(face);
        canvas.fill(&shadow, subject.skin.crease, 0.35);
        canvas.fill(&projection.on_skin(&[curve::stroke(&rim, |_| width)], 0.10), frame, 1.0);
        let temple = curve::stroke(
            &[projection.project([side * 0.73, -0.16], 0.55), projection.project([side * 1.03, -0.14], -0.15)],
            |_| 2.6,
        );
        canvas.fill(&Mask::new(&[temple]), frame, 1.0);
    }
    let bridge = curve::spline(&[[-0.13, -0.12], [0.0, -0.17], [0.13, -0.12]], false);
    canvas.fill(&projection.on_skin(&[curve::stroke(&bridge, |_| width)], 0.14), frame, 1.0);
}

/// Paints studs, hoops or drops.
pub(super) fn earrings(canvas: &mut Canvas, subject: &Subject) {
    let shown = subject.levels.wearing_earrings;
    if shown <= 0.5 {
        return;
    }
    let (projection, scene) = (&subject.projection, subject.scene);
    let size = 0.6 + 0.5 * shown;
    let shine = mix(scene.metal, [255.0; 3], 0.7);
    for side in SIDES {
        let x = side * 1.05;
        let lobe = 0.40;
        let at = |outlines: &[Vec<Point>]| projection.flat(outlines, -0.25);
        match scene.jewelry {
            Jewelry::Round => {
                canvas.fill(
                    &at(&[curve::ellipse([x, lobe + 0.03], [0.095 * size, 0.095 * size])]),
                    scaled(scene.metal, 0.75),
                    1.0,
                );
                canvas.fill(&at(&[curve::ellipse([x - 0.015, lobe + 0.01], [0.05 * size, 0.05 * size])]), shine, 1.0);
            }
            Jewelry::Ring => {
                let mut ring = curve::ellipse([x, lobe + 0.15 * size], [0.13 * size, 0.17 * size]);
                ring.push(ring[0]);
                canvas.fill(&at(&[curve::stroke(&ring, |_| 0.055)]), scaled(scene.metal, 0.8), 1.0);
                canvas.fill(&at(&[curve::stroke(&ring[14..24], |_| 0.03)]), shine, 0.9);
            }
            Jewelry::Drop => {
                canvas.fill(
                    &at(&[curve::stroke(&[[x, lobe - 0.02], [x, lobe + 0.22 * size]], |_| 0.03)]),
                    scene.metal,
                    1.0,
                );
                let drop = [
                    [x, lobe + 0.10 * size],
                    [x + 0.09 * size, lobe + 0.30 * size],
                    [x, lobe + 0.42 * size],
                    [x - 0.09 * size, lobe + 0.30 * size],
                ];
                canvas.fill(&at(&[curve::spline(&drop, true)]), mix(scene.second_cloth, scene.metal, 0.4), 1.0);
                canvas.fill(&at(&[curve::ellipse([x - 0.02, lobe + 0.27 * size], [0.03, 0.05])]), shine, 0.9);
            }
        }
    }
}

/// Paints the hat and its shadow on the forehead.
pub(super) fn hat(canvas: &mut Canvas, subject: &Subject, face: &Mask) {
    if subject.levels.wearing_hat <= 0.5 {
        return;
    }
    let (projection, scene) = (&subject.projection, subject.scene);
    let colour = mix(scene.second_cloth, scene.cloth, 0.3);
    let shadow = curve::ellipse([0.0, -0.72], [0.98, 0.26]);
    canvas.fill(&projection.on_skin(&[shadow], 0.0).feathered(6.0).within(face), subject.skin.crease, 0.65);
    let front = |p: Point| projection.project(p, 0.30);
    let crown_of = |high: f32, wide: f32| {
        curve::spline(
            &curve::mirrored(&[
                [0.0, high],
                [wide * 0.6, high + 0.07],
                [wide * 0.95, high + 0.42],
                [wide, -0.78],
                [wide * 0.9, -0.58],
                [0.0, -0.62],
            ]),
            true,
        )
    };
    let crown = match scene.hat {
        Hat::Beanie => crown_of(-1.86, 1.14),
        Hat::Cap => crown_of(-1.74, 1.10),
        Hat::Brim => crown_of(-1.96, 0.98),
    };
    let mask = pose::mask(&[crown], |p| projection.project(p, 0.10));
    let light = scene.light[0];
    canvas.fill_with(&mask, 1.0, |x, y| {
        let p = projection.unproject(x, y);
        scaled(colour, 1.0 - 0.24 * p[0] * p[0] + 0.22 * p[0] * light - 0.18 * (p[1] + 1.2).max(0.0))
    });
    match scene.hat {
        Hat::Beanie => {
            let ribs: Vec<_> = (-6..=6)
                .map(|i| {
                    let x = i as f32 * 0.17;
                    curve::stroke(
                        &[[x * 0.75, -1.75], [x, -1.2], [x * 1.04, -0.6]].map(|p| projection.project(p, 0.10)),
                        |_| 2.2,
                    )
                })
                .collect();
            canvas.fill(&Mask::new(&ribs).within(&mask), scaled(colour, 0.72), 0.6);
            let cuff = curve::spline(
                &[[-1.13, -0.86], [-0.6, -0.80], [0.0, -0.78], [0.6, -0.80], [1.13, -0.86]].map(front),
                false,
            );
            canvas.fill(&Mask::new(&[curve::stroke(&cuff, |_| projection.pixels(0.30))]), scaled(colour, 0.84), 1.0);
        }
        Hat::Cap => {
            let visor = curve::spline(
                &curve::mirrored(&[
                    [0.0, -0.86],
                    [0.62, -0.80],
                    [0.98, -0.66],
                    [0.86, -0.52],
                    [0.5, -0.44],
                    [0.0, -0.40],
                ]),
                true,
            );
            canvas.fill(&pose::mask(&[visor], |p| projection.project(p, 0.62)), scaled(colour, 0.66), 1.0);
            let seam = curve::stroke(&[[0.0, -1.72], [0.0, -0.85]].map(front), |_| 1.6);
            canvas.fill(&Mask::new(&[seam]), scaled(colour, 0.7), 0.8);
            canvas.fill(&pose::mask(&[curve::ellipse([0.0, -1.15], [0.20, 0.17])], front), scene.background[2], 0.9);
        }
        Hat::Brim => {
            let brim = curve::ellipse([0.0, -0.72], [1.62, 0.22]);
            canvas.fill(&pose::mask(&[brim], |p| projection.project(p, 0.22)), scaled(colour, 0.80), 1.0);
            let lit = curve::ellipse([0.0, -0.78], [1.5, 0.13]);
            canvas.fill(&pose::mask(&[lit], |p| projection.project(p, 0.22)).feathered(2.0), colour, 0.7);
            let band = curve::spline(
                &[[-0.98, -0.94], [0.0, -0.86], [0.98, -0.94]].map(|p| projection.project(p, 0.16)),
                false,
            );
            canvas.fill(
                &Mask::new(&[curve::stroke(&band, |_| projection.pixels(0.17))]),
                scaled(scene.cloth, 0.5),
                1.0,
            );
        }
    }
}
