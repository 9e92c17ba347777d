//! Objects in front of a few faces: a hand, a scarf, a lock of hair, a microphone.

use super::canvas::{Canvas, Mask, Point, mix, scaled};
use super::curve;
use super::scene::Occlusion;
use super::subject::Subject;

/// Paints the scene's occlusion.
pub(super) fn occlusion(canvas: &mut Canvas, subject: &Subject) {
    match subject.scene.occlusion {
        Occlusion::None => {}
        Occlusion::Hand => hand(canvas, subject),
        Occlusion::Scarf => scarf(canvas, subject),
        Occlusion::Lock => lock(canvas, subject),
        Occlusion::Microphone => microphone(canvas, subject),
    }
}

/// Paints a scarf over chin and neck.
fn scarf(canvas: &mut Canvas, subject: &Subject) {
    let projection = &subject.projection;
    let colour = subject.scene.second_cloth;
    let half = [[0.0, 1.02], [0.5, 0.98], [1.05, 0.80], [1.35, 1.2], [1.30, 1.9], [0.0, 2.0]];
    let mask = projection.flat(&[curve::spline(&curve::mirrored(&half), true)], 0.1);
    canvas.fill(&mask, colour, 1.0);
    let fold = |i: u8| {
        let y = 1.10 + 0.20 * f32::from(i);
        curve::stroke(
            &curve::spline(&[[-1.2, y - 0.12], [-0.2, y + 0.10], [1.2, y - 0.06]], false),
            curve::tapered(0.06),
        )
    };
    let folds: Vec<_> = (0..4).map(fold).collect();
    canvas.fill(&projection.flat(&folds, 0.1).feathered(1.5).within(&mask), scaled(colour, 0.6), 0.8);
}

/// Paints a lock of hair across the face.
fn lock(canvas: &mut Canvas, subject: &Subject) {
    let (projection, side) = (&subject.projection, subject.scene.side);
    for i in 0..3 {
        let off = 0.07 * i as f32;
        let line = [
            [side * (0.2 + off), -1.2],
            [side * (0.55 + off), -0.6],
            [side * (0.42 + off), 0.1],
            [side * (0.62 + off), 0.8],
            [side * (0.55 + off), 1.3],
        ];
        let line = curve::spline(&line.map(|p| projection.project(p, 0.75)), false);
        let stroke = curve::stroke(&line, |t| projection.pixels(0.11 - 0.05 * t));
        canvas.fill(&Mask::new(&[stroke]), scaled(subject.hair, 0.75 + 0.2 * i as f32), 0.95);
    }
}

/// Paints a microphone in front of the mouth.
fn microphone(canvas: &mut Canvas, subject: &Subject) {
    let (projection, side) = (&subject.projection, subject.scene.side);
    let (ball, end) = (projection.project([side * 0.16, 1.12], 0.9), projection.project([side * 0.55, 2.7], 0.9));
    let handle = curve::stroke(&[ball, end], |_| projection.pixels(0.20));
    canvas.fill(&Mask::new(&[handle]), [44.0, 44.0, 50.0], 1.0);
    let radius = projection.pixels(0.25);
    canvas.fill(&Mask::new(&[curve::ellipse(ball, [radius, radius * 1.1])]), [74.0, 76.0, 84.0], 1.0);
    let glint = [ball[0] - 0.35 * radius, ball[1] - 0.4 * radius];
    let glint = Mask::new(&[curve::ellipse(glint, [0.3 * radius; 2])]).feathered(2.0);
    canvas.fill(&glint, [190.0, 192.0, 200.0], 0.8);
}

/// Paints fingers in front of cheek and chin, with the back of the hand below.
fn hand(canvas: &mut Canvas, subject: &Subject) {
    let (projection, side) = (&subject.projection, subject.scene.side);
    let at = |x: f32, y: f32| projection.project([side * x, y], 0.7);
    let colour = mix(subject.skin.base, subject.skin.lit, 0.25);
    let rounded = |line: &[Point], width: f32| {
        let half = projection.pixels(width / 2.0);
        let ends = [line[0], line[line.len() - 1]].map(|p| curve::ellipse(p, [half; 2]));
        Mask::new(&[curve::stroke(line, |_| 2.0 * half), ends[0].clone(), ends[1].clone()])
    };
    let mut part = |line: &[Point], width: f32| {
        canvas.fill(&rounded(line, width + 0.035).feathered(1.5), subject.skin.crease, 0.8);
        canvas.fill(&rounded(line, width).feathered(1.0), colour, 1.0);
    };
    part(&[at(0.78, 1.75), at(0.95, 2.9)], 0.62);
    part(&[at(0.62, 1.62), at(0.90, 1.60)], 0.52);
    part(&[at(0.46, 1.70), at(0.26, 1.40), at(0.20, 1.14)], 0.19);
    for (i, top) in [0.86, 0.72, 0.76, 0.92].into_iter().enumerate() {
        let x = 0.46 + 0.185 * i as f32;
        part(&curve::spline(&[at(x + 0.02, 1.52), at(x + 0.03, 1.2), at(x - 0.05, top)], false), 0.175);
    }
}
