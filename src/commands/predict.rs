//! `gal-bench predict`.

use crate::cli::PredictArgs;
use gal_bench::config::Compute;
use gal_bench::train::select_device;
use gal_bench::{Result, predict};

pub(super) fn run(args: &PredictArgs) -> Result<()> {
    let progress = args.output_args.progress();
    // Full precision, so that an image gets the same prediction on every device.
    let device = select_device(&args.device, None, Compute::default(), &progress)?.device;
    let folder = args.run.folder()?;
    super::verify::note_unsealed([folder.as_path()].into_iter(), &progress);
    let images = predict::find(&args.images)?;
    let predictions = predict::predict(&folder, &images, &device, args.details, &progress)?;
    let csv = args.csv.then(|| predict::csv(&predictions)).transpose()?;
    args.output_args.result(&predictions, || match csv {
        Some(csv) => csv.trim_end().to_owned(),
        None => predict::table(&predictions, args.sort),
    })?;
    // The others are printed first.
    predictions.complete()
}
