//! Digests of annotation files that are known (`datasets/checksums.csv`), so that a report can say whether labels and
//! partition are the official ones.

use super::DatasetName;
use super::annotation::file_name;
use crate::error::{Error, Result};
use serde::Deserialize;
use std::path::Path;

/// The known files, as data.
const KNOWN: &str = include_str!("../../datasets/checksums.csv");

/// One line of `datasets/checksums.csv`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    dataset: DatasetName,
    file: String,
    /// It is the file that the data set's authors gave out.
    official: bool,
    /// The sum that its authors' and other projects' tools publish.
    md5: Option<String>,
    /// Computed from a file with that md5 sum; some ten times faster to compare with.
    blake3: Option<String>,
    /// What it is, as a clause that follows "FILE is".
    description: String,
}

impl Known {
    /// What the file called `name` is, with the digest that people can look up.
    fn sentence(&self, subject: &str, name: &str) -> String {
        let digest = match (&self.md5, &self.blake3) {
            (Some(md5), _) => format!("md5 {}", short(md5)),
            (None, blake3) => format!("blake3 {}", short(blake3.as_deref().unwrap_or_default())),
        };
        format!("{subject}: {name} is {} ({digest})", self.description)
    }

    /// Its content is `bytes`, of which `blake3` is the digest; `name` saves computing md5 sums of other files.
    fn is(&self, name: &str, bytes: &[u8], blake3: &str) -> bool {
        match (&self.blake3, &self.md5) {
            (Some(known), _) => known == blake3,
            (None, Some(known)) => self.file == name && *known == format!("{:x}", md5::compute(bytes)),
            (None, None) => false,
        }
    }
}

/// What a digest tells of a file.
#[derive(Debug)]
pub(super) struct Verdict {
    /// It is the file that the data set's authors gave out.
    pub(super) official: bool,
    /// One sentence for the report.
    pub(super) sentence: String,
}

/// The verdict on the content `bytes` of the file `path` of `dataset`, which holds what `subject` says.
pub(super) fn judge(dataset: DatasetName, subject: &str, path: &Path, bytes: &[u8]) -> Result<Verdict> {
    let name = file_name(path);
    let blake3 = blake3::hash(bytes).to_hex();
    let known = table()?.into_iter().find(|known| known.dataset == dataset && known.is(&name, bytes, &blake3));
    Ok(match known {
        Some(known) => Verdict { official: known.official, sentence: known.sentence(subject, &name) },
        None => Verdict {
            official: false,
            sentence: format!(
                "{subject}: as given in {name} (blake3 {}), not verified as the official one",
                short(&blake3)
            ),
        },
    })
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
        let is_hex = |text: &str| text.bytes().all(|digit| digit.is_ascii_hexdigit() && !digit.is_ascii_uppercase());
        for row in known {
            assert!(row.md5.is_some() || row.blake3.is_some(), "{row:?}");
            assert!(row.md5.iter().all(|md5| md5.len() == 32 && is_hex(md5)), "{row:?}");
            assert!(row.blake3.iter().all(|blake3| blake3.len() == 64 && is_hex(blake3)), "{row:?}");
            assert!(!row.file.is_empty() && !row.description.is_empty(), "{row:?}");
        }
    }

    #[test]
    fn a_file_without_a_known_blake3_is_recognised_by_its_md5() {
        let known = Known {
            dataset: DatasetName::Celeba,
            file: "f".to_owned(),
            official: true,
            // The sum of the empty input, from RFC 1321.
            md5: Some("d41d8cd98f00b204e9800998ecf8427e".to_owned()),
            blake3: None,
            description: "d".to_owned(),
        };
        assert!(known.is("f", b"", ""));
        assert!(!known.is("f", b"x", ""));
    }

    #[test]
    fn a_file_nobody_knows_is_named_with_its_digest() {
        // The digest of the empty input, from BLAKE3's specification.
        let verdict = judge(DatasetName::Celeba, "labels", Path::new("a/list.txt"), b"").unwrap();
        let expected = "labels: as given in list.txt (blake3 af1349b9f5f9a1a6), not verified as the official one";
        assert!(!verdict.official);
        assert_eq!(verdict.sentence, expected);
    }
}
