//! Eyes, lids, lashes, bags and brows.

use super::canvas::{Canvas, Colour, Mask, Point, mix, scaled, tinted};
use super::curve;
use super::face::SIDES;
use super::levels::FAINT;
use super::subject::Subject;

/// One eye's measures in face units.
struct Eye {
    side: f32,
    centre: Point,
    wide: f32,
    upper: f32,
    lower: f32,
}

impl Eye {
    fn new(subject: &Subject, side: f32) -> Self {
        let (levels, odd) = (subject.levels, &subject.scene.proportions);
        let size = 1.0 + 0.05 * odd[5] + 0.05 * levels.young + 0.05 * (1.0 - levels.male);
        let open = 1.0
            - 0.62 * levels.narrow_eyes
            - 0.12 * levels.smiling
            - if side > 0.0 { 0.25 * subject.uneven(0).abs() } else { 0.0 };
        Self {
            side,
            centre: [side * (0.43 + 0.018 * odd[1]), -0.10 + side * 0.055 * subject.uneven(0)],
            wide: 0.215 * size,
            upper: 0.125 * size * open,
            lower: 0.085 * size * open,
        }
    }

    /// A point relative to the eye's centre: outwards and down.
    fn at(&self, out: f32, down: f32) -> Point {
        [self.centre[0] + self.side * out, self.centre[1] + down]
    }

    /// Edge of the upper lid from the inner to the outer corner, raised by `lift`.
    fn upper_lid(&self, lift: f32) -> Vec<Point> {
        let (w, u) = (self.wide, self.upper + lift);
        let points = [
            self.at(-w, 0.03 - lift * 0.4),
            self.at(-0.45 * w, -0.78 * u),
            self.at(0.1 * w, -u),
            self.at(0.65 * w, -0.66 * u),
            self.at(w, -0.015 - lift * 0.5),
        ];
        curve::spline(&points, false)
    }

    fn lower_lid(&self, drop: f32) -> Vec<Point> {
        let (w, l) = (self.wide, self.lower + drop);
        let points = [
            self.at(-w, 0.03 + drop * 0.3),
            self.at(-0.4 * w, 0.72 * l),
            self.at(0.2 * w, l),
            self.at(0.7 * w, 0.72 * l),
            self.at(w, -0.015 + drop * 0.5),
        ];
        curve::spline(&points, false)
    }

    fn opening(&self) -> Vec<Point> {
        self.upper_lid(0.0).into_iter().chain(self.lower_lid(0.0).into_iter().rev()).collect()
    }
}

/// Paints both eyes and the skin around them.
pub(super) fn eyes(canvas: &mut Canvas, subject: &Subject, face: &Mask) {
    for side in SIDES {
        let eye = Eye::new(subject, side);
        socket(canvas, subject, &eye, face);
        ball(canvas, subject, &eye);
        lids(canvas, subject, &eye);
    }
}

/// Paints the hollow around the eye, eye shadow and bags.
fn socket(canvas: &mut Canvas, subject: &Subject, eye: &Eye, face: &Mask) {
    let (levels, projection) = (subject.levels, &subject.projection);
    let hollow = projection.spot(eye.at(-0.02, -0.08), [0.33, 0.24]).within(face);
    canvas.fill(&hollow, subject.skin.shadow, 0.30 + 0.15 * (1.0 - levels.young));
    if levels.heavy_makeup > FAINT {
        let lid: Vec<Point> = eye.upper_lid(0.10).into_iter().chain(eye.upper_lid(-0.02).into_iter().rev()).collect();
        canvas.fill(
            &projection.on_skin(&[lid], 0.0).feathered(2.2).within(face),
            subject.scene.makeup,
            0.88 * levels.heavy_makeup,
        );
    }
    if levels.bags_under_eyes < FAINT {
        return;
    }
    let bag: Vec<Point> = eye.lower_lid(0.03).into_iter().chain(eye.lower_lid(0.15).into_iter().rev()).collect();
    let bag = projection.on_skin(&[bag], 0.0).feathered(1.6).within(face);
    canvas.fill(&bag, mix(subject.skin.shadow, [104.0, 74.0, 96.0], 0.35), 0.72 * levels.bags_under_eyes);
    let edge = curve::stroke(&eye.lower_lid(0.155), curve::tapered(0.030));
    canvas.fill(
        &projection.on_skin(&[edge], 0.0).feathered(1.0).within(face),
        subject.skin.crease,
        0.85 * levels.bags_under_eyes,
    );
}

