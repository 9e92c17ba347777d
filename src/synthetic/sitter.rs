//! What the parts of a portrait have in common: who sits, in which pose, of which colours and proportions.

use super::curve;
use super::draw::{Colour, Point, mix, scaled, tinted};
use super::look::Look;
use super::pose::Placing;
use super::scene::Scene;

/// The person being drawn.
pub(super) struct Sitter<'a> {
    pub(super) look: &'a Look,
    pub(super) scene: &'a Scene,
    pub(super) place: Placing,
    pub(super) skin: Skin,
    pub(super) hair: Colour,
    /// The face's outline in face units.
    pub(super) outline: Vec<Point>,
    /// Where the chin ends, in face units.
    pub(super) chin: f32,
}

/// The skin's colours by how the light falls.
#[derive(Debug, Clone, Copy)]
pub(super) struct Skin {
    pub(super) base: Colour,
    pub(super) shadow: Colour,
    pub(super) lit: Colour,
    /// Of lines and creases.
    pub(super) crease: Colour,
}

impl<'a> Sitter<'a> {
    /// The person of a look in a scene.
    pub(super) fn new(look: &'a Look, scene: &'a Scene) -> Self {
        let chin = 1.34 + 0.05 * look.male + 0.08 * (look.oval_face - 0.3) + 0.04 * look.chubby;
        Self {
            look,
            scene,
            place: scene.pose.placing(),
            skin: skin(look, scene),
            hair: hair(look, scene),
            outline: outline(look, scene, chin),
            chin,
        }
    }

    /// How far an uneven face is off, for one of [`Scene::uneven`].
    pub(super) fn uneven(&self, part: usize) -> f32 {
        self.scene.uneven[part] * (1.0 - self.look.attractive)
    }
}

fn skin(look: &Look, scene: &Scene) -> Skin {
    let grey = scene.skin.iter().sum::<f32>() / 3.0;
    let pale = [228.0 + 0.02 * grey, 210.0 + 0.02 * grey, 202.0 + 0.03 * grey];
    let base = mix(scene.skin, pale, 0.08 * look.heavy_makeup + 0.78 * look.pale_skin);
    let shadow = tinted(base, mix([0.70, 0.58, 0.54], [0.86, 0.80, 0.82], 0.6 * look.pale_skin));
    Skin {
        base,
        shadow,
        lit: mix(base, [255.0, 246.0, 232.0], 0.42 - 0.2 * look.pale_skin),
        crease: tinted(base, [0.58, 0.44, 0.40]),
    }
}

/// The hair's colour: shares of the four that have a name, and of another where none of them is plain.
fn hair(look: &Look, scene: &Scene) -> Colour {
    const NAMED: [Colour; 4] = [[26.0, 22.0, 24.0], [226.0, 190.0, 118.0], [92.0, 58.0, 34.0], [176.0, 176.0, 180.0]];
    let levels = [look.black_hair, look.blond_hair, look.brown_hair, look.gray_hair];
    // Odds of a level, so that a plain colour outweighs the rest; 0.03 keeps a border between "plain" and "other".
    let odds = levels.map(|l| (l / (1.03 - l)).min(30.0));
    let other = 0.6;
    let total = odds.iter().sum::<f32>() + other;
    let mut colour = scaled(scene.other_hair, other / total);
    for (named, odds) in NAMED.iter().zip(odds) {
        colour = std::array::from_fn(|c| colour[c] + named[c] * odds / total);
    }
    scaled(colour, 1.0 + 0.07 * scene.hair_shade)
}

fn outline(look: &Look, scene: &Scene, chin: f32) -> Vec<Point> {
    let (male, oval, chubby) = (look.male, look.oval_face - 0.3, look.chubby);
    let wide = 1.0 + 0.03 * scene.proportions[0];
    let half = [
        [0.0, -1.38],
        [0.52, -1.27],
        [0.84 - 0.03 * oval, -0.96],
        [0.955 - 0.07 * oval, -0.48],
        [0.965 + 0.05 * chubby + 0.02 * look.high_cheekbones, 0.06],
        [0.86 + 0.045 * male + 0.12 * chubby - 0.11 * oval, 0.58],
        [0.62 + 0.085 * male + 0.17 * chubby - 0.15 * oval, 0.98],
        [0.31 + 0.08 * male + 0.14 * chubby - 0.08 * oval, chin - 0.08],
        [0.0, chin],
    ];
    let lean = 0.06 * scene.uneven[4] * (1.0 - look.attractive);
    let mut points = curve::spline(&curve::mirrored(&half), true);
    for p in &mut points {
        p[0] = p[0] * wide + lean * p[1].max(0.0);
    }
    points
}
