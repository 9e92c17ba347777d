//! Names of the files in a prepared folder.

use crate::dataset::Split;

/// The description of the set, written last.
pub(super) const PREPARED: &str = "prepared.json";
/// One row an image, as Parquet.
pub(super) const MANIFEST: &str = "manifest.parquet";
/// The manifest as CSV.
pub(super) const MANIFEST_CSV: &str = "manifest.csv";
/// The digests of the inputs, written first.
pub(super) const INPUTS: &str = "inputs.json";
/// The lock between processes.
pub(super) const LOCK: &str = ".lock";
/// JPEG format: the folder of all images.
pub(super) const IMAGES: &str = "images";
/// npy format: the array.
pub(super) const ARRAY: &str = "images.npy";
/// npy format: the array until it is complete.
pub(super) const PARTIAL_ARRAY: &str = "images.npy.partial";
/// npy format: the folder of digests of written blocks.
pub(super) const PROGRESS: &str = "progress";

const PARTIAL_PREFIX: &str = ".partial-";

/// The name under which `name` is written until it is complete.
pub(super) fn partial(name: &str) -> String {
    format!("{PARTIAL_PREFIX}{name}")
}

/// `WebDataset` format: a tar file.
pub(super) fn shard(split: Split, number: usize) -> String {
    format!("{}-{number:06}.tar", split.label())
}

/// True if [`shard`] gives this name.
pub(super) fn is_shard(name: &str) -> bool {
    let number = name.strip_suffix(".tar").and_then(|name| name.split_once('-'));
    number.is_some_and(|(split, number)| {
        Split::ALL.iter().any(|known| known.label() == split) && number.len() >= 6 && is_number(number)
    })
}

/// JPEG format: true for the name of an image, complete or not.
pub(super) fn is_image(name: &str) -> bool {
    let stem = name.strip_suffix(".partial").unwrap_or(name).strip_suffix(".jpg");
    stem.and_then(|stem| stem.rsplit_once('-')).is_some_and(|(_, copy)| is_number(copy))
}

/// npy format: true for the name of the digests of a block.
pub(super) fn is_block(name: &str) -> bool {
    name.len() >= 6 && is_number(name)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_shards_are_shards() {
        assert!(is_shard(&shard(Split::Train, 0)) && is_shard("test-1234567.tar"));
        for other in ["train.tar", "train-0.tar", "holiday-000000.tar", "train-00000x.tar", "train-000000.tar.gz"] {
            assert!(!is_shard(other), "{other}");
        }
    }
}
