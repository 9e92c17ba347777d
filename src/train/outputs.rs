//! The files that training writes: metrics as JSON lines, predictions as Parquet, masks as `.npy`, the affinity as CSV.

use crate::attribute::{COUNT, NAMES};
use crate::dataset::table::label_column;
use crate::error::{Error, Result};
use crate::io;
use crate::model::CorrelationOutput;
use crate::tensorboard::{Value, heat_map};
use polars::prelude::*;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::path::Path;

/// Share of the time spent waiting for data from which it is reported.
pub(super) const DATA_WAIT_NOTICE: f64 = 0.05;

/// A line of `metrics.jsonl` about training: mean losses since the previous line, and accuracies on the batch of its step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct TrainingLine {
    pub(super) step: usize,
    pub(super) epoch: f64,
    pub(super) lr: f64,
    pub(super) loss_fln: Option<f64>,
    pub(super) loss_cln: Option<f64>,
    pub(super) training_accuracy_fln: Option<f64>,
    pub(super) training_accuracy_cln: Option<f64>,
    pub(super) images_per_second: f64,
    /// Share of the time in which the device waited for data.
    #[serde(alias = "waiting")]
    pub(super) data_wait: f64,
    /// The learned affinity on the batch of the step; no fields without one.
    #[serde(flatten)]
    pub(super) affinity: Option<AffinityLine>,
}

/// The learned affinity on a batch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct AffinityLine {
    /// Mean weight of an attribute on itself.
    pub(super) affinity_diagonal: f64,
    /// Mean dot product of a node with itself.
    pub(super) self_product: f64,
    /// Mean of a node's largest dot product with another.
    pub(super) largest_other_product: f64,
}

impl AffinityLine {
    /// `None` without a learned affinity.
    pub(super) fn new(output: Option<&CorrelationOutput>) -> Result<Option<Self>> {
        let both = output.and_then(|output| Some((output.affinity.as_ref()?, output.products.as_ref()?)));
        let Some((affinity, products)) = both else { return Ok(None) };
        let (affinity, products) = (affinity.flatten_all()?.to_vec1::<f32>()?, products.to_vec1::<f32>()?);
        let diagonal = affinity.iter().step_by(COUNT + 1).map(|weight| f64::from(*weight)).sum::<f64>();
        Ok(Some(Self {
            affinity_diagonal: diagonal / COUNT as f64,
            self_product: f64::from(products[0]),
            largest_other_product: f64::from(products[1]),
        }))
    }
}

impl TrainingLine {
    /// A few words for the progress bar, with the CLN's accuracy if there is a CLN.
    pub(super) fn progress_line(&self) -> String {
        let accuracy = self.training_accuracy_cln.or(self.training_accuracy_fln).unwrap_or_default();
        let loss = self.loss_fln.or(self.loss_cln).unwrap_or_default();
        let mut line =
            format!("loss {loss:.3}, accuracy {:.1} %, {:.0} images/s", 100.0 * accuracy, self.images_per_second);
        if self.data_wait >= DATA_WAIT_NOTICE {
            let _ = write!(line, ", {:.0} % of the time waiting for data", 100.0 * self.data_wait);
        }
        line
    }

    /// The scalars for TensorBoard.
    pub(super) fn values(&self) -> Vec<(&'static str, Value)> {
        scalars([
            ("loss/fln", self.loss_fln),
            ("loss/cln", self.loss_cln),
            ("accuracy/training_fln", self.training_accuracy_fln),
            ("accuracy/training_cln", self.training_accuracy_cln),
            ("learning_rate", Some(self.lr)),
            ("speed/images_per_second", Some(self.images_per_second)),
            ("speed/data_wait", Some(self.data_wait)),
            ("affinity/diagonal", self.affinity.map(|line| line.affinity_diagonal)),
            ("affinity/self_product", self.affinity.map(|line| line.self_product)),
            ("affinity/largest_other_product", self.affinity.map(|line| line.largest_other_product)),
        ])
    }
}

