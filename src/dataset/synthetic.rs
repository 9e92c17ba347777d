//! The built-in synthetic data set: labels and splits of the faces that [`crate::synthetic`] renders.

use super::name::DatasetName;
use super::set::{Dataset, Images, Partition};
use crate::attribute::NAMES;
use crate::synthetic::Renderer;
use crate::{Error, Result};
use polars::prelude::*;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Size of the synthetic set, and its seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Number of training images.
    pub train: usize,
    /// Number of validation images.
    pub val: usize,
    /// Number of test images.
    pub test: usize,
    /// Seed of the faces.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { train: 4000, val: 500, test: 1000, seed: 0 }
    }
}

/// The synthetic set: rows of the training split first, then val, then test.
///
/// # Errors
/// [`Error::Request`] if `options.train` is 0.
pub fn dataset(options: &Options) -> Result<Dataset> {
    let Options { train, val, test, seed } = *options;
    if train == 0 {
        return Err(Error::Request("a synthetic set needs at least one training image".to_owned()));
    }
    let images = Renderer::new(seed)?;
    let labels: Vec<_> = (0..train + val + test).into_par_iter().map(|row| images.labels(row)).collect();
    let splits = [("train", train), ("val", val), ("test", test)];
    let splits = splits.into_iter().flat_map(|(name, count)| std::iter::repeat_n(name, count));
    let mut columns: Vec<Column> = vec![
        StringChunked::from_iter_values("source".into(), (0..labels.len()).map(source)).into_column(),
        StringChunked::from_iter_values("split".into(), splits).into_column(),
        // Every face is another person.
        StringChunked::from_iter_values("identity".into(), (0..labels.len()).map(|row| row.to_string())).into_column(),
    ];
    for (i, name) in NAMES.iter().enumerate() {
        let values: Vec<bool> = labels.iter().map(|row| row[i]).collect();
        columns.push(BooleanChunked::from_slice((*name).into(), &values).into_column());
    }
    Ok(Dataset {
        name: DatasetName::Synthetic,
        table: DataFrame::new(labels.len(), columns)?,
        images: Images::Synthetic(images),
        partition: Partition {
            description: format!("synthetic faces drawn by gal-bench, seed {seed}"),
            ..Partition::default()
        },
        notes: vec![
            "The faces and their labels were drawn by this program; no figure says anything about real faces."
                .to_owned(),
        ],
    })
}

fn source(row: usize) -> String {
    format!("synthetic/{row:06}.png")
}
