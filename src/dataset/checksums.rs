//! Identifies annotation files by digest (`datasets/checksums.csv`), so that a report can state whether labels and
//! partition are the official ones.

use super::fields::file_name;
use super::name::DatasetName;
use crate::error::{Error, Result};
use serde::Deserialize;
use std::path::Path;

/// The table of known files.
const KNOWN_FILES: &str = include_str!("../../datasets/checksums.csv");

/// One line of `datasets/checksums.csv`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct KnownFile {
    dataset: DatasetName,
    file: String,
    /// The data set's authors published this file.
    official: bool,
    /// MD5 sum as published by the authors or other projects.
    md5: Option<String>,
    /// Digest of a file with that MD5 sum; about 10x faster to compute.
    blake3: Option<String>,
    /// Description, as a clause that follows "FILE is".
    description: String,
}

impl KnownFile {
    /// Describes the file called `name`, with the published digest.
    fn sentence(&self, subject: &str, name: &str) -> String {
        let digest = match (&self.md5, &self.blake3) {
            (Some(md5), _) => format!("md5 {}", short(md5)),
            (None, blake3) => format!("blake3 {}", short(blake3.as_deref().unwrap_or_default())),
        };
        format!("{subject}: {name} is {} ({digest})", self.description)
    }

    /// Returns whether `bytes`, whose digest is `blake3`, is this file. MD5 sums are computed only if `name` matches.
    fn matches(&self, name: &str, bytes: &[u8], blake3: &str) -> bool {
        match (&self.blake3, &self.md5) {
            (Some(known), _) => known == blake3,
            (None, Some(known)) => self.file == name && *known == format!("{:x}", md5::compute(bytes)),
            (None, None) => false,
        }
    }
}

/// The origin of an annotation file.
#[derive(Debug)]
pub(super) struct Provenance {
    /// The data set's authors published this file.
    pub(super) official: bool,
    /// One sentence for the report.
    pub(super) sentence: String,
}

/// Identifies the file `path` of `dataset` by its content `bytes`; `subject` names what it contains, such as "labels".
pub(super) fn identify(dataset: DatasetName, subject: &str, path: &Path, bytes: &[u8]) -> Result<Provenance> {
    let name = file_name(path);
    let blake3 = blake3::hash(bytes).to_hex();
    let known = table()?.into_iter().find(|known| known.dataset == dataset && known.matches(&name, bytes, &blake3));
    Ok(match known {
        Some(known) => Provenance { official: known.official, sentence: known.sentence(subject, &name) },
        None => Provenance {
            official: false,
            sentence: format!(
                "{subject}: as given in {name} (blake3 {}), not verified as the official one",
                short(&blake3)
            ),
        },
    })
}

/// The first 16 digits of a digest.
fn short(digest: &str) -> &str {
    digest.get(..16).unwrap_or(digest)
}

/// The rows of `datasets/checksums.csv`.
fn table() -> Result<Vec<KnownFile>> {
    let rows: csv::Result<Vec<KnownFile>> =
        csv::Reader::from_reader(KNOWN_FILES.as_bytes()).into_deserialize().collect();
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
        let known = KnownFile {
            dataset: DatasetName::Celeba,
            file: "f".to_owned(),
            official: true,
            // The sum of the empty input, from RFC 1321.
            md5: Some("d41d8cd98f00b204e9800998ecf8427e".to_owned()),
            blake3: None,
            description: "d".to_owned(),
        };
        assert!(known.matches("f", b"", ""));
        assert!(!known.matches("f", b"x", ""));
    }

    /// Both digests stand for one file in the table: the published sum, and the one that is compared.
    #[test]
    fn the_official_partition_of_lfwa_and_the_seeded_one_are_told_apart() {
        let known: Vec<KnownFile> =
            table().unwrap().into_iter().filter(|known| known.file == "indices_train_test.mat").collect();
        assert_eq!(known.iter().map(|known| known.official).collect::<Vec<_>>(), [true, false]);
        assert_eq!(
            known[0].sentence("partition", &known[0].file),
            "partition: indices_train_test.mat is the official LFWA partition (md5 09526624631bf6b6)"
        );
        assert!(known[1].description.ends_with("not the official LFWA one"), "{}", known[1].description);
    }

    #[test]
    fn an_unknown_file_is_named_with_its_digest() {
        // The digest of the empty input, from BLAKE3's specification.
        let provenance = identify(DatasetName::Celeba, "labels", Path::new("a/list.txt"), b"").unwrap();
        let expected = "labels: as given in list.txt (blake3 af1349b9f5f9a1a6), not verified as the official one";
        assert!(!provenance.official);
        assert_eq!(provenance.sentence, expected);
    }
}
