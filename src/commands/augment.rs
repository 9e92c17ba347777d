//! `gal-bench augment`.

use crate::cli::AugmentArgs;
use gal_bench::augment::{Pipeline, contact_sheet};
use gal_bench::synthetic;
use gal_bench::{Error, Result, io};
use image::RgbImage;
use image::codecs::png::CompressionType;
use serde_json::{Value, json};
use std::path::Path;

/// Number of synthetic faces on a sheet without images of the user.
const FACES: usize = 6;

pub(super) fn run(args: &AugmentArgs) -> Result<()> {
    let path = &args.output;
    io::refuse_overwrite(path, args.force)?;
    let pipeline = super::pipeline(args.pipeline.as_deref())?;
    let sources = if args.images.is_empty() {
        let faces = synthetic::Renderer::new(args.seed)?;
        (0..FACES).map(|row| (format!("synthetic/{row:06}.png"), faces.render(row))).collect()
    } else {
        args.images.iter().map(|path| read(path)).collect::<Result<Vec<_>>>()?
    };
    let sheet = contact_sheet(&pipeline, &sources, args.size, args.seed);
    io::write_png(path, &sheet, CompressionType::default())?;
    let columns = legend(&pipeline)?;
    let rows: Vec<&str> = sources.iter().map(|(name, _)| name.as_str()).collect();
    let result = json!({ "output": io::path_text(path), "seed": args.seed, "columns": columns, "rows": rows });
    args.output_args.result(&result, || describe(path, &columns, &rows))
}

fn read(path: &Path) -> Result<(String, RgbImage)> {
    Ok((path.display().to_string(), io::decode_image(&io::read(path)?, path)?))
}

/// Content of each column of the sheet.
fn legend(pipeline: &Pipeline) -> Result<Vec<Value>> {
    let operations = pipeline.operations.iter().map(serde_json::to_value).collect::<serde_json::Result<Vec<_>>>();
    let operations = operations.map_err(|e| Error::Internal(e.to_string()))?;
    Ok(std::iter::once("undistorted".into()).chain(operations).chain(["the whole pipeline".into()]).collect())
}

fn describe(path: &Path, columns: &[Value], rows: &[&str]) -> String {
    let columns = columns.iter().enumerate().map(|(index, column)| format!("{index:>4} {}", words(column)));
    let mut lines = vec![format!("wrote {}; rows from the top:", path.display())];
    lines.extend(rows.iter().map(|name| format!("     {name}")));
    lines.push("columns by number:".to_owned());
    lines.extend(columns);
    lines.join("\n")
}

/// An operation with its parameters. The sheet does not depend on its probability.
fn words(column: &Value) -> String {
    match column {
        Value::Object(fields) => {
            let parameters = fields.iter().filter(|(key, _)| !["name", "probability"].contains(&key.as_str()));
            let parameters: Vec<String> = parameters.map(|(key, value)| format!(" {key} {value}")).collect();
            format!("{}{}", fields["name"].as_str().unwrap_or_default(), parameters.concat())
        }
        other => other.as_str().unwrap_or_default().to_owned(),
    }
}
