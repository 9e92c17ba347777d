//! Reads a run's `predictions.parquet`: the test split, one row an image and attribute, images in manifest order and
//! attributes in the order of [`attribute::NAMES`]. The order of every row is checked.

use crate::attribute::{self, COUNT};
use crate::error::{Error, Result};
use crate::io;
use crate::metrics::bootstrap::TestImages;
use crate::variant::Head;
use polars::prelude::*;
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// The columns that are required. `identity` and `duplicate_of` are read if they exist, others are ignored.
const COLUMNS: [&str; 5] = ["image", "attribute", "label", "probability_fln", "probability_cln"];

/// Labels and predicted probabilities of one head at least, `[images * 40]` each.
#[derive(Debug, Clone, PartialEq)]
pub struct Predictions {
    /// The images.
    pub images: TestImages,
    /// The labels; `None` if one is not known, or if its attribute was not trained.
    pub labels: Vec<Option<bool>>,
    /// Probability of the positive label by the FLN head, if the run has one.
    pub fln: Option<Vec<f32>>,
    /// Probability of the positive label by the CLN head, if the run has one.
    pub cln: Option<Vec<f32>>,
}

impl Predictions {
    /// Reads and checks the file of a run with `test_images`, if their number is known.
    ///
    /// # Errors
    /// A missing or mistyped column, rows out of order, a null, a probability outside 0 to 1, no head.
    pub fn read(path: &Path, test_images: Option<usize>) -> Result<Self> {
        let table = io::read_parquet(path, test_images.map(|images| images.saturating_mul(COUNT)), AGAIN)?;
        let source = Source { path, table };
        let images = TestImages {
            names: source.images()?,
            identities: source.names("identity")?,
            duplicate_of: source.names("duplicate_of")?,
        };
        let label = source.column("label")?;
        let label = label.bool().map_err(|_| source.mistyped("label", "Boolean"))?;
        let predictions = Self {
            images,
            labels: label.iter().collect(),
            fln: source.probabilities("probability_fln")?,
            cln: source.probabilities("probability_cln")?,
        };
        if predictions.heads().next().is_none() {
            return Err(Error::file(path, format!("holds no probability of either head; {AGAIN}")));
        }
        Ok(predictions)
    }
}

impl Predictions {
    /// The heads that the run has with their probabilities, FLN before CLN.
    pub fn heads(&self) -> impl DoubleEndedIterator<Item = (Head, &[f32])> {
        let columns = [(Head::Fln, &self.fln), (Head::Cln, &self.cln)];
        columns.into_iter().filter_map(|(head, column)| Some((head, column.as_deref()?)))
    }

    /// The head that the run is scored by, with its probabilities: the CLN's if it has one, else the FLN's.
    pub fn primary_head(&self) -> (Head, &[f32]) {
        self.heads().next_back().expect("predictions have a head")
    }

    /// The same predictions without the labels of attributes that are not `scored`.
    pub fn with_labels_of(mut self, scored: &[bool; COUNT]) -> Self {
        for (row, label) in self.labels.iter_mut().enumerate() {
            *label = label.filter(|_| scored[row % COUNT]);
        }
        self
    }

    /// The same predictions with the images in the order of those of `reference`.
    ///
    /// # Errors
    /// A sentence about the first image that is not in both, or whose labels differ.
    pub fn in_order_of(&self, reference: &Self) -> std::result::Result<Self, String> {
        let index: HashMap<&str, usize> = self.images.names.iter().map(String::as_str).zip(0..).collect();
        let known: HashSet<&String> = reference.images.names.iter().collect();
        if let Some(extra) = self.images.names.iter().find(|image| !known.contains(image)) {
            return Err(format!("has test image `{extra}`, which the reference run lacks"));
        }
        let find = |image: &String| {
            let found = index.get(image.as_str()).copied();
            found.ok_or_else(|| format!("lacks test image `{image}` of the reference run"))
        };
        let order: Vec<usize> = reference.images.names.iter().map(find).collect::<std::result::Result<_, String>>()?;
        let rows = |i: usize| i * COUNT..(i + 1) * COUNT;
        let labels: Vec<Option<bool>> = order.iter().flat_map(|&i| self.labels[rows(i)].iter().copied()).collect();
        if let Some(row) = (0..labels.len()).find(|&row| labels[row] != reference.labels[row]) {
            let (image, attribute) = (&reference.images.names[row / COUNT], attribute::NAMES[row % COUNT]);
            return Err(format!(
                "image `{image}` has another label for `{attribute}` than in the reference run: the annotations differ"
            ));
        }
        let head = |values: &Option<Vec<f32>>| {
            values.as_ref().map(|values| order.iter().flat_map(|&i| values[rows(i)].iter().copied()).collect())
        };
        let names = |column: &Option<Vec<Option<String>>>| {
            column.as_ref().map(|names| order.iter().map(|&i| names[i].clone()).collect())
        };
        Ok(Self {
            images: TestImages {
                names: reference.images.names.clone(),
                identities: names(&self.images.identities),
                duplicate_of: names(&self.images.duplicate_of),
            },
            fln: head(&self.fln),
            cln: head(&self.cln),
            labels,
        })
    }
}

