//! Glasses and earrings.

use super::canvas::{Canvas, Mask, Point, mix, scaled};
use super::curve;
use super::face::SIDES;
use super::pose;
use super::scene::Jewelry;
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