/// A line of `metrics.jsonl` about the validation split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ValidationLine {
    pub(super) step: usize,
    pub(super) validation_accuracy_fln: Option<f64>,
    pub(super) validation_accuracy_cln: Option<f64>,
}

impl ValidationLine {
    /// The values for TensorBoard, with the mean affinity `[40 * 40]` on the validation split.
    pub(super) fn values(&self, affinity: Option<&Vec<f32>>) -> Result<Vec<(&'static str, Value)>> {
        let mut values = scalars([
            ("accuracy/validation_fln", self.validation_accuracy_fln),
            ("accuracy/validation_cln", self.validation_accuracy_cln),
        ]);
        if let Some(affinity) = affinity {
            values.push(("affinity/validation", Value::image(&heat_map(affinity))?));
        }
        Ok(values)
    }
}

fn scalars<const N: usize>(values: [(&'static str, Option<f64>); N]) -> Vec<(&'static str, Value)> {
    values.into_iter().filter_map(|(tag, value)| Some((tag, Value::Scalar(value?)))).collect()
}

/// Appends a line to a file of JSON lines.
pub(super) fn append_line(path: &Path, line: &impl Serialize) -> Result<()> {
    use std::io::Write;
    let mut text = io::to_json(line)?;
    text.push('\n');
    let mut file = io::append_own(path)?;
    file.write_all(text.as_bytes()).map_err(Error::io("write", path))
}

/// Removes the lines of later steps than `step`, as a checkpoint of that step does not cover them. Returns the number of
/// lines about training that are left.
pub(super) fn truncate_after_step(path: &Path, step: usize) -> Result<usize> {
    #[derive(Deserialize)]
    struct Step {
        step: usize,
        /// Absent in lines about validation.
        lr: Option<f64>,
    }
    if !path.exists() {
        return Ok(0);
    }
    let bytes = io::read_up_to(path, io::TABLE_BYTES)?;
    let text = String::from_utf8_lossy(&bytes);
    // If the process was killed, the last line may be incomplete; it is removed too.
    let parsed = |line: &str| serde_json::from_str::<Step>(line).ok().filter(|found| found.step <= step);
    let kept: Vec<&str> =
        text.split_inclusive('\n').filter(|line| line.ends_with('\n') && parsed(line).is_some()).collect();
    io::write(path, kept.concat().as_bytes())?;
    Ok(kept.iter().filter(|line| parsed(line).is_some_and(|found| found.lr.is_some())).count())
}

/// Probabilities of one network on a split, images in manifest order, attributes in [`NAMES`] order.
#[derive(Debug, Default, Clone)]
pub(super) struct PredictionTable {
    pub(super) images: Vec<String>,
    /// The person on each image, if known.
    pub(super) identities: Vec<Option<String>>,
    /// The first of the images with the same file, for each other image with it.
    pub(super) duplicate_of: Vec<Option<String>>,
    /// `[images * 40]`; `None` if a label is not known.
    pub(super) labels: Vec<Option<bool>>,
    /// `None` if the FLN's own classifiers are not trained.
    pub(super) fln: Option<Vec<f32>>,
    /// `None` without a correlation net.
    pub(super) cln: Option<Vec<f32>>,
}

impl PredictionTable {
    /// Writes `predictions.parquet`.
    ///
    /// # Errors
    /// Probabilities that are not numbers from 0 to 1.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        [&self.fln, &self.cln].into_iter().flatten().try_for_each(|values| check_shares(values, "probabilities"))?;
        let images: StringChunked =
            self.images.iter().flat_map(|image| [image.as_str(); COUNT]).collect_ca("image".into());
        let attributes: StringChunked = self.images.iter().flat_map(|_| NAMES).collect_ca("attribute".into());
        let names = |name: &str, values: &[Option<String>]| -> StringChunked {
            values.iter().flat_map(|value| [value.as_deref(); COUNT]).collect_ca(name.into())
        };
        let head = |name: &str, probabilities: &Option<Vec<f32>>| match probabilities {
            Some(values) => Float32Chunked::from_slice(name.into(), values),
            None => Float32Chunked::full_null(name.into(), self.labels.len()),
        };
        let columns = vec![
            images.into_column(),
            attributes.into_column(),
            label_column("label", self.labels.iter().copied()),
            head("probability_fln", &self.fln).into_column(),
            head("probability_cln", &self.cln).into_column(),
            names("identity", &self.identities).into_column(),
            names("duplicate_of", &self.duplicate_of).into_column(),
        ];
        let mut frame = DataFrame::new(self.labels.len(), columns)?;
        let mut bytes = Vec::new();
        ParquetWriter::new(&mut bytes).finish(&mut frame)?;
        io::write(path, &bytes)
    }

    /// The same images with the means of these probabilities and those of `mirrored`.
    pub(super) fn averaged(&self, mirrored: &Self) -> Self {
        let mean = |own: &Option<Vec<f32>>, mirrored: &Option<Vec<f32>>| {
            own.as_ref().zip(mirrored.as_ref()).map(|(own, mirrored)| mean_probabilities(own, mirrored))
        };
        Self { fln: mean(&self.fln, &mirrored.fln), cln: mean(&self.cln, &mirrored.cln), ..self.clone() }
    }

    /// Share of correct predictions; `None` without a known label. A probability of one half is a "no".
    pub(super) fn accuracy(&self, probabilities: &[f32]) -> Option<f64> {
        let known = || probabilities.iter().zip(&self.labels).filter_map(|(p, label)| Some((*p > 0.5) == (*label)?));
        let (correct, all) = (known().filter(|correct| *correct).count(), known().count());
        (all > 0).then(|| correct as f64 / all as f64)
    }
}

/// The means of two predictions for each image and attribute.
pub fn mean_probabilities(image: &[f32], mirrored: &[f32]) -> Vec<f32> {
    image.iter().zip(mirrored).map(|(image, mirrored)| f32::midpoint(*image, *mirrored)).collect()
}

/// Images whose own masks are stored beside the mean.
const SINGLE_MASKS: usize = 12;

/// PSE masks of a split: the mean, and those of its first images.
#[derive(Debug, Default)]
pub(super) struct Masks {
    /// Sums over the images, `[40 * positions]`. In f32, the mean of many ones would exceed 1.
    sums: Vec<f64>,
    /// Number of images.
    images: usize,
    /// `[40 * positions]` of each image.
    single: Vec<Vec<f32>>,
}

impl Masks {
    /// Adds the masks `[40, batch, positions]` of a batch.
    pub(super) fn add(&mut self, masks: &[f32], batch: usize) {
        let positions = masks.len() / (COUNT * batch);
        self.sums.resize(COUNT * positions, 0.0);
        self.images += batch;
        for image in 0..batch {
            let of_image =
                (0..COUNT).flat_map(|attribute| &masks[(attribute * batch + image) * positions..][..positions]);
            self.sums.iter_mut().zip(of_image.clone()).for_each(|(sum, value)| *sum += f64::from(*value));
            if self.single.len() < SINGLE_MASKS {
                self.single.push(of_image.copied().collect());
            }
        }
    }

    /// True without the masks of any image.
    pub(super) fn is_empty(&self) -> bool {
        self.images == 0
    }

    /// Writes `masks.npy`: f32 `[1 + n, 40, side, side]`, the mean and then the first n images.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let side = (self.sums.len() / COUNT).isqrt();
        let mut bytes = io::npy::header("<f4", &[1 + self.single.len(), COUNT, side, side]);
        let mean = self.sums.iter().map(|sum| (sum / self.images as f64).clamp(0.0, 1.0) as f32);
        let values: Vec<f32> = mean.chain(self.single.iter().flatten().copied()).collect();
        check_shares(&values, "masks")?;
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        io::write(path, &bytes)
    }
}

