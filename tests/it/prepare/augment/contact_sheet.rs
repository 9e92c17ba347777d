//! `gal-bench augment` from outside.

use assert_cmd::cargo::cargo_bin;
use std::path::Path;
use std::process::{Command, Output};

fn augment(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(cargo_bin!("gal-bench"));
    command.current_dir(folder).args(["augment", "--preview", "sheet.png"]).args(arguments).output().unwrap()
}

#[test]
fn sheet_has_a_row_a_source_and_a_column_an_operation() {
    let folder = tempfile::tempdir().unwrap();
    image::RgbImage::from_pixel(30, 20, image::Rgb([9, 99, 199])).save(folder.path().join("plain.png")).unwrap();
    let flip = "[[operation]]\nname = \"invert\"\nprobability = 0.0\n";
    std::fs::write(folder.path().join("p.toml"), flip).unwrap();
    let output = augment(folder.path(), &["--pipeline", "p.toml", "--size", "16", "--json", "plain.png", "plain.png"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["rows"].as_array().unwrap().len(), 2);
    assert_eq!(result["columns"][1]["name"], "invert");
    assert_eq!(result["columns"].as_array().unwrap().len(), 3);
    let sheet = image::open(folder.path().join("sheet.png")).unwrap().to_rgb8();
    let count = |colour: [u8; 3]| sheet.pixels().filter(|pixel| pixel.0 == colour).count();
    // Undistorted and the whole pipeline, in which chance leaves the operation out; and the operation alone.
    assert_eq!((count([9, 99, 199]), count([246, 156, 56])), (4 * 256, 2 * 256));
}

#[test]
fn sheet_that_is_there_is_replaced_only_by_force() {
    let folder = tempfile::tempdir().unwrap();
    let sheet = folder.path().join("sheet.png");
    std::fs::write(&sheet, "mine").unwrap();
    let refused = augment(folder.path(), &["--size", "16"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--force"));
    assert_eq!(std::fs::read(&sheet).unwrap(), b"mine");
    let forced = augment(folder.path(), &["--size", "16", "--force", "--quiet"]);
    assert!(forced.status.success() && forced.stdout.is_empty() && forced.stderr.is_empty());
    let first = std::fs::read(&sheet).unwrap();
    augment(folder.path(), &["--size", "16", "--force"]);
    assert!(first.starts_with(b"\x89PNG") && std::fs::read(&sheet).unwrap() == first);
}

#[test]
fn file_that_is_no_image_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("face.jpg"), "text").unwrap();
    let output = augment(folder.path(), &["face.jpg"]);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2));
    assert!(message.contains("face.jpg: cannot be read as a JPEG or PNG image"), "{message}");
    assert!(!folder.path().join("sheet.png").exists());
}
