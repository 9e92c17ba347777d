//! One portrait, from the background to the lens.

use super::look::Look;
use super::scene::Scene;
use super::sitter::Sitter;
use super::{beard, body, camera, eyes, face, hair, mouth, occlusion, worn};
use image::RgbImage;

/// Draws a look in a scene.
pub(super) fn portrait(look: &Look, scene: &Scene) -> RgbImage {
    let sitter = Sitter::new(look, scene);
    let mut canvas = body::background(scene);
    hair::behind(&mut canvas, &sitter);
    body::body(&mut canvas, &sitter);
    face::ears(&mut canvas, &sitter);
    let skin = face::skin(&mut canvas, &sitter);
    face::cheeks(&mut canvas, &sitter, &skin);
    face::blemishes(&mut canvas, &sitter, &skin);
    beard::beard(&mut canvas, &sitter, &skin);
    face::age(&mut canvas, &sitter, &skin);
    eyes::eyes(&mut canvas, &sitter, &skin);
    mouth::nose(&mut canvas, &sitter, &skin);
    mouth::mouth(&mut canvas, &sitter, &skin);
    beard::around_mouth(&mut canvas, &sitter, &skin);
    eyes::brows(&mut canvas, &sitter, &skin);
    beard::sideburns(&mut canvas, &sitter, &skin);
    worn::glasses(&mut canvas, &sitter, &skin);
    hair::cap(&mut canvas, &sitter, &skin);
    worn::earrings(&mut canvas, &sitter);
    worn::hat(&mut canvas, &sitter, &skin);
    occlusion::occlusion(&mut canvas, &sitter);
    camera::photograph(canvas, look, scene)
}

#[cfg(test)]
mod tests {
    use super::super::labels::Copula;
    use super::super::scene::Occlusion;
    use super::*;
    use crate::attribute::{COUNT, NAMES};
    use proptest::prelude::*;

    /// A plain face, one standard deviation from every border: young, even, brown-haired, without anything worn.
    fn plain() -> [f32; COUNT] {
        NAMES.map(|name| if matches!(name, "Young" | "No_Beard" | "Attractive" | "Brown_Hair") { 1.0 } else { -1.0 })
    }

    /// The mean absolute difference of two pictures in grey levels, and how many values differ by 16 or more.
    fn difference(a: &RgbImage, b: &RgbImage) -> (f64, usize) {
        let gaps = || a.iter().zip(b.iter()).map(|(a, b)| a.abs_diff(*b));
        (gaps().map(f64::from).sum::<f64>() / a.len() as f64, gaps().filter(|gap| *gap >= 16).count())
    }

    #[test]
    fn every_attribute_visibly_changes_the_picture() {
        let copula = Copula::built_in().unwrap();
        let unhidden = (0..).map(|row| Scene::new(1, row)).filter(|scene| scene.occlusion == Occlusion::None);
        for (number, scene) in unhidden.take(6).enumerate() {
            let before = portrait(&copula.look(&plain()), &scene);
            for (i, name) in NAMES.iter().enumerate() {
                let mut toggled = plain();
                toggled[i] = -toggled[i];
                let (mean, plainly) = difference(&before, &portrait(&copula.look(&toggled), &scene));
                assert!(mean > 0.05, "{name} changes scene {number} by {mean} grey levels only");
                assert!(plainly > 150, "{name} changes {plainly} values of scene {number} only");
            }
        }
    }

    #[test]
    fn what_no_attribute_decides_stays_when_one_changes() {
        let copula = Copula::built_in().unwrap();
        let scene = Scene::new(1, 0);
        let mut hatless = plain();
        let before = portrait(&copula.look(&hatless), &scene);
        hatless[crate::attribute::index("Wearing_Necktie").unwrap()] = 1.0;
        let after = portrait(&copula.look(&hatless), &scene);
        // The upper half of the picture, noise and all.
        assert_eq!(before.as_raw()[..128 * 256 * 3], after.as_raw()[..128 * 256 * 3]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn any_strengths_make_a_picture(
            strengths in prop::array::uniform32(prop_oneof![-1e30f32..1e30, -8.0f32..8.0, Just(0.0)]),
            rest in prop::array::uniform8(-50.0f32..50.0),
            row in any::<u64>(),
        ) {
            let all: [f32; COUNT] = std::array::from_fn(|i| if i < 32 { strengths[i] } else { rest[i - 32] });
            let picture = portrait(&Copula::built_in().unwrap().look(&all), &Scene::new(3, row));
            prop_assert_eq!(picture.dimensions(), (256, 256));
        }
    }
}
