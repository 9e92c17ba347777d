//! Image files are read in one way by every command: complete or refused, JPEG or PNG by content, upright.

use crate::common::celeba_files::CelebaFiles;
use crate::common::images::{face, jpeg};
use crate::common::workspace::Workspace;
use gal_bench::synthetic::Renderer;
use image::{DynamicImage, ImageFormat, RgbImage};

const PREPARE: &str = "prepare --dataset celeba --root celeba --prepared prepared --size 64 --format npy";
const SIDE: &str = "celeba/Img/img_align_celeba/000002.jpg";

/// A CelebA with a training image, `second` and a test image.
fn celeba(second: &[u8]) -> Workspace {
    let workspace = Workspace::new();
    let renderer = Renderer::new(0).unwrap();
    let mut files = CelebaFiles::new(&workspace.path("celeba"));
    files.add([true; 40], 0, jpeg(&face(&renderer, 0), 90));
    files.add([false; 40], 0, second);
    files.add([true; 40], 2, jpeg(&face(&renderer, 2), 90));
    files.finish();
    workspace
}

fn png(image: &RgbImage) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

fn shown() -> RgbImage {
    face(&Renderer::new(0).unwrap(), 1)
}

/// A JPEG file that lies on its side and has the EXIF orientation 6, which turns it upright.
fn on_its_side(upright: &RgbImage) -> Vec<u8> {
    let exif = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let mut bytes = Vec::new();
    let mut encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 100);
    image::ImageEncoder::set_exif_metadata(&mut encoder, exif.to_vec()).unwrap();
    encoder.encode_image(&DynamicImage::ImageRgb8(image::imageops::rotate270(upright))).unwrap();
    bytes
}

/// Stored pixels of the second image.
fn stored(workspace: &Workspace) -> Vec<u8> {
    let array = workspace.bytes("prepared/images.npy");
    let bytes = 64 * 64 * 3;
    array[128 + bytes..][..bytes].to_vec()
}

#[test]
fn a_jpeg_cut_in_its_data_but_ended_is_refused_by_every_command() {
    let whole = jpeg(&shown(), 90);
    let cut = [&whole[..whole.len() * 6 / 10], &[0xff, 0xd9]].concat();
    let workspace = celeba(&cut);
    let words = "is not a complete JPEG image: its image data ends after";
    workspace.gal_bench(PREPARE).fails_with(words);
    workspace.gal_bench("augment --output sheet.png").args([SIDE]).fails_with(words);
    workspace.gal_bench("inspect --dataset celeba --root celeba --images --output page").succeeds();
    assert!(workspace.read("page/issues.csv").contains(&format!("000002.jpg,broken,{words}")));
    assert!(!workspace.exists("sheet.png") && !workspace.exists("prepared/prepared.json"));
}

#[test]
fn an_image_on_its_side_is_turned_and_counted() {
    let (turned, upright) = (celeba(&on_its_side(&shown())), celeba(&png(&shown())));
    let prepared = turned.gal_bench(PREPARE).json();
    let notes: Vec<&str> = prepared["notes"].as_array().unwrap().iter().map(|note| note.as_str().unwrap()).collect();
    assert!(notes.contains(&"EXIF orientation: 1 image turned upright"), "{notes:?}");
    let notes = upright.gal_bench(PREPARE).json()["notes"].to_string();
    assert!(!notes.contains("EXIF"), "{notes}");
    let (turned_pixels, pixels) = (stored(&turned), stored(&upright));
    let difference: u64 = turned_pixels.iter().zip(&pixels).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    assert!(difference < 2 * pixels.len() as u64, "{difference}");
    turned.gal_bench("inspect --dataset celeba --root celeba --images --output page").succeeds();
    let line = "000002.jpg,turned,\"EXIF orientation 6, turned upright\"";
    assert!(turned.read("page/issues.csv").contains(line), "{}", turned.read("page/issues.csv"));
}

/// A stored image is verified against its digest whenever it is read.
#[test]
fn a_stored_image_that_changed_is_refused_by_training() {
    for format in ["jpeg", "webdataset", "npy"] {
        let workspace = celeba(&png(&shown()));
        let prepare = PREPARE.replace("npy", format);
        workspace.gal_bench(&prepare).succeeds();
        let name = workspace.files("prepared").into_keys().find(|name| name.contains("train") || name == "images.npy");
        let name = format!("prepared/{}", name.unwrap());
        let mut bytes = workspace.bytes(&name);
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        workspace.write(&name, bytes);
        let error = workspace.gal_bench("train --dataset celeba --prepared prepared --device cpu").finishes().error();
        assert!(error.contains("holds another image of"), "{format}: {error}");
    }
}

#[test]
fn a_prepared_set_of_another_data_set_is_refused() {
    let workspace = celeba(&png(&shown()));
    workspace.gal_bench(PREPARE).succeeds();
    for command in ["train --device cpu", "prepare --verify"] {
        let other = workspace.gal_bench(&format!("{command} --dataset lfwa --prepared prepared"));
        other.fails_with("prepared holds a prepared set of celeba, not of lfwa: give --dataset celeba");
    }
    let missing = workspace.gal_bench("train --dataset lfwa --device cpu");
    missing.fails_with("run `gal-bench prepare --dataset lfwa --prepared datasets/prepared/lfwa`");
}

/// Folders may have names that JSON cannot hold.
#[cfg(target_os = "linux")]
#[test]
fn a_path_that_is_not_utf_8_is_shown_and_a_virtual_set_refuses_one() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let workspace = celeba(&png(&shown()));
    let odd = OsStr::from_bytes(b"odd-\xff");
    std::fs::rename(workspace.path("celeba"), workspace.path(odd)).unwrap();
    let image = workspace.path(odd).join("Img/img_align_celeba/000001.jpg");
    let sheet = workspace.gal_bench("augment --output").args([OsStr::from_bytes(b"sheet-\xff.png")]).args([&image]);
    assert_eq!(sheet.json()["output"], "sheet-\u{fffd}.png");
    let prepare = "prepare --dataset celeba --prepared prepared --size 64 --format";
    let root = || [OsStr::new("--root"), odd];
    workspace.gal_bench(&format!("{prepare} virtual")).args(root()).fails_with("not a name in UTF-8");
    workspace.gal_bench(&format!("{prepare} jpeg")).args(root()).json();
}
