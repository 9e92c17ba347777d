//! Properties of an image that no attribute decides: pose, light, colours, proportions, clothes, background, occlusion,
//! camera. They depend only on seed and row, so that a face keeps its scene when its attributes change.

use super::canvas::{Colour, Point, mix};
use super::curve;
use super::pose::Pose;
use crate::random;
use rand::RngExt;
use rand_pcg::Pcg64Mcg;

/// An object that hides a part of some faces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occlusion {
    /// No object.
    None,
    /// Fingers at the chin.
    Hand,
    /// A scarf over chin and neck.
    Scarf,
    /// A lock of hair across the face.
    Lock,
    /// A microphone in front of the mouth.
    Microphone,
}

/// Kind of hat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hat {
    /// Knitted, close to the head.
    Beanie,
    /// With a visor.
    Cap,
    /// With a brim all round.
    Brim,
}

/// Kind of earring and necklace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Jewelry {
    /// A stud, or beads on a string.
    Round,
    /// A hoop, or a plain chain.
    Ring,
    /// A drop, or a chain with a pendant.
    Drop,
}

/// The scene of one image.
#[derive(Debug, Clone)]
pub(super) struct Scene {
    pub(super) pose: Pose,
    /// Unit vector towards the light: right, down, to the viewer.
    pub(super) light: [f32; 3],
    /// Colour of the light, about 1.
    pub(super) light_colour: Colour,
    /// Depth of shadows, 0 to 1.
    pub(super) contrast: f32,
    /// Brightness of the whole image, about 1.
    pub(super) exposure: f32,
    pub(super) skin: Colour,
    /// Colour of hair that is none of black, blond, brown and gray.
    pub(super) other_hair: Colour,
    /// Variation of lightness among hair of one colour, -1 to 1.
    pub(super) hair_shade: f32,
    pub(super) iris: Colour,
    pub(super) cloth: Colour,
    pub(super) second_cloth: Colour,
    pub(super) makeup: Colour,
    pub(super) lipstick: Colour,
    pub(super) metal: Colour,
    /// Deviation from the hair length of the level `male`, -1 to 1.
    pub(super) hair_length: f32,
    /// Position of the parting, -1 (image's left) to 1.
    pub(super) parting: f32,
    /// Deviations from the average face, about -1 to 1: width, eye distance, mouth height, nose length, mouth width, eye
    /// size, brow height, brow thickness.
    pub(super) proportions: [f32; 8],
    /// Asymmetry of eyes, brows, nose, mouth and jaw, -1 to 1.
    pub(super) uneven: [f32; 5],
    /// Direction of the gaze, -1 to 1.
    pub(super) gaze: Point,
    pub(super) hat: Hat,
    pub(super) jewelry: Jewelry,
    /// Shape from round (0) to square (1); kind, which is sunglasses below 0.15.
    pub(super) glasses: [f32; 2],
    pub(super) occlusion: Occlusion,
    /// Side of occlusion and swept bangs, -1 or 1.
    pub(super) side: f32,
    pub(super) background: [Colour; 3],
    /// Standard deviation of the camera's noise, in grey levels.
    pub(super) noise: f32,
    /// Standard deviation of the camera's blur, in pixels.
    pub(super) blur: f32,
    seed: u64,
    row: u64,
}

/// Skin from light to dark; none is as light as pale skin.
const SKINS: [Colour; 6] = [
    [240.0, 200.0, 172.0],
    [231.0, 184.0, 150.0],
    [214.0, 162.0, 122.0],
    [186.0, 132.0, 94.0],
    [146.0, 98.0, 66.0],
    [104.0, 68.0, 48.0],
];

const IRISES: [Colour; 5] =
    [[74.0, 46.0, 28.0], [104.0, 70.0, 36.0], [86.0, 110.0, 66.0], [84.0, 122.0, 156.0], [112.0, 124.0, 132.0]];

const METALS: [Colour; 3] = [[226.0, 184.0, 88.0], [214.0, 216.0, 222.0], [222.0, 150.0, 120.0]];

const LIPSTICKS: [Colour; 5] =
    [[190.0, 24.0, 48.0], [212.0, 44.0, 92.0], [150.0, 22.0, 60.0], [218.0, 62.0, 58.0], [176.0, 40.0, 110.0]];

const MAKEUPS: [Colour; 5] =
    [[84.0, 56.0, 96.0], [60.0, 74.0, 116.0], [92.0, 58.0, 44.0], [52.0, 50.0, 58.0], [58.0, 98.0, 92.0]];

