//! Labels, partition, identities and images put together, each against the others: an image that one of them lacks is
//! an error that names it, never a row that quietly goes.

use super::annotation::{Annotation, Origin, Pairs, positions};
use super::layout::ImageFolder;
use super::table::{self, Columns};
use super::{Annotations, Dataset, DatasetName, Images, Options, Partition, Split};
use crate::error::{Error, Result};
use crate::render::format::thousands;
use std::collections::{HashMap, HashSet};

/// Annotations that agree with each other, before anyone looked for the images.
#[derive(Debug)]
pub(super) struct Annotated {
    /// One row an image.
    pub(super) columns: Columns,
    /// Where each row's labels stood.
    pub(super) origin: Origin,
    /// Whose partition it is, if no image is missing.
    pub(super) partition: Partition,
    /// What a reader of the report should know.
    pub(super) notes: Vec<String>,
}

/// For each image of `labels` its value in `pairs`; `what` is what `pairs` gives.
///
/// # Errors
/// An image stands twice in either, or `pairs` lacks it.
pub(super) fn values<'a, T>(labels: &Annotation, pairs: &'a Pairs<T>, what: &str) -> Result<Vec<&'a T>> {
    if is_same_order(labels, pairs) {
        return Ok(pairs.values.iter().collect());
    }
    positions(&labels.images, &labels.origin)?;
    let rows = positions(&pairs.images, &pairs.origin)?;
    let look_up = |(row, image): (usize, &String)| {
        let found = rows.get(image.as_str()).map(|found| &pairs.values[*found]);
        found.ok_or_else(|| {
            labels.origin.fault(row, format!("image {image} has no {what} in {}", pairs.origin.file_name()))
        })
    };
    labels.images.iter().enumerate().map(look_up).collect()
}

/// As [`values`], from pairs that are not needed again.
///
/// # Errors
/// As [`values`].
pub(super) fn into_values<T: Clone>(labels: &Annotation, pairs: Pairs<T>, what: &str) -> Result<Vec<T>> {
    if is_same_order(labels, &pairs) {
        return Ok(pairs.values);
    }
    Ok(values(labels, &pairs, what)?.into_iter().cloned().collect())
}

/// The official files list the same images in the same rising order: then there is nothing to look up.
fn is_same_order<T>(labels: &Annotation, pairs: &Pairs<T>) -> bool {
    labels.images == pairs.images && is_rising(&labels.images)
}

/// The split of each image of `labels`.
///
/// # Errors
/// As [`values`], or an image has a split but no labels, or there is nothing to train on or nothing to test on.
pub(super) fn splits(labels: &Annotation, partition: &Pairs<Split>) -> Result<Vec<Split>> {
    let splits: Vec<Split> = values(labels, partition, "split")?.into_iter().copied().collect();
    if partition.images.len() > labels.images.len() {
        let labelled: HashSet<&str> = labels.images.iter().map(String::as_str).collect();
        let stranger = partition.images.iter().position(|image| !labelled.contains(image.as_str()));
        let row = stranger.unwrap_or_default();
        let message =
            format!("image {} has a split, but no labels in {}", partition.images[row], labels.origin.file_name());
        return Err(partition.origin.fault(row, message));
    }
    for wanted in [Split::Train, Split::Test] {
        if !splits.contains(&wanted) {
            let message = format!("no image is in the {} split; 0 is train, 1 is val, 2 is test", wanted.label());
            return Err(Error::file(&partition.origin.path, message));
        }
    }
    Ok(splits)
}

/// Whether someone is in two splits, as a note.
pub(super) fn identity_note(splits: &[Split], identities: &[Option<String>]) -> String {
    let mut homes: HashMap<&str, Split> = HashMap::new();
    let mut shared: HashSet<&str> = HashSet::new();
    for (split, identity) in splits.iter().zip(identities) {
        if let Some(identity) = identity.as_deref()
            && homes.insert(identity, *split).is_some_and(|home| home != *split)
        {
            shared.insert(identity);
        }
    }
    match (homes.len(), shared.len()) {
        (0, _) => "identities: not known".to_owned(),
        (people, 0) => format!("identities: {}, none of them in two splits", thousands(people)),
        (people, shared) => {
            let shared = thousands(shared);
            format!("identities: {}, of which {shared} in two splits, which flatters test figures", thousands(people))
        }
    }
}

impl Annotated {
    /// As a table alone.
    pub(super) fn without_images(self) -> Result<Annotations> {
        Ok(Annotations { table: table::build(self.columns)?, partition: self.partition, notes: self.notes })
    }

    /// The data set of the images that exist.
    ///
    /// # Errors
    /// An image is missing and `options` does not ask for a subset, or no image is left.
    pub(super) fn with_images(mut self, name: DatasetName, folder: ImageFolder, options: Options) -> Result<Dataset> {
        let present: Vec<bool> = self.columns.sources.iter().map(|source| folder.found.contains(source)).collect();
        let (kept, total) = (present.iter().filter(|present| **present).count(), present.len());
        if let Some(first) = present.iter().position(|present| !present) {
            if !options.subset {
                return Err(self.missing(&folder, first, total - kept));
            }
            if kept == 0 {
                let message = format!("holds none of the {} annotated images", thousands(total));
                return Err(Error::file(&folder.path, message));
            }
            self.keep(&present);
            let remark = format!("subset: {} of {} annotated images", thousands(kept), thousands(total));
            self.partition.official = false;
            self.partition.description = format!("{}; {remark}", self.partition.description);
            self.notes.push(remark);
        }
        if folder.found.len() > kept {
            let (found, unlabelled) = (thousands(folder.found.len()), thousands(folder.found.len() - kept));
            self.notes.push(format!("images: {found} in the folder, {unlabelled} of them without labels and left out"));
        }
        Ok(Dataset {
            name,
            table: table::build(self.columns)?,
            images: Images::Folder(folder.path),
            partition: self.partition,
            notes: self.notes,
        })
    }

    /// The complaint that an annotated image has no file.
    fn missing(&self, folder: &ImageFolder, first: usize, count: usize) -> Error {
        let message = format!(
            "image {} ({}) is missing, one of {} missing of {} annotated: unpack them all here, or ask for --subset to \
             keep only those that exist",
            self.columns.sources[first],
            self.origin.place(first),
            thousands(count),
            thousands(self.columns.sources.len()),
        );
        Error::file(&folder.path, message)
    }

    /// Keeps the rows for which `present` holds.
    fn keep(&mut self, present: &[bool]) {
        let columns = &mut self.columns;
        retain(&mut columns.sources, present);
        retain(&mut columns.splits, present);
        retain(&mut columns.identities, present);
        retain(&mut columns.labels, present);
    }
}

/// Keeps the items for which `present` holds.
fn retain<T>(items: &mut Vec<T>, present: &[bool]) {
    let mut present = present.iter();
    items.retain(|_| present.next().copied().unwrap_or_default());
}

/// Every name is greater than the one before, so that none stands twice.
fn is_rising(images: &[String]) -> bool {
    images.is_sorted_by(|a, b| a < b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_in_two_splits_is_counted_once() {
        let splits = [Split::Train, Split::Test, Split::Test, Split::Train];
        let identities = ["ann", "ann", "ann", "bob"].map(|name| Some(name.to_owned()));
        let note = identity_note(&splits, &identities);
        assert_eq!(note, "identities: 2, of which 1 in two splits, which flatters test figures");
    }

    #[test]
    fn nobody_known_is_said_so() {
        assert_eq!(identity_note(&[Split::Train], &[None]), "identities: not known");
    }
}
