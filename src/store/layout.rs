//! Names of the files in a prepared folder.

use super::options::Format;
use crate::dataset::Split;
use crate::io;
use std::path::{Component, Path};

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
    if io::is_partial_file(name) {
        return true;
    }
    name.strip_suffix(".jpg").and_then(|stem| stem.rsplit_once('-')).is_some_and(|(_, copy)| is_number(copy))
}

/// npy format: true for the name of the digests of a block, complete or not.
pub(super) fn is_block(name: &str) -> bool {
    io::is_partial_file(name) || name.len() >= 6 && is_number(name)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit())
}

/// True if a set of `format` may hold an image in `file`, a path below its folder.
pub(super) fn is_image_file(format: Format, file: &str) -> bool {
    match format {
        Format::Jpeg => {
            is_below(file) && file.starts_with("images/") && Path::new(file).extension().is_some_and(|end| end == "jpg")
        }
        Format::Webdataset => is_shard(file),
        Format::Npy => file == ARRAY,
        Format::Virtual => false,
    }
}

/// True if a name is that of a file below a folder, on any system.
pub(super) fn is_below(name: &str) -> bool {
    !name.is_empty()
        && !name.contains(['\\', '\0'])
        && Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
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

    #[test]
    fn an_image_is_in_a_file_of_its_format_below_the_folder() {
        assert!(is_image_file(Format::Jpeg, "images/test/0000/000051-0.jpg"));
        assert!(is_image_file(Format::Npy, ARRAY) && is_image_file(Format::Webdataset, "train-000000.tar"));
        for other in
            ["/etc/x.jpg", "../x.jpg", "images/../../x.jpg", "images\\..\\x.jpg", "images/./x", "x.jpg", "", ARRAY]
        {
            assert!(!is_image_file(Format::Jpeg, other), "{other}");
        }
        assert!(!is_image_file(Format::Npy, "x/images.npy") && !is_image_file(Format::Virtual, ARRAY));
    }
}
