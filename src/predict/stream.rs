//! Predictions of a list of image files of any length, batch by batch. A second thread decodes ahead of the network.

use super::prediction::Streamed;
use super::predictor::Predictor;
use crate::error::{Error, Result};
use crate::train::prefetch;
use std::io::BufRead;
use std::ops::ControlFlow;
use std::path::PathBuf;

/// The paths in a list, one a line. Empty lines are passed over. Bytes that are not UTF-8 are replaced.
pub fn paths(list: impl BufRead) -> impl Iterator<Item = Result<PathBuf>> {
    let path = |line: std::io::Result<Vec<u8>>| {
        let line = line.map_err(|e| Error::Request(format!("the list of images cannot be read: {e}")))?;
        Ok(PathBuf::from(String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(&line)).into_owned()))
    };
    list.split(b'\n').map(path).filter(|path| path.as_ref().map_or(true, |path| !path.as_os_str().is_empty()))
}

/// Predicts the images `paths`, in batches of the size that the network was tested with, so that the result does not
/// depend on when paths arrive. Calls `emit` with each batch, in order, until it breaks.
///
/// # Errors
/// A path that cannot be read from the list, or an error of `emit`.
pub fn stream(
    predictor: &Predictor,
    mut paths: impl Iterator<Item = Result<PathBuf>> + Send,
    mut emit: impl FnMut(&[Streamed]) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let decoder = predictor.decoder();
    let batches = std::iter::from_fn(|| {
        let batch: Result<Vec<PathBuf>> = paths.by_ref().take(decoder.batch_size).collect();
        let is_end = batch.as_ref().is_ok_and(Vec::is_empty);
        (!is_end).then(|| batch.and_then(|batch| decoder.decode(batch)))
    });
    prefetch(batches, |batch, _| emit(&predictor.predict_batch(batch)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_a_path_a_line() {
        let found: Vec<PathBuf> = paths(&b"a.jpg\r\n\n b c.png \nd\xff"[..]).collect::<Result<_>>().unwrap();
        assert_eq!(found, ["a.jpg", " b c.png ", "d\u{fffd}"].map(PathBuf::from));
    }
}
