//! A pipeline file (TOML, one `[[operation]]` an operation, in order) and the plans drawn from it.

use super::operation::{Operation, Step};
use crate::error::{Error, Result};
use crate::random;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::Path;
use toml::Spanned;

/// Operations in the order in which they are applied.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pipeline {
    /// The operations; none leaves every copy undistorted.
    #[serde(rename = "operation")]
    pub operations: Vec<Operation>,
}

/// What was drawn for one copy of one source; its `Display` names every operation with its parameters.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// In the order in which they are applied; none is the undistorted image.
    pub steps: Vec<Step>,
}

/// The file as it is read, with the places to name in an error.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    #[serde(default)]
    operation: Vec<Spanned<Operation>>,
}

/// The embedded `datasets/pipelines/default.toml`.
impl Default for Pipeline {
    fn default() -> Self {
        let path = "datasets/pipelines/default.toml";
        Self::from_toml(path, include_str!("../../datasets/pipelines/default.toml")).expect("a test reads it")
    }
}

impl Pipeline {
    /// A pipeline from TOML; `path` is named in errors.
    ///
    /// # Errors
    /// Unknown operations or keys, missing keys, and values out of bounds, with file and line.
    pub fn from_toml(path: impl AsRef<Path>, text: &str) -> Result<Self> {
        let path = path.as_ref();
        let line = |start: usize| text[..start].matches('\n').count() + 1;
        let wire: Wire = toml::from_str(text).map_err(|e| {
            let start = e.span().map_or(0, |span| span.start);
            Error::line(path, line(start), e.message().trim().replace('\n', "; "))
        })?;
        for operation in &wire.operation {
            let start = operation.span().start;
            operation
                .get_ref()
                .check()
                .map_err(|message| Error::line(path, line(start), format!("this operation cannot be: {message}")))?;
        }
        Ok(Self { operations: wire.operation.into_iter().map(Spanned::into_inner).collect() })
    }

    /// The pipeline as TOML without comments: the same text for the same operations, however their file was written.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|e| Error::Internal(format!("a pipeline could not be written as TOML: {e}")))
    }

    /// What is done to copy `copy` of `source` under `seed`. Copy 0 is the undistorted one.
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
        // Each operation has a generator of its own, so that changing one leaves the draws of the others.
        let draw = |(place, operation): (usize, &Operation)| {
            let path = [random::name("augment"), random::name(source), copy.into(), place as u64];
            operation.draw(&mut random::generator(seed, &path))
        };
        Plan { steps: self.operations.iter().enumerate().filter_map(draw).collect() }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, step) in self.steps.iter().enumerate() {
            write!(f, "{}{step}", if place == 0 { "" } else { "; " })?;
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
        assert_eq!(message(&late), "p.toml, line 4: this operation cannot be: probability is 1.5, expected 0 to 1");
        let zoom = "[[operation]]\nname = \"zoom\"\nprobability = 1\nmin_factor = 1.2\nmax_factor = 1.1\n";
        assert!(message(zoom).contains("min_factor is 1.2 and max_factor 1.1"));
        assert!(message(&zoom.replace("1.2", "nan")).contains("min_factor is NaN"));
    }

    #[test]
    fn plan_depends_on_seed_source_and_copy_alone() {
        let plan = |seed, source, copy| Pipeline::default().plan(seed, source, copy).to_string();
        let first: Vec<_> = (1..20).map(|copy| plan(3, "a.jpg", copy)).collect();
        assert_eq!(first, (1..20).map(|copy| plan(3, "a.jpg", copy)).collect::<Vec<_>>());
        assert_ne!(first, (1..20).map(|copy| plan(4, "a.jpg", copy)).collect::<Vec<_>>());
        assert_ne!(first, (1..20).map(|copy| plan(3, "b.jpg", copy)).collect::<Vec<_>>());
        assert_ne!(first[0], first[1]);
    }

    #[test]
    fn removing_the_last_operation_leaves_the_draws_of_the_others() {
        let mut short = Pipeline::default();
        short.operations.pop();
        for copy in 1..50 {
            let (long, short) = (Pipeline::default().plan(0, "x", copy), short.plan(0, "x", copy));
            assert_eq!(long.steps[..short.steps.len()], short.steps);
        }
    }

    #[test]
    fn draws_stay_within_bounds_and_reach_them() {
        let plans: Vec<_> = (1..4000).map(|copy| Pipeline::default().plan(0, "x", copy)).collect();
        let degrees: Vec<i32> = plans
            .iter()
            .flat_map(|p| &p.steps)
            .filter_map(|s| if let Step::RotateWithoutCrop(d) = s { Some(*d) } else { None })
            .collect();
        assert_eq!((degrees.iter().min(), degrees.iter().max()), (Some(&-11), Some(&11)));
        // The coin: 11 of 12 times not 0, half of them to either side; within five standard deviations (26).
        let left = degrees.iter().filter(|d| **d > 0).count();
        assert!((left as f64 - degrees.len() as f64 * 11.0 / 24.0).abs() < 130.0, "{left}");
        // 0.7 of 3999 within five standard deviations (29).
        assert!((2654..=2944).contains(&degrees.len()), "{}", degrees.len());
        let zooms =
            plans.iter().flat_map(|p| &p.steps).filter_map(|s| if let Step::Zoom(z) = s { Some(*z) } else { None });
        assert!(zooms.clone().all(|z| (900..=1100).contains(&z)) && zooms.max() > Some(1090));
    }
}
