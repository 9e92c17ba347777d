//! The part of a data set that is on disk: fewer images, or smaller ones.

use super::name::DatasetName;
use crate::render::format::thousands;
use image::ImageReader;
use rayon::prelude::*;
use std::path::Path;

/// Width and height.
pub(super) type Size = (u32, u32);

/// The size that all images below `folder` share, if it is smaller than that of the data set `name`. Reads the first
/// image's header, and those of the others only if the first one is smaller. `None` if a header cannot be read.
pub(super) fn reduced_size(name: DatasetName, folder: &Path, sources: &[String]) -> Option<Size> {
    let size = |source: &String| {
        ImageReader::open(folder.join(source)).ok()?.with_guessed_format().ok()?.into_dimensions().ok()
    };
    let (first, own) = (size(sources.first()?)?, name.image_size());
    let is_smaller = first.0 < own.0 && first.1 < own.1;
    (is_smaller && sources.par_iter().all(|source| size(source) == Some(first))).then_some(first)
}

/// A noun phrase such as "a subset of 30,000 images of 64 x 64 pixels". `None` if `kept` is every image and none is
/// reduced.
pub(super) fn describe(kept: usize, total: usize, reduced: Option<Size>) -> Option<String> {
    let images = if kept < total { Some(format!("a subset of {} images", thousands(kept))) } else { None };
    match (images, reduced) {
        (images, None) => images,
        (images, Some((width, height))) => {
            Some(format!("{} of {width} x {height} pixels", images.unwrap_or_else(|| "images".to_owned())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, name: &str, (width, height): Size) -> String {
        image::RgbImage::new(width, height).save(folder.join(name)).unwrap();
        name.to_owned()
    }

    #[test]
    fn a_size_is_reduced_if_every_image_has_it_and_it_is_below_the_data_sets() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let small: Vec<String> = (0..3).map(|i| write(folder, &format!("{i}.png"), (64, 64))).collect();
        let reduced = |sources: &[String]| reduced_size(DatasetName::Celeba, folder, sources);
        assert_eq!(reduced(&small), Some((64, 64)));
        assert_eq!(reduced(&[write(folder, "whole.png", (178, 218))]), None);
        assert_eq!(reduced(&[small[0].clone(), write(folder, "other.png", (60, 64))]), None);
        assert_eq!(reduced(&["missing.png".to_owned()]), None);
        assert_eq!(reduced(&[]), None);
    }

    #[test]
    fn fewer_and_smaller_images_are_named() {
        assert_eq!(describe(5, 5, None), None);
        assert_eq!(describe(30_000, 202_599, None).unwrap(), "a subset of 30,000 images");
        let both = describe(30_000, 202_599, Some((64, 64))).unwrap();
        assert_eq!(both, "a subset of 30,000 images of 64 x 64 pixels");
        assert_eq!(describe(5, 5, Some((64, 64))).unwrap(), "images of 64 x 64 pixels");
    }
}
