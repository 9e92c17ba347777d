//! `gal-bench inspect` from outside.

use crate::common::celeba_files::{CelebaFiles, labels};
use crate::common::gal_bench::GalBench;
use crate::common::images::{face, jpeg};
use crate::common::workspace::Workspace;
use gal_bench::attribute;
use gal_bench::synthetic::Renderer;
use image::{RgbImage, imageops};

/// A CelebA of four images without image files: bald with black hair, twice no beard with a goatee, nothing.
fn celeba() -> Workspace {
    let workspace = Workspace::new();
    let mut files = CelebaFiles::new(workspace.root());
    for (names, split) in
        [(&["Bald", "Black_Hair"][..], 0), (&["No_Beard", "Goatee"], 0), (&["No_Beard", "Goatee"], 2), (&[], 2)]
    {
        files.annotate(labels(names), split);
    }
    files.finish();
    workspace.write("Anno/identity_CelebA.txt", "000001.jpg 7\n000002.jpg 8\n000003.jpg 8\n000004.jpg 9\n");
    workspace
}

fn inspect(workspace: &Workspace) -> GalBench {
    workspace.gal_bench("inspect --dataset celeba --root . --output page")
}

#[test]
fn inspect_counts_labels_without_images_and_writes_tables_and_figures() {
    let workspace = celeba();
    let result = inspect(&workspace).json();
    let all = &result["parts"]["all"];
    assert_eq!(all["images"], 4);
    assert_eq!(all["rates"]["No_Beard"], 0.5);
    assert_eq!(all["contradictions"]["bald with a hair colour"], 1);
    assert_eq!(result["parts"]["test"]["contradictions"]["no beard with a goatee"], 1);
    assert_eq!(result["official_partition"], false);
    assert_eq!(result["people_in_several_splits"], 1);
    let page = workspace.read("page/README.md");
    assert!(page.contains("NOT the official one"), "{page}");
    let phi = workspace.read("page/phi-all.csv");
    let line = phi.lines().find(|line| line.starts_with("No_Beard")).unwrap();
    let goatee = attribute::index("Goatee").unwrap() + 1;
    assert_eq!(line.split(',').nth(goatee), Some("1.000000"));
    assert!(!phi.contains("NaN"));
    assert!(workspace.read("page/phi-test.svg").starts_with("<svg"));
}

#[test]
fn inspect_replaces_a_page_only_with_force() {
    let workspace = celeba();
    inspect(&workspace).succeeds();
    inspect(&workspace).fails_with("--force");
    inspect(&workspace).args(["--force"]).succeeds();
}

#[test]
fn inspect_accepts_the_old_names_of_command_and_flag() {
    let workspace = celeba();
    workspace.gal_bench("stats --dataset celeba --root . --out page").succeeds();
    assert!(workspace.exists("page/README.md"));
}

#[test]
fn inspect_keeps_a_folder_of_other_files_and_force_replaces_only_its_own() {
    let workspace = celeba();
    workspace.write("page/rates.csv", "mine");
    inspect(&workspace).fails_with("already exists");
    assert_eq!(workspace.read("page/rates.csv"), "mine");
    workspace.write("page/duplicates.csv", "mine, too");
    inspect(&workspace).args(["--force"]).succeeds();
    assert_eq!(workspace.read("page/duplicates.csv"), "mine, too");
    assert_ne!(workspace.read("page/rates.csv"), "mine");
}

/// A CelebA of ten images, most of them with an issue, and with contradictory labels.
fn celeba_with_issues() -> Workspace {
    let faces = Renderer::new(0).unwrap();
    let face = |row| face(&faces, row);
    let grey = imageops::grayscale(&face(2));
    let grey = RgbImage::from_fn(178, 218, |x, y| image::Rgb([grey.get_pixel(x, y).0[0]; 3]));
    let whole = jpeg(&face(4), 90);
    let images = [
        jpeg(&face(0), 90),
        jpeg(&face(1), 90),
        jpeg(&grey, 90),
        jpeg(&imageops::resize(&face(3), 32, 40, imageops::FilterType::Triangle), 90),
        whole[..whole.len() / 2].to_vec(),
        b"GIF89a\x01\0\x01\0".to_vec(),
        Vec::new(),
        jpeg(&face(6), 90),
        // In the test split: the first image's file, and the second image saved again.
        jpeg(&face(0), 90),
        jpeg(&face(1), 50),
    ];
    let sideburns: &[&str] = &["No_Beard", "Sideburns"];
    let named =
        [sideburns, sideburns, &["No_Beard"], &["Sideburns"], &["Bald", "Bangs"], &[], &[], &[], sideburns, &[]];
    let splits = [0, 0, 0, 0, 0, 0, 1, 1, 2, 2];
    let workspace = Workspace::new();
    let mut files = CelebaFiles::new(workspace.root());
    for ((names, split), bytes) in named.into_iter().zip(splits).zip(images) {
        files.add(labels(names), split, bytes);
    }
    files.finish();
    workspace
}

#[test]
fn inspect_lists_every_issue_and_every_duplicate_in_tables_and_on_the_page() {
    let workspace = celeba_with_issues();
    let result = inspect(&workspace).args(["--images"]).json();
    assert_eq!(result["images"], serde_json::json!({ "issues": 5, "duplicates": 2 }));
    for (part, count) in [("train", 2), ("val", 0), ("test", 1), ("all", 3)] {
        assert_eq!(result["parts"][part]["contradictions"]["no beard with sideburns"], count, "{part}");
    }
    let read = |name: &str| workspace.read(&format!("page/{name}"));
    assert_eq!(
        read("issues.csv"),
        "source,kind,description\n\
         000003.jpg,grey,\"red, green and blue are the same everywhere\"\n\
         000004.jpg,tiny,32 x 40 pixels\n\
         000005.jpg,broken,is not a complete JPEG image: its end is missing; replace the file\n\
         000006.jpg,not an image,a GIF file\n\
         000007.jpg,not an image,an empty file\n"
    );
    assert_eq!(
        read("duplicates.csv"),
        "kind,first,first_split,second,second_split\n\
         same bytes,000001.jpg,train,000009.jpg,test\n\
         near,000002.jpg,train,000010.jpg,test\n"
    );
    assert_eq!(
        read("sizes.csv"),
        "split,width,height,images\ntrain,32,40,1\ntrain,178,218,3\nval,178,218,1\ntest,178,218,2\n"
    );
    let page = read("README.md");
    for line in [
        "- sizes: 2 different, most frequent 178 x 218 (6), 32 x 40 (1)",
        "- pairs across splits: 1 with the same bytes, 0 with the same pixels, 1 near duplicates",
        "- not an image: 2, first 000006.jpg: a GIF file",
        "- broken: 1, first 000005.jpg: is not a complete JPEG image: its end is missing; replace the file",
        "- grey: 1, first 000003.jpg: red, green and blue are the same everywhere",
        "- tiny: 1, first 000004.jpg: 32 x 40 pixels",
        "| same bytes | 000001.jpg (train) | 000009.jpg (test) |",
        "| near | 000002.jpg (train) | 000010.jpg (test) |",
    ] {
        assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
    }
    for text in ["at most 4 of 64 bits", "at most 6 of 255 levels", "cannot find mirrored", "[sizes.csv](sizes.csv)"] {
        assert!(page.contains(text), "{text} is not in\n{page}");
    }
    assert!(page.contains("| no beard with sideburns | 2 | 0 | 1 | 3 |"), "{page}");
    assert!(page.contains("| bald with bangs | 1 | 0 | 0 | 1 |"), "{page}");
}
