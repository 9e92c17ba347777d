//! A pipeline file (TOML, one `[[operation]]` table per operation, in order) and the plans sampled from it.

use super::interpolation::Interpolation;
use super::operation::Operation;
use super::sampled_op::SampledOp;
use crate::error::{Error, Result};
use crate::random;
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::Path;
use toml::Spanned;

/// Operations in their order of application. A pipeline inside another
/// document is not checked while it is read; see [`Pipeline::check`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pipeline {
    /// Reproduces Augmentor 0.2.12 where it has errors.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub augmentor_compat: bool,
    /// How copies are interpolated. Serialized as `sampling`, its first name: digests of prepared sets cover that text.
    #[serde(default, rename = "sampling", alias = "interpolation", skip_serializing_if = "is_default")]
    pub interpolation: Interpolation,
    /// The operations; without any, every copy is undistorted.
    #[serde(default, rename = "operation")]
    pub operations: Vec<Operation>,
}

/// The operations of one copy of one source. `Display` writes each with its parameters.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// In their order of application; empty for the undistorted image.
    pub ops: Vec<SampledOp>,
}

/// The file as it is read, with positions for error messages.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    #[serde(default)]
    augmentor_compat: bool,
    #[serde(default, alias = "sampling")]
    interpolation: Interpolation,
    #[serde(default)]
    operation: Vec<Spanned<Operation>>,
}

/// The default is omitted, so that the text of pipelines that do not set it stays the same.
fn is_default(interpolation: &Interpolation) -> bool {
    *interpolation == Interpolation::default()
}

/// The embedded `datasets/pipelines/default.toml`.
impl Default for Pipeline {
    fn default() -> Self {
        let path = "datasets/pipelines/default.toml";
        Self::from_toml(path, include_str!("../../datasets/pipelines/default.toml")).expect("a test reads it")
    }
}

impl Pipeline {
    /// True if it changes some images.
    pub fn distorts(&self) -> bool {
        self.operations.iter().any(|operation| operation.probability() > 0.0)
    }

    /// Parses a pipeline; `path` is named in errors.
    ///
    /// # Errors
    /// Unknown operations or keys, missing keys, and values out of bounds, with file and line.
    pub fn from_toml(path: impl AsRef<Path>, text: &str) -> Result<Self> {
        let path = path.as_ref();
        let line = |offset: usize| text[..offset].matches('\n').count() + 1;
        let wire: Wire = toml::from_str(text).map_err(|e| {
            let start = e.span().map_or(0, |span| span.start);
            Error::line(path, line(start), e.message().trim().replace('\n', "; "))
        })?;
        for operation in &wire.operation {
            let start = operation.span().start;
            operation
                .get_ref()
                .check(wire.augmentor_compat)
                .map_err(|message| Error::line(path, line(start), format!("this operation is invalid: {message}")))?;
        }
        let operations = wire.operation.into_iter().map(Spanned::into_inner).collect();
        Ok(Self { augmentor_compat: wire.augmentor_compat, interpolation: wire.interpolation, operations })
    }

    /// Checks the parameters of every operation; the error names the first invalid one.
    ///
    /// # Errors
    /// Values out of bounds.
    pub fn check(&self) -> std::result::Result<(), String> {
        let check = |(index, operation): (usize, &Operation)| {
            operation
                .check(self.augmentor_compat)
                .map_err(|message| format!("operation {} is invalid: {message}", index + 1))
        };
        self.operations.iter().enumerate().try_for_each(check)
    }

    /// The pipeline as TOML in one fixed form: files with the same operations give the same text.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|e| Error::Internal(format!("a pipeline cannot be written as TOML: {e}")))
    }

    /// Samples the distortions of copy `copy` of `source` under `seed`. Copy 0 is the undistorted one.
    ///
    /// ```
    /// use gal_bench::augment::Pipeline;
    /// let text = "[[operation]]\nname = \"flip_left_right\"\nprobability = 1.0\n";
    /// let pipeline = Pipeline::from_toml("flip.toml", text)?;
    /// assert_eq!(pipeline.plan(1, "a.jpg", 0).to_string(), "");
    /// assert_eq!(pipeline.plan(1, "a.jpg", 1).to_string(), "flip_left_right");
    /// # Ok::<(), gal_bench::Error>(())
    /// ```
    pub fn plan(&self, seed: u64, source: &str, copy: u32) -> Plan {
        if copy == 0 {
            return Plan::default();
        }
        let sample = |(index, operation): (usize, &Operation)| {
            operation.sample_by_chance(&mut generator(seed, source, copy, index), self.augmentor_compat)
        };
        Plan { ops: self.operations.iter().enumerate().filter_map(sample).collect() }
    }

    /// Samples the operation at `index` alone, as [`Pipeline::plan`] does, whatever its probability.
    ///
    /// # Panics
    /// If there is no operation at `index`.
    pub fn plan_alone(&self, seed: u64, source: &str, copy: u32, index: usize) -> Plan {
        let mut generator = generator(seed, source, copy, index);
        Plan { ops: vec![self.operations[index].sample(&mut generator, self.augmentor_compat)] }
    }
}

