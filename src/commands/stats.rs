//! `gal-bench stats`.

use crate::cli::StatsArgs;
use gal_bench::attribute::NAMES;
use gal_bench::dataset::{Annotations, Dataset, DatasetName, Images, celeba, lfwa};
use gal_bench::inspect::{self, CONTRADICTIONS, Inspection};
use gal_bench::{Error, Result};
use serde_json::{Map, Value, json};
use std::path::PathBuf;

pub(super) fn run(args: &StatsArgs) -> Result<()> {
    super::use_threads(args.execution.threads)?;
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from("stats").join(args.dataset.label()));
    // Anything at all: the tables have names that others use, too.
    let found = std::fs::read_dir(&out).ok().and_then(|mut entries| entries.next()).and_then(std::result::Result::ok);
    if let (Some(found), false) = (found, args.execution.force) {
        return Err(Error::file(
            found.path(),
            "is there already: give an empty or a new folder with --out, or write over what is there with --force",
        ));
    }
    let progress = args.output_args.progress();
    let (annotations, folder) = read(args)?;
    let mut inspection = Inspection::of(args.dataset, &annotations)?;
    if let Some(folder) = folder {
        inspection.pictures = Some(inspect::look(&folder, &inspection.sources(), &inspection.splits(), &progress)?);
    }
    inspect::write(&inspection, &out)?;
    args.output_args.result(&result(&inspection, &out), || format!("{}\nwrote {}", inspection.summary(), out.display()))
}

/// The annotation, and the folder of the images where they are to be looked at.
fn read(args: &StatsArgs) -> Result<(Annotations, Option<PathBuf>)> {
    let (name, root) = (args.dataset, args.source.root(args.dataset));
    let dataset = match (name, args.images) {
        (DatasetName::Celeba, false) => return Ok((celeba::annotations(&root)?, None)),
        (DatasetName::Lfwa, false) => return Ok((lfwa::annotations(&root)?, None)),
        (DatasetName::Synthetic, true) => {
            return Err(Error::Request("synthetic faces are drawn, not read: leave out --images".to_owned()));
        }
        _ => super::read(name, &args.source, 0)?,
    };
    let Dataset { table, partition, notes, images, .. } = dataset;
    let folder = if let Images::Folder(folder) = images { Some(folder) } else { None };
    Ok((Annotations { table, partition, notes }, folder))
}

fn result(inspection: &Inspection, out: &std::path::Path) -> Value {
    let parts = inspection.parts.iter().map(|(part, labels)| {
        let rates: Map<String, Value> =
            NAMES.iter().enumerate().map(|(i, name)| ((*name).to_owned(), json!(labels.rate(i)))).collect();
        let contradictions: Map<String, Value> = CONTRADICTIONS
            .iter()
            .zip(labels.contradictions)
            .map(|(rule, n)| (rule.words.to_owned(), json!(n)))
            .collect();
        ((*part).to_owned(), json!({ "images": labels.images, "rates": rates, "contradictions": contradictions }))
    });
    let pictures = inspection.pictures.as_ref().map(|p| json!({ "flaws": p.flaws.len(), "duplicates": p.twins.len() }));
    json!({
        "stats": out,
        "official_partition": inspection.annotations.partition.official,
        "parts": parts.collect::<Map<String, Value>>(),
        "people_in_several_splits": inspection.shared_people,
        "pictures": pictures,
    })
}
