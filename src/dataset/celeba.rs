//! CelebA (Liu et al. 2015): 202,599 aligned faces, as its authors, torchvision or Kaggle lay it out. Labels are -1 and
//! 1 in `list_attr_celeba`, splits 0, 1 and 2 in `list_eval_partition`, each as `.txt` or `.csv`; identities, where
//! there are any, in `identity_CelebA.txt`.

use super::annotation::{Coding, Pairs, read_attributes, read_pairs, read_partition};
use super::join::{Annotated, identity_note, into_values, splits};
use super::layout::Layout;
use super::table::Columns;
use super::{Annotations, Dataset, DatasetName, Options, Partition, Split, checksums};
use crate::error::Result;
use crate::io;
use crate::render::format::thousands;
use std::path::Path;

/// The official root (`Anno`, `Eval`, `Img`), torchvision's (flat) and Kaggle's (images in a folder of the same name).
const LAYOUT: Layout = Layout {
    title: "CelebA",
    bases: &["", "celeba", "CelebA"],
    folders: &["", "Anno", "Eval"],
    images: &[
        "Img/img_align_celeba/img_align_celeba",
        "Img/img_align_celeba",
        "img_align_celeba/img_align_celeba",
        "img_align_celeba",
    ],
};

/// Reads CelebA below `root`: every annotated image must exist. See [`read_with`].
///
/// # Errors
/// As [`read_with`].
pub fn read(root: &Path) -> Result<Dataset> {
    read_with(root, Options::default())
}

/// Reads CelebA below `root`, or below a folder `celeba` in it.
///
/// # Errors
/// A file is missing or breaks its format, files contradict each other, or an annotated image does not exist and
/// `options` does not ask for a subset.
pub fn read_with(root: &Path, options: Options) -> Result<Dataset> {
    let annotated = annotated(root)?;
    annotated.with_images(DatasetName::Celeba, LAYOUT.images(root)?, options)
}

/// What is known of CelebA below `root` without a look at the images: for counting labels.
///
/// # Errors
/// As [`read_with`], but for images.
pub fn annotations(root: &Path) -> Result<Annotations> {
    annotated(root)?.without_images()
}

/// What the annotation files say, checked against each other.
fn annotated(root: &Path) -> Result<Annotated> {
    let path = LAYOUT.require(root, "attribute file", &["list_attr_celeba.txt", "list_attr_celeba.csv"])?;
    let partition_path = LAYOUT.require(root, "partition", &["list_eval_partition.txt", "list_eval_partition.csv"])?;
    let identity_path = LAYOUT.find(root, &["identity_CelebA.txt"]);
    let bytes = io::read(&path)?;
    let partition_bytes = io::read(&partition_path)?;
    let ((labels, verdict), (partition, people)) = rayon::join(
        || {
            rayon::join(
                || read_attributes(&path, &bytes, Coding::CELEBA),
                || checksums::judge(DatasetName::Celeba, "labels", &path, &bytes),
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
    let mut notes = vec![verdict?.sentence];
    let splits = splits(&labels, &partition)?;
    let mut identities = vec![None; labels.images.len()];
    if let Some((pairs, note)) = people? {
        identities = into_values(&labels, pairs, "identity")?;
        notes.push(note);
    }
    let (note, partition) = rayon::join(|| identity_note(&splits, &identities), || judge(&partition, &partition_bytes));
    notes.push(note);
    let partition = partition?;
    let columns = Columns { sources: labels.images, splits, identities, labels: labels.labels };
    Ok(Annotated { columns, origin: labels.origin, partition, notes })
}

/// Who is in each image, and what is known of the file.
fn read_identities(path: &Path) -> Result<(Pairs<Option<String>>, String)> {
    let bytes = io::read(path)?;
    let pairs = read_pairs(path, &bytes, |identity| Ok(Some(identity.to_owned())))?;
    Ok((pairs, checksums::judge(DatasetName::Celeba, "people", path, &bytes)?.sentence))
}

/// Whose partition it is. Where the file is not the official one, byte for byte, its content may still be: Kaggle's
/// table, or a copy with other line ends, is recognised by the digest of its lines as the official file writes them.
fn judge(partition: &Pairs<Split>, bytes: &[u8]) -> Result<Partition> {
    let path = &partition.origin.path;
    let mut verdict = checksums::judge(DatasetName::Celeba, "partition", path, bytes)?;
    if !verdict.official {
        let mut lines = String::with_capacity(16 * partition.images.len());
        for (image, split) in partition.images.iter().zip(&partition.values) {
            lines.extend([image, [" 0\r\n", " 1\r\n", " 2\r\n"][*split as usize]]);
        }
        let content = checksums::judge(DatasetName::Celeba, "partition", path, lines.as_bytes())?;
        if content.official {
            verdict = content;
        }
    }
    let [train, val, test] =
        Split::ALL.map(|wanted| thousands(partition.values.iter().filter(|split| **split == wanted).count()));
    let description = format!("{}; {train} train, {val} val, {test} test images", verdict.sentence);
    Ok(Partition { official: verdict.official, description })
}
