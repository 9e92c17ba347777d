//! Fuzzes a report's `results.json`: a page without tags of others, or an error.

#![no_main]

#[path = "../place.rs"]
mod place;

use libfuzzer_sys::fuzz_target;

/// The results of a report of this repository.
const RESULTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../reports/lfwa-quick-controls-seeds0-2/results");

fuzz_target!(|bytes: &[u8]| {
    let folder = place::folder(|folder| {
        std::fs::create_dir_all(folder.join("results")).unwrap();
        for entry in std::fs::read_dir(RESULTS).unwrap().map(Result::unwrap) {
            std::fs::copy(entry.path(), folder.join("results").join(entry.file_name())).unwrap();
        }
    });
    std::fs::write(folder.join("results/results.json"), bytes).unwrap();
    let rendered = gal_bench::report::render(folder);
    if let Ok(files) = &rendered {
        let (_, html) = files.iter().find(|(path, _)| path.ends_with("index.html")).unwrap();
        let html = String::from_utf8_lossy(html);
        assert!(html.matches("<script").count() == 1 && !html.contains("href=\"javascript:"));
    }
    place::check(rendered);
});
