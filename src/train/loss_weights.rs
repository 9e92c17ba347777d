//! Loss weights of MOON (Rudd et al. 2016), which adapt the training labels to a balanced distribution.

/// Weights of "no" and "yes" of each attribute from its share of positive training labels: 1 for the rarer class, and the
/// ratio of both for the other one. An attribute with labels of one class only has weights of 1.
pub(super) fn balanced_weights(positive_rates: &[Option<f64>]) -> Vec<[f32; 2]> {
    let weights = |rate: &Option<f64>| match *rate {
        Some(rate) if rate > 0.0 && rate < 1.0 => {
            [(rate / (1.0 - rate)).min(1.0) as f32, ((1.0 - rate) / rate).min(1.0) as f32]
        }
        _ => [1.0; 2],
    };
    positive_rates.iter().map(weights).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::loss;
    use candle_core::{Device, Tensor, Var};

    /// Values of `tests/golden/make_heads.py`, from PyTorch.
    const GOLDEN: &[u8] = include_bytes!("../../tests/golden/heads.safetensors");

    #[test]
    fn weights_loss_and_gradient_are_those_of_moon_in_pytorch() {
        let golden = candle_core::safetensors::load_buffer(GOLDEN, &Device::Cpu).unwrap();
        let labels = golden["moon/labels"].to_dtype(candle_core::DType::F32).unwrap();
        let rates: Vec<f32> = labels.mean(0).unwrap().to_vec1().unwrap();
        let weights = balanced_weights(&rates.iter().map(|rate| Some(f64::from(*rate))).collect::<Vec<_>>());
        let weights = Tensor::from_slice(weights.as_flattened(), (40, 2), &Device::Cpu).unwrap();
        let close = |found: &Tensor, expected: &str| {
            let difference = (found - &golden[expected]).unwrap().abs().unwrap().flatten_all().unwrap();
            let largest: f32 = difference.max(0).unwrap().to_scalar().unwrap();
            assert!(largest < 1e-5, "{expected}: {largest}");
        };
        close(&weights, "moon/weights");
        // [40, 2, images], as the network's.
        let to_ours = |tensor: &Tensor| tensor.permute((1, 2, 0)).unwrap().contiguous().unwrap();
        let logits = Var::from_tensor(&to_ours(&golden["moon/logits"])).unwrap();
        let targets = to_ours(&Tensor::stack(&[&(1.0 - &labels).unwrap(), &labels], 2).unwrap());
        let targets = targets.broadcast_mul(&weights.unsqueeze(2).unwrap()).unwrap();
        let loss = loss(&logits, &targets).unwrap();
        let expected: f32 = golden["moon/loss"].get(0).unwrap().to_scalar().unwrap();
        assert!((loss.to_scalar::<f32>().unwrap() - expected).abs() < 1e-5 * expected);
        let gradients = loss.backward().unwrap();
        close(&gradients.get(&logits).unwrap().permute((2, 0, 1)).unwrap(), "moon/gradient");
    }

    #[test]
    #[allow(clippy::float_cmp, reason = "the values are exact")]
    fn both_classes_weigh_the_same_in_the_whole_training_split() {
        let rates = [Some(0.2), Some(0.5), Some(0.75), Some(0.0), Some(1.0), None];
        let weights = balanced_weights(&rates);
        assert_eq!(weights[0], [0.25, 1.0]);
        assert_eq!(weights[1], [1.0, 1.0]);
        for (rate, [no, yes]) in rates.iter().zip(&weights).take(3) {
            let rate = rate.unwrap() as f32;
            assert!(((1.0 - rate) * no - rate * yes).abs() < 1e-6 && no.max(*yes) == 1.0);
        }
        assert_eq!(weights[3..], [[1.0, 1.0]; 3]);
    }
}
