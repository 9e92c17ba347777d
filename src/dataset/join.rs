//! Joins labels, partition, identities and images. An image that one of them lacks is an error that names it; no row
//! is dropped silently.

use super::extent;
use super::fields::{Annotation, Pairs, SourceLocation, no_rows, positions};
use super::header::without_extension;
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
    /// Images that labels and partition do not share.
    pub(super) left_out: LeftOut,
}

/// Numbers of images that one file names and another lacks, or that are announced and missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct LeftOut {
    /// With a split, without labels.
    pub(super) unlabelled: usize,
    /// With labels, without a split.
    pub(super) unsplit: usize,
}

impl LeftOut {
    fn total(self) -> usize {
        self.unlabelled + self.unsplit
    }

    /// The numbers as a clause; empty if there are none.
    fn clause(self) -> String {
        let counts = [(self.unlabelled, "without labels"), (self.unsplit, "without a split")];
        let parts =
            counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{} {what}", thousands(*count)));
        let parts: Vec<String> = parts.collect();
        if parts.is_empty() { String::new() } else { format!(" ({} left out)", parts.join(" and ")) }
    }
}

/// The advice about an image that a file lacks; ends a message.
const ALLOW: &str = "complete the file, or pass --allow-missing to leave out such images";

/// The row in `pairs` of each image of `labels`; `None` if it has none. Names that differ only in the extension are the
/// same image if no other name could be meant.
///
/// # Errors
/// An image appears twice in either.
fn rows_of<T>(labels: &Annotation, pairs: &Pairs<T>) -> Result<Vec<Option<usize>>> {
    if labels.images == pairs.images && is_increasing(&labels.images) {
        return Ok((0..labels.images.len()).map(Some).collect());
    }
    positions(&labels.images, &labels.location)?;
    let rows = positions(&pairs.images, &pairs.location)?;
    let mut found: Vec<Option<usize>> = labels.images.iter().map(|image| rows.get(image.as_str()).copied()).collect();
    if found.contains(&None) {
        let used: HashSet<usize> = found.iter().flatten().copied().collect();
        let unmatched: Vec<usize> = (0..found.len()).filter(|label| found[*label].is_none()).collect();
        let of_labels = by_stem(unmatched.iter().map(|label| (*label, &labels.images[*label])));
        let of_pairs = by_stem(pairs.images.iter().enumerate());
        for label in unmatched {
            let stem = without_extension(&labels.images[label]);
            let row = of_pairs.get(stem).copied().flatten().filter(|row| !used.contains(row));
            found[label] = row.filter(|_| of_labels.get(stem) == Some(&Some(label)));
        }
    }
    Ok(found)
}

/// The index of each image by its name without extension; `None` for a name that several have.
fn by_stem<'a>(images: impl Iterator<Item = (usize, &'a String)>) -> HashMap<&'a str, Option<usize>> {
    let mut stems = HashMap::new();
    for (index, image) in images {
        stems.entry(without_extension(image)).and_modify(|shared| *shared = None).or_insert(Some(index));
    }
    stems
}

/// The value in `pairs` of each image of `labels`; `None` if it has none. `what` names the values in messages.
///
/// # Errors
/// An image appears twice in either, or `pairs` lacks it and `options` does not allow that.
pub(super) fn values<T: Clone>(
    labels: &Annotation,
    pairs: &Pairs<T>,
    what: &str,
    options: Options,
) -> Result<Vec<Option<T>>> {
    let rows = rows_of(labels, pairs)?;
    if pairs.images.is_empty() {
        return Err(no_rows(&pairs.location.path));
    }
    let is_number = |image: &String| image.bytes().all(|byte| byte.is_ascii_digit());
    if rows.iter().all(Option::is_none) && pairs.images.iter().all(is_number) {
        let message = "names the images by numbers, which count the rows of another table: name each image as the labels \
                       do, in lines such as `Ann_Lee/Ann_Lee_0001.jpg,train`";
        return Err(Error::file(&pairs.location.path, message));
    }
    if let (Some(row), false) = (rows.iter().position(Option::is_none), options.allow_missing) {
        let (image, file) = (&labels.images[row], pairs.location.file_name());
        return Err(labels.location.error(row, format!("image {image} has no {what} in {file}: {ALLOW}")));
    }
    Ok(rows.into_iter().map(|row| row.map(|row| pairs.values[row].clone())).collect())
}

