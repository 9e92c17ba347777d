//! Projects face units to pixels. The origin of face units is between eyes and mouth. At the cheekbone on the image's
//! right x is 1. y is 1.34 at the chin and -1.4 at the crown. A turned head is an ellipsoid: points of the skin move
//! with its depth; the silhouette stays.

use super::canvas::{Mask, Point, SIZE};
use super::curve;

/// Pixels per face unit at scale 1.
const UNIT: f32 = 61.0;

/// Pose and framing of a head.
#[derive(Debug, Clone)]
pub(super) struct Pose {
    /// Rotation to the image's right, in turns.
    pub(super) yaw: f32,
    /// Downward rotation, in turns.
    pub(super) pitch: f32,
    /// Clockwise rotation, in turns.
    pub(super) roll: f32,
    /// Size relative to the average.
    pub(super) scale: f32,
    /// Offset of the origin from the image's centre, in pixels.
    pub(super) shift: Point,
}

/// The projection of a pose, with the sine and cosine of each angle.
#[derive(Debug, Clone)]
pub(super) struct Projection {
    yaw: (f32, f32),
    pitch: (f32, f32),
    roll: (f32, f32),
    unit: f32,
    origin: Point,
}

impl Pose {
    /// The projection of this pose.
    pub(super) fn projection(&self) -> Projection {
        let middle = SIZE as f32 / 2.0;
        Projection {
            yaw: curve::turn(self.yaw),
            pitch: curve::turn(self.pitch),
            roll: curve::turn(self.roll),
            unit: UNIT * self.scale,
            origin: [middle + self.shift[0], middle - 11.0 + self.shift[1]],
        }
    }
}

/// Depth of the skin at a face point, positive towards the viewer.
fn skin_depth(p: Point) -> f32 {
    0.85 * (1.0 - p[0] * p[0] / 1.08 - p[1] * p[1] / 2.3).max(0.0).sqrt()
}

impl Projection {
    /// Projects a point `depth` in front of the centre of the head to pixels.
    pub(super) fn project(&self, p: Point, depth: f32) -> Point {
        let x = p[0] * self.yaw.1 + depth * self.yaw.0;
        let y = p[1] * self.pitch.1 + depth * self.pitch.0;
        let (sin, cos) = self.roll;
        [self.origin[0] + self.unit * (x * cos - y * sin), self.origin[1] + self.unit * (x * sin + y * cos)]
    }

    /// Projects a point of the body, which only tilts, and less than the head.
    pub(super) fn project_body(&self, p: Point) -> Point {
        let sin = 0.3 * self.roll.0;
        let from_neck = p[1] - 1.2;
        let neck = self.project([0.0, 1.2], 0.0);
        [neck[0] + self.unit * (p[0] - from_neck * sin), neck[1] + self.unit * (from_neck + p[0] * sin)]
    }

    /// The mask of outlines `lift` in front of the skin.
    pub(super) fn on_skin(&self, outlines: &[Vec<Point>], lift: f32) -> Mask {
        mask(outlines, |p| self.project(p, skin_depth(p) + lift))
    }

    /// The mask of outlines at one depth; 0 is the plane of the silhouette.
    pub(super) fn flat(&self, outlines: &[Vec<Point>], depth: f32) -> Mask {
        mask(outlines, |p| self.project(p, depth))
    }

    /// The mask of outlines on the body.
    pub(super) fn on_body(&self, outlines: &[Vec<Point>]) -> Mask {
        mask(outlines, |p| self.project_body(p))
    }

    /// A soft ellipse on the skin: opaque in the centre, transparent at `radius`.
    pub(super) fn spot(&self, centre: Point, radius: Point) -> Mask {
        let inner = [radius[0] * 0.62, radius[1] * 0.62];
        let soft = 0.55 * self.pixels(radius[0].min(radius[1]));
        self.on_skin(&[curve::ellipse(centre, inner)], 0.0).feathered(soft)
    }

    /// Converts a length from face units to pixels.
    pub(super) fn pixels(&self, length: f32) -> f32 {
        length * self.unit
    }

    /// The face point at a pixel, in the plane of the silhouette, without yaw and pitch.
    pub(super) fn unproject(&self, x: f32, y: f32) -> Point {
        let (dx, dy) = ((x - self.origin[0]) / self.unit, (y - self.origin[1]) / self.unit);
        let (sin, cos) = self.roll;
        [dx * cos + dy * sin, dy * cos - dx * sin]
    }
}

/// The mask of outlines whose points `project` maps to pixels.
pub(super) fn mask(outlines: &[Vec<Point>], project: impl Fn(Point) -> Point) -> Mask {
    let projected: Vec<Vec<Point>> = outlines.iter().map(|o| o.iter().map(|p| project(*p)).collect()).collect();
    Mask::new(&projected)
}
