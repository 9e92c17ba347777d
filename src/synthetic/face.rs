//! The head without its features: ears, skin under light, cheeks, age, beard shadow's ground, chin.

use super::curve;
use super::draw::{Canvas, Mask, Point, mix, smooth, tinted};
use super::grain::Clouds;
use super::look::FAINT;
use super::sitter::Sitter;

/// The two sides of a face, as the sign of x.
pub(super) const SIDES: [f32; 2] = [-1.0, 1.0];

/// Ears, seen more on the side the head turns from.
pub(super) fn ears(canvas: &mut Canvas, sitter: &Sitter) {
    let shadow = mix(sitter.skin.base, sitter.skin.shadow, 0.55);
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
        let mask = sitter.place.flat(&[ear], -0.35);
        canvas.fill_with(&mask, 1.0, |x, y| lit(sitter, x, y, 0.62));
        canvas.fill(&sitter.place.flat(&[inner], -0.35).feathered(2.0).within(&mask), shadow, 0.7);
    }
}

/// The skin's colour at a pixel, by the light on a head shaped like an egg; `most` is the depth of full light.
fn lit(sitter: &Sitter, x: f32, y: f32, most: f32) -> super::draw::Colour {
    let p = sitter.place.face_point(x, y);
    let (nx, ny) = (p[0] / 1.12, (p[1] + 0.02) / 1.55);
    let nz = (1.0 - nx * nx - ny * ny).max(0.02).sqrt();
    let light = sitter.scene.light;
    let bright = nx * light[0] + ny * light[1] + nz * light[2];
    let rim = smooth(0.55, 1.0, nx * nx + ny * ny);
    let soft = smooth(-0.25, 1.0, bright) * most * (1.0 - 0.45 * rim);
    let dark = mix(sitter.skin.base, sitter.skin.shadow, sitter.scene.contrast);
    if soft < 0.5 {
        mix(dark, sitter.skin.base, soft * 2.0)
    } else {
        mix(sitter.skin.base, sitter.skin.lit, (soft - 0.5) * 1.5)
    }
}

/// The face's skin; gives its mask, within which features are painted.
pub(super) fn skin(canvas: &mut Canvas, sitter: &Sitter) -> Mask {
    let mask = sitter.place.flat(std::slice::from_ref(&sitter.outline), 0.0);
    let seed = sitter.scene.dice("skin").bits() as u32;
    let blotchy = 0.5 + 2.2 * (1.0 - sitter.look.attractive) + 1.2 * (1.0 - sitter.look.young);
    let (coarse, fine) = (Clouds::new(9.0, seed), Clouds::new(4.0, seed ^ 1));
    canvas.fill_with(&mask, 1.0, |x, y| {
        let patch = coarse.at(x, y) + 0.5 * fine.at(x, y) - 0.75;
        let paint = lit(sitter, x, y, 1.0);
        [paint[0] + 3.0 * blotchy * patch, paint[1] + 5.0 * blotchy * patch, paint[2] + 5.0 * blotchy * patch]
    });
    mask
}

/// Spots that make an uneven skin.
pub(super) fn blemishes(canvas: &mut Canvas, sitter: &Sitter, face: &Mask) {
    let mut dice = sitter.scene.dice("blemishes");
    for i in 0..9 {
        let (x, y) = (0.62 * dice.bell().clamp(-1.2, 1.2), 0.2 + 0.5 * dice.bell());
        let (size, dark) = (0.024 + 0.022 * dice.unit(), dice.unit());
        let shown = ((1.0 - sitter.look.attractive) * 10.0 - i as f32).clamp(0.0, 1.0);
        if shown > 0.0 && y < 1.1 {
            let tint = if dark < 0.25 { [0.5, 0.42, 0.4] } else { [0.95, 0.70, 0.66] };
            canvas.shade(
                &sitter.place.on_skin(&[curve::ellipse([x, y], [size, size])], 0.0).feathered(1.0).within(face),
                tint,
                0.8 * shown,
            );
        }
    }
}