/// Advice for a damaged file.
const AGAIN: &str = "train the run again with --force to write it anew";

/// The table with its path for error messages.
struct Source<'a> {
    path: &'a Path,
    table: DataFrame,
}

impl Source<'_> {
    fn column(&self, name: &str) -> Result<&Column> {
        self.table.column(name).map_err(|_| {
            let found: Vec<&str> = self.table.get_column_names().iter().map(|n| n.as_str()).collect();
            Error::file(
                self.path,
                format!("has no column `{name}`: found {}, expected {}; {AGAIN}", found.join(", "), COLUMNS.join(", ")),
            )
        })
    }

    fn mistyped(&self, name: &str, expected: &str) -> Error {
        let found = self.table.column(name).map_or_else(|_| "nothing".to_owned(), |c| c.dtype().to_string());
        Error::file(self.path, format!("column `{name}` holds {found}, expected {expected}; {AGAIN}"))
    }

    fn row(&self, row: usize, message: impl std::fmt::Display) -> Error {
        Error::file(self.path, format!("row {}: {message}; {AGAIN}", row + 1))
    }

    /// The values of a column without nulls.
    fn filled<T>(&self, name: &str, values: impl Iterator<Item = Option<T>>) -> Result<Vec<T>> {
        values
            .enumerate()
            .map(|(row, value)| value.ok_or_else(|| self.row(row, format_args!("`{name}` is null"))))
            .collect()
    }

    /// The images' names. Checks that the rows are blocks of the 40 attributes in order.
    fn images(&self) -> Result<Vec<String>> {
        let image = self.column("image")?.str().map_err(|_| self.mistyped("image", "String"))?;
        let attribute = self.column("attribute")?.str().map_err(|_| self.mistyped("attribute", "String"))?;
        let rows = self.table.height();
        if rows == 0 || !rows.is_multiple_of(COUNT) {
            let message = format!("holds {rows} rows, expected {COUNT} an image and at least one image; {AGAIN}");
            return Err(Error::file(self.path, message));
        }
        let image = self.filled("image", image.iter())?;
        let attribute = self.filled("attribute", attribute.iter())?;
        for row in 0..rows {
            let expected = attribute::NAMES[row % COUNT];
            if attribute[row] != expected {
                return Err(self.row(row, format_args!("attribute `{}`, expected `{expected}`", attribute[row])));
            }
            let first = image[row - row % COUNT];
            if image[row] != first {
                return Err(self.row(row, format_args!("image `{}` among the rows of `{first}`", image[row])));
            }
        }
        let images: Vec<&str> = image.into_iter().step_by(COUNT).collect();
        let mut seen = HashSet::with_capacity(images.len());
        if let Some(twice) = images.iter().position(|name| !seen.insert(name)) {
            return Err(self.row(twice * COUNT, format_args!("image `{}` is a duplicate", images[twice])));
        }
        Ok(images.into_iter().map(str::to_owned).collect())
    }

    /// A name for each image; `None` if all are null, or in files of older versions without this column.
    fn names(&self, name: &str) -> Result<Option<Vec<Option<String>>>> {
        let Ok(column) = self.table.column(name) else { return Ok(None) };
        if column.null_count() == column.len() {
            return Ok(None);
        }
        let values: Vec<Option<&str>> = column.str().map_err(|_| self.mistyped(name, "String"))?.iter().collect();
        if let Some(row) = (0..values.len()).find(|row| values[*row] != values[row - row % COUNT]) {
            return Err(self.row(row, format_args!("`{name}` is not that of the image's first row")));
        }
        Ok(Some(values.into_iter().step_by(COUNT).map(|value| value.map(str::to_owned)).collect()))
    }

    /// A head's probabilities; `None` if all are null, which is a head that the run lacks.
    fn probabilities(&self, name: &str) -> Result<Option<Vec<f32>>> {
        let column = self.column(name)?;
        if column.null_count() == column.len() {
            return Ok(None);
        }
        let values = self.filled(name, column.f32().map_err(|_| self.mistyped(name, "Float32"))?.iter())?;
        match values.iter().position(|p| !(0.0..=1.0).contains(p)) {
            Some(row) => Err(self.row(row, format_args!("`{name}` is {}, expected a number from 0 to 1", values[row]))),
            None => Ok(Some(values)),
        }
    }
}
