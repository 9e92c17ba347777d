//! Fuzzes a prepared set's `manifest.parquet` with a description that has its digest: places in files of the set, or an
//! error.

#![no_main]

#[path = "../place.rs"]
mod place;

use gal_bench::store::Reader;
use libfuzzer_sys::fuzz_target;

const DESCRIPTION: &str = include_str!("../seeds/prepared/npy");
const MANIFEST: &[u8] = include_bytes!("../seeds/manifest/npy");

fuzz_target!(|bytes: &[u8]| {
    let folder = place::folder(|_| ());
    let digest = |bytes: &[u8]| blake3::hash(bytes).to_hex().to_string();
    // Without the digest of the description itself, as an earlier version wrote it.
    let (description, _) = DESCRIPTION.rsplit_once(",\n  \"digest\"").unwrap();
    let description = description.replace(&digest(MANIFEST), &digest(bytes)) + "\n}\n";
    std::fs::write(folder.join("prepared.json"), description).unwrap();
    std::fs::write(folder.join("manifest.parquet"), bytes).unwrap();
    let opened = Reader::open(folder);
    if let Ok(reader) = &opened {
        let is_own = |row: &gal_bench::store::Row| row.location.as_ref().is_some_and(|place| place.file == "images.npy");
        assert!(reader.rows.iter().all(is_own));
    }
    place::check(opened);
});
