//! LFWA (Liu et al. 2015): the 13,143 of LFW's 13,233 images that have CelebA's 40 attributes. Labels are 0 and 1 in
//! `lfw_att_40`; the partition is in `indices_train_test`. Both are the authors' MATLAB 7.3 files, or CSV and text
//! conversions. Each person has a folder of images.

use super::annotation::{read_attributes, read_partition};
use super::checksums;
use super::fields::{Annotation, LabelEncoding, SourceLocation, column_order, file_name, positions};
use super::header::without_extension;
use super::join::{self, JoinedAnnotation, LeftOut, check_count};
use super::layout::Layout;
use super::matlab::MatFile;
use super::name::DatasetName;
use super::people;
use super::set::{Annotations, Dataset, Options, Partition};
use super::split::Split;
use crate::attribute::{COUNT, NAMES};
use crate::error::{Error, Result};
use crate::io;
use crate::render::format::thousands;
use std::collections::HashMap;
use std::path::Path;

/// LFW's archives unpack into `lfw`, `lfw-deepfunneled` or `lfw_funneled`, in Kaggle's into a folder of the same name and
/// in scikit-learn's cache into `lfw_home`. LFWA's annotation unpacks into `anno`.
const LAYOUT: Layout = Layout {
    title: "LFWA",
    bases: &["", "lfwa", "LFWA"],
    folders: &["", "anno"],
    images: &[
        "lfw",
        "lfw-deepfunneled/lfw-deepfunneled",
        "lfw-deepfunneled",
        "lfw_funneled",
        "images",
        "lfw/lfw",
        "lfw_funneled/lfw_funneled",
        "lfw-funneled/lfw_funneled",
        "lfw-funneled",
        "lfw_home/lfw_funneled",
        "lfw_home/lfw-deepfunneled",
        "lfw_home/lfw",
        "lfw/lfw_funneled",
        "lfw/lfw-deepfunneled",
        "",
    ],
};

/// Reads LFWA below `root`; every annotated image must exist. See [`read_with`].
///
/// # Errors
/// As [`read_with`].
pub fn read(root: &Path) -> Result<Dataset> {
    read_with(root, Options::default())
}

/// Reads LFWA below `root` or its folder `lfwa`.
///
/// # Errors
/// A file is missing or breaks its format, files contradict each other, or an annotated image is missing and `options`
/// does not allow that.
pub fn read_with(root: &Path, options: Options) -> Result<Dataset> {
    let mut annotation = read_annotation(root, options)?;
    let folder = LAYOUT.images(root, &annotation.columns.sources)?;
    annotation.notes.push(format!("image folder: {}", file_name(&folder.path)));
    annotation.with_images(DatasetName::Lfwa, folder, options)
}

/// Reads the annotations of LFWA below `root` without its images, for label statistics.
///
/// # Errors
/// As [`read_with`], except for images.
pub fn annotations(root: &Path, options: Options) -> Result<Annotations> {
    read_annotation(root, options)?.without_images()
}

/// Reads the annotation files and checks them against each other.
fn read_annotation(root: &Path, options: Options) -> Result<JoinedAnnotation> {
    let path = LAYOUT.require(root, "attribute file", &["lfw_att_40.mat", "lfw_att_40.csv", "lfw_att_40.txt"])?;
    let partitions = ["indices_train_test.mat", "indices_train_test.csv", "indices_train_test.txt"];
    let conversions = ["lfw_partition.csv", "lfw_partition.txt"];
    let partition_path = LAYOUT.require(root, "partition", &[&partitions[..], &conversions[..]].concat())?;
    let bytes = io::read_up_to(&path, io::TABLE_BYTES)?;
    let mut notes = vec![checksums::identify(DatasetName::Lfwa, "labels", &path, &bytes)?.sentence];
    let mut labels =
        if is_mat(&path) { from_mat(&path, bytes)? } else { read_attributes(&path, &bytes, LabelEncoding::EITHER)? };
    check_count(&labels, options)?;
    let mut identities = people::of(&labels.images);
    put_in_folders(&mut labels.images);
    positions(&labels.images, &labels.location)?;

    let bytes = io::read_up_to(&partition_path, io::TABLE_BYTES)?;
    let provenance = checksums::identify(DatasetName::Lfwa, "partition", &partition_path, &bytes)?;
    let splits = if is_mat(&partition_path) {
        let is_authors = names_digest(&labels.images) == AUTHORS_ORDER;
        if !is_authors && (provenance.official || !is_mat(&path)) {
            return Err(other_rows(&labels, &partition_path, "has other images or another order"));
        }
        let splits = splits_by_index(&labels, &partition_path, bytes)?;
        if !is_authors {
            check_people(&labels, &splits, &identities, &partition_path)?;
        }
        (splits.into_iter().map(Some).collect(), LeftOut::default())
    } else {
        let mut partition = read_partition(&partition_path, &bytes)?;
        put_in_folders(&mut partition.images);
        join::splits(&labels, &partition, options)?
    };
    notes.extend(people::forget_shared(&mut identities, &splits.0));
    let [train, val, test] = Split::ALL.map(|wanted| splits.0.iter().filter(|split| **split == Some(wanted)).count());
    let held_out = if val == 0 { String::new() } else { format!("{} val, ", thousands(val)) };
    let (train, test) = (thousands(train), thousands(test));
    let description = format!("{}; {train} train, {held_out}{test} test images", provenance.sentence);
    let partition = Partition { official: provenance.official, description, ..Partition::default() };
    let mut annotation = JoinedAnnotation::new(labels, splits, identities, partition, notes);
    annotation.note_people();
    Ok(annotation)
}

