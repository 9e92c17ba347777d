//! Digests of annotation files that are known (`datasets/checksums.csv`), so that a report can say whether labels and
//! partition are the official ones.

use super::Name;
use super::annotation::file_name;
use crate::error::{Error, Result};
use serde::Deserialize;
use std::path::Path;

/// The known files, as data.
const KNOWN: &str = include_str!("../../datasets/checksums.csv");

/// One line of `datasets/checksums.csv`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Known {
    algorithm: Algorithm,
    digest: String,
    dataset: Name,
    file: String,
    /// It is the file that the data set's authors gave out.
    pub(super) official: bool,
    /// What it is, as a clause that follows "FILE is".
    pub(super) description: String,
}

impl Known {
    /// What the file called `name` is, with the digest that tells.
    pub(super) fn sentence(&self, subject: &str, name: &str) -> String {
        let algorithm = match self.algorithm {
            Algorithm::Md5 => "md5",
            Algorithm::Blake3 => "blake3",
        };
        format!("{subject}: {name} is {} ({algorithm} {})", self.description, short(&self.digest))
    }
}

/// How a digest is computed: CelebA's are published as md5 sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Algorithm {
    Md5,
    Blake3,
}

/// The known file with the content `bytes` among those of `dataset`.
pub(super) fn recognise(dataset: Name, bytes: &[u8]) -> Result<Option<Known>> {
    let known: Vec<Known> = table()?.into_iter().filter(|known| known.dataset == dataset).collect();
    for algorithm in [Algorithm::Md5, Algorithm::Blake3] {
        let mut candidates = known.iter().filter(|known| known.algorithm == algorithm).peekable();
        if candidates.peek().is_some() {
            let digest = match algorithm {
                Algorithm::Md5 => format!("{:x}", md5::compute(bytes)),
                Algorithm::Blake3 => blake3::hash(bytes).to_hex().to_string(),
            };
            if let Some(found) = candidates.find(|known| known.digest == digest) {
                return Ok(Some(found.clone()));
            }
        }
    }
    Ok(None)
}

/// One sentence on the file `path` with the content `bytes`, which holds what `subject` says.
pub(super) fn remark(dataset: Name, subject: &str, path: &Path, bytes: &[u8]) -> Result<String> {
    let name = file_name(path);
    Ok(match recognise(dataset, bytes)? {
        Some(known) => known.sentence(subject, &name),
        None => unverified(subject, &name, bytes),
    })
}

/// The sentence on a file that is not known.
pub(super) fn unverified(subject: &str, name: &str, bytes: &[u8]) -> String {
    let digest = blake3::hash(bytes).to_hex();
    format!("{subject}: as given in {name} (blake3 {}), not verified as the official one", short(&digest))
}

/// Enough of a digest for a sentence.
fn short(digest: &str) -> &str {
    digest.get(..16).unwrap_or(digest)
}

/// All of `datasets/checksums.csv`.
fn table() -> Result<Vec<Known>> {
    let rows: csv::Result<Vec<Known>> = csv::Reader::from_reader(KNOWN.as_bytes()).into_deserialize().collect();
    rows.map_err(|error| Error::Internal(format!("datasets/checksums.csv: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_known_files_holds_whole_digests() {
        let known = table().unwrap();
        assert!(!known.is_empty());
        for row in known {
            let digits = if row.algorithm == Algorithm::Md5 { 32 } else { 64 };
            assert_eq!(row.digest.len(), digits, "{row:?}");
            assert!(row.digest.bytes().all(|digit| digit.is_ascii_hexdigit() && !digit.is_ascii_uppercase()), "{row:?}");
            assert!(!row.file.is_empty() && !row.description.is_empty(), "{row:?}");
        }
    }

    #[test]
    fn a_file_nobody_knows_is_named_with_its_digest() {
        // The digest of the empty input, from BLAKE3's specification.
        let sentence = remark(Name::Celeba, "labels", Path::new("a/list.txt"), b"").unwrap();
        let expected = "labels: as given in list.txt (blake3 af1349b9f5f9a1a6), not verified as the official one";
        assert_eq!(sentence, expected);
    }
}