/// The split of each image of `labels`, `None` if it has none, and the numbers of images that one file lacks.
///
/// # Errors
/// As [`values`], or an image has a split but no labels, or the train or test split is empty.
pub(super) fn splits(
    labels: &Annotation,
    partition: &Pairs<Split>,
    options: Options,
) -> Result<(Vec<Option<Split>>, LeftOut)> {
    let rows = rows_of(labels, partition)?;
    let splits = values(labels, partition, "split", options)?;
    let unsplit = splits.iter().filter(|split| split.is_none()).count();
    let unlabelled = partition.images.len() - (splits.len() - unsplit);
    if unlabelled > 0 && !options.allow_missing {
        let labelled: HashSet<usize> = rows.into_iter().flatten().collect();
        let row = (0..partition.images.len()).find(|row| !labelled.contains(row)).unwrap_or_default();
        let (image, file) = (&partition.images[row], labels.location.file_name());
        let message = format!("image {image} has a split, but no labels in {file}: {ALLOW}");
        return Err(partition.location.error(row, message));
    }
    for wanted in [Split::Train, Split::Test] {
        if !partition.values.contains(&wanted) {
            let message = format!("the {} split is empty; 0 is train, 1 is val, 2 is test", wanted.label());
            return Err(Error::file(&partition.location.path, message));
        }
    }
    Ok((splits, LeftOut { unlabelled, unsplit }))
}

/// Checks that the label file has rows, and the number of images that it states.
///
/// # Errors
/// No rows, or another number, unless rows are missing and `options` allows that.
pub(super) fn check_count(labels: &Annotation, options: Options) -> Result<()> {
    if labels.images.is_empty() {
        return Err(no_rows(&labels.location.path));
    }
    check_stated_count(&labels.location, labels.images.len(), labels.count, options)
}

/// As [`check_count`], for a file of `images` that states `count` on a line.
pub(super) fn check_stated_count(
    location: &SourceLocation,
    images: usize,
    count: Option<(usize, usize)>,
    options: Options,
) -> Result<()> {
    match count {
        Some((count, line)) if count < images || (count > images && !options.allow_missing) => {
            let advice = if count > images {
                "download the file again, or pass --allow-missing to use this part"
            } else {
                "is the file of one piece?"
            };
            let message = format!("the count is {count}, but {images} images follow: {advice}");
            Err(Error::line(&location.path, line, message))
        }
        _ => Ok(()),
    }
}

/// A note on how many people appear in more than one split.
fn identity_note(splits: &[Split], identities: &[Option<String>]) -> String {
    let mut first_splits: HashMap<&str, Split> = HashMap::new();
    let mut shared: HashSet<&str> = HashSet::new();
    for (split, identity) in splits.iter().zip(identities) {
        if let Some(identity) = identity.as_deref()
            && first_splits.insert(identity, *split).is_some_and(|first| first != *split)
        {
            shared.insert(identity);
        }
    }
    let unknown = identities.iter().filter(|identity| identity.is_none()).count();
    let note = match (first_splits.len(), shared.len()) {
        (0, _) => return "identities: not known".to_owned(),
        (people, 0) => format!("identities: {}, none of them in two splits", thousands(people)),
        (people, shared) => {
            let shared = thousands(shared);
            format!("identities: {}, of which {shared} in two splits, which flatters test figures", thousands(people))
        }
    };
    if unknown == 0 { note } else { format!("{note}; not known of {} images", thousands(unknown)) }
}

impl JoinedAnnotation {
    /// Joins labels with the splits and identities of their images. Images without a split are left out.
    pub(super) fn new(
        labels: Annotation,
        splits: (Vec<Option<Split>>, LeftOut),
        identities: Vec<Option<String>>,
        partition: Partition,
        notes: Vec<String>,
    ) -> Self {
        let columns = Columns { sources: labels.images, splits: Vec::new(), identities, labels: labels.labels };
        Self::of_columns(columns, labels.location, splits, partition, notes)
    }

