//! The person in a portrait: attribute levels, scene, pose, colours and proportions, common to all parts of the face.

use super::canvas::{Colour, Point, mix, scaled, tinted};
use super::curve;
use super::levels::AttributeLevels;
use super::pose::Projection;
use super::scene::Scene;

/// The person being painted.
pub(super) struct Subject<'a> {
    pub(super) levels: &'a AttributeLevels,
    pub(super) scene: &'a Scene,
    pub(super) projection: Projection,
    pub(super) skin: Skin,
    pub(super) hair: Colour,
    /// Outline of the face in face units.
    pub(super) outline: Vec<Point>,
    /// y of the chin in face units.
    pub(super) chin: f32,
}

/// Colours of the skin by light.
#[derive(Debug, Clone, Copy)]
pub(super) struct Skin {
    pub(super) base: Colour,
    pub(super) shadow: Colour,
    pub(super) lit: Colour,
    /// Colour of lines and creases.
    pub(super) crease: Colour,
}

impl<'a> Subject<'a> {
    /// The person with `levels` in `scene`.
    pub(super) fn new(levels: &'a AttributeLevels, scene: &'a Scene) -> Self {
        let chin = 1.34 + 0.05 * levels.male + 0.08 * (levels.oval_face - 0.3) + 0.04 * levels.chubby;
        Self {
            levels,
            scene,
            projection: scene.pose.projection(),
            skin: skin(levels, scene),
            hair: hair(levels, scene),
            outline: outline(levels, scene, chin),
            chin,
        }
    }

    /// Asymmetry of one of the parts of [`Scene::uneven`].
    pub(super) fn uneven(&self, part: usize) -> f32 {
        self.scene.uneven[part] * (1.0 - self.levels.attractive)
    }
}

fn skin(levels: &AttributeLevels, scene: &Scene) -> Skin {
    let grey = scene.skin.iter().sum::<f32>() / 3.0;
    let pale = [228.0 + 0.02 * grey, 210.0 + 0.02 * grey, 202.0 + 0.03 * grey];
    let base = mix(scene.skin, pale, 0.08 * levels.heavy_makeup + 0.78 * levels.pale_skin);
    let shadow = tinted(base, mix([0.70, 0.58, 0.54], [0.86, 0.80, 0.82], 0.6 * levels.pale_skin));
    Skin {
        base,
        shadow,
        lit: mix(base, [255.0, 246.0, 232.0], 0.42 - 0.2 * levels.pale_skin),
        crease: tinted(base, [0.58, 0.44, 0.40]),
    }
}

/// Colour of the hair: a blend of the four attributes' colours and the scene's other colour.
fn hair(levels: &AttributeLevels, scene: &Scene) -> Colour {
    const NAMED: [Colour; 4] = [[26.0, 22.0, 24.0], [226.0, 190.0, 118.0], [92.0, 58.0, 34.0], [176.0, 176.0, 180.0]];
    let levels = [levels.black_hair, levels.blond_hair, levels.brown_hair, levels.gray_hair];
    // Odds let a high level outweigh the rest; the 0.03 bounds them.
    let odds = levels.map(|l| (l / (1.03 - l)).min(30.0));
    let other = 0.6;
    let total = odds.iter().sum::<f32>() + other;
    let mut colour = scaled(scene.other_hair, other / total);
    for (named, odds) in NAMED.iter().zip(odds) {
        colour = std::array::from_fn(|c| colour[c] + named[c] * odds / total);
    }
    scaled(colour, 1.0 + 0.07 * scene.hair_shade)
}

fn outline(levels: &AttributeLevels, scene: &Scene, chin: f32) -> Vec<Point> {
    let (male, oval, chubby) = (levels.male, levels.oval_face - 0.3, levels.chubby);
    let wide = 1.0 + 0.03 * scene.proportions[0];
    let half = [
        [0.0, -1.38],
        [0.52, -1.27],
        [0.84 - 0.03 * oval, -0.96],
        [0.955 - 0.07 * oval, -0.48],
        [0.965 + 0.05 * chubby + 0.02 * levels.high_cheekbones, 0.06],
        [0.86 + 0.045 * male + 0.12 * chubby - 0.11 * oval, 0.58],
        [0.62 + 0.085 * male + 0.17 * chubby - 0.15 * oval, 0.98],
        [0.31 + 0.08 * male + 0.14 * chubby - 0.08 * oval, chin - 0.08],
        [0.0, chin],
    ];
    let lean = 0.06 * scene.uneven[4] * (1.0 - levels.attractive);
    let mut points = curve::spline(&curve::mirrored(&half), true);
    for p in &mut points {
        p[0] = p[0] * wide + lean * p[1].max(0.0);
    }
    points
}
