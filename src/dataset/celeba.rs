//! CelebA (Liu et al. 2015): 202,599 aligned faces, in the layout of its authors, torchvision or Kaggle. Labels are -1
//! and 1 in `list_attr_celeba`, or 0 and 1 throughout, splits 0, 1 and 2 in `list_eval_partition`, each as `.txt` or
//! `.csv`. Identities are optional, in `identity_CelebA`.

use super::annotation::{read_attributes, read_pairs, read_partition};
use super::checksums;
use super::fields::{LabelEncoding, Pairs};
use super::join::{JoinedAnnotation, check_count, splits, values};
use super::layout::Layout;
use super::name::DatasetName;
use super::set::{Annotations, Dataset, Options, Partition};
use super::split::Split;
use crate::error::Result;
use crate::io;
use crate::render::format::thousands;
use std::path::Path;

/// Layouts of the authors (`Anno`, `Eval`, `Img`), torchvision (flat) and Kaggle (images in a folder of the same name).
const LAYOUT: Layout = Layout {
    title: "CelebA",
    bases: &["", "celeba", "CelebA", "celeba-dataset", "archive"],
    folders: &["", "Anno", "Eval"],
    images: &[
        "Img/img_align_celeba/img_align_celeba",
        "Img/img_align_celeba",
        "img_align_celeba/img_align_celeba",
        "img_align_celeba",
        "Img/img_align_celeba_png/img_align_celeba_png",
        "Img/img_align_celeba_png",
        "img_align_celeba_png/img_align_celeba_png",
        "img_align_celeba_png",
        "Img",
        "images",
        "",
    ],
};

/// Reads CelebA below `root`; every annotated image must exist. See [`read_with`].
///
/// # Errors
/// As [`read_with`].
pub fn read(root: &Path) -> Result<Dataset> {
    read_with(root, Options::default())
}

/// Reads CelebA below `root` or its folder `celeba`.
///
/// # Errors
/// A file is missing or breaks its format, files contradict each other, or an annotated image is missing and `options`
/// does not allow that.
pub fn read_with(root: &Path, options: Options) -> Result<Dataset> {
    let annotation = read_annotation(root, options)?;
    let folder = LAYOUT.images(root, &annotation.columns.sources)?;
    annotation.with_images(DatasetName::Celeba, folder, options)
}

/// Reads the annotations of CelebA below `root` without its images, for label statistics.
///
/// # Errors
/// As [`read_with`], except for images.
pub fn annotations(root: &Path, options: Options) -> Result<Annotations> {
    read_annotation(root, options)?.without_images()
}

/// Reads the annotation files and checks them against each other.
fn read_annotation(root: &Path, options: Options) -> Result<JoinedAnnotation> {
    let path = LAYOUT.require(root, "attribute file", &["list_attr_celeba.txt", "list_attr_celeba.csv"])?;
    let partition_path = LAYOUT.require(root, "partition", &["list_eval_partition.txt", "list_eval_partition.csv"])?;
    let identity_path = LAYOUT.find(root, &["identity_CelebA.txt", "identity_CelebA.csv"]);
    let bytes = io::read_up_to(&path, io::TABLE_BYTES)?;
    let partition_bytes = io::read_up_to(&partition_path, io::TABLE_BYTES)?;
    let ((labels, provenance), (partition, identities)) = rayon::join(
        || {
            rayon::join(
                || read_attributes(&path, &bytes, LabelEncoding::EITHER),
                || checksums::identify(DatasetName::Celeba, "labels", &path, &bytes),
            )
        },
        || {
            rayon::join(
                || read_partition(&partition_path, &partition_bytes),
                || identity_path.as_deref().map(read_identities).transpose(),
            )
        },
    );
    let (labels, partition) = (labels?, partition?);
    check_count(&labels, options)?;
    let mut notes = vec![provenance?.sentence];
    if labels.negative == Some(0) {
        notes.push(format!("labels: 0 and 1 in {}, where CelebA has -1 and 1", labels.location.file_name()));
    }
    let splits = splits(&labels, &partition, options)?;
    let identities = match identities? {
        Some((pairs, note)) => {
            notes.push(note);
            values(&labels, &pairs, "identity", options)?
        }
        None => vec![None; labels.images.len()],
    };
    let partition = identify_partition(&partition, &partition_bytes)?;
    let mut annotation = JoinedAnnotation::new(labels, splits, identities, partition, notes);
    annotation.note_people();
    Ok(annotation)
}

/// Reads the identity of each image, and identifies the file in a note.
fn read_identities(path: &Path) -> Result<(Pairs<String>, String)> {
    let bytes = io::read_up_to(path, io::TABLE_BYTES)?;
    let pairs = read_pairs(path, &bytes, |identity| Ok(identity.to_owned()))?;
    Ok((pairs, checksums::identify(DatasetName::Celeba, "people", path, &bytes)?.sentence))
}

/// Identifies the partition. A file that differs from the official one may have the same content, such as Kaggle's
/// table or a copy with other line ends. Its rows are then hashed in the official file's form.
fn identify_partition(partition: &Pairs<Split>, bytes: &[u8]) -> Result<Partition> {
    let path = &partition.location.path;
    let mut provenance = checksums::identify(DatasetName::Celeba, "partition", path, bytes)?;
    if !provenance.official {
        let mut lines = String::with_capacity(16 * partition.images.len());
        for (image, split) in partition.images.iter().zip(&partition.values) {
            lines.extend([image, [" 0\r\n", " 1\r\n", " 2\r\n"][*split as usize]]);
        }
        let content = checksums::identify(DatasetName::Celeba, "partition", path, lines.as_bytes())?;
        if content.official {
            provenance = content;
        }
    }
    let [train, val, test] =
        Split::ALL.map(|wanted| thousands(partition.values.iter().filter(|split| **split == wanted).count()));
    let description = format!("{}; {train} train, {val} val, {test} test images", provenance.sentence);
    Ok(Partition { official: provenance.official, description, ..Partition::default() })
}
