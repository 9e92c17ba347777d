//! Writing event files.

use super::value::Value;
use super::{message, record};
use crate::error::{Error, Result};
use crate::io;
use std::io::Write;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Appends an event with the values of `step`, unless there are none.
pub(crate) fn append(path: &Path, step: usize, values: &[(&str, Value)]) -> Result<()> {
    if values.is_empty() {
        return Ok(());
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let mut file = io::append_own(path)?;
    let mut records = Vec::new();
    if file.metadata().map_err(Error::io("read", path))?.len() == 0 {
        records.extend(record::frame(&message::version(now)));
    }
    records.extend(record::frame(&message::summary(now, step, values)));
    file.write_all(&records).map_err(Error::io("write", path))
}

/// Cuts off incomplete records and those of later steps than `step`. A resumed run appends records of the same lengths, so a
/// TensorBoard that has already read further stays in place.
pub(crate) fn truncate_after_step(path: &Path, step: usize) -> Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let bytes = io::read_up_to(path, io::TABLE_BYTES)?;
    let mut end = 0;
    while let Some((event, length)) = record::first(&bytes[end..]) {
        if message::step(event).is_none_or(|of| of > step) {
            break;
        }
        end += length;
    }
    let file = io::open_own(path)?;
    file.set_len(end as u64).map_err(Error::io("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The steps of a file, which must consist of complete records.
    fn steps(path: &Path) -> Vec<usize> {
        let bytes = io::read(path).unwrap();
        let (mut end, mut steps) = (0, Vec::new());
        while end < bytes.len() {
            let (event, length) = record::first(&bytes[end..]).expect("a complete record");
            steps.push(message::step(event).unwrap());
            end += length;
        }
        steps
    }

    fn append_steps(path: &Path, steps: impl IntoIterator<Item = usize>) {
        for step in steps {
            append(path, step, &[("loss/fln", Value::Scalar(step as f64))]).unwrap();
        }
    }

    #[test]
    fn records_equal_those_that_tensorboard_writes() {
        let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/events.tfevents");
        let image = Value::Image { width: 2, height: 1, png: b"not looked at".to_vec() };
        let ours = [
            message::version(1_500_000_000.25),
            message::summary(1_500_000_001.5, 300, &[("loss/fln", Value::Scalar(27.5)), ("zero", Value::Scalar(0.0))]),
            message::summary(1_500_000_002.0, 25_600, &[("affinity/test", image)]),
        ];
        assert_eq!(
            ours.iter().flat_map(|event| record::frame(event)).collect::<Vec<_>>(),
            io::read(golden.as_ref()).unwrap()
        );
    }

    #[test]
    fn a_file_cut_anywhere_keeps_complete_records_up_to_the_step_and_continues() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.out.tfevents.run");
        append_steps(&path, (20..=100).step_by(20));
        let whole = io::read(&path).unwrap();
        for length in 0..=whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            truncate_after_step(&path, 60).unwrap();
            let kept = steps(&path);
            let last = kept.last().copied().unwrap_or(0);
            assert!(last <= 60, "{kept:?}");
            append_steps(&path, (last + 20..=100).step_by(20));
            assert_eq!(steps(&path), [0, 20, 40, 60, 80, 100]);
        }
    }
}
