//! Faces for the figures of evaluated runs, read from the prepared set: `report` reads no images.

use crate::cli::DataArgs;
use gal_bench::dataset::{DatasetName, Split};
use gal_bench::progress::Progress;
use gal_bench::report::{ExampleFaces, TILE};
use gal_bench::store::Reader;
use gal_bench::variant::GAL_J;
use gal_bench::{Error, Result};
use image::RgbImage;
use rayon::prelude::*;
use std::collections::HashMap;
use std::path::Path;

/// Variant whose synthetic faces a report shows, if it was trained.
const SHOWN: &str = GAL_J.name;
/// Largest number of test images in the mean face.
const MEAN_OF: usize = 500;

/// Writes the figures with faces if the prepared set is the one that the runs were tested on. Synthetic faces of one run
/// go into the folder `report`; photographs of people go into `figures` in each run's folder.
pub(super) fn show(examples: &[ExampleFaces], data: &DataArgs, report: &Path, progress: &Progress) -> Result<()> {
    let prepared = data.prepared();
    let reader = match Reader::open(&prepared) {
        Ok(reader) => reader,
        Err(why) => {
            progress.log(format!("no figures with faces: {why}"));
            return Ok(());
        }
    };
    let (of_set, others): (Vec<&ExampleFaces>, Vec<&ExampleFaces>) =
        examples.iter().partition(|example| example.data_digest() == reader.prepared.manifest_digest);
    if let Some(example) = others.first() {
        let (run, shown) = (example.run().display(), prepared.display());
        progress.log(format!("no figures with faces of {run}: {shown} holds other data"));
    }
    let mean = mean_face(&reader)?;
    let drawn = data.dataset == DatasetName::Synthetic;
    let one = of_set.iter().position(|example| example.variant() == SHOWN).unwrap_or(0);
    for (_, example) in of_set.iter().enumerate().filter(|(place, _)| !drawn || *place == one) {
        let faces = faces(&reader, example.images())?;
        if drawn {
            example.write_results(&mean, &faces, report)?;
        } else {
            let folder = example.run().join("figures");
            example.write_figures(&mean, &faces, &folder)?;
            progress.log(format!("faces of people in {}: do not publish them", folder.display()));
        }
    }
    Ok(())
}

/// Reads the undistorted faces of the images called `names`.
fn faces(reader: &Reader, names: &[String]) -> Result<Vec<RgbImage>> {
    let originals = reader.rows.iter().enumerate().filter(|(_, row)| row.copy == 0);
    let places: HashMap<&str, usize> = originals.map(|(place, row)| (row.source.as_str(), place)).collect();
    let face = |name: &String| {
        let place = places.get(name.as_str()).copied();
        tile(reader, place.ok_or_else(|| Error::Internal(format!("{name} is not in the prepared set")))?)
    };
    names.par_iter().map(face).collect()
}

/// Reads a face at the size of the figures.
fn tile(reader: &Reader, row: usize) -> Result<RgbImage> {
    let pixels = reader.resized(row, TILE as usize)?;
    RgbImage::from_raw(TILE, TILE, pixels).ok_or_else(|| Error::Internal(format!("row {row} has the wrong size")))
}

/// Mean of test faces, evenly spaced in the manifest.
fn mean_face(reader: &Reader) -> Result<RgbImage> {
    let test: Vec<usize> = (0..reader.rows.len()).filter(|&i| reader.rows[i].split == Split::Test).collect();
    let chosen: Vec<usize> = test.iter().copied().step_by(test.len().div_ceil(MEAN_OF).max(1)).collect();
    let tiles = chosen.par_iter().map(|&row| tile(reader, row)).collect::<Result<Vec<RgbImage>>>()?;
    let mut sums = vec![0_usize; (TILE * TILE * 3) as usize];
    for tile in &tiles {
        sums.iter_mut().zip(tile.as_raw()).for_each(|(sum, value)| *sum += usize::from(*value));
    }
    let count = tiles.len().max(1);
    let pixels = sums.iter().map(|sum| ((sum + count / 2) / count) as u8).collect();
    RgbImage::from_raw(TILE, TILE, pixels).ok_or_else(|| Error::Internal("the mean face has the wrong size".to_owned()))
}