/// Reads the labels of `lfw_att_40.mat`: `label` is 0 or 1, images x attributes in MATLAB's order.
pub(super) fn from_mat(path: &Path, bytes: Vec<u8>) -> Result<Annotation> {
    let file = MatFile::open(path, bytes)?;
    let names = file.strings("AttrName")?;
    let order =
        column_order(names.iter().map(String::as_str), |message| Error::file(path, format!("`AttrName`: {message}")))?;
    let images: Vec<String> = file.strings("name")?.into_iter().map(|name| name.replace('\\', "/")).collect();
    let (shape, values) = file.numbers("label")?;
    // Strides of attributes and images in `values`.
    let (attribute_stride, image_stride) = match shape[..] {
        [COUNT, count] if count == images.len() => (count, 1),
        [count, COUNT] if count == images.len() => (1, COUNT),
        _ => {
            let sides: Vec<String> = shape.iter().rev().map(usize::to_string).collect();
            let (sides, count) = (sides.join(" x "), images.len());
            return Err(Error::file(path, format!("`label` is {sides}, expected {count} x {COUNT} for {count} names")));
        }
    };
    let location = SourceLocation { path: path.to_owned(), lines: None };
    let mut labels = vec![[None; COUNT]; images.len()];
    for (row, image) in images.iter().enumerate() {
        for (column, &index) in order.iter().enumerate() {
            let value = values[column * attribute_stride + row * image_stride];
            let label = zero_or_one(value).ok_or_else(|| {
                let name = NAMES[index];
                location.error(row, format!("`label` of {image} for {name} is {value}, expected 0 or 1"))
            })?;
            labels[row][index] = Some(label);
        }
    }
    Ok(Annotation { location, images, labels, negative: Some(0), count: None })
}

/// The split of each image of `labels`, from the 1-based row indices `indices_img_train` and `indices_img_test`.
pub(super) fn splits_by_index(labels: &Annotation, path: &Path, bytes: Vec<u8>) -> Result<Vec<Split>> {
    let file = MatFile::open(path, bytes)?;
    let total = labels.images.len();
    let mut splits: Vec<Option<Split>> = vec![None; total];
    for (variable, split) in [("indices_img_train", Split::Train), ("indices_img_test", Split::Test)] {
        let (_, indices) = file.numbers(variable)?;
        if indices.is_empty() {
            return Err(Error::file(&file.path, format!("`{variable}` is empty, expected image numbers")));
        }
        for (entry, index) in indices.into_iter().enumerate() {
            let error =
                |message: String| Error::file(&file.path, format!("`{variable}`, entry {}: {message}", entry + 1));
            if index.fract() != 0.0 || !(1.0..=total as f64).contains(&index) {
                let rows = format!("the rows of {}", labels.location.file_name());
                return Err(error(format!("found {index}, expected a whole number from 1 to {total}, {rows}")));
            }
            let row = index as usize - 1;
            if let Some(before) = splits[row].replace(split) {
                let image = &labels.images[row];
                let before = before.label();
                return Err(error(format!("image {index} ({image}) is already in the {before} split")));
            }
        }
    }
    let assigned = splits.into_iter().enumerate().map(|(row, split)| {
        let image = &labels.images[row];
        let message =
            || format!("image {} ({image}) is in neither `indices_img_train` nor `indices_img_test`", row + 1);
        split.ok_or_else(|| Error::file(&file.path, message()))
    });
    assigned.collect()
}

