//! Updates of variables, and packing of parameters.

use super::launch::{Computed, Grid, Scalars, Source, device, launch, values};
use candle_core::cuda::CudaStorage;
use candle_core::{Result, Shape, Tensor};

/// Three tensors one after another, flat, without a gradient.
fn concatenate([a, b, c]: [&Tensor; 3]) -> Result<(CudaStorage, usize)> {
    let (first, second) = (a.elem_count(), b.elem_count());
    let count = first + second + c.elem_count();
    let mut packed = values(device(a)?, count)?;
    let scalars = Scalars { sizes: &[count, first, second], numbers: &[] };
    let kernel = (Source::Update, "concatenate");
    launch(device(a)?, kernel, Grid::of_values(count), scalars, &[a, b, c], &mut [&mut packed])?;
    Ok((packed, count))
}

/// Three parameters one after another, flat: candle's operations have three inputs.
pub(super) fn pack(parts: [&Tensor; 3]) -> Result<Tensor> {
    let (packed, count) = concatenate(parts)?;
    let [first, second, third] = parts.map(|part| part.shape().clone());
    let operation = Computed::new("pack", packed, count, move |_, d| {
        let mut start = 0;
        let mut next = |shape: &Shape| {
            let part = d.narrow(0, start, shape.elem_count())?.reshape(shape);
            start += shape.elem_count();
            part.map(Some)
        };
        Ok(vec![next(&first)?, next(&second)?, next(&third)?])
    });
    parts[0].apply_op3(parts[1], parts[2], operation)
}

/// [`pack`] of two parameters.
pub(super) fn pack_two(first: &Tensor, second: &Tensor) -> Result<Tensor> {
    let (packed, count) = concatenate([first, second, &second.flatten_all()?.narrow(0, 0, 0)?])?;
    let (of_first, of_second) = (first.shape().clone(), second.shape().clone());
    let operation = Computed::new("pack", packed, count, move |_, d| {
        let front = d.narrow(0, 0, of_first.elem_count())?.reshape(&of_first)?;
        let back = d.narrow(0, of_first.elem_count(), of_second.elem_count())?.reshape(&of_second)?;
        Ok(vec![Some(front), Some(back)])
    });
    first.apply_op2(second, operation)
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
