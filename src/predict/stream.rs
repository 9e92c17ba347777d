//! Predictions of a list of image files of any length, batch by batch. A second thread decodes ahead of the network.

use super::prediction::Streamed;
use super::predictor::Predictor;
use crate::error::{Error, Result};
use crate::train::prefetch;
use std::io::BufRead;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

/// Paths that are read ahead of the decoder.
const READ_AHEAD: usize = 1024;
/// The longest time until the end of the predictions is noticed while no path arrives.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The paths in a list, one a line. Empty lines are passed over. Bytes that are not UTF-8 are replaced.
pub fn paths(list: impl BufRead) -> impl Iterator<Item = Result<PathBuf>> {
    let path = |line: std::io::Result<Vec<u8>>| {
        let line = line.map_err(|e| Error::Request(format!("the list of images cannot be read: {e}")))?;
        Ok(PathBuf::from(String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(&line)).into_owned()))
    };
    list.split(b'\n').map(path).filter(|path| path.as_ref().map_or(true, |path| !path.as_os_str().is_empty()))
}

/// Predicts the images `paths`, in batches of the size that the network was tested with, so that the result does not
/// depend on when paths arrive. Calls `emit` with each batch, in order, until it breaks. Ends then, and at an error, even if
/// the list is still open.
///
/// # Errors
/// A path that cannot be read from the list, or an error of `emit`.
pub fn stream(
    predictor: &Predictor,
    paths: impl Iterator<Item = Result<PathBuf>> + Send + 'static,
    mut emit: impl FnMut(&[Streamed]) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let (decoder, has_ended) = (predictor.decoder(), AtomicBool::new(false));
    let mut paths = until_ended(read_ahead(paths), &has_ended);
    let batches = std::iter::from_fn(|| {
        let batch: Result<Vec<PathBuf>> = paths.by_ref().take(decoder.batch_size).collect();
        if batch.as_ref().is_ok_and(Vec::is_empty) {
            return None;
        }
        let decoded = batch.and_then(|batch| decoder.decode(batch));
        has_ended.fetch_or(decoded.is_err(), Ordering::Relaxed);
        Some(decoded)
    });
    prefetch(batches, |batch, _| {
        let flow = predictor.predict_batch(batch).and_then(|predictions| emit(&predictions));
        has_ended.fetch_or(!matches!(flow, Ok(ControlFlow::Continue(()))), Ordering::Relaxed);
        flow
    })
}

/// The items of `paths`, read by a thread of their own: nothing else can leave a read that waits for a list.
fn read_ahead(mut paths: impl Iterator<Item = Result<PathBuf>> + Send + 'static) -> Receiver<Result<PathBuf>> {
    let (sender, receiver) = mpsc::sync_channel(READ_AHEAD);
    std::thread::spawn(move || paths.try_for_each(|path| sender.send(path)));
    receiver
}

/// The items of `paths` until it is closed or `has_ended`.
fn until_ended<T>(paths: Receiver<T>, has_ended: &AtomicBool) -> impl Iterator<Item = T> {
    std::iter::from_fn(move || {
        loop {
            match paths.recv_timeout(POLL_INTERVAL) {
                Ok(path) => return Some(path),
                Err(RecvTimeoutError::Timeout) if !has_ended.load(Ordering::Relaxed) => {}
                Err(_) => return None,
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_a_path_a_line() {
        let found: Vec<PathBuf> = paths(&b"a.jpg\r\n\n b c.png \nd\xff"[..]).collect::<Result<_>>().unwrap();
        assert_eq!(found, ["a.jpg", " b c.png ", "d\u{fffd}"].map(PathBuf::from));
    }

    #[test]
    fn a_list_that_stays_open_does_not_keep_an_ended_stream_waiting() {
        let (open, has_ended) = (mpsc::channel(), AtomicBool::new(false));
        open.0.send(1).unwrap();
        let mut items = until_ended(open.1, &has_ended);
        assert_eq!(items.next(), Some(1));
        has_ended.store(true, Ordering::Relaxed);
        assert_eq!(items.next(), None);
    }
}
