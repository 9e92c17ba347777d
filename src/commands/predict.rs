//! `gal-bench predict`.

use super::print_part;
use crate::cli::PredictArgs;
use gal_bench::config::Compute;
use gal_bench::predict::{self, Predictor, Streamed};
use gal_bench::train::select_device;
use gal_bench::untrusted::terminal_json;
use gal_bench::{Error, Result, io};
use std::io::BufReader;
use std::path::Path;

/// Stands for the list on standard input.
const LIST: &str = "-";

pub(super) fn run(args: &PredictArgs) -> Result<()> {
    let progress = args.output_args.progress();
    let is_list = args.images.iter().any(|path| path == Path::new(LIST));
    if is_list && (args.images.len() > 1 || args.csv || args.details) {
        return Err(Error::Request(format!(
            "{LIST} reads a list of images from standard input and prints JSON lines: give no other image, and neither \
             --csv nor --details"
        )));
    }
    // Full precision, so that an image gets the same prediction on every device.
    let device = select_device(&args.device, None, Compute::default(), &progress)?.device;
    let folder = args.run.folder()?;
    super::verify::note_unsealed([folder.as_path()].into_iter(), &progress);
    if is_list {
        return stream(&Predictor::open(&folder, &device)?.with_known_labels(&args.known)?);
    }
    let images = predict::find(&args.images)?;
    let predictor = Predictor::open(&folder, &device)?.with_known_labels(&args.known)?;
    let predictions = predictor.predict(&images, args.details, &progress)?;
    let csv = args.csv.then(|| predict::csv(&predictions)).transpose()?;
    args.output_args.result(&predictions, || match csv {
        Some(csv) => csv.trim_end().to_owned(),
        None => predict::table(&predictions, args.sort),
    })?;
    // The others are printed first.
    predictions.complete()
}

/// Prints a JSON object a line for each image in the list on standard input.
fn stream(predictor: &Predictor) -> Result<()> {
    let (mut all, mut unreadable) = (0, 0);
    predict::stream(predictor, predict::paths(BufReader::new(std::io::stdin())), |batch| {
        let mut lines = String::new();
        for image in batch {
            all += 1;
            unreadable += usize::from(matches!(image, Streamed::Unreadable(_)));
            lines.push_str(&terminal_json(&io::to_json(image)?));
            lines.push('\n');
        }
        print_part(&lines)
    })?;
    if unreadable == 0 {
        return Ok(());
    }
    let images = if all == 1 { "image" } else { "images" };
    Err(Error::Request(format!("{unreadable} of {all} {images} cannot be read: each has its error in its line")))
}