fn ball(canvas: &mut Canvas, subject: &Subject, eye: &Eye) {
    let (projection, scene) = (&subject.projection, subject.scene);
    let opening = projection.on_skin(&[eye.opening()], 0.0);
    canvas.fill(&opening, [238.0, 234.0, 230.0], 1.0);
    let centre = [eye.centre[0] + 0.05 * scene.gaze[0], eye.centre[1] - 0.012 + 0.02 * scene.gaze[1]];
    let disc = |radius: f32| projection.on_skin(&[curve::ellipse(centre, [radius, radius])], 0.0).within(&opening);
    canvas.fill(&disc(0.108), scaled(scene.iris, 0.45), 1.0);
    canvas.fill(&disc(0.092), scene.iris, 1.0);
    let glow = projection
        .on_skin(&[curve::ellipse([centre[0], centre[1] + 0.04], [0.06, 0.045])], 0.0)
        .feathered(1.0)
        .within(&opening);
    canvas.fill(&glow, mix(scene.iris, [255.0, 240.0, 200.0], 0.4), 0.6);
    canvas.fill(&disc(0.047), [14.0, 11.0, 12.0], 1.0);
    let shade = curve::stroke(&eye.upper_lid(0.0), |_| 0.085);
    canvas.fill(&projection.on_skin(&[shade], 0.0).feathered(1.6).within(&opening), [70.0, 52.0, 50.0], 0.5);
    let glint = [centre[0] + 0.035 * scene.light[0].signum(), centre[1] - 0.038];
    canvas.fill(&projection.on_skin(&[curve::ellipse(glint, [0.026, 0.026])], 0.0).within(&opening), [255.0; 3], 0.95);
}

/// Paints lash lines, the fold of the upper lid, and lashes.
fn lids(canvas: &mut Canvas, subject: &Subject, eye: &Eye) {
    let (levels, projection) = (subject.levels, &subject.projection);
    let lined = levels.heavy_makeup;
    let lash: Colour = mix([62.0, 42.0, 36.0], [16.0, 12.0, 14.0], (0.4 * (1.0 - levels.male) + lined).min(1.0));
    let width = 0.026 + 0.012 * (1.0 - levels.male) + 0.022 * lined;
    let upper = curve::stroke(&eye.upper_lid(0.006), |t| width * (0.45 + 0.75 * t));
    let lower = curve::stroke(&eye.lower_lid(0.0), |t| (0.010 + 0.018 * lined) * (0.3 + t));
    canvas.fill(&projection.on_skin(&[upper], 0.0), lash, 0.95);
    canvas.fill(&projection.on_skin(&[lower], 0.0), lash, 0.35 + 0.5 * lined);
    let fold = curve::stroke(&eye.upper_lid(0.055 - 0.02 * levels.narrow_eyes), curve::tapered(0.020));
    canvas.fill(
        &projection.on_skin(&[fold], 0.0).feathered(0.8),
        subject.skin.crease,
        0.6 * (1.0 - 0.6 * levels.narrow_eyes),
    );
    if lined > FAINT {
        let line = eye.upper_lid(0.008);
        let lashes: Vec<_> = (0..6)
            .map(|i| {
                let root = line[(line.len() - 1) * (6 + i) / 11];
                let tip = [root[0] + eye.side * (0.02 + 0.012 * i as f32), root[1] - 0.075 + 0.006 * i as f32];
                curve::stroke(&[root, tip], |t| 0.02 * (1.2 - t))
            })
            .collect();
        canvas.fill(&projection.on_skin(&lashes, 0.02), lash, lined);
    }
}

/// Paints brows by height, arch, thickness and raggedness.
pub(super) fn brows(canvas: &mut Canvas, subject: &Subject, face: &Mask) {
    let (levels, scene) = (subject.levels, subject.scene);
    let odd = &scene.proportions;
    let arch = levels.arched_eyebrows;
    let bushy = levels.bushy_eyebrows;
    let width = (0.052 + 0.008 * odd[7] + 0.022 * levels.male) * (1.0 + 1.0 * bushy);
    let colour = mix(tinted(subject.hair, [0.62, 0.58, 0.56]), [46.0, 32.0, 26.0], 0.35);
    let mut rng = scene.rng("brows");
    for side in SIDES {
        let y = -0.385 - 0.016 * odd[6] + 0.03 * levels.male + side * 0.05 * subject.uneven(1);
        let line = curve::spline(
            &[
                [side * 0.17, y - 0.005 * arch],
                [side * 0.36, y - 0.035 - 0.075 * arch],
                [side * 0.54, y - 0.045 - 0.125 * arch],
                [side * 0.72, y + 0.025 + 0.015 * arch],
            ],
            false,
        );
        let shape = curve::stroke(&line, |t| width * (1.0 - 0.75 * t * t) * if t < 0.1 { 0.75 } else { 1.0 });
        let mut hairs = Vec::new();
        for _ in 0..16 {
            let (t, off, long) = (rng.unit(), rng.unit() - 0.5, 0.5 + rng.unit());
            let root = line[((line.len() - 1) as f32 * t) as usize];
            let root = [root[0], root[1] + off * width * (1.0 - 0.6 * t)];
            let tip = [root[0] + side * 0.075 * long, root[1] - (0.065 - 0.07 * t) * long];
            hairs.push(curve::stroke(&[root, tip], |t| 0.022 * (1.2 - t)));
        }
        canvas.fill(&subject.projection.on_skin(&[shape], 0.02).feathered(0.7).within(face), colour, 0.80);
        canvas.fill(&subject.projection.on_skin(&hairs, 0.02).within(face), scaled(colour, 0.8), 0.25 + 0.7 * bushy);
    }
}
