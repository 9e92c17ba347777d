//! Folders that a group shares: permissions follow the umask, and locks name their holder.

use crate::common::celeba_files::{CelebaFiles, labels};
use crate::common::gal_bench::GalBench;
use crate::common::images::{gradient, jpeg};
use crate::common::training::TINY;
use crate::common::workspace::Workspace;
use gal_bench::io::Lock;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The permissions of every file and folder below `folder`.
fn modes(folder: &Path) -> Vec<(String, u32)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let metadata = entry.metadata().unwrap();
        found.push((entry.path().display().to_string(), metadata.mode() & 0o777));
        if metadata.is_dir() {
            found.extend(modes(&entry.path()));
        }
    }
    found
}

#[test]
fn files_have_the_permissions_of_the_umask() {
    for (umask, file, folder) in [("077", 0o600, 0o700), ("002", 0o664, 0o775), ("022", 0o644, 0o755)] {
        let workspace = Workspace::new();
        workspace.write("tiny.toml", TINY.replace("steps = 40", "steps = 8").replace("synthetic", "celeba"));
        let mut files = CelebaFiles::new(&workspace.path("celeba"));
        for row in 0..18_u32 {
            let split = if row < 12 { 0 } else { 1 + u8::from(row > 14) };
            files.add(
                labels(&["Male", "Young"]).map(|label| label ^ row.is_multiple_of(2)),
                split,
                jpeg(&gradient(row, 178, 218), 90),
            );
        }
        files.finish();
        let call = |words: &str| {
            GalBench::limited(workspace.root(), &format!("umask {umask}"), words).succeeds();
        };
        call("prepare --quiet --dataset celeba --root celeba --prepared out/prepared --size 48");
        call(
            "train --quiet --dataset celeba --prepared out/prepared --profile tiny.toml --variant baseline --runs out/runs",
        );
        for (path, mode) in modes(&workspace.path("out")) {
            let expected = if Path::new(&path).is_dir() { folder } else { file };
            assert_eq!(mode, expected, "umask {umask}: {path} is {mode:o}");
        }
    }
}

#[test]
fn a_lock_is_for_those_who_may_write_names_its_holder_and_goes_with_it() {
    let workspace = Workspace::trainable();
    let path = workspace.path("runs/synthetic-tiny-baseline-seed0/.lock");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let held = Lock::take(&path).unwrap().unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o007, 0);
    let train = "train --quiet --dataset synthetic --prepared prepared --profile tiny.toml --variant baseline";
    let error = workspace.gal_bench(train).fails_with("is being trained by process");
    assert!(error.contains(&std::process::id().to_string()) && error.contains(" on "), "{error}");
    drop(held);
    assert!(!path.exists());
    // A killed process leaves the file, and no lock.
    std::fs::write(&path, "1 of another on elsewhere\n").unwrap();
    workspace.gal_bench(train).succeeds();
    assert!(!path.exists());
}
