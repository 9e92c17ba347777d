//! A small CelebA as its authors lay it out.

use gal_bench::attribute::{COUNT, NAMES};
use std::path::{Path, PathBuf};

pub(crate) const ATTRIBUTES: &str = "Anno/list_attr_celeba.txt";
pub(crate) const PARTITION: &str = "Eval/list_eval_partition.txt";
pub(crate) const IMAGES: &str = "Img/img_align_celeba";

/// Annotations of images that are called `000001.jpg` and so on.
pub(crate) struct CelebaFiles {
    root: PathBuf,
    rows: Vec<String>,
    splits: Vec<String>,
}

impl CelebaFiles {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_path_buf(), rows: Vec::new(), splits: Vec::new() }
    }

    /// Annotates the next image, without a file; `split` is 0 (train), 1 (val) or 2 (test).
    pub(crate) fn annotate(&mut self, labels: [bool; COUNT], split: u8) {
        let name = format!("{:06}.jpg", self.rows.len() + 1);
        let values = labels.map(|label| if label { "1" } else { "-1" }).join(" ");
        self.rows.push(format!("{name} {values}\n"));
        self.splits.push(format!("{name} {split}\n"));
    }

    /// Annotates the next image and writes its file.
    pub(crate) fn add(&mut self, labels: [bool; COUNT], split: u8, file: impl AsRef<[u8]>) {
        self.annotate(labels, split);
        write(&self.root.join(IMAGES).join(format!("{:06}.jpg", self.rows.len())), file.as_ref());
    }

    /// Writes the annotation files.
    pub(crate) fn finish(self) {
        let header = format!("{}\n{}\n", self.rows.len(), NAMES.join(" "));
        write(&self.root.join(ATTRIBUTES), (header + &self.rows.concat()).as_bytes());
        write(&self.root.join(PARTITION), self.splits.concat().as_bytes());
    }
}

fn write(path: &Path, content: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

/// Positive labels of the named attributes.
pub(crate) fn labels(names: &[&str]) -> [bool; COUNT] {
    assert!(names.iter().all(|name| NAMES.contains(name)), "{names:?}");
    NAMES.map(|name| names.contains(&name))
}
