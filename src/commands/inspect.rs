//! `gal-bench inspect`.

use crate::cli::InspectArgs;
use gal_bench::attribute::NAMES;
use gal_bench::dataset::{Annotations, Dataset, DatasetName, Images, celeba, lfwa, user_table};
use gal_bench::inspect::{self, CONTRADICTIONS, ImageScan, Inspection};
use gal_bench::io::{self, OutputFolder};
use gal_bench::{Error, Result};
use serde_json::{Map, Value, json};
use std::path::PathBuf;

pub(super) fn run(args: &InspectArgs) -> Result<()> {
    super::use_threads(args.execution.threads)?;
    let output = args.output.clone().unwrap_or_else(|| PathBuf::from("inspect").join(args.dataset.label()));
    let folder_of_page = OutputFolder::claim_empty(&output, args.execution.force)?;
    let progress = args.output_args.progress();
    let (annotations, folder) = read(args)?;
    let mut inspection = Inspection::of(args.dataset, &annotations)?;
    if let Some(folder) = folder {
        inspection.images =
            Some(inspect::scan_images(&folder, &inspection.sources(), &inspection.splits(), &progress)?);
    }
    inspect::write(&inspection, &output)?;
    folder_of_page.record()?;
    args.output_args.result(&result(&inspection, &output), || {
        format!("{}\nwrote {}", inspect::summary(&inspection), output.display())
    })
}

/// The annotations, and the folder of the images if they are to be scanned.
fn read(args: &InspectArgs) -> Result<(Annotations, Option<PathBuf>)> {
    let (name, root) = (args.dataset, args.source.root(args.dataset));
    args.source.check(name)?;
    let options = args.source.options();
    let dataset = match (name, args.images) {
        (DatasetName::Celeba, false) => return Ok((celeba::annotations(&root, options)?, None)),
        (DatasetName::Lfwa, false) => return Ok((lfwa::annotations(&root, options)?, None)),
        (DatasetName::Table, false) => {
            return Ok((user_table::annotations(&root, &args.source.table_options(0))?, None));
        }
        (DatasetName::Synthetic, true) => {
            return Err(Error::Request(
                "synthetic faces are rendered, not read from files: remove --images".to_owned(),
            ));
        }
        _ => super::read(name, &args.source, 0)?,
    };
    let Dataset { table, partition, notes, images, .. } = dataset;
    let folder = if let Images::Folder(folder) = images { Some(folder) } else { None };
    Ok((Annotations { table, partition, notes }, folder))
}

fn result(inspection: &Inspection, output: &std::path::Path) -> Value {
    let parts = inspection.parts.iter().map(|(part, labels)| {
        let rates: Map<String, Value> =
            NAMES.iter().enumerate().map(|(i, name)| ((*name).to_owned(), json!(labels.rate(i)))).collect();
        let contradictions: Map<String, Value> = CONTRADICTIONS
            .iter()
            .zip(labels.contradictions)
            .map(|(rule, n)| (rule.words.to_owned(), json!(n)))
            .collect();
        let known: Map<String, Value> =
            NAMES.iter().enumerate().map(|(i, name)| ((*name).to_owned(), json!(labels.known(i)))).collect();
        let part_result = json!({
            "images": labels.images, "known_labels": known, "rates": rates, "contradictions": contradictions,
        });
        ((*part).to_owned(), part_result)
    });
    let scan = |images: &ImageScan| json!({ "issues": images.issues.len(), "duplicates": images.duplicates.len() });
    json!({
        "output": io::path_text(output),
        "official_partition": inspection.annotations.partition.official,
        "parts": parts.collect::<Map<String, Value>>(),
        "people_in_several_splits": inspection.shared_people,
        "images": inspection.images.as_ref().map(scan),
    })
}
