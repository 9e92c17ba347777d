//! Faces for the figures of evaluated runs, read from the prepared set: `report` reads no images.

use crate::cli::DataArgs;
use gal_bench::Result;
use gal_bench::dataset::DatasetName;
use gal_bench::io::OutputFolder;
use gal_bench::progress::Progress;
use gal_bench::report::{ExampleFaces, TILE};
use gal_bench::store::Reader;
use gal_bench::variant::GAL_J;
use std::path::Path;

/// Variant whose synthetic faces a report shows, if it was trained.
const SHOWN: &str = GAL_J.name;
/// Largest number of test images in the mean face.
const MEAN_OF: usize = 500;

/// Writes the figures with faces if the prepared set is the one that the runs were tested on. Synthetic faces of one run
/// go into the folder `report`; photographs of people go into `figures` in each run's folder.
pub(super) fn show(
    examples: &[ExampleFaces],
    data: &DataArgs,
    report: &Path,
    force: bool,
    progress: &Progress,
) -> Result<()> {
    let prepared = data.prepared();
    let reader = match Reader::open_for(data.dataset, &prepared) {
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
    if of_set.is_empty() {
        return Ok(());
    }
    let mean = reader.mean_face(MEAN_OF, TILE)?;
    let drawn = data.dataset == DatasetName::Synthetic;
    let one = of_set.iter().position(|example| example.variant() == SHOWN).unwrap_or(0);
    for (_, example) in of_set.iter().enumerate().filter(|(place, _)| !drawn || *place == one) {
        let faces = reader.faces(example.images(), TILE)?;
        if drawn {
            example.write_results(&mean, &faces, report)?;
        } else {
            // A link in its place may lead elsewhere.
            gal_bench::io::create_folder_below(example.run(), "figures")?;
            let folder = example.run().join("figures");
            let former = ExampleFaces::figure_files();
            let output = match OutputFolder::claim(&folder, &former, force) {
                Ok(output) => output,
                Err(why) => {
                    progress.log(format!("no figures with faces of {}: {why}", example.run().display()));
                    continue;
                }
            };
            example.write_figures(&mean, &faces, &folder)?;
            output.record()?;
            progress.log(format!("faces of people in {}: do not publish them", folder.display()));
        }
    }
    Ok(())
}