    /// As [`Self::new`], of columns that still lack the splits.
    pub(super) fn of_columns(
        mut columns: Columns,
        location: SourceLocation,
        (splits, left_out): (Vec<Option<Split>>, LeftOut),
        partition: Partition,
        notes: Vec<String>,
    ) -> Self {
        let present: Vec<bool> = splits.iter().map(Option::is_some).collect();
        if left_out.unsplit > 0 {
            retain(&mut columns.sources, &present);
            retain(&mut columns.identities, &present);
            retain(&mut columns.labels, &present);
        }
        columns.splits = splits.into_iter().flatten().collect();
        Self { columns, location, partition, notes, left_out }
    }

    /// Notes how many people appear in more than one split.
    pub(super) fn note_people(&mut self) {
        self.notes.push(identity_note(&self.columns.splits, &self.columns.identities));
    }

    /// The table without images.
    pub(super) fn without_images(mut self) -> Result<Annotations> {
        self.describe(self.columns.sources.len());
        Ok(Annotations { table: table::build(self.columns)?, partition: self.partition, notes: self.notes })
    }

    /// The data set of the images that exist.
    ///
    /// # Errors
    /// An image is missing and `options` does not allow that, or no image is left.
    pub(super) fn with_images(mut self, name: DatasetName, folder: ImageFolder, options: Options) -> Result<Dataset> {
        let (kept, total) = (folder.present(), folder.files.len());
        if let Some(first) = folder.files.iter().position(Option::is_none) {
            if !options.allow_missing {
                return Err(self.missing_error(&folder, first, total - kept));
            }
            if kept == 0 {
                let message = format!("contains none of the {} annotated images", thousands(total));
                return Err(Error::file(&folder.path, message));
            }
            let present: Vec<bool> = folder.files.iter().map(Option::is_some).collect();
            self.keep(&present);
        }
        let files: Vec<String> = folder.files.into_iter().flatten().collect();
        let renamed = files.iter().zip(&self.columns.sources).filter(|(file, name)| file != name).count();
        self.columns.sources = files;
        self.describe(total);
        let reduced = extent::reduced_size(name, &folder.path, &self.columns.sources);
        self.partition.extent = extent::describe(kept, total + self.left_out.total(), reduced);
        if let Some((width, height)) = reduced {
            let (own_width, own_height) = name.image_size();
            self.partition.description = format!(
                "{}; the sources are {width} x {height} pixels, those of the data set {own_width} x {own_height}",
                self.partition.description
            );
        }
        if folder.found > kept {
            let (found, unlabelled) = (thousands(folder.found), thousands(folder.found - kept));
            self.notes.push(format!("images: {found} in the folder, {unlabelled} of them without labels and left out"));
        }
        if renamed > 0 {
            let renamed = thousands(renamed);
            self.notes.push(format!("images: the annotation names {renamed} of them by another extension or folder"));
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

    /// States in the partition and the notes that images were left out of the `total` with labels and a split, if any
    /// were.
    fn describe(&mut self, total: usize) {
        let splits = &self.columns.splits;
        let total = total + self.left_out.total();
        if splits.len() == total {
            return;
        }
        let left_out = self.left_out.clause();
        let remark = format!("subset: {} of {} annotated images{left_out}", thousands(splits.len()), thousands(total));
        let [train, val, test] =
            Split::ALL.map(|wanted| thousands(splits.iter().filter(|split| **split == wanted).count()));
        let partition = &mut self.partition;
        partition.official = false;
        partition.description = format!("{}; {remark}, {train} train, {val} val, {test} test", partition.description);
        self.notes.push(remark);
    }

    /// Keeps the rows for which `present` holds, and counts the people anew.
    fn keep(&mut self, present: &[bool]) {
        let people = identity_note(&self.columns.splits, &self.columns.identities);
        let columns = &mut self.columns;
        retain(&mut columns.sources, present);
        retain(&mut columns.splits, present);
        retain(&mut columns.identities, present);
        retain(&mut columns.labels, present);
        let kept_people = identity_note(&self.columns.splits, &self.columns.identities);
        self.notes.iter_mut().filter(|note| **note == people).for_each(|note| note.clone_from(&kept_people));
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
