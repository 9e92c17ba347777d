//! Predictions of all networks of a shared run for a split.

use super::learner::{BatchPredictions, Learner};
use super::loader::DataLoader;
use super::outputs::{Masks, PredictionTable};
use crate::attribute::COUNT;
use crate::error::Result;
use crate::store::Row;
use crate::variant::Variant;
use candle_core::Device;
use std::collections::{BTreeMap, HashMap};

/// Predictions for a split.
pub(super) struct SplitPredictions {
    /// One table for each variant.
    pub(super) tables: Vec<PredictionTable>,
    /// The same of the images alone, if the tables are averages with those of the mirror images.
    pub(super) plain: Option<Vec<PredictionTable>>,
    /// Mean affinity by variant, `[40 * 40]`.
    pub(super) affinity: BTreeMap<&'static str, Vec<f32>>,
    pub(super) masks: Masks,
}

impl SplitPredictions {
    /// Predicts the images of `loader`, whose labels and names are in `rows` of the manifest. With `mirror`, predictions are
    /// averaged over each image and its mirror image; affinity and masks are of the images alone.
    pub(super) fn compute(
        learner: &Learner,
        variants: &[Variant],
        loader: &DataLoader,
        rows: &[Row],
        mirror: bool,
        device: &Device,
    ) -> Result<Self> {
        let images = loader.images;
        let mut mirrored: Vec<_> = variants.iter().map(|variant| empty_table(variant, &[], rows)).collect();
        let mut tables: Vec<_> = variants.iter().map(|variant| empty_table(variant, images.rows(), rows)).collect();
        let mut affinity = BTreeMap::new();
        let mut masks = Masks::default();
        let batch = loader.local.len();
        for first in (0..images.len()).step_by(batch) {
            let range = first..(first + batch).min(images.len());
            let (pixels, _) = loader.center_crop_batch(range.clone(), false)?.tensors(device)?;
            let predictions = learner.predict(&pixels)?;
            append(&mut tables, variants, &predictions);
            if mirror {
                let (pixels, _) = loader.center_crop_batch(range, true)?.tensors(device)?;
                append(&mut mirrored, variants, &learner.predict(&pixels)?);
            }
            if let Some(of_batch) = &predictions.masks {
                masks.add(of_batch, pixels.dim(1)?);
            }
            for (variant, sum) in predictions.affinity {
                let mean = affinity.entry(variant).or_insert_with(|| vec![0.0; COUNT * COUNT]);
                mean.iter_mut().zip(sum).for_each(|(mean, sum)| *mean += sum / images.len() as f32);
            }
        }
        if !mirror {
            return Ok(Self { tables, plain: None, affinity, masks });
        }
        let averaged = tables.iter().zip(&mirrored).map(|(table, mirrored)| table.averaged(mirrored)).collect();
        Ok(Self { tables: averaged, plain: Some(tables), affinity, masks })
    }
}

/// Appends the predictions for a batch to the table of each variant.
fn append(tables: &mut [PredictionTable], variants: &[Variant], predictions: &BatchPredictions) {
    for (variant, table) in variants.iter().zip(tables) {
        if let Some(fln) = &mut table.fln {
            fln.extend(&predictions.fln);
        }
        if let (Some(cln), Some(predicted)) = (&mut table.cln, predictions.cln.get(variant.name)) {
            cln.extend(predicted);
        }
    }
}

/// A table of the images `indices` without probabilities.
fn empty_table(variant: &Variant, indices: &[usize], rows: &[Row]) -> PredictionTable {
    let rows = indices.iter().map(|index| &rows[*index]);
    PredictionTable {
        images: rows.clone().map(|row| row.source.clone()).collect(),
        identities: rows.clone().map(|row| row.identity.clone()).collect(),
        duplicate_of: originals(rows.clone()),
        labels: rows.flat_map(|row| row.labels).collect(),
        fln: variant.has_fln_head().then(Vec::new),
        cln: variant.net.map(|_| Vec::new()),
    }
}

/// The source of the first row with the same file, for each other row with it.
fn originals<'a>(rows: impl Iterator<Item = &'a Row>) -> Vec<Option<String>> {
    let mut first: HashMap<blake3::Hash, &'a str> = HashMap::new();
    rows.map(|row| {
        let original = *first.entry(row.source_digest?).or_insert(&row.source);
        (original != row.source).then(|| original.to_owned())
    })
    .collect()
}