/// Refuses values that are not numbers from 0 to 1: no later stage could read them.
fn check_shares(values: &[f32], what: &str) -> Result<()> {
    match values.iter().find(|value| !(0.0..=1.0).contains(*value)) {
        None => Ok(()),
        Some(value) => Err(Error::Request(format!(
            "the network diverged: among its {what} on the test split is {value}, expected numbers from 0 to 1; lower the \
             learning rate in the profile, and train again with --force"
        ))),
    }
}

/// Writes `affinity.csv`: a header and a row for each attribute, from `[40 * 40]`.
///
/// # Errors
/// Weights that are not numbers of 0 or more. Their sums in f32 may exceed 1.
pub(super) fn write_affinity(path: &Path, affinity: &[f32]) -> Result<()> {
    // `min` would turn NaN and infinity into 1.
    let bounded = affinity.iter().map(|weight| if weight.is_finite() { weight.min(1.0) } else { *weight });
    check_shares(&bounded.collect::<Vec<_>>(), "affinities")?;
    let mut writer = csv::Writer::from_writer(Vec::new());
    let failed = |e: csv::Error| Error::Internal(e.to_string());
    writer.write_record(["attribute"].into_iter().chain(NAMES)).map_err(failed)?;
    for (name, row) in NAMES.iter().zip(affinity.chunks_exact(COUNT)) {
        let values = row.iter().map(|value| format!("{value:.7}"));
        writer.write_record([(*name).to_owned()].into_iter().chain(values)).map_err(failed)?;
    }
    io::write(path, &writer.into_inner().map_err(|e| Error::Internal(e.to_string()))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::run_dir;
    use crate::evaluate;
    use proptest::collection::vec;
    use proptest::prelude::*;

    #[test]
    fn the_progress_line_names_the_wait_for_data_from_five_percent_on() {
        let line = TrainingLine {
            step: 20,
            epoch: 0.5,
            lr: 0.1,
            loss_fln: Some(12.34),
            loss_cln: Some(13.0),
            training_accuracy_fln: Some(0.8),
            training_accuracy_cln: Some(0.816),
            images_per_second: 250.4,
            data_wait: 0.049,
            affinity: None,
        };
        assert_eq!(line.progress_line(), "loss 12.340, accuracy 81.6 %, 250 images/s");
        let waiting = TrainingLine { data_wait: 0.31, ..line };
        let expected = "loss 12.340, accuracy 81.6 %, 250 images/s, 31 % of the time waiting for data";
        assert_eq!(waiting.progress_line(), expected);
    }

    /// Numbers from 0 to 1, often at the ends of the range.
    fn share() -> impl Strategy<Value = f32> {
        let ends = [0.0, f32::from_bits(1), f32::MIN_POSITIVE, 0.5, 1.0 - f32::EPSILON / 2.0, 1.0];
        prop_oneof![proptest::sample::select(ends.to_vec()), 0.0..=1.0_f32]
    }

    fn maybe<T: std::fmt::Debug>(value: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
        proptest::option::of(value)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// Many images with equal masks are the worst case of a mean.
        #[test]
        fn masks_are_read_as_written(values in vec(share(), COUNT * 4), batches in 1..400_usize, batch in 1..9_usize) {
            let folder = tempfile::tempdir().unwrap();
            let mut masks = Masks::default();
            let of_batch: Vec<f32> =
                values.chunks(4).flat_map(|mask| mask.iter().copied().cycle().take(4 * batch)).collect();
            (0..batches).for_each(|_| masks.add(&of_batch, batch));
            masks.write(&folder.path().join(run_dir::MASKS)).unwrap();
            let read = evaluate::masks::Masks::of_run(folder.path()).unwrap().unwrap();
            let mean: Vec<f32> = read.mean.concat();
            prop_assert!(mean.iter().zip(&values).all(|(read, value)| (read - value).abs() <= f32::EPSILON));
            prop_assert!(read.images.iter().all(|image| image.concat() == values));
        }

        #[test]
        fn predictions_are_read_as_written(
            rows in vec((".*", [maybe(".*"), maybe(".*")], vec((maybe(any::<bool>()), share(), share()), COUNT)), 1..4),
            (has_fln, has_cln) in prop_oneof![Just((true, false)), Just((false, true)), Just((true, true))],
        ) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(run_dir::PREDICTIONS);
            let cells = || rows.iter().flat_map(|row| &row.2);
            let table = PredictionTable {
                images: rows.iter().enumerate().map(|(row, (name, ..))| format!("{row}{name}")).collect(),
                identities: rows.iter().map(|row| row.1[0].clone()).collect(),
                duplicate_of: rows.iter().map(|row| row.1[1].clone()).collect(),
                labels: cells().map(|cell| cell.0).collect(),
                fln: has_fln.then(|| cells().map(|cell| cell.1).collect()),
                cln: has_cln.then(|| cells().map(|cell| cell.2).collect()),
            };
            table.write(&path).unwrap();
            let read = evaluate::Predictions::read(&path, None).unwrap();
            prop_assert_eq!(read.images.names, table.images);
            prop_assert_eq!(read.labels, table.labels);
            prop_assert_eq!((read.fln, read.cln), (table.fln, table.cln));
            let if_any = |names: Vec<Option<String>>| names.iter().any(Option::is_some).then_some(names);
            prop_assert_eq!(read.images.identities, if_any(table.identities));
            prop_assert_eq!(read.images.duplicate_of, if_any(table.duplicate_of));
        }

        #[test]
        fn an_affinity_is_read_as_written(values in vec(prop_oneof![share(), 1.0..1.00001_f32], COUNT * COUNT)) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(run_dir::AFFINITY);
            write_affinity(&path, &values).unwrap();
            let read = evaluate::run_files::read_affinity(&path).unwrap().concat();
            prop_assert!(read.iter().zip(&values).all(|(read, value)| (read - f64::from(*value)).abs() < 1e-7));
        }

        /// JSON has no infinity; such a number is read as none.
        #[test]
        fn metrics_are_read_as_written(step in any::<u64>(), loss in any::<f64>(), accuracy in maybe(any::<f64>())) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(run_dir::METRICS);
            let line = TrainingLine {
                step: step as usize,
                epoch: loss,
                lr: loss,
                loss_fln: Some(loss),
                loss_cln: accuracy,
                training_accuracy_fln: None,
                training_accuracy_cln: accuracy,
                images_per_second: loss,
                data_wait: loss,
                affinity: accuracy.map(|value| AffinityLine {
                    affinity_diagonal: value,
                    self_product: value,
                    largest_other_product: loss,
                }),
            };
            append_line(&path, &line).unwrap();
            append_line(&path, &ValidationLine {
                step: line.step,
                validation_accuracy_fln: accuracy,
                validation_accuracy_cln: Some(loss),
            }).unwrap();
            let finite = |value: Option<f64>| value.filter(|value| value.is_finite());
            let read = evaluate::run_files::read_metrics(&path).unwrap();
            prop_assert_eq!((read[0].step, read[0].loss_fln, read[0].loss_cln), (step, finite(Some(loss)), finite(accuracy)));
            prop_assert_eq!(read[0].self_product, finite(accuracy));
            prop_assert_eq!(
                (read[1].validation_accuracy_fln, read[1].validation_accuracy_cln),
                (finite(accuracy), finite(Some(loss)))
            );
        }
    }

    #[test]
    fn what_no_stage_could_read_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for value in [f32::NAN, f32::INFINITY, -0.1] {
            let table = PredictionTable { fln: Some(vec![value; COUNT]), ..PredictionTable::default() };
            let message = table.write(&path).unwrap_err().to_string();
            assert!(message.contains("the network diverged"), "{message}");
            assert!(write_affinity(&path, &[value; COUNT * COUNT]).is_err());
        }
        assert!(!path.exists());
    }

    #[test]
    fn the_former_key_of_data_wait_is_read() {
        let line = |key: &str| format!(r#"{{"step":1,"epoch":0.5,"lr":0.1,"images_per_second":9.0,"{key}":0.25}}"#);
        let parsed = ["waiting", "data_wait"].map(|key| serde_json::from_str::<TrainingLine>(&line(key)).unwrap());
        assert_eq!(parsed[0], parsed[1]);
    }
}