/// Gives every name the form `Person/Person_0001.jpg` of LFW's files; conversions often add or drop folders.
fn put_in_folders(images: &mut [String]) {
    for image in images {
        let mut parts = image.rsplit('/');
        let (file, folder) = (parts.next().unwrap_or_default(), parts.next());
        let placed = match folder.or_else(|| people::folder_of(file)) {
            Some(folder) => format!("{folder}/{file}"),
            None => file.to_owned(),
        };
        *image = placed;
    }
}

/// The error of an index partition, `path`, that counts other rows than those of `labels`, for `reason`.
fn other_rows(labels: &Annotation, path: &Path, reason: &str) -> Error {
    let table = labels.location.file_name();
    let message = format!(
        "counts the rows of the authors' lfw_att_40.mat, and {table} {reason}: use the authors' table, or remove this file \
         and write lfw_partition.csv with a line such as `Ann_Lee/Ann_Lee_0001.jpg,train` for each image"
    );
    Error::file(path, message)
}

/// Checks that `splits`, read by row numbers from `path`, can belong to the rows of `labels`, a table that is not the
/// authors'. Partitions of faces are ones of people, so a person in two splits shows another order.
fn check_people(labels: &Annotation, splits: &[Split], identities: &[Option<String>], path: &Path) -> Result<()> {
    let mut split_of: HashMap<&str, Split> = HashMap::new();
    let mut is_tested = false;
    for (person, split) in identities.iter().zip(splits) {
        let Some(person) = person.as_deref() else { continue };
        let Some(before) = split_of.insert(person, *split) else { continue };
        if before != *split {
            let reason = format!("has another order, as it would put {person} into both splits");
            return Err(other_rows(labels, path, &reason));
        }
        is_tested = true;
    }
    if is_tested {
        return Ok(());
    }
    Err(other_rows(labels, path, "has no person with several images, who would show that its order is the same"))
}

/// BLAKE3 of the file names of the authors' 13,143 images in the order of `lfw_att_40.mat`, each without its extension and
/// followed by LF. In this order the official partition has no person in two splits. The majority labels of its test half
/// are then the published ones in all 40 attributes.
const AUTHORS_ORDER: &str = "a5fd4cf5e8ad99ef51cd12d87a0ff55db8569435258c972b3eac0cc1fb83e3ba";

/// BLAKE3 of the names as in [`AUTHORS_ORDER`].
fn names_digest(images: &[String]) -> String {
    let mut hasher = blake3::Hasher::new();
    for image in images {
        let file = image.rsplit('/').next().unwrap_or(image);
        hasher.update(without_extension(file).as_bytes());
        hasher.update(b"\n");
    }
    hasher.finalize().to_hex().to_string()
}

/// Parses a label.
fn zero_or_one(value: f64) -> Option<bool> {
    match value {
        0.0 => Some(false),
        1.0 => Some(true),
        _ => None,
    }
}

/// Returns whether `path` has the extension of a MATLAB file.
fn is_mat(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "mat")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_more_or_fewer_folders_mean_the_same_image() {
        let mut images =
            ["lfw/Ann_Lee/Ann_Lee_0002.jpg", "Ann_Lee/Ann_Lee_0002.jpg", "Ann_Lee_0002.jpg"].map(str::to_owned);
        put_in_folders(&mut images);
        assert!(images.iter().all(|image| image == "Ann_Lee/Ann_Lee_0002.jpg"), "{images:?}");
        let mut flat = ["12.jpg".to_owned()];
        put_in_folders(&mut flat);
        assert_eq!(flat, ["12.jpg"]);
    }

    #[test]
    fn the_digest_of_names_ignores_folders_and_extensions_and_not_their_order() {
        let digest = |names: [&str; 2]| names_digest(&names.map(str::to_owned));
        let expected = blake3::hash(b"A_0001\nB_0001\n").to_hex().to_string();
        assert_eq!(digest(["A/A_0001.jpg", "B/B_0001.jpg"]), expected);
        assert_eq!(digest(["A_0001", "lfw/B/B_0001.JPG"]), expected);
        assert_ne!(digest(["B/B_0001.jpg", "A/A_0001.jpg"]), expected);
    }

    #[test]
    fn only_zero_and_one_are_labels() {
        assert_eq!([0.0, 1.0, 2.0, f64::NAN].map(zero_or_one), [Some(false), Some(true), None, None]);
    }
}
