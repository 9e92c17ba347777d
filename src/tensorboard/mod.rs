//! TensorBoard event files, so that `tensorboard --logdir runs` shows training as it goes: one file a run, scalars and
//! images in its first, simplest form, which every version reads. Wall times and speeds are the only content that
//! differs between two trainings of one run.

mod heat;
mod message;
mod record;

pub(super) use heat::heat_map;

use crate::error::{Error, Result};
use crate::io;
use image::RgbImage;
use image::codecs::png::CompressionType;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// What a tag has at a step.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// A number.
    Scalar(f64),
    /// A picture.
    Image {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
        /// The bytes of a PNG file.
        png: Vec<u8>,
    },
}

impl Value {
    /// A picture.
    pub(super) fn image(image: &RgbImage) -> Result<Self> {
        let png = io::encode_png(image, CompressionType::default())?;
        Ok(Self::Image { width: image.width(), height: image.height(), png })
    }
}

/// The file of the run `id`: TensorBoard asks for `tfevents` in the name, and for nothing else.
pub(super) fn file_name(id: &str) -> String {
    format!("events.out.tfevents.{id}")
}

/// Adds what was found at `step`; nothing where nothing was.
pub(super) fn append(path: &Path, step: usize, values: &[(&str, Value)]) -> Result<()> {
    if values.is_empty() {
        return Ok(());
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let mut file = OpenOptions::new().create(true).append(true).open(path).map_err(Error::io("write", path))?;
    let mut records = Vec::new();
    if file.metadata().map_err(Error::io("read", path))?.len() == 0 {
        records.extend(record::frame(&message::opening(now)));
    }
    records.extend(record::frame(&message::summary(now, step, values)));
    file.write_all(&records).map_err(Error::io("write", path))
}

/// Cuts the file after the last whole record of a step up to `step`, the last that a checkpoint knows of. Training goes
/// on with records of the same lengths, so that a TensorBoard which has read further finds its place again.
pub(super) fn keep(path: &Path, step: usize) -> Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let bytes = io::read(path)?;
    let mut end = 0;
    while let Some((event, length)) = record::first(&bytes[end..]) {
        if message::step(event).is_none_or(|of| of > step) {
            break;
        }
        end += length;
    }
    let file = OpenOptions::new().write(true).open(path).map_err(Error::io("write", path))?;
    file.set_len(end as u64).map_err(Error::io("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps in a file, once it is known that it holds nothing but whole records.
    fn steps(path: &Path) -> Vec<usize> {
        let bytes = io::read(path).unwrap();
        let (mut end, mut steps) = (0, Vec::new());
        while end < bytes.len() {
            let (event, length) = record::first(&bytes[end..]).expect("a whole record");
            steps.push(message::step(event).unwrap());
            end += length;
        }
        steps
    }

    fn written(path: &Path, steps: impl IntoIterator<Item = usize>) {
        for step in steps {
            append(path, step, &[("loss/fln", Value::Scalar(step as f64))]).unwrap();
        }
    }

    #[test]
    fn records_are_those_that_tensorboard_writes() {
        let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/events.tfevents");
        let image = Value::Image { width: 2, height: 1, png: b"not looked at".to_vec() };
        let ours = [
            message::opening(1_500_000_000.25),
            message::summary(1_500_000_001.5, 300, &[("loss/fln", Value::Scalar(27.5)), ("zero", Value::Scalar(0.0))]),
            message::summary(1_500_000_002.0, 25_600, &[("affinity/test", image)]),
        ];
        assert_eq!(
            ours.iter().flat_map(|event| record::frame(event)).collect::<Vec<_>>(),
            io::read(golden.as_ref()).unwrap()
        );
    }

    #[test]
    fn a_file_cut_anywhere_keeps_whole_records_of_known_steps_and_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(file_name("run"));
        written(&path, (20..=100).step_by(20));
        let whole = io::read(&path).unwrap();
        for length in 0..=whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            keep(&path, 60).unwrap();
            let kept = steps(&path);
            let last = kept.last().copied().unwrap_or(0);
            assert!(last <= 60, "{kept:?}");
            written(&path, (last + 20..=100).step_by(20));
            assert_eq!(steps(&path), [0, 20, 40, 60, 80, 100]);
        }
    }
}
