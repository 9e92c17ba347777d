//! From face units to pixels. In face units the origin lies between the eyes and the mouth, x is 1 at the cheekbone
//! on the picture's right, y is 1.34 at the chin and -1.4 at the crown. A turned head is an ellipsoid: points of the
//! skin move with its depth, the silhouette stays.

use super::curve;
use super::draw::{Mask, Point, SIZE};

/// Pixels of one face unit when the scale is 1.
const UNIT: f32 = 61.0;

/// How a head is held and framed.
#[derive(Debug, Clone)]
pub(super) struct Pose {
    /// Turn to the picture's right, in turns.
    pub(super) yaw: f32,
    /// Nod downwards, in turns.
    pub(super) pitch: f32,
    /// Tilt clockwise, in turns.
    pub(super) roll: f32,
    /// 1 is the usual size.
    pub(super) scale: f32,
    /// Of the origin from its usual place, in pixels.
    pub(super) shift: Point,
}

/// A pose with its sines, ready to place points.
#[derive(Debug, Clone)]
pub(super) struct Placing {
    yaw: (f32, f32),
    pitch: (f32, f32),
    roll: (f32, f32),
    unit: f32,
    origin: Point,
}

impl Pose {
    /// Prepares to place points.
    pub(super) fn placing(&self) -> Placing {
        let middle = SIZE as f32 / 2.0;
        Placing {
            yaw: curve::turn(self.yaw),
            pitch: curve::turn(self.pitch),
            roll: curve::turn(self.roll),
            unit: UNIT * self.scale,
            origin: [middle + self.shift[0], middle - 11.0 + self.shift[1]],
        }
    }
}

/// The depth of the skin at a face point: towards the viewer is positive.
fn skin_depth(p: Point) -> f32 {
    0.85 * (1.0 - p[0] * p[0] / 1.08 - p[1] * p[1] / 2.3).max(0.0).sqrt()
}

impl Placing {
    /// Where a point `depth` in front of the middle of the head falls, in pixels.
    pub(super) fn at(&self, p: Point, depth: f32) -> Point {
        let x = p[0] * self.yaw.1 + depth * self.yaw.0;
        let y = p[1] * self.pitch.1 + depth * self.pitch.0;
        let (sin, cos) = self.roll;
        [self.origin[0] + self.unit * (x * cos - y * sin), self.origin[1] + self.unit * (x * sin + y * cos)]
    }

    /// A point of the body, which neither turns nor nods and tilts less.
    pub(super) fn body(&self, p: Point) -> Point {
        let sin = 0.3 * self.roll.0;
        let from_neck = p[1] - 1.2;
        let neck = self.at([0.0, 1.2], 0.0);
        [neck[0] + self.unit * (p[0] - from_neck * sin), neck[1] + self.unit * (from_neck + p[0] * sin)]
    }

    /// A mask of outlines on the skin, `lift` in front of it.
    pub(super) fn on_skin(&self, outlines: &[Vec<Point>], lift: f32) -> Mask {
        mask(outlines, |p| self.at(p, skin_depth(p) + lift))
    }

    /// A mask of outlines at one depth: 0 for the head's silhouette.
    pub(super) fn flat(&self, outlines: &[Vec<Point>], depth: f32) -> Mask {
        mask(outlines, |p| self.at(p, depth))
    }

    /// A mask of outlines of the body.
    pub(super) fn on_body(&self, outlines: &[Vec<Point>]) -> Mask {
        mask(outlines, |p| self.body(p))
    }

    /// A soft elliptic spot on the skin: full in the middle, nothing at the radius.
    pub(super) fn spot(&self, centre: Point, radius: Point) -> Mask {
        let inner = [radius[0] * 0.62, radius[1] * 0.62];
        let soft = 0.55 * self.pixels(radius[0].min(radius[1]));
        self.on_skin(&[curve::ellipse(centre, inner)], 0.0).feathered(soft)
    }

    /// A length of face units in pixels.
    pub(super) fn pixels(&self, length: f32) -> f32 {
        length * self.unit
    }

    /// The face point, on the silhouette's plane and before turning, under a pixel.
    pub(super) fn face_point(&self, x: f32, y: f32) -> Point {
        let (dx, dy) = ((x - self.origin[0]) / self.unit, (y - self.origin[1]) / self.unit);
        let (sin, cos) = self.roll;
        [dx * cos + dy * sin, dy * cos - dx * sin]
    }
}

/// A mask of outlines whose points `place` moves to pixels.
pub(super) fn mask(outlines: &[Vec<Point>], place: impl Fn(Point) -> Point) -> Mask {
    let placed: Vec<Vec<Point>> = outlines.iter().map(|o| o.iter().map(|p| place(*p)).collect()).collect();
    Mask::new(&placed)
}
