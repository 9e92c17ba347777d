//! The appearance of a face as one level from 0 to 1 per attribute. Each level has a visible effect of its own; see the
//! fields.

use crate::attribute::COUNT;

/// The level of each attribute: 0 is absent, 1 present, 0.5 at the border.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct AttributeLevels {
    /// A grey speckled tint of upper lip, chin and jaw.
    pub(super) five_o_clock_shadow: f32,
    /// Rise of the brows' outer third.
    pub(super) arched_eyebrows: f32,
    /// Symmetry of the features and evenness of the skin, nothing else.
    pub(super) attractive: f32,
    /// Dark, swollen crescents below the eyes.
    pub(super) bags_under_eyes: f32,
    /// Missing hair on top of the head.
    pub(super) bald: f32,
    /// Hair over the forehead.
    pub(super) bangs: f32,
    /// Thickness of the lips.
    pub(super) big_lips: f32,
    /// Width and length of the nose.
    pub(super) big_nose: f32,
    /// Share of black in the hair's colour.
    pub(super) black_hair: f32,
    /// Share of blond in the hair's colour.
    pub(super) blond_hair: f32,
    /// Blur of the whole image.
    pub(super) blurry: f32,
    /// Share of brown in the hair's colour.
    pub(super) brown_hair: f32,
    /// Thickness and raggedness of the brows.
    pub(super) bushy_eyebrows: f32,
    /// Width of cheeks, jaw and neck.
    pub(super) chubby: f32,
    /// A second fold below the chin.
    pub(super) double_chin: f32,
    /// Glasses, sometimes dark.
    pub(super) eyeglasses: f32,
    /// Hair on the chin.
    pub(super) goatee: f32,
    /// Share of gray in the hair's colour.
    pub(super) gray_hair: f32,
    /// Eye shadow, lashes and lined eyes.
    pub(super) heavy_makeup: f32,
    /// Lit cheekbones with hollows below.
    pub(super) high_cheekbones: f32,
    /// Size of jaw, neck, shoulders and brows, and shorter hair.
    pub(super) male: f32,
    /// Gap between the lips.
    pub(super) mouth_slightly_open: f32,
    /// Hair on the upper lip.
    pub(super) mustache: f32,
    /// Closing of the lids.
    pub(super) narrow_eyes: f32,
    /// A jaw without beard.
    pub(super) no_beard: f32,
    /// A narrowing jaw and forehead.
    pub(super) oval_face: f32,
    /// Lighter and greyer skin than in any scene.
    pub(super) pale_skin: f32,
    /// A narrow nose with a sharp tip.
    pub(super) pointy_nose: f32,
    /// Rise of the hairline, largest at the temples.
    pub(super) receding_hairline: f32,
    /// Red on the cheeks.
    pub(super) rosy_cheeks: f32,
    /// Hair in front of the ears.
    pub(super) sideburns: f32,
    /// Raised corners of a wider mouth, with folds beside it.
    pub(super) smiling: f32,
    /// Parallel strands with a sheen.
    pub(super) straight_hair: f32,
    /// Waves in strands and outline.
    pub(super) wavy_hair: f32,
    /// Studs, hoops or drops.
    pub(super) wearing_earrings: f32,
    /// A beanie, a cap or a hat with a brim.
    pub(super) wearing_hat: f32,
    /// Coloured lips.
    pub(super) wearing_lipstick: f32,
    /// A chain or beads.
    pub(super) wearing_necklace: f32,
    /// A tie on a shirt.
    pub(super) wearing_necktie: f32,
    /// Skin without lines and folds.
    pub(super) young: f32,
}

impl From<[f32; COUNT]> for AttributeLevels {
    /// Levels in the order of [`crate::attribute::NAMES`].
    fn from(levels: [f32; COUNT]) -> Self {
        let [
            five_o_clock_shadow,
            arched_eyebrows,
            attractive,
            bags_under_eyes,
            bald,
            bangs,
            big_lips,
            big_nose,
            black_hair,
            blond_hair,
            blurry,
            brown_hair,
            bushy_eyebrows,
            chubby,
            double_chin,
            eyeglasses,
            goatee,
            gray_hair,
            heavy_makeup,
            high_cheekbones,
            male,
            mouth_slightly_open,
            mustache,
            narrow_eyes,
            no_beard,
            oval_face,
            pale_skin,
            pointy_nose,
            receding_hairline,
            rosy_cheeks,
            sideburns,
            smiling,
            straight_hair,
            wavy_hair,
            wearing_earrings,
            wearing_hat,
            wearing_lipstick,
            wearing_necklace,
            wearing_necktie,
            young,
        ] = levels;
        Self {
            five_o_clock_shadow,
            arched_eyebrows,
            attractive,
            bags_under_eyes,
            bald,
            bangs,
            big_lips,
            big_nose,
            black_hair,
            blond_hair,
            blurry,
            brown_hair,
            bushy_eyebrows,
            chubby,
            double_chin,
            eyeglasses,
            goatee,
            gray_hair,
            heavy_makeup,
            high_cheekbones,
            male,
            mouth_slightly_open,
            mustache,
            narrow_eyes,
            no_beard,
            oval_face,
            pale_skin,
            pointy_nose,
            receding_hairline,
            rosy_cheeks,
            sideburns,
            smiling,
            straight_hair,
            wavy_hair,
            wearing_earrings,
            wearing_hat,
            wearing_lipstick,
            wearing_necklace,
            wearing_necktie,
            young,
        }
    }
}

/// Features below this level are not painted: they would be invisible.
pub(super) const FAINT: f32 = 0.03;

/// The level of a strength: 0.5 at 0, close to 0 or 1 beyond about 3 `softness`.
pub(super) fn level(strength: f32, softness: f32) -> f32 {
    0.5 + 0.5 * strength / (strength * strength + softness * softness).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::NAMES;

    #[test]
    fn every_level_has_the_field_of_its_attribute() {
        for (i, name) in NAMES.iter().enumerate() {
            let mut levels = [0.0; COUNT];
            levels[i] = 1.0;
            let field = name.to_lowercase().replace("5_o", "five_o");
            assert!(format!("{:?}", AttributeLevels::from(levels)).contains(&format!("{field}: 1.0")), "{name}");
        }
    }
}
