//! Mixed precision of the reference operations: bf16 factors in matrix products and convolutions, f32 elsewhere, as
//! PyTorch's autocast (Micikevicius et al. 2018).

use candle_core::{DType, Result, Tensor};

/// Type of the factors of matrix products and convolutions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// f32.
    Single,
    /// bf16, also for products and their gradients; sums are f32. bf16 has the range of f32, so that the loss needs no
    /// scaling.
    Bf16,
}

impl Precision {
    /// `multiply` of two f32 tensors in this precision, as f32.
    pub(super) fn product(
        self,
        a: &Tensor,
        b: &Tensor,
        multiply: impl FnOnce(&Tensor, &Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        match self {
            Self::Single => multiply(a, b),
            Self::Bf16 => multiply(&rounded(a)?, &rounded(b)?)?.to_dtype(DType::BF16)?.to_dtype(DType::F32),
        }
    }
}

/// Rounds to bf16. On the CPU the rounded values are returned as f32, as candle has no bf16 products there.
fn rounded(x: &Tensor) -> Result<Tensor> {
    let x = x.to_dtype(DType::BF16)?;
    if x.device().is_cpu() { x.to_dtype(DType::F32) } else { Ok(x) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::conv::convolve_reference;
    use crate::nn::linear::batched_linear_reference;
    use crate::random;
    use candle_core::{Device, Var};
    use rand::RngExt;

    /// Unit roundoff of bf16: eight bits of mantissa, the first implied.
    const ROUNDING: f32 = 1.0 / 256.0;

    type Run = fn(&Tensor, &Tensor, Precision) -> Result<Tensor>;

    fn values(tensor: &Tensor) -> Vec<f32> {
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    }

    /// Result and gradients of `run` on two variables.
    fn all(run: impl Fn(&Tensor, &Tensor) -> Result<Tensor>, a: &Var, b: &Var) -> [Tensor; 3] {
        let y = run(a, b).unwrap();
        // Values that bf16 cannot represent, different at every index.
        let pull =
            (Tensor::arange(0.0_f32, y.elem_count() as f32, &Device::Cpu).unwrap() * 0.37).unwrap().sin().unwrap();
        let mut store = (&y * pull.reshape(y.shape()).unwrap()).unwrap().sum_all().unwrap().backward().unwrap();
        [y, store.remove(a).unwrap(), store.remove(b).unwrap()]
    }

    #[test]
    fn bf16_products_equal_f32_within_rounding_and_all_gradients_are_f32() {
        // Positive factors: no result is small relative to its terms.
        let mut random = random::generator(5, &[]);
        let mut draw = |shape: &[usize]| {
            let values: Vec<f32> = (0..shape.iter().product()).map(|_| random.random::<f32>() + 0.5).collect();
            Var::from_tensor(&Tensor::from_vec(values, shape, &Device::Cpu).unwrap()).unwrap()
        };
        let cases: [(&str, [Var; 2], Run); 4] = [
            ("linear", [draw(&[5, 3, 17]), draw(&[5, 17, 9])], |w, x, p| batched_linear_reference(w, x, None, p)),
            ("3x3", [draw(&[6, 2, 9, 9]), draw(&[4, 6, 3, 3])], |x, w, p| convolve_reference(x, w, 1, 1, p)),
            ("stride 2", [draw(&[6, 2, 9, 9]), draw(&[4, 6, 3, 3])], |x, w, p| convolve_reference(x, w, 2, 1, p)),
            ("1x1", [draw(&[6, 2, 9, 9]), draw(&[4, 6, 1, 1])], |x, w, p| convolve_reference(x, w, 1, 0, p)),
        ];
        for (name, [a, b], run) in cases {
            let [single, half] = [Precision::Single, Precision::Bf16].map(|p| all(|a, b| run(a, b, p), &a, &b));
            for (place, (single, half)) in single.iter().zip(&half).enumerate() {
                assert_eq!(half.dtype(), DType::F32, "{name}");
                let (single, half) = (values(single), values(half));
                let largest = single.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
                let apart = single.iter().zip(&half).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                // Both factors, the product and the incoming gradient are rounded.
                assert!(apart < 6.0 * ROUNDING * largest, "{name} {place}: {apart} of {largest}");
                assert!(apart > 0.0, "{name} {place} was not rounded");
            }
        }
    }
}
