//! The loss.

use super::launch::{Computed, Grid, Scalars, Source, device, launch, tensor, values};
use candle_core::{Result, Tensor};

/// Cross entropy of logits and targets `[rows, classes, batch]`, added up over rows, averaged over the batch.
pub fn cross_entropy(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    let ((_, classes, batch), count) = (logits.dims3()?, logits.elem_count());
    let (logits, targets) = (logits.contiguous()?, targets.detach().contiguous()?);
    let mut loss = values(device(&logits)?, 1)?;
    let kernel = (Source::Loss, "cross_entropy");
    let scalars = Scalars { sizes: &[count, classes, batch], numbers: &[] };
    let operands = [&logits.detach(), &targets];
    launch(device(&logits)?, kernel, Grid::of_blocks(1, 1), scalars, &operands, &mut [&mut loss])?;
    if !logits.track_op() {
        return Ok(tensor(loss, ()));
    }
    logits.apply_op1(Computed::new("cross-entropy", loss, (), move |inputs, d_loss| {
        let mut d_logits = values(device(&targets)?, count)?;
        let kernel = (Source::Loss, "cross_entropy_gradient");
        let scalars = Scalars { sizes: &[count, classes, batch], numbers: &[] };
        let operands = [inputs[0], &targets, d_loss];
        launch(device(&targets)?, kernel, Grid::of_values(count / classes), scalars, &operands, &mut [&mut d_logits])?;
        Ok(vec![Some(tensor(d_logits, inputs[0].shape()))])
    }))
}