impl Scene {
    /// The scene of the image at `row` for `seed`.
    pub(super) fn new(seed: u64, row: u64) -> Self {
        let d = &mut SceneRng(random::generator(seed, &[random::name("synthetic scene"), row]));
        let (across, up) = (0.75 * d.bell(), -0.25 - 0.35 * d.unit());
        let ahead = 0.75;
        let length = (across * across + up * up + ahead * ahead).sqrt();
        let tone = d.unit();
        let (warm, green) = (0.07 * d.bell(), 0.025 * d.bell());
        Self {
            pose: Pose {
                yaw: 0.021 * d.bell(),
                pitch: 0.009 * d.bell(),
                roll: 0.016 * d.bell(),
                scale: 1.0 + 0.05 * d.bell(),
                shift: [5.0 * d.bell(), 4.0 * d.bell()],
            },
            light: [across / length, up / length, ahead / length],
            light_colour: [1.0 + warm, 1.0 + green, 1.0 - warm],
            contrast: 0.35 + 0.55 * d.unit(),
            exposure: 0.98 + 0.07 * d.bell(),
            skin: d.between(&SKINS, tone * tone * (1.6 - 0.6 * tone)),
            other_hair: d.other_hair(),
            hair_shade: d.bell(),
            iris: d.of(&IRISES),
            cloth: d.colour(0.15, 0.9),
            second_cloth: d.colour(0.3, 1.0),
            makeup: d.of(&MAKEUPS),
            lipstick: d.of(&LIPSTICKS),
            metal: d.of(&METALS),
            hair_length: d.bell(),
            parting: d.bell(),
            proportions: std::array::from_fn(|_| d.bell()),
            uneven: std::array::from_fn(|_| if d.unit() < 0.5 { -1.0 } else { 1.0 } * (0.45 + 0.55 * d.unit())),
            gaze: [0.8 * d.bell(), 0.5 * d.bell()],
            hat: [Hat::Beanie, Hat::Cap, Hat::Brim][d.below(3)],
            jewelry: [Jewelry::Round, Jewelry::Ring, Jewelry::Drop][d.below(3)],
            glasses: [d.unit(), d.unit()],
            occlusion: d.occlusion(),
            side: if d.unit() < 0.5 { -1.0 } else { 1.0 },
            background: std::array::from_fn(|_| d.colour(0.1, 0.95)),
            noise: 1.5 + 5.0 * d.unit() * d.unit(),
            blur: if d.unit() < 0.25 { 0.5 + 0.8 * d.unit() } else { 0.0 },
            seed,
            row,
        }
    }

    /// The generator of a detail, independent of other details.
    pub(super) fn rng(&self, detail: &str) -> SceneRng {
        SceneRng(random::generator(self.seed, &[random::name(detail), self.row]))
    }
}

/// Random numbers in the distributions of scenes.
pub(super) struct SceneRng(Pcg64Mcg);

impl SceneRng {
    /// A uniform number in 0 to 1.
    pub(super) fn unit(&mut self) -> f32 {
        self.0.random::<f32>()
    }

    /// A bell-shaped number with mean 0 and standard deviation 1, within -3 to 3.
    pub(super) fn bell(&mut self) -> f32 {
        2.0 * (self.unit() + self.unit() + self.unit() - 1.5)
    }

    /// 64 random bits.
    pub(super) fn bits(&mut self) -> u64 {
        self.0.random()
    }

    fn below(&mut self, count: u32) -> usize {
        self.0.random_range(0..count) as usize
    }

    fn of(&mut self, colours: &[Colour]) -> Colour {
        let chosen = colours[self.below(colours.len() as u32)];
        let shift = 7.0 * self.bell();
        chosen.map(|v| v + shift)
    }

    fn between(&mut self, palette: &[Colour], share: f32) -> Colour {
        let position = share.clamp(0.0, 1.0) * (palette.len() - 1) as f32;
        let low = (position as usize).min(palette.len() - 2);
        let jitter = [4.0 * self.bell(), 3.0 * self.bell(), 3.0 * self.bell()];
        let base = mix(palette[low], palette[low + 1], position - low as f32);
        std::array::from_fn(|c| base[c] + jitter[c])
    }

    /// A colour of any hue with a lightness from `low` to `high`.
    pub(super) fn colour(&mut self, low: f32, high: f32) -> Colour {
        let (hue, vivid) = (self.unit(), self.unit() * self.unit());
        let light = 255.0 * (low + (high - low) * self.unit());
        std::array::from_fn(|c| {
            let wave = curve::turn(hue + c as f32 / 3.0).1;
            (light * (1.0 - 0.45 * vivid + 0.45 * vivid * wave)).clamp(0.0, 255.0)
        })
    }

    fn other_hair(&mut self) -> Colour {
        [[138.0, 70.0, 40.0], [168.0, 88.0, 44.0], [112.0, 42.0, 42.0], [152.0, 118.0, 84.0]][self.below(4)]
    }

    fn occlusion(&mut self) -> Occlusion {
        match (self.unit() * 100.0) as u32 {
            0..=1 => Occlusion::Hand,
            2..=3 => Occlusion::Scarf,
            4..=5 => Occlusion::Lock,
            6..=7 => Occlusion::Microphone,
            _ => Occlusion::None,
        }
    }
}
