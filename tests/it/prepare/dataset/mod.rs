//! Stage 1a from outside: annotation files in a temporary folder become a table or an error of one sentence.

mod celeba;
mod lfwa;
mod user_table;

use crate::common::gal_bench::user_error;
use gal_bench::attribute::{COUNT, NAMES};
use gal_bench::dataset::{Dataset, Options};
use gal_bench::error::Result;
use std::path::Path;

/// A folder in the layout of a download, and the reader under test.
struct Folder {
    folder: tempfile::TempDir,
    read: fn(&Path, Options) -> Result<Dataset>,
}

impl Folder {
    fn new(read: fn(&Path, Options) -> Result<Dataset>) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), read }
    }

    /// Writes a file below the folder.
    fn with(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    /// Removes a file.
    fn without(self, path: &str) -> Self {
        std::fs::remove_file(self.folder.path().join(path)).unwrap();
        self
    }

    /// Creates empty files: the annotation readers do not open images.
    fn with_images(mut self, folder: &str, images: &[&str]) -> Self {
        for image in images {
            self = self.with(&format!("{folder}/{image}"), b"");
        }
        self
    }

    fn read(&self) -> Dataset {
        (self.read)(self.folder.path(), Options::default()).unwrap()
    }

    fn read_allow_missing(&self) -> Result<Dataset> {
        (self.read)(self.folder.path(), Options { allow_missing: true })
    }

    /// The reader's error message, without the temporary folder's name.
    fn error(&self) -> String {
        self.message((self.read)(self.folder.path(), Options::default()))
    }

    fn message(&self, result: Result<Dataset>) -> String {
        user_error(result)
            .replace(&format!("{}/", self.folder.path().display()), "")
            .replace(&self.folder.path().display().to_string(), "ROOT")
    }
}

/// Labels of image `i` in the fixtures, by the formula of `tests/golden/make_mat.py`.
fn expected_labels(i: usize) -> [bool; COUNT] {
    std::array::from_fn(|k| (7 * i + 3 * k).is_multiple_of(5))
}

/// A row's labels as text, each after `separator`.
fn values(i: usize, separator: &str, negative: &str) -> String {
    let value = |label: bool| if label { "1" } else { negative };
    expected_labels(i).map(|label| format!("{separator}{}", value(label))).concat()
}

/// The header of a comma separated file.
fn csv_header(title: &str) -> String {
    format!("{title},{}\n", NAMES.join(","))
}
