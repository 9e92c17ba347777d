//! The table that every source returns and every later stage reads: `source`, `split`, `identity`, then the 40
//! attributes. [`build`] makes it from columns; [`rows`] reads it back.

use super::split::Split;
use crate::attribute::{COUNT, ImageLabels, NAMES};
use crate::error::{Error, Result};
use polars::prelude::*;
use rayon::prelude::*;

/// The columns of a table, all of one length.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Columns {
    /// Unique paths below the image folder, with forward slashes.
    pub sources: Vec<String>,
    /// Splits of the images.
    pub splits: Vec<Split>,
    /// The person in each image, if known.
    pub identities: Vec<Option<String>>,
    /// Labels in the order of [`NAMES`].
    pub labels: Vec<ImageLabels>,
}

/// One image of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row<'a> {
    /// Path below the image folder.
    pub source: &'a str,
    /// Split of the image.
    pub split: Split,
    /// The person in the image, if known.
    pub identity: Option<&'a str>,
    /// Labels in the order of [`NAMES`].
    pub labels: ImageLabels,
}

/// Builds the table of `columns`.
///
/// # Errors
/// The columns differ in length.
pub fn build(columns: Columns) -> Result<DataFrame> {
    let Columns { sources, splits, identities, labels } = columns;
    let texts = || {
        let splits = StringChunked::from_iter_values("split".into(), splits.iter().map(|split| split.label()));
        [
            StringChunked::from_iter_values("source".into(), sources.iter().map(String::as_str)).into_column(),
            splits.into_column(),
            StringChunked::from_iter_options("identity".into(), identities.iter().map(Option::as_deref)).into_column(),
        ]
    };
    let attributes = || {
        // Rows packed into bits stay in the CPU cache while the 40 columns are extracted.
        let packed: Vec<PackedLabels> = labels.par_iter().map(PackedLabels::new).collect();
        let columns = NAMES
            .par_iter()
            .enumerate()
            .map(|(attribute, name)| label_column(name, packed.iter().map(|row| row.label(attribute))));
        columns.collect::<Vec<Column>>()
    };
    let (texts, attributes) = rayon::join(texts, attributes);
    let columns: Vec<Column> = texts.into_iter().chain(attributes).collect();
    Ok(DataFrame::new(sources.len(), columns)?)
}

/// A row's labels as bits, the first attribute lowest.
struct PackedLabels {
    positive: u64,
    known: u64,
}

impl PackedLabels {
    fn new(labels: &ImageLabels) -> Self {
        let bits = |is: fn(&Option<bool>) -> bool| {
            labels.iter().enumerate().fold(0, |bits, (attribute, label)| bits | (u64::from(is(label)) << attribute))
        };
        Self { positive: bits(|label| *label == Some(true)), known: bits(Option::is_some) }
    }

    fn label(&self, attribute: usize) -> Option<bool> {
        ((self.known >> attribute) & 1 == 1).then_some((self.positive >> attribute) & 1 == 1)
    }
}

/// A Boolean column of labels, null if a label is not known. A column without nulls has no validity bitmap, with which the
/// same labels would be other bytes of a Parquet file.
pub fn label_column(name: &str, labels: impl Iterator<Item = Option<bool>> + Clone) -> Column {
    let is_known = labels.clone().all(|label| label.is_some());
    let column: BooleanChunked =
        if is_known { labels.map(Option::unwrap_or_default).collect() } else { labels.collect() };
    column.with_name(PlSmallStr::from_str(name)).into_column()
}

/// Every row of a table from [`build`], or of its copy on disk.
///
/// # Errors
/// A column is missing or of another type, or contains an unexpected null.
pub fn rows(table: &DataFrame) -> Result<Vec<Row<'_>>> {
    let sources = sources(table)?;
    let splits = splits(table)?;
    let identities = table.column("identity")?.str()?;
    let mut rows: Vec<Row<'_>> = sources
        .into_iter()
        .zip(splits)
        .zip(identities.iter())
        .map(|((source, split), identity)| Row { source, split, identity, labels: [None; COUNT] })
        .collect();
    for (attribute, name) in NAMES.iter().enumerate() {
        for (row, label) in rows.iter_mut().zip(table.column(name)?.bool()?.iter()) {
            row.labels[attribute] = label;
        }
    }
    Ok(rows)
}

/// The `source` column.
///
/// # Errors
/// As [`rows`].
pub fn sources(table: &DataFrame) -> Result<Vec<&str>> {
    let column = table.column("source")?.str()?;
    column.iter().map(|source| source.ok_or_else(|| unexpected_null("source"))).collect()
}

/// Numbers of rows in train, val and test.
///
/// # Errors
/// As [`rows`].
pub fn counts(table: &DataFrame) -> Result<[usize; 3]> {
    let splits = splits(table)?;
    Ok(Split::ALL.map(|wanted| splits.iter().filter(|split| **split == wanted).count()))
}

/// Replaces the `split` column.
///
/// # Errors
/// `splits` has another length than the table.
pub(super) fn set_splits(table: &mut DataFrame, splits: &[Split]) -> Result<()> {
    let labels = splits.iter().map(|split| split.label());
    table.with_column(StringChunked::from_iter_values("split".into(), labels).into_column())?;
    Ok(())
}

/// The `split` column.
fn splits(table: &DataFrame) -> Result<Vec<Split>> {
    let column = table.column("split")?.str()?;
    let parsed = column.iter().map(|text| {
        let text = text.ok_or_else(|| unexpected_null("split"))?;
        Split::parse(text).ok_or_else(|| Error::Internal(format!("the table has a split called {text:?}")))
    });
    parsed.collect()
}

/// The error of a null in a column without nulls.
fn unexpected_null(column: &str) -> Error {
    Error::Internal(format!("the table's column {column} has a null"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Columns {
        let mut labels = [[Some(false); COUNT]; 3];
        labels[0][20] = Some(true);
        labels[2][39] = Some(true);
        labels[2][5] = None;
        Columns {
            sources: ["a/a_0001.jpg", "b/b_0001.jpg", "b/b_0002.jpg"].map(str::to_owned).to_vec(),
            splits: vec![Split::Train, Split::Test, Split::Train],
            identities: vec![Some("a".to_owned()), None, Some("b".to_owned())],
            labels: labels.to_vec(),
        }
    }

    #[test]
    fn a_table_returns_the_rows_it_was_built_from() {
        let expected = columns();
        let table = build(expected.clone()).unwrap();
        let rows = rows(&table).unwrap();
        for (i, row) in rows.iter().enumerate() {
            assert_eq!(row.source, expected.sources[i]);
            assert_eq!(row.split, expected.splits[i]);
            assert_eq!(row.identity, expected.identities[i].as_deref());
            assert_eq!(row.labels, expected.labels[i]);
        }
        assert_eq!(rows.len(), 3);
    }

    #[test]
    fn the_attribute_columns_are_boolean_and_in_the_order_of_names() {
        let table = build(columns()).unwrap();
        let names: Vec<&str> = table.get_column_names().into_iter().map(PlSmallStr::as_str).collect();
        assert_eq!(names[..3], ["source", "split", "identity"]);
        assert_eq!(names[3..], NAMES);
        assert_eq!(table.column("Male").unwrap().dtype(), &DataType::Boolean);
    }

    #[test]
    fn counts_are_in_the_order_train_val_test() {
        assert_eq!(counts(&build(columns()).unwrap()).unwrap(), [2, 0, 1]);
    }

    #[test]
    fn columns_of_different_lengths_are_refused() {
        let mut uneven = columns();
        uneven.splits.pop();
        assert!(build(uneven).is_err());
    }
}
