//! The comparison of two sides.

use crate::config::Compute;
use crate::error::{Error, Result};
use crate::model::Backend;
use crate::random;
use candle_core::{Device, Tensor};
use rand::RngExt;
use serde::Serialize;

/// Results of one side: tensors by name.
pub(super) type Named = Vec<(String, Tensor)>;

/// One of the two sides of a comparison.
#[derive(Debug, Clone, Copy)]
pub(super) struct Side<'a> {
    pub(super) device: &'a Device,
    pub(super) backend: Backend,
}

/// The largest relative errors that count as rounding.
#[derive(Debug, Clone, Copy)]
pub struct Tolerances {
    /// Error of an operation's forward pass.
    pub forward: f64,
    /// Error of an operation's backward pass.
    pub backward: f64,
    /// Error of a network and its gradients after one step. A ReLU's input within a rounding error of zero may have either
    /// sign, which happens in every network of full size.
    pub one_step: f64,
    /// Error of a network after ten steps, in which rounding errors grow.
    pub ten_steps: f64,
}

impl Tolerances {
    /// Tolerances for single precision, TF32 (1e-3 rounding error in each product) or bf16 (4e-3), multiplied by `factor`.
    /// They are two to seven times the errors that rounding causes on the CPU, with the paper's network and with ResNet-18.
    pub fn new(compute: Compute, factor: f64) -> Self {
        let [forward, backward, one_step, ten_steps] = match compute {
            Compute { bf16: true, .. } => [1e-2, 2e-1, 2e-1, 3e-1],
            Compute { tf32: true, .. } => [5e-3, 1e-1, 1e-1, 5e-1],
            _ => [1e-4, 2e-3, 5e-2, 5e-2],
        }
        .map(|tolerance| tolerance * factor);
        Self { forward, backward, one_step, ten_steps }
    }
}

/// The result of one comparison.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// Such as `convolution, stride 4: backward`.
    pub name: String,
    /// Norm of the difference over the norm of the reference; the largest over the tensors.
    pub relative_error: Option<f64>,
    /// The tensor with the largest relative error.
    pub worst: String,
    /// Largest difference of a value over the largest value; the largest over the tensors.
    pub largest_difference: Option<f64>,
    /// The largest relative error at which the sides agree.
    pub tolerance: f64,
    /// True if the sides agree.
    pub agrees: bool,
    /// Why a side returned nothing.
    pub failure: Option<String>,
}

impl Check {
    /// One line for a terminal.
    pub fn line(&self) -> String {
        let verdict = if self.agrees { "ok" } else { "FAIL" };
        match (&self.failure, self.relative_error) {
            (Some(failure), _) => format!("{verdict:4}  {}: {failure}", self.name),
            (None, error) => format!(
                "{verdict:4}  {}: relative error {:.1e} of {:.0e} ({})",
                self.name,
                error.unwrap_or(f64::NAN),
                self.tolerance,
                self.worst
            ),
        }
    }
}

pub(super) fn failed(name: &str, tolerance: f64, failure: String) -> Check {
    Check {
        name: name.to_owned(),
        relative_error: None,
        worst: String::new(),
        largest_difference: None,
        tolerance,
        agrees: false,
        failure: Some(failure),
    }
}

/// Compares the results of the two sides.
pub(super) fn compare(name: &str, tolerance: f64, expected: Result<Named>, found: Result<Named>) -> Check {
    match expected.and_then(|expected| differences(&expected, &found?)) {
        Err(error) => failed(name, tolerance, error.to_string()),
        Ok((relative, worst, largest)) => Check {
            name: name.to_owned(),
            relative_error: Some(relative),
            worst,
            largest_difference: Some(largest),
            tolerance,
            // False for NaN.
            agrees: relative <= tolerance,
            failure: None,
        },
    }
}

/// The largest relative error with the name of its tensor, and the largest single difference.
fn differences(expected: &Named, found: &Named) -> Result<(f64, String, f64)> {
    let flat = |tensor: &Tensor| -> Result<Vec<f32>> { Ok(tensor.flatten_all()?.to_vec1()?) };
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let peak = |values: &mut dyn Iterator<Item = f64>| values.map(f64::abs).fold(0.0, f64::max);
    let reference: Vec<Vec<f32>> = expected.iter().map(|(_, tensor)| flat(tensor)).collect::<Result<_>>()?;
    let norms: Vec<f64> = reference.iter().map(|values| norm(&mut values.iter().map(|v| f64::from(*v)))).collect();
    // Tensors near zero beside the others consist of rounding errors.
    let floor = 1e-2 * norms.iter().copied().fold(0.0, f64::max);
    let mut result = (0.0, String::new(), 0.0_f64);
    for ((reference, reference_norm), ((name, _), (other, tensor))) in
        reference.iter().zip(norms).zip(expected.iter().zip(found))
    {
        let values = flat(tensor)?;
        if name != other || values.len() != reference.len() {
            return Err(Error::Internal(format!("{name} was compared with {other}")));
        }
        let differences = || values.iter().zip(reference).map(|(a, b)| f64::from(*a) - f64::from(*b));
        let error = norm(&mut differences()) / reference_norm.max(floor).max(f64::MIN_POSITIVE);
        if error.is_nan() || error >= result.0 {
            (result.0, result.1) = (error, name.clone());
        }
        let largest = peak(&mut reference.iter().map(|v| f64::from(*v)));
        result.2 = result.2.max(peak(&mut differences()) / largest.max(f64::MIN_POSITIVE));
        if error.is_nan() {
            break;
        }
    }
    if expected.len() == found.len() { Ok(result) } else { Err(Error::Internal("results of two lengths".to_owned())) }
}

/// Random numbers between `shift - scale` and `shift + scale`, seeded by `name`.
pub(super) fn numbers(name: &str, shape: &[usize], (shift, scale): (f32, f32), device: &Device) -> Result<Tensor> {
    let mut random = random::generator(0, &[random::name(name)]);
    let count = shape.iter().product();
    let values: Vec<f32> = (0..count).map(|_| shift + scale * (2.0 * random.random::<f32>() - 1.0)).collect();
    Ok(Tensor::from_vec(values, shape, device)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(values: &[f32]) -> Result<Named> {
        Ok(vec![("values".to_owned(), Tensor::new(values, &Device::Cpu)?)])
    }

    #[test]
    fn one_wrong_value_is_found() {
        assert!(compare("same", 1e-4, one(&[1.0, 2.0, 3.0]), one(&[1.0, 2.0, 3.0])).agrees);
        let check = compare("other", 1e-4, one(&[1.0, 2.0, 3.0]), one(&[1.0, 2.1, 3.0]));
        assert!(!check.agrees);
        assert!((check.largest_difference.unwrap() - 0.1 / 3.0).abs() < 1e-6);
    }

    #[test]
    fn nan_and_a_missing_result_are_found() {
        assert!(!compare("nan", 1e-4, one(&[1.0]), one(&[f32::NAN])).agrees);
        assert!(!compare("none", 1e-4, one(&[1.0]), Ok(Vec::new())).agrees);
        assert!(!compare("failed", 1e-4, one(&[1.0]), Err(Error::Internal("no".to_owned()))).agrees);
    }
}
