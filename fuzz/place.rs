//! A folder of this process for readers that take paths.

use std::path::PathBuf;
use std::sync::OnceLock;

/// The folder, which `fill` fills when it is first asked for.
pub fn folder(fill: impl FnOnce(&std::path::Path)) -> &'static PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = std::env::temp_dir().join(format!("gal-bench-fuzz-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        fill(&folder);
        folder
    })
}

/// Checks that an error is one line of at most 4,000 bytes with exit code 2.
pub fn check<T>(result: gal_bench::Result<T>) {
    if let Err(error) = result {
        let text = error.to_string();
        assert!(error.exit_code() == 2 && text.lines().count() == 1 && text.len() < 4000, "{text}");
    }
}
