//! Updates of variables, and packing of parameters.

use super::launch::{Computed, Grid, Scalars, Source, device, launch, values};
use candle_core::{Result, Shape, Tensor, bail};

/// Two or three parameters one after another, flat: candle's operations have three inputs.
pub(super) fn pack(parts: &[&Tensor]) -> Result<Tensor> {
    let (&[a, b] | &[a, b, _]) = parts else { bail!("{} parameters to pack", parts.len()) };
    let third = parts.get(2).copied();
    let shapes: Vec<Shape> = parts.iter().map(|part| part.shape().clone()).collect();
    let count = shapes.iter().map(Shape::elem_count).sum();
    let mut packed = values(device(a)?, count)?;
    let scalars = Scalars { sizes: &[count, a.elem_count(), b.elem_count()], numbers: &[] };
    // The kernel reads nothing of a third part that has no place in the result.
    let (kernel, operands) = ((Source::Update, "concatenate"), [a, b, third.unwrap_or(b)]);
    launch(device(a)?, kernel, Grid::of_values(count), scalars, &operands, &mut [&mut packed])?;
    let operation = Computed::new("pack", packed, count, move |_, d| {
        let mut start = 0;
        let part = |shape: &Shape| {
            let part = d.narrow(0, start, shape.elem_count())?.reshape(shape)?;
            start += shape.elem_count();
            Ok(Some(part))
        };
        shapes.iter().map(part).collect()
    });
    match third {
        Some(c) => a.apply_op3(b, c, operation),
        None => a.apply_op2(b, operation),
    }
}

/// A step of [`MomentumSgd`](crate::nn::MomentumSgd): changes `weight` and `velocity` in place.
pub(in crate::nn) fn momentum_step(
    weight: &Tensor,
    gradient: &Tensor,
    velocity: &Tensor,
    (momentum, decay, rate): (f64, f64, f64),
) -> Result<()> {
    let count = weight.elem_count();
    let scalars = Scalars { sizes: &[count], numbers: &[momentum as f32, decay as f32, rate as f32] };
    let (kernel, operands) = ((Source::Update, "momentum_step"), [weight, &gradient.contiguous()?, velocity]);
    launch(device(weight)?, kernel, Grid::of_values(count), scalars, &operands, &mut [])
}

/// `mean = decay * mean + (1 - decay) * value`, in place.
pub(in crate::nn) fn average_into(mean: &Tensor, value: &Tensor, decay: f64) -> Result<()> {
    let count = mean.elem_count();
    let scalars = Scalars { sizes: &[count], numbers: &[decay as f32, (1.0 - decay) as f32] };
    let (kernel, operands) = ((Source::Update, "average_into"), [mean, &value.contiguous()?]);
    launch(device(mean)?, kernel, Grid::of_values(count), scalars, &operands, &mut [])
}
