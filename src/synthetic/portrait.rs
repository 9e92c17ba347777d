//! Paints one portrait, from the background to the camera model.

use super::levels::AttributeLevels;
use super::scene::Scene;
use super::subject::Subject;
use super::{accessories, beard, body, camera, clothes, eyes, face, hair, hat, mouth, nose, occlusion};
use image::RgbImage;

/// Renders `levels` in `scene`.
pub(super) fn portrait(levels: &AttributeLevels, scene: &Scene) -> RgbImage {
    let subject = Subject::new(levels, scene);
    let mut canvas = body::background(scene);
    hair::behind(&mut canvas, &subject);
    body::body(&mut canvas, &subject);
    clothes::clothes(&mut canvas, &subject);
    face::ears(&mut canvas, &subject);
    let skin = face::skin(&mut canvas, &subject);
    face::cheeks(&mut canvas, &subject, &skin);
    face::blemishes(&mut canvas, &subject, &skin);
    beard::beard(&mut canvas, &subject, &skin);
    face::age(&mut canvas, &subject, &skin);
    eyes::eyes(&mut canvas, &subject, &skin);
    nose::nose(&mut canvas, &subject, &skin);
    mouth::mouth(&mut canvas, &subject, &skin);
    beard::around_mouth(&mut canvas, &subject, &skin);
    eyes::brows(&mut canvas, &subject, &skin);
    beard::sideburns(&mut canvas, &subject, &skin);
    accessories::glasses(&mut canvas, &subject, &skin);
    hair::cap(&mut canvas, &subject, &skin);
    accessories::earrings(&mut canvas, &subject);
    hat::hat(&mut canvas, &subject, &skin);
    occlusion::occlusion(&mut canvas, &subject);
    camera::photograph(canvas, levels, scene)
}

#[cfg(test)]
mod tests {
    use super::super::labels::Copula;
    use super::super::scene::Occlusion;
    use super::*;
    use crate::attribute::{COUNT, NAMES};
    use proptest::prelude::*;

    /// Strengths one standard deviation from every border: young, even skin, brown hair, no accessories.
    fn plain() -> [f32; COUNT] {
        NAMES.map(|name| if matches!(name, "Young" | "No_Beard" | "Attractive" | "Brown_Hair") { 1.0 } else { -1.0 })
    }

    /// Mean absolute difference of two images in grey levels, and number of values that differ by 16 or more.
    fn difference(a: &RgbImage, b: &RgbImage) -> (f64, usize) {
        let gaps = || a.iter().zip(b.iter()).map(|(a, b)| a.abs_diff(*b));
        (gaps().map(f64::from).sum::<f64>() / a.len() as f64, gaps().filter(|gap| *gap >= 16).count())
    }

    #[test]
    fn every_attribute_visibly_changes_the_image() {
        let copula = Copula::built_in().unwrap();
        let unoccluded = (0..).map(|row| Scene::new(1, row)).filter(|scene| scene.occlusion == Occlusion::None);
        for (number, scene) in unoccluded.take(6).enumerate() {
            let before = portrait(&copula.levels(&plain()), &scene);
            for (i, name) in NAMES.iter().enumerate() {
                let mut toggled = plain();
                toggled[i] = -toggled[i];
                let (mean, plainly) = difference(&before, &portrait(&copula.levels(&toggled), &scene));
                assert!(mean > 0.05, "{name} changes scene {number} by only {mean} grey levels");
                assert!(plainly > 150, "{name} changes only {plainly} values of scene {number}");
            }
        }
    }

    #[test]
    fn the_scene_stays_when_an_attribute_changes() {
        let copula = Copula::built_in().unwrap();
        let scene = Scene::new(1, 0);
        let mut hatless = plain();
        let before = portrait(&copula.levels(&hatless), &scene);
        hatless[crate::attribute::index("Wearing_Necktie").unwrap()] = 1.0;
        let after = portrait(&copula.levels(&hatless), &scene);
        // The upper half of the image, noise included.
        assert_eq!(before.as_raw()[..128 * 256 * 3], after.as_raw()[..128 * 256 * 3]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn any_strengths_make_an_image(
            strengths in prop::array::uniform32(prop_oneof![-1e30f32..1e30, -8.0f32..8.0, Just(0.0)]),
            rest in prop::array::uniform8(-50.0f32..50.0),
            row in any::<u64>(),
        ) {
            let all: [f32; COUNT] = std::array::from_fn(|i| if i < 32 { strengths[i] } else { rest[i - 32] });
            let image = portrait(&Copula::built_in().unwrap().levels(&all), &Scene::new(3, row));
            prop_assert_eq!(image.dimensions(), (256, 256));
        }
    }
}