/// Red cheeks, lit cheekbones with the hollows below, and the round cheeks of a full face or a smile.
pub(super) fn cheeks(canvas: &mut Canvas, sitter: &Sitter, face: &Mask) {
    let (look, place) = (sitter.look, &sitter.place);
    for side in SIDES {
        let flush = 0.75 * look.rosy_cheeks + 0.06 * look.heavy_makeup;
        if flush > FAINT {
            let rosy = place.spot([side * 0.60, 0.36], [0.34, 0.25]).within(face);
            canvas.fill(&rosy, tinted(sitter.skin.base, [1.04, 0.62, 0.64]), flush);
        }
        if look.high_cheekbones > FAINT {
            let bone = curve::stroke(
                &curve::spline(&[[side * 0.36, 0.36], [side * 0.60, 0.24], [side * 0.86, 0.02]], false),
                curve::tapered(0.14),
            );
            canvas.fill(
                &place.on_skin(&[bone], 0.0).feathered(5.0).within(face),
                sitter.skin.lit,
                0.60 * look.high_cheekbones,
            );
            let hollow = curve::stroke(
                &curve::spline(&[[side * 0.42, 0.68], [side * 0.66, 0.50], [side * 0.92, 0.22]], false),
                curve::tapered(0.20),
            );
            canvas.fill(
                &place.on_skin(&[hollow], 0.0).feathered(7.0).within(face),
                sitter.skin.crease,
                0.48 * look.high_cheekbones,
            );
        }
        let round = place.spot([side * 0.56, 0.56], [0.30, 0.30]).within(face);
        canvas.fill(&round, sitter.skin.lit, 0.35 * look.chubby + 0.15 * look.smiling);
        if look.chubby > FAINT {
            let under = curve::stroke(
                &curve::spline(&[[side * 0.30, 0.84], [side * 0.62, 0.92], [side * 0.86, 0.60]], false),
                curve::tapered(0.11),
            );
            canvas.fill(
                &place.on_skin(&[under], 0.0).feathered(6.5).within(face),
                sitter.skin.shadow,
                0.55 * look.chubby,
            );
        }
    }
}

/// Lines of the forehead, at the eyes, from the nose down, and loose skin at the jaw.
pub(super) fn age(canvas: &mut Canvas, sitter: &Sitter, face: &Mask) {
    let (look, place) = (sitter.look, &sitter.place);
    let old = 1.0 - look.young;
    if old > FAINT {
        lines_of_age(canvas, sitter, face, old);
    }
    let smile = look.smiling;
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
    canvas.fill(&place.on_skin(&folds, 0.0).feathered(1.8).within(face), sitter.skin.crease, depth);
}

fn lines_of_age(canvas: &mut Canvas, sitter: &Sitter, face: &Mask, old: f32) {
    let place = &sitter.place;
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
    canvas.fill(&place.on_skin(&lines, 0.0).feathered(0.9).within(face), sitter.skin.crease, 0.85 * old);
    let jowls: Vec<_> = SIDES
        .map(|side| {
            let line = [[side * 0.40, 0.86], [side * 0.47, 1.0], [side * 0.42, 1.16]];
            curve::stroke(&curve::spline(&line, false), curve::tapered(0.06))
        })
        .into();
    canvas.fill(&place.on_skin(&jowls, 0.0).feathered(3.0).within(face), sitter.skin.crease, 0.7 * old);
}

/// A second fold between chin and neck, and the shadow of the head on the neck.
pub(super) fn under_chin(canvas: &mut Canvas, sitter: &Sitter, neck: &Mask) {
    let place = &sitter.place;
    let fold = sitter.look.double_chin;
    let low = |p: Point, grow: f32, drop: f32| [p[0] * grow, p[1] + drop * smooth(0.2, 1.2, p[1])];
    // The face's lower half; the rest lies behind the face.
    let jaw = || sitter.outline.iter().copied().filter(|p| p[1] > 0.4);
    let cast: Vec<Point> = jaw().map(|p| low(p, 0.98, 0.20)).collect();
    canvas.fill(&place.flat(&[cast], 0.0).feathered(7.0).within(neck), sitter.skin.crease, 0.62);
    if fold > FAINT {
        let wide = 0.90 + 0.07 * fold;
        let lobe: Vec<Point> = jaw().map(|p| low(p, wide, 0.07 + 0.19 * fold)).collect();
        let mask = place.flat(&[lobe], 0.0);
        canvas.fill_with(&mask, (fold * 2.0).min(1.0), |x, y| lit(sitter, x, y, 0.85));
        let rim: Vec<Point> = jaw().map(|p| low(p, 1.0, 0.055)).collect();
        canvas.fill(&place.flat(&[rim], 0.0).feathered(3.0).within(&mask), sitter.skin.crease, 0.9 * fold);
    }
}
