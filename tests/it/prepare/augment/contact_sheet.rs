//! The command `gal-bench augment`.

use crate::common::gal_bench::GalBench;
use crate::common::workspace::Workspace;

fn augment(workspace: &Workspace, words: &str) -> GalBench {
    workspace.gal_bench(&format!("augment --output sheet.png {words}"))
}

#[test]
fn sheet_has_a_row_a_source_and_a_column_an_operation() {
    let workspace = Workspace::new();
    image::RgbImage::from_pixel(30, 20, image::Rgb([9, 99, 199])).save(workspace.path("plain.png")).unwrap();
    workspace.write("p.toml", "[[operation]]\nname = \"invert\"\nprobability = 0.0\n");
    let result = augment(&workspace, "--pipeline p.toml --size 16 plain.png plain.png").json();
    assert_eq!(result["rows"].as_array().unwrap().len(), 2);
    assert_eq!(result["columns"][1]["name"], "invert");
    assert_eq!(result["columns"].as_array().unwrap().len(), 3);
    let sheet = image::open(workspace.path("sheet.png")).unwrap().to_rgb8();
    let count = |colour: [u8; 3]| sheet.pixels().filter(|pixel| pixel.0 == colour).count();
    // The undistorted image and the whole pipeline, whose operation has probability 0; and the operation alone.
    assert_eq!((count([9, 99, 199]), count([246, 156, 56])), (4 * 256, 2 * 256));
}

#[test]
fn existing_sheet_is_replaced_only_with_force() {
    let workspace = Workspace::new();
    workspace.write("sheet.png", "mine");
    augment(&workspace, "--size 16").fails_with("--force");
    assert_eq!(workspace.read("sheet.png"), "mine");
    let forced = augment(&workspace, "--size 16 --force --quiet").succeeds();
    assert_eq!((&*forced.stdout, &*forced.stderr), ("", ""));
    let first = workspace.bytes("sheet.png");
    workspace.gal_bench("augment --preview sheet.png --size 16 --force").succeeds();
    assert!(first.starts_with(b"\x89PNG") && workspace.bytes("sheet.png") == first);
}

#[test]
fn file_without_an_image_is_named() {
    let workspace = Workspace::new();
    workspace.write("face.jpg", "text");
    augment(&workspace, "face.jpg").fails_with("face.jpg: is neither a JPEG nor a PNG image");
    assert!(!workspace.exists("sheet.png"));
}
