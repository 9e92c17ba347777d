//! The head without eyes, nose and mouth: ears, lit skin, cheeks, lines of age, chin.

use super::canvas::{Canvas, Mask, Point, mix, smooth, tinted};
use super::curve;
use super::levels::FAINT;
use super::noise::Clouds;
use super::subject::Subject;

/// The two sides of a face, as the sign of x.
pub(super) const SIDES: [f32; 2] = [-1.0, 1.0];

/// Paints the ears; the one on the side that the head turns from is more visible.
pub(super) fn ears(canvas: &mut Canvas, subject: &Subject) {
    let shadow = mix(subject.skin.base, subject.skin.shadow, 0.55);
    for side in SIDES {
        let ear = curve::spline(
            &[[0.92, -0.22], [1.06, -0.30], [1.15, -0.14], [1.11, 0.16], [1.03, 0.42], [0.93, 0.40]]
                .map(|p: Point| [side * p[0], p[1]]),
            true,
        );
        let inner = curve::spline(
            &[[1.0, -0.14], [1.07, -0.18], [1.09, -0.02], [1.03, 0.16], [0.99, 0.1]]
                .map(|p: Point| [side * p[0], p[1]]),
            true,
        );
        let mask = subject.projection.flat(&[ear], -0.35);
        canvas.fill_with(&mask, 1.0, |x, y| lit(subject, x, y, 0.62));
        canvas.fill(&subject.projection.flat(&[inner], -0.35).feathered(2.0).within(&mask), shadow, 0.7);
    }
}

/// Colour of the skin at a pixel, by diffuse light on an ellipsoid head; `most` is the strength of full light.
fn lit(subject: &Subject, x: f32, y: f32, most: f32) -> super::canvas::Colour {
    let p = subject.projection.unproject(x, y);
    let (nx, ny) = (p[0] / 1.12, (p[1] + 0.02) / 1.55);
    let nz = (1.0 - nx * nx - ny * ny).max(0.02).sqrt();
    let light = subject.scene.light;
    let bright = nx * light[0] + ny * light[1] + nz * light[2];
    let rim = smooth(0.55, 1.0, nx * nx + ny * ny);
    let soft = smooth(-0.25, 1.0, bright) * most * (1.0 - 0.45 * rim);
    let dark = mix(subject.skin.base, subject.skin.shadow, subject.scene.contrast);
    if soft < 0.5 {
        mix(dark, subject.skin.base, soft * 2.0)
    } else {
        mix(subject.skin.base, subject.skin.lit, (soft - 0.5) * 1.5)
    }
}

/// Paints the skin and returns its mask, within which features are painted.
pub(super) fn skin(canvas: &mut Canvas, subject: &Subject) -> Mask {
    let mask = subject.projection.flat(std::slice::from_ref(&subject.outline), 0.0);
    let seed = subject.scene.rng("skin").bits() as u32;
    let blotchy = 0.5 + 2.2 * (1.0 - subject.levels.attractive) + 1.2 * (1.0 - subject.levels.young);
    let (coarse, fine) = (Clouds::new(9.0, seed), Clouds::new(4.0, seed ^ 1));
    canvas.fill_with(&mask, 1.0, |x, y| {
        let patch = coarse.at(x, y) + 0.5 * fine.at(x, y) - 0.75;
        let paint = lit(subject, x, y, 1.0);
        [paint[0] + 3.0 * blotchy * patch, paint[1] + 5.0 * blotchy * patch, paint[2] + 5.0 * blotchy * patch]
    });
    mask
}

/// Paints spots of an uneven skin.
pub(super) fn blemishes(canvas: &mut Canvas, subject: &Subject, face: &Mask) {
    let mut rng = subject.scene.rng("blemishes");
    for i in 0..9 {
        let (x, y) = (0.62 * rng.bell().clamp(-1.2, 1.2), 0.2 + 0.5 * rng.bell());
        let (size, dark) = (0.024 + 0.022 * rng.unit(), rng.unit());
        let shown = ((1.0 - subject.levels.attractive) * 10.0 - i as f32).clamp(0.0, 1.0);
        if shown > 0.0 && y < 1.1 {
            let tint = if dark < 0.25 { [0.5, 0.42, 0.4] } else { [0.95, 0.70, 0.66] };
            canvas.shade(
                &subject.projection.on_skin(&[curve::ellipse([x, y], [size, size])], 0.0).feathered(1.0).within(face),
                tint,
                0.8 * shown,
            );
        }
    }
}

