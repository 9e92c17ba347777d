//! Joins labels, partition, identities and images. An image that one of them lacks is an error that names it; no row
//! is dropped silently.

use super::extent;
use super::fields::{Annotation, Pairs, SourceLocation, positions};
use super::layout::ImageFolder;
use super::name::DatasetName;
use super::set::{Annotations, Dataset, Images, Options, Partition};
use super::split::Split;
use super::table::{self, Columns};
use crate::error::{Error, Result};
use crate::render::format::thousands;
use std::collections::{HashMap, HashSet};

/// Labels, splits and identities that agree with each other; images are not checked yet.
#[derive(Debug)]
pub(super) struct JoinedAnnotation {
    /// One row per image.
    pub(super) columns: Columns,
    /// Positions of the rows in the label file.
    pub(super) location: SourceLocation,
    /// The partition, if no image is missing.
    pub(super) partition: Partition,
    /// Remarks for the report.
    pub(super) notes: Vec<String>,
}

/// The value in `pairs` of each image of `labels`; `what` names the values in messages.
///
/// # Errors
/// An image appears twice in either, or `pairs` lacks it.
pub(super) fn values<'a, T>(labels: &Annotation, pairs: &'a Pairs<T>, what: &str) -> Result<Vec<&'a T>> {
    if is_same_order(labels, pairs) {
        return Ok(pairs.values.iter().collect());
    }
    positions(&labels.images, &labels.location)?;
    let rows = positions(&pairs.images, &pairs.location)?;
    let look_up = |(row, image): (usize, &String)| {
        let found = rows.get(image.as_str()).map(|found| &pairs.values[*found]);
        found.ok_or_else(|| {
            labels.location.error(row, format!("image {image} has no {what} in {}", pairs.location.file_name()))
        })
    };
    labels.images.iter().enumerate().map(look_up).collect()
}

/// As [`values`], but consumes `pairs`.
///
/// # Errors
/// As [`values`].
pub(super) fn into_values<T: Clone>(labels: &Annotation, pairs: Pairs<T>, what: &str) -> Result<Vec<T>> {
    if is_same_order(labels, &pairs) {
        return Ok(pairs.values);
    }
    Ok(values(labels, &pairs, what)?.into_iter().cloned().collect())
}

/// Returns whether both list the same images in the same increasing order, as the official files do.
fn is_same_order<T>(labels: &Annotation, pairs: &Pairs<T>) -> bool {
    labels.images == pairs.images && is_increasing(&labels.images)
}

/// The split of each image of `labels`.
///
/// # Errors
/// As [`values`], or an image has a split but no labels, or the train or test split is empty.
pub(super) fn splits(labels: &Annotation, partition: &Pairs<Split>) -> Result<Vec<Split>> {
    let splits: Vec<Split> = values(labels, partition, "split")?.into_iter().copied().collect();
    if partition.images.len() > labels.images.len() {
        let labelled: HashSet<&str> = labels.images.iter().map(String::as_str).collect();
        let unlabelled = partition.images.iter().position(|image| !labelled.contains(image.as_str()));
        let row = unlabelled.unwrap_or_default();
        let message =
            format!("image {} has a split, but no labels in {}", partition.images[row], labels.location.file_name());
        return Err(partition.location.error(row, message));
    }
    for wanted in [Split::Train, Split::Test] {
        if !splits.contains(&wanted) {
            let message = format!("the {} split is empty; 0 is train, 1 is val, 2 is test", wanted.label());
            return Err(Error::file(&partition.location.path, message));
        }
    }
    Ok(splits)
}

/// A note on how many people appear in more than one split.
pub(super) fn identity_note(splits: &[Split], identities: &[Option<String>]) -> String {
    let mut first_splits: HashMap<&str, Split> = HashMap::new();
    let mut shared: HashSet<&str> = HashSet::new();
    for (split, identity) in splits.iter().zip(identities) {
        if let Some(identity) = identity.as_deref()
            && first_splits.insert(identity, *split).is_some_and(|first| first != *split)
        {
            shared.insert(identity);
        }
    }
    match (first_splits.len(), shared.len()) {
        (0, _) => "identities: not known".to_owned(),
        (people, 0) => format!("identities: {}, none of them in two splits", thousands(people)),
        (people, shared) => {
            let shared = thousands(shared);
            format!("identities: {}, of which {shared} in two splits, which flatters test figures", thousands(people))
        }
    }
}

impl JoinedAnnotation {
    /// The table without images.
    pub(super) fn without_images(self) -> Result<Annotations> {
        Ok(Annotations { table: table::build(self.columns)?, partition: self.partition, notes: self.notes })
    }

    /// The data set of the images that exist.
    ///
    /// # Errors
    /// An image is missing and `options` does not allow that, or no image is left.
    pub(super) fn with_images(mut self, name: DatasetName, folder: ImageFolder, options: Options) -> Result<Dataset> {
        let present: Vec<bool> = self.columns.sources.iter().map(|source| folder.found.contains(source)).collect();
        let (kept, total) = (present.iter().filter(|present| **present).count(), present.len());
        if let Some(first) = present.iter().position(|present| !present) {
            if !options.allow_missing {
                return Err(self.missing_error(&folder, first, total - kept));
            }
            if kept == 0 {
                let message = format!("contains none of the {} annotated images", thousands(total));
                return Err(Error::file(&folder.path, message));
            }
            self.keep_subset(&present);
        }
        let reduced = extent::reduced_size(name, &folder.path, &self.columns.sources);
        self.partition.extent = extent::describe(kept, total, reduced);
        if let Some((width, height)) = reduced {
            let (own_width, own_height) = name.image_size();
            self.partition.description = format!(
                "{}; the sources are {width} x {height} pixels, those of the data set {own_width} x {own_height}",
                self.partition.description
            );
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

    /// The error of an annotated image without a file.
    fn missing_error(&self, folder: &ImageFolder, first: usize, count: usize) -> Error {
        let message = format!(
            "image {} ({}) is missing, in total {} of {} annotated images: unpack all of them here, or pass --allow-missing \
             to leave these out",
            self.columns.sources[first],
            self.location.describe(first),
            thousands(count),
            thousands(self.columns.sources.len()),
        );
        Error::file(&folder.path, message)
    }

    /// Keeps the rows for which `present` holds, and states it in the partition and the notes.
    fn keep_subset(&mut self, present: &[bool]) {
        let people = identity_note(&self.columns.splits, &self.columns.identities);
        self.keep(present);
        let splits = &self.columns.splits;
        let kept_people = identity_note(splits, &self.columns.identities);
        self.notes.iter_mut().filter(|note| **note == people).for_each(|note| note.clone_from(&kept_people));
        let remark = format!("subset: {} of {} annotated images", thousands(splits.len()), thousands(present.len()));
        let [train, val, test] =
            Split::ALL.map(|wanted| thousands(splits.iter().filter(|split| **split == wanted).count()));
        let partition = &mut self.partition;
        partition.official = false;
        partition.description = format!("{}; {remark}, {train} train, {val} val, {test} test", partition.description);
        self.notes.push(remark);
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

/// Returns whether the names strictly increase, which excludes duplicates.
fn is_increasing(images: &[String]) -> bool {
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
    fn unknown_identities_are_noted() {
        assert_eq!(identity_note(&[Split::Train], &[None]), "identities: not known");
    }
}
