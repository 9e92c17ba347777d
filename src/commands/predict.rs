//! `gal-bench predict`.

use crate::cli::Predict;
use gal_bench::config::Compute;
use gal_bench::train::select_device;
use gal_bench::{Result, predict};

pub(super) fn run(options: &Predict) -> Result<()> {
    let progress = options.voice.progress();
    // Full precision: a picture has the same answer on every device.
    let (device, _) = select_device(&options.device, Compute::default(), &progress)?;
    let folder = options.trained.folder()?;
    let pictures = predict::find(&options.images)?;
    let predictions = predict::predict(&folder, &pictures, &device, options.details, &progress)?;
    let csv = options.csv.then(|| predict::csv(&predictions)).transpose()?;
    options.voice.result(&predictions, || match csv {
        Some(csv) => csv.trim_end().to_owned(),
        None => predict::table(&predictions, options.sort),
    })
}