/// Paints red cheeks, cheekbones with hollows below, and the round cheeks of a full face or a smile.
pub(super) fn cheeks(canvas: &mut Canvas, subject: &Subject, face: &Mask) {
    let (levels, projection) = (subject.levels, &subject.projection);
    for side in SIDES {
        let flush = 0.75 * levels.rosy_cheeks + 0.06 * levels.heavy_makeup;
        if flush > FAINT {
            let rosy = projection.spot([side * 0.60, 0.36], [0.34, 0.25]).within(face);
            canvas.fill(&rosy, tinted(subject.skin.base, [1.04, 0.62, 0.64]), flush);
        }
        if levels.high_cheekbones > FAINT {
            let bone = curve::stroke(
                &curve::spline(&[[side * 0.36, 0.36], [side * 0.60, 0.24], [side * 0.86, 0.02]], false),
                curve::tapered(0.14),
            );
            canvas.fill(
                &projection.on_skin(&[bone], 0.0).feathered(5.0).within(face),
                subject.skin.lit,
                0.60 * levels.high_cheekbones,
            );
            let hollow = curve::stroke(
                &curve::spline(&[[side * 0.42, 0.68], [side * 0.66, 0.50], [side * 0.92, 0.22]], false),
                curve::tapered(0.20),
            );
            canvas.fill(
                &projection.on_skin(&[hollow], 0.0).feathered(7.0).within(face),
                subject.skin.crease,
                0.48 * levels.high_cheekbones,
            );
        }
        let round = projection.spot([side * 0.56, 0.56], [0.30, 0.30]).within(face);
        canvas.fill(&round, subject.skin.lit, 0.35 * levels.chubby + 0.15 * levels.smiling);
        if levels.chubby > FAINT {
            let under = curve::stroke(
                &curve::spline(&[[side * 0.30, 0.84], [side * 0.62, 0.92], [side * 0.86, 0.60]], false),
                curve::tapered(0.11),
            );
            canvas.fill(
                &projection.on_skin(&[under], 0.0).feathered(6.5).within(face),
                subject.skin.shadow,
                0.55 * levels.chubby,
            );
        }
    }
}

/// Paints lines of age, and the folds from nose to mouth.
pub(super) fn age(canvas: &mut Canvas, subject: &Subject, face: &Mask) {
    let (levels, projection) = (subject.levels, &subject.projection);
    let old = 1.0 - levels.young;
    if old > FAINT {
        lines_of_age(canvas, subject, face, old);
    }
    let smile = levels.smiling;
    let folds: Vec<_> = SIDES
        .map(|side| {
            let line = [
                [side * 0.22, 0.34],
                [side * 0.36, 0.50],
                [side * (0.42 + 0.06 * smile), 0.68],
                [side * (0.43 + 0.05 * smile), 0.80],
            ];
            curve::stroke(&curve::spline(&line, false), curve::tapered(0.045))
        })
        .into();
    let depth = (0.06 + 0.45 * smile + 0.50 * old).min(0.9);
    canvas.fill(&projection.on_skin(&folds, 0.0).feathered(1.8).within(face), subject.skin.crease, depth);
}

fn lines_of_age(canvas: &mut Canvas, subject: &Subject, face: &Mask, old: f32) {
    let projection = &subject.projection;
    let mut lines = Vec::new();
    for (i, y) in [-0.78, -0.68, -0.58].into_iter().enumerate() {
        let reach = 0.50 - 0.07 * i as f32;
        let line = curve::spline(
            &[[-reach, y + 0.03], [-0.2, y - 0.015], [0.0, y + 0.01], [0.22, y - 0.015], [reach, y + 0.03]],
            false,
        );
        lines.push(curve::stroke(&line, curve::tapered(0.030)));
    }
    for side in SIDES {
        for (dy, rise) in [(-0.20, -0.10), (-0.10, -0.02), (-0.01, 0.06)] {
            let line =
                curve::spline(&[[side * 0.69, dy], [side * 0.77, dy + rise * 0.3], [side * 0.86, dy + rise]], false);
            lines.push(curve::stroke(&line, curve::tapered(0.026)));
        }
    }
    canvas.fill(&projection.on_skin(&lines, 0.0).feathered(0.9).within(face), subject.skin.crease, 0.85 * old);
    let jowls: Vec<_> = SIDES
        .map(|side| {
            let line = [[side * 0.40, 0.86], [side * 0.47, 1.0], [side * 0.42, 1.16]];
            curve::stroke(&curve::spline(&line, false), curve::tapered(0.06))
        })
        .into();
    canvas.fill(&projection.on_skin(&jowls, 0.0).feathered(3.0).within(face), subject.skin.crease, 0.7 * old);
}

/// Paints a second fold between chin and neck, and the shadow of the head on the neck.
pub(super) fn under_chin(canvas: &mut Canvas, subject: &Subject, neck: &Mask) {
    let projection = &subject.projection;
    let fold = subject.levels.double_chin;
    let low = |p: Point, grow: f32, drop: f32| [p[0] * grow, p[1] + drop * smooth(0.2, 1.2, p[1])];
    // Only the lower half: the face hides the rest.
    let jaw = || subject.outline.iter().copied().filter(|p| p[1] > 0.4);
    let cast: Vec<Point> = jaw().map(|p| low(p, 0.98, 0.20)).collect();
    canvas.fill(&projection.flat(&[cast], 0.0).feathered(7.0).within(neck), subject.skin.crease, 0.62);
    if fold > FAINT {
        let wide = 0.90 + 0.07 * fold;
        let lobe: Vec<Point> = jaw().map(|p| low(p, wide, 0.07 + 0.19 * fold)).collect();
        let mask = projection.flat(&[lobe], 0.0);
        canvas.fill_with(&mask, (fold * 2.0).min(1.0), |x, y| lit(subject, x, y, 0.85));
        let rim: Vec<Point> = jaw().map(|p| low(p, 1.0, 0.055)).collect();
        canvas.fill(&projection.flat(&[rim], 0.0).feathered(3.0).within(&mask), subject.skin.crease, 0.9 * fold);
    }
}
