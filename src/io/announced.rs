//! Lists the files that this process is about to write into the folders that it claimed. After an interruption, the list
//! tells files of this program from those that others put there since.

use super::open::{self, RECORD_BYTES};
use crate::error::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The list in a folder while a command writes there: a line for each file, its BLAKE3 and its path below the folder.
pub(super) const ANNOUNCED: &str = ".gal-bench-writing.txt";

/// BLAKE3 of files by their paths below a folder.
type Digests = BTreeMap<String, String>;

/// The files that were announced, by claimed folder.
static CLAIMED: Mutex<BTreeMap<PathBuf, Digests>> = Mutex::new(BTreeMap::new());

fn claimed() -> MutexGuard<'static, BTreeMap<PathBuf, Digests>> {
    CLAIMED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Begins the list of the files that this process writes into `folder`.
pub(super) fn begin(folder: &Path) {
    claimed().insert(folder.to_path_buf(), Digests::new());
}

/// Ends the list of `folder`, and returns the files that this process wrote there.
pub(super) fn end(folder: &Path) -> Digests {
    claimed().remove(folder).unwrap_or_default()
}

/// Lists a file that is about to be written, if it is in a claimed folder.
pub(super) fn announce(path: &Path, content: &[u8]) -> Result<()> {
    let mut claimed = claimed();
    // A folder comes before those within it: the last one is the closest.
    let place =
        claimed.iter_mut().rev().find_map(|(folder, files)| Some((path.strip_prefix(folder).ok()?, folder, files)));
    let Some((below, folder, files)) = place else { return Ok(()) };
    let (name, digest) = (below.to_string_lossy().replace('\\', "/"), blake3::hash(content).to_hex().to_string());
    // The line is not synced: a power failure that loses it costs a --force, and no file.
    let list = folder.join(ANNOUNCED);
    open::append_own(&list)?.write_all(format!("{digest} {name}\n").as_bytes()).map_err(Error::io("write", &list))?;
    files.insert(name, digest);
    Ok(())
}

/// The files that interrupted commands announced in `folder`: digests by path below it.
pub(super) fn left_in(folder: &Path) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let list = folder.join(ANNOUNCED);
    let mut left: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    if list.exists() {
        // The last line may be cut. It then names no file, or one with the content of ours.
        let text = String::from_utf8_lossy(&open::read_up_to(&list, RECORD_BYTES)?).into_owned();
        for (digest, name) in text.lines().filter_map(|line| line.split_once(' ')) {
            left.entry(name.to_owned()).or_default().insert(digest.to_owned());
        }
    }
    Ok(left)
}