/// A generator for each operation, so that changing one operation does not change the parameters of the others.
fn generator(seed: u64, source: &str, copy: u32, index: usize) -> Pcg64Mcg {
    random::generator(seed, &[random::name("augment"), random::name(source), copy.into(), index as u64])
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, op) in self.ops.iter().enumerate() {
            write!(f, "{}{op}", if index == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        Pipeline::from_toml("p.toml", text).unwrap_err().to_string()
    }

    #[test]
    fn default_pipeline_has_the_six_operations() {
        assert_eq!(Pipeline::default().operations.len(), 6);
    }

    #[test]
    fn written_pipeline_reads_back() {
        let text = Pipeline::default().to_toml().unwrap();
        assert_eq!(Pipeline::from_toml("p.toml", &text).unwrap(), Pipeline::default());
    }

    #[test]
    fn interpolation_is_also_read_under_its_first_name() {
        let read = |key: &str| Pipeline::from_toml("p.toml", &format!("{key} = \"bicubic\"\n")).unwrap();
        assert_eq!(read("interpolation").interpolation, Interpolation::Bicubic);
        assert_eq!(read("sampling"), read("interpolation"));
        assert_eq!(read("interpolation").to_toml().unwrap(), "sampling = \"bicubic\"\noperation = []\n");
    }

    #[test]
    fn unknown_key_is_refused_with_file_and_line() {
        let text = "# one\n\n[[operation]]\nname = \"zoom\"\nprobability = 1.0\nmin_factor = 1.0\nmax_facto = 1.1\n";
        let message = message(text);
        assert!(message.starts_with("p.toml, line 3: unknown field `max_facto`"), "{message}");
    }

    #[test]
    fn unknown_operation_is_refused_with_the_known_ones() {
        let message = message("[[operation]]\nname = \"swirl\"\nprobability = 1.0\n");
        assert!(message.contains("swirl") && message.contains("rotate_without_crop"), "{message}");
    }

    #[test]
    fn broken_toml_is_refused_at_its_line() {
        assert!(message("[[operation]]\nname = \n").starts_with("p.toml, line 2: "));
    }

    #[test]
    fn values_out_of_bounds_are_refused_at_their_operation() {
        let flip = "[[operation]]\nname = \"flip_left_right\"\nprobability = 0.5\n";
        let late = format!("{flip}{}", flip.replace("0.5", "1.5"));
        assert_eq!(message(&late), "p.toml, line 4: this operation is invalid: probability is 1.5, expected 0 to 1");
        let zoom = "[[operation]]\nname = \"zoom\"\nprobability = 1\nmin_factor = 1.2\nmax_factor = 1.1\n";
        assert!(message(zoom).contains("min_factor is 1.2 and max_factor 1.1"));
        assert!(message(&zoom.replace("1.2", "nan")).contains("min_factor is NaN"));
    }

    #[test]
    fn every_operation_is_in_the_pipeline_of_everything() {
        let path = "datasets/pipelines/everything.toml";
        let pipeline = Pipeline::from_toml(path, include_str!("../../datasets/pipelines/everything.toml")).unwrap();
        let names: std::collections::BTreeSet<String> = pipeline.operations.iter().map(name).collect();
        // The error for an unknown operation lists all known ones.
        let error = message("[[operation]]\nname = \"swirl\"\nprobability = 1.0\n");
        let known =
            error.split('`').skip(3).step_by(2).filter(|name| !["rotate90", "rotate180", "rotate270"].contains(name));
        assert_eq!(names, known.map(str::to_owned).collect());
        assert_eq!(names.len(), 36);
        let text = pipeline.to_toml().unwrap();
        assert_eq!(Pipeline::from_toml("p.toml", &text).unwrap(), pipeline);
        let compat = format!("augmentor_compat = true\n{text}");
        assert_eq!(
            Pipeline::from_toml("p.toml", &compat).unwrap().to_toml().unwrap(),
            format!("augmentor_compat = true\n\n{text}")
        );
    }

    fn name(operation: &Operation) -> String {
        serde_json::to_value(operation).unwrap()["name"].as_str().unwrap().to_owned()
    }

    #[test]
    fn omitted_parameters_are_augmentors_defaults() {
        let text = "[[operation]]\nname = \"crop_by_size\"\nprobability = 1\nwidth = 20\nheight = 30\n";
        let expected = Operation::CropBySize { probability: 1.0, width: 20, height: 30, centre: true };
        assert_eq!(Pipeline::from_toml("p.toml", text).unwrap().operations, [expected]);
    }

    #[test]
    fn every_bound_is_checked() {
        for (operation, complaint) in [
            ("rotate\"\nmax_left = 91\nmax_right = 0", "max_left is 91 and max_right 0, expected at most 90 degrees"),
            ("shear\"\nmax_shear_left = 5\nmax_shear_right = 26", "expected at most 25 degrees"),
            ("crop_centre\"\npercentage_area = 0.05", "percentage_area is 0.05, expected 0.1 to 1"),
            ("crop_by_size\"\nwidth = 1\nheight = 9", "width is 1, expected 2 to 65535"),
            ("resize\"\nwidth = 9\nheight = 70000", "height is 70000, expected 2 to 65535"),
            ("scale\"\nscale_factor = 11", "scale_factor is 11, expected 0.1 to 10"),
            ("skew_tilt\"\nmagnitude = 0", "magnitude is 0, expected 0.001 to 1"),
            ("random_erasing\"\nrectangle_area = nan", "rectangle_area is NaN, expected 0.01 to 1"),
            ("random_color\"\nmin_factor = 2\nmax_factor = 1", "min_factor is 2 and max_factor 1"),
            ("black_and_white\"\nthreshold = 256", "invalid value: integer `256`, expected u8"),
            (
                "hsv_shift\"\nhue_shift = 0.1\nsaturation_shift = 0.1\nvalue_shift = 1.1",
                "value_shift is 1.1, expected 0 to 1",
            ),
            (
                "gaussian_distortion\"\ngrid_width = 33\ngrid_height = 4\nmagnitude = 5\ncorner = \"bell\"\nmethod = \"in\"",
                "a grid of 33 x 4 cells",
            ),
        ] {
            let message = message(&format!("# one\n[[operation]]\nprobability = 1\nname = \"{operation}\n"));
            assert!(message.starts_with("p.toml, line 2: ") && message.contains(complaint), "{message}");
        }
        let compat =
            "augmentor_compat = true\n[[operation]]\nname = \"rotate\"\nprobability = 1\nmax_left = 26\nmax_right = 0";
        assert!(message(compat).contains("line 2") && message(compat).contains("at most 25"));
    }

    /// Frozen: other plans would make prepared sets irreproducible.
    #[test]
    fn default_pipeline_samples_the_same_plans_as_before() {
        let plans: Vec<String> = (1..40).map(|copy| Pipeline::default().plan(3, "a.jpg", copy).to_string()).collect();
        assert_eq!(blake3::hash(plans.join("\n").as_bytes()).to_hex()[..16], *"f0cb9d9a032f890b");
    }

    #[test]
    fn plan_depends_only_on_seed_source_and_copy() {
        let plan = |seed, source, copy| Pipeline::default().plan(seed, source, copy).to_string();
        let first: Vec<_> = (1..20).map(|copy| plan(3, "a.jpg", copy)).collect();
        assert_eq!(first, (1..20).map(|copy| plan(3, "a.jpg", copy)).collect::<Vec<_>>());
        assert_ne!(first, (1..20).map(|copy| plan(4, "a.jpg", copy)).collect::<Vec<_>>());
        assert_ne!(first, (1..20).map(|copy| plan(3, "b.jpg", copy)).collect::<Vec<_>>());
        assert_ne!(first[0], first[1]);
    }

    #[test]
    fn removing_the_last_operation_does_not_change_the_others() {
        let mut short = Pipeline::default();
        short.operations.pop();
        for copy in 1..50 {
            let (long, short) = (Pipeline::default().plan(0, "x", copy), short.plan(0, "x", copy));
            assert_eq!(long.ops[..short.ops.len()], short.ops);
        }
    }

    #[test]
    fn sampled_parameters_stay_within_bounds_and_reach_them() {
        let plans: Vec<_> = (1..4000).map(|copy| Pipeline::default().plan(0, "x", copy)).collect();
        let degrees: Vec<i32> = plans
            .iter()
            .flat_map(|p| &p.ops)
            .filter_map(|s| if let SampledOp::RotateWithoutCrop(d) = s { Some(*d) } else { None })
            .collect();
        assert_eq!((degrees.iter().min(), degrees.iter().max()), (Some(&-11), Some(&11)));
        // 11 of 12 are not 0, and half of these are on either side; within five standard deviations (26).
        let left = degrees.iter().filter(|d| **d > 0).count();
        assert!((left as f64 - degrees.len() as f64 * 11.0 / 24.0).abs() < 130.0, "{left}");
        // 0.7 of 3999 within five standard deviations (29).
        assert!((2654..=2944).contains(&degrees.len()), "{}", degrees.len());
        let zooms =
            plans.iter().flat_map(|p| &p.ops).filter_map(|s| if let SampledOp::Zoom(z) = s { Some(*z) } else { None });
        assert!(zooms.clone().all(|z| (900..=1100).contains(&z)) && zooms.max() > Some(1090));
    }
}
