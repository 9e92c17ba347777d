//! The appearance of a face as one level from 0 to 1 per attribute. Each level has a visible effect of its own; see the
//! fields.

use crate::attribute::COUNT;

/// Declares the struct of all levels and its conversion from an array from one list of fields.
macro_rules! attribute_levels {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The level of each attribute: 0 is absent, 1 present, 0.5 at the border.
        #[derive(Debug, Clone, PartialEq)]
        pub(super) struct AttributeLevels {
            $($(#[$doc])* pub(super) $name: f32,)*
        }

        impl From<[f32; COUNT]> for AttributeLevels {
            /// Levels in the order of [`crate::attribute::NAMES`].
            fn from(levels: [f32; COUNT]) -> Self {
                let [$($name),*] = levels;
                Self { $($name),* }
            }
        }
    };
}

attribute_levels! {
    /// A grey speckled tint of upper lip, chin and jaw.
    five_o_clock_shadow,
    /// Rise of the brows' outer third.
    arched_eyebrows,
    /// Symmetry of the features and evenness of the skin, nothing else.
    attractive,
    /// Dark, swollen crescents below the eyes.
    bags_under_eyes,
    /// Missing hair on top of the head.
    bald,
    /// Hair over the forehead.
    bangs,
    /// Thickness of the lips.
    big_lips,
    /// Width and length of the nose.
    big_nose,
    /// Share of black in the hair's colour.
    black_hair,
    /// Share of blond in the hair's colour.
    blond_hair,
    /// Blur of the whole image.
    blurry,
    /// Share of brown in the hair's colour.
    brown_hair,
    /// Thickness and raggedness of the brows.
    bushy_eyebrows,
    /// Width of cheeks, jaw and neck.
    chubby,
    /// A second fold below the chin.
    double_chin,
    /// Glasses, sometimes dark.
    eyeglasses,
    /// Hair on the chin.
    goatee,
    /// Share of gray in the hair's colour.
    gray_hair,
    /// Eye shadow, lashes and lined eyes.
    heavy_makeup,
    /// Lit cheekbones with hollows below.
    high_cheekbones,
    /// Size of jaw, neck, shoulders and brows, and shorter hair.
    male,
    /// Gap between the lips.
    mouth_slightly_open,
    /// Hair on the upper lip.
    mustache,
    /// Closing of the lids.
    narrow_eyes,
    /// A jaw without beard.
    no_beard,
    /// A narrowing jaw and forehead.
    oval_face,
    /// Lighter and greyer skin than in any scene.
    pale_skin,
    /// A narrow nose with a sharp tip.
    pointy_nose,
    /// Rise of the hairline, largest at the temples.
    receding_hairline,
    /// Red on the cheeks.
    rosy_cheeks,
    /// Hair in front of the ears.
    sideburns,
    /// Raised corners of a wider mouth, with folds beside it.
    smiling,
    /// Parallel strands with a sheen.
    straight_hair,
    /// Waves in strands and outline.
    wavy_hair,
    /// Studs, hoops or drops.
    wearing_earrings,
    /// A beanie, a cap or a hat with a brim.
    wearing_hat,
    /// Coloured lips.
    wearing_lipstick,
    /// A chain or beads.
    wearing_necklace,
    /// A tie on a shirt.
    wearing_necktie,
    /// Skin without lines and folds.
    young,
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
