//! The result of inspecting a data set: label statistics by split, and the scan of the images if there was one.

use super::images::ImageScan;
use crate::dataset::{Annotations, DatasetName, Row, Split, table};
use crate::error::Result;
use crate::metrics::labels::Labels;
use std::collections::{HashMap, HashSet};

/// The result of inspecting a data set.
#[derive(Debug)]
pub struct Inspection<'a> {
    /// Name of the data set.
    pub name: DatasetName,
    /// The data set's annotations.
    pub annotations: &'a Annotations,
    /// Label statistics of each split that has images, then of all images.
    pub parts: Vec<(&'static str, Labels)>,
    /// Number of people with images in more than one split; `None` if identities are unknown.
    pub shared_people: Option<usize>,
    /// The scan of the images, if there was one.
    pub images: Option<ImageScan>,
    pub(super) rows: Vec<Row<'a>>,
}

impl<'a> Inspection<'a> {
    /// Computes the label statistics of `annotations`.
    ///
    /// # Errors
    /// The table is not in the form of the data set readers.
    pub fn of(name: DatasetName, annotations: &'a Annotations) -> Result<Self> {
        let rows = table::rows(&annotations.table)?;
        let of_split = |split: Split| Labels::count(rows.iter().filter(|r| r.split == split).map(|r| &r.labels));
        let mut parts: Vec<_> = Split::ALL.map(|split| (split.label(), of_split(split))).into();
        parts.retain(|(_, labels)| labels.images > 0);
        parts.push(("all", Labels::count(rows.iter().map(|row| &row.labels))));
        let mut splits: HashMap<&str, HashSet<Split>> = HashMap::new();
        for row in &rows {
            row.identity.into_iter().for_each(|person| _ = splits.entry(person).or_default().insert(row.split));
        }
        let shared = splits.values().filter(|splits| splits.len() > 1).count();
        let shared_people = (!splits.is_empty()).then_some(shared);
        Ok(Self { name, annotations, parts, shared_people, images: None, rows })
    }

    /// Paths of the images, in the table's order.
    pub fn sources(&self) -> Vec<&'a str> {
        self.rows.iter().map(|row| row.source).collect()
    }

    /// Splits of the images, in the table's order.
    pub fn splits(&self) -> Vec<Split> {
        self.rows.iter().map(|row| row.split).collect()
    }

    /// Label statistics of all images.
    pub(super) fn all(&self) -> &Labels {
        &self.parts[self.parts.len() - 1].1
    }
}
