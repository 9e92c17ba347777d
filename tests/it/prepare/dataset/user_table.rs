//! Tables of a user: any part of the attributes, labels that are not known, drawn splits, and the errors of broken tables.

use super::{Folder, expected_labels, values};
use crate::common::gal_bench::user_error;
use crate::common::images::{gradient, jpeg};
use crate::common::training::TINY;
use crate::common::workspace::Workspace;
use gal_bench::attribute::{NAMES, index};
use gal_bench::dataset::user_table::{self, TableOptions};
use gal_bench::dataset::{Dataset, Options, Split};
use gal_bench::store;
use polars::prelude::*;
use std::collections::HashSet;

const IMAGES: [&str; 4] = ["Ann/1.jpg", "Ann/2.jpg", "Bo/1.jpg", "Cy/1.jpg"];

fn read_with(root: &std::path::Path, options: Options) -> gal_bench::Result<Dataset> {
    user_table::read(root, &TableOptions { common: options, ..TableOptions::default() })
}

/// The images of [`IMAGES`] and a table.
fn with_table(name: &str, content: impl AsRef<[u8]>) -> Folder {
    Folder::new(read_with).with(name, content).with_images(".", &IMAGES)
}

/// The known labels of a row as text, such as `Male+ Young-`.
fn known(dataset: &Dataset, row: usize) -> String {
    let labels = dataset.labels(row).unwrap();
    let known =
        NAMES.iter().zip(labels).filter_map(|(name, label)| Some(format!("{name}{}", if label? { '+' } else { '-' })));
    known.collect::<Vec<_>>().join(" ")
}

const SMALL: &str = "path,Young,Male,split,identity\n\
                     Ann/1.jpg,1,0,train,Ann\n\
                     Ann/2.jpg,,1,Training,Ann\n\
                     Bo/1.jpg,NaN,,valid,\n\
                     Cy/1.jpg,0,1.0,test,Cy\n";

#[test]
fn a_part_of_the_attributes_is_read_and_blank_labels_are_not_known() {
    for (name, text) in [
        ("labels.csv", SMALL.to_owned()),
        ("labels.tsv", SMALL.replace(',', "\t")),
        ("labels.csv", SMALL.replace(',', ";")),
        ("labels.csv", format!("\u{feff}{}", SMALL.replace('\n', "\r\n"))),
        ("labels.csv", SMALL.replace("Ann/1", "./Ann/1").replace("Bo/1", "Bo\\1")),
        ("labels.csv", SMALL.replace("1,0,train", "True,False,TRAIN")),
    ] {
        let dataset = with_table(name, &text).read();
        assert_eq!(dataset.sources().unwrap(), IMAGES, "{text}");
        let labels = [0, 1, 2, 3].map(|row| known(&dataset, row));
        assert_eq!(labels, ["Male- Young+", "Male+", "", "Male+ Young-"]);
        let rows = dataset.rows().unwrap();
        assert_eq!(
            rows.iter().map(|row| row.identity).collect::<Vec<_>>(),
            [Some("Ann"), Some("Ann"), None, Some("Cy")]
        );
        assert_eq!(dataset.counts().unwrap(), [2, 1, 1]);
        assert!(!dataset.partition.official);
        let expected = format!("partition: as given in {name}; 2 train, 1 val, 1 test images");
        assert_eq!(dataset.partition.description, expected);
        assert!(
            dataset.notes[0].ends_with(") has 2 of the 40 attributes; 3 of their 8 labels are not known"),
            "{:?}",
            dataset.notes
        );
        let people = "identities: 2, none of them in two splits; not known of 1 images".to_owned();
        assert!(dataset.notes.contains(&people), "{:?}", dataset.notes);
    }
}

/// MAAD-Face: -1, 0 and 1 with 0 for what is not known, other attributes, people and no split.
#[test]
fn zero_is_not_known_beside_minus_one_and_people_are_drawn_into_splits() {
    let people: Vec<String> = (0..20).map(|person| format!("n{person:06}")).collect();
    let row = |person: &String, image: usize| {
        let male = ["-1", "0", "1"][image % 3];
        format!("{person}/000{image}_01.jpg,{person},{male},1,0\n")
    };
    let rows = people.iter().flat_map(|person| (0..3).map(move |image| row(person, image)));
    let text = format!("Filename,Identity,Male,Asian,Young\n{}", rows.collect::<Vec<_>>().concat());
    let images: Vec<String> =
        people.iter().flat_map(|person| (0..3).map(move |image| format!("{person}/000{image}_01.jpg"))).collect();
    let images: Vec<&str> = images.iter().map(String::as_str).collect();
    let folder = Folder::new(read_with).with("MAAD_Face.csv", text).with_images("train", &images);
    let dataset = folder.read();
    let labels = [0, 1, 2].map(|row| known(&dataset, row));
    assert_eq!(labels, ["Male-", "", "Male+"]);
    assert!(dataset.notes.contains(&"labels: 0 is not known in MAAD_Face.csv, as -1 occurs in it".to_owned()));
    assert!(dataset.notes.contains(&"identities: 20, none of them in two splits".to_owned()), "{:?}", dataset.notes);
    let people = |dataset: &Dataset, split: Split| -> HashSet<String> {
        let rows = dataset.rows().unwrap();
        rows.iter().filter(|row| row.split == split).map(|row| row.identity.unwrap().to_owned()).collect()
    };
    assert_eq!(Split::ALL.map(|split| people(&dataset, split).len()), [16, 2, 2]);
    let expected = "partition: drawn from MAAD_Face.csv by people with seed 0, in shares of 0.8, 0.1 and 0.1; 48 train, 6 val, \
                    6 test images";
    assert_eq!(dataset.partition.description, expected);
    let drawn = |shares, seed| {
        let options = TableOptions { shares: Some(shares), seed, ..TableOptions::default() };
        people(&user_table::read(folder.folder.path(), &options).unwrap(), Split::Test)
    };
    assert_eq!(drawn([0.8, 0.1, 0.1], 0), people(&dataset, Split::Test));
    assert_ne!(drawn([0.8, 0.1, 0.1], 1), people(&dataset, Split::Test));
    assert_eq!(drawn([0.5, 0.0, 0.5], 0).len(), 10);
}

/// CelebAMask-HQ: a count, all names, images in a folder of their own, and neither people nor splits.
#[test]
fn the_annotation_of_celebamask_hq_is_read_with_no_other_option() {
    let rows: Vec<String> = (0..20).map(|i| format!("{i}.jpg {}\n", values(i, " ", "-1"))).collect();
    let text = format!("20\n{} \n{}", NAMES.join(" "), rows.concat());
    let images: Vec<String> = (0..20).map(|i| format!("{i}.jpg")).collect();
    let images: Vec<&str> = images.iter().map(String::as_str).collect();
    let folder = Folder::new(read_with)
        .with("CelebAMask-HQ-attribute-anno.txt", text)
        .with_images("CelebA-HQ-img", &images)
        .with_images("CelebAMask-HQ-mask-anno/0", &["00000_hair.png", "0.png"]);
    let dataset = folder.read();
    assert_eq!(dataset.sources().unwrap()[3], "CelebA-HQ-img/3.jpg");
    for i in 0..20 {
        assert_eq!(dataset.labels(i).unwrap(), expected_labels(i).map(Some));
    }
    assert_eq!(dataset.counts().unwrap(), [16, 2, 2]);
    assert!(dataset.partition.description.contains(" by images with seed 0"), "{}", dataset.partition.description);
    assert!(dataset.notes.contains(&"identities: not known".to_owned()), "{:?}", dataset.notes);
}

#[test]
fn a_parquet_file_is_read_with_nulls_as_labels_that_are_not_known() {
    let mut frame = df![
        "image" => IMAGES.to_vec(),
        "Male" => [Some(false), Some(true), None, Some(true)],
        "Young" => [Some(1.0), None, Some(f64::NAN), Some(0.0)],
        "age" => [1_i64, 2, 3, 4],
        "split" => ["train", "train", "val", "test"],
    ]
    .unwrap();
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut frame).unwrap();
    let dataset = with_table("faces.parquet", &bytes).read();
    let labels = [0, 1, 2, 3].map(|row| known(&dataset, row));
    assert_eq!(labels, ["Male- Young+", "Male+", "", "Male+ Young-"]);
    assert_eq!(dataset.counts().unwrap(), [2, 1, 1]);
    // pandas writes labels as small as they fit.
    let narrow = include_bytes!("../../../golden/small_labels.parquet");
    let dataset = with_table("faces.parquet", narrow).read();
    assert_eq!([0, 1, 2].map(|row| known(&dataset, row)), ["Male- Young+", "Male+", ""]);
    let error = with_table("faces.parquet", &bytes[..bytes.len() - 20]).error();
    assert!(error.starts_with("faces.parquet: is not a Parquet file that can be read"), "{error}");
}

/// A table as Parquet, all of it text.
fn texts() -> DataFrame {
    df![
        "image" => IMAGES.to_vec(),
        "Male" => ["1", "0", "1", "0"],
        "split" => ["train", "train", "val", "test"],
        "identity" => ["Ann", "Ann", "Bo", "Cy"],
    ]
    .unwrap()
}

fn parquet(frame: &mut DataFrame) -> Vec<u8> {
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(frame).unwrap();
    bytes
}

#[test]
fn text_in_a_parquet_file_is_read_in_each_of_its_types() {
    for dtype in [DataType::String, DataType::Binary, DataType::from_categories(Categories::global())] {
        let mut frame = texts();
        for name in ["image", "Male", "split", "identity"] {
            let column = frame.column(name).unwrap().cast(&dtype).unwrap();
            frame.with_column(column).unwrap();
        }
        let dataset = with_table("faces.parquet", parquet(&mut frame)).read();
        assert_eq!(dataset.sources().unwrap(), IMAGES, "{dtype}");
        assert_eq!([0, 1, 2, 3].map(|row| known(&dataset, row)), ["Male+", "Male-", "Male+", "Male-"], "{dtype}");
        assert_eq!(dataset.counts().unwrap(), [2, 1, 1], "{dtype}");
        let people: Vec<_> = dataset.rows().unwrap().iter().map(|row| row.identity.unwrap().to_owned()).collect();
        assert_eq!(people, ["Ann", "Ann", "Bo", "Cy"], "{dtype}");
    }
}

#[test]
fn a_column_of_a_parquet_file_that_cannot_be_used_is_named() {
    let bytes = |name: &str| Column::new(name.into(), vec![&b"\xff"[..]; 4]);
    let text = |name: &str| Column::new(name.into(), ["train", "val", "test", "train"]);
    for (column, message) in [
        (Column::new("split".into(), [true; 4]), "column `split` holds bool: save it as text"),
        (bytes("split"), "column `split` holds binary: save it as text"),
        (bytes("identity"), "column `identity` holds binary: save it as text"),
        (bytes("Male"), "column `Male` holds binary: expected labels"),
        (text("set"), "columns `split` and `set` both give the split: leave one out"),
        (text("Split"), "columns `split` and `Split` both give the split: leave one out"),
        (text("person"), "columns `identity` and `person` both give the identity: leave one out"),
    ] {
        let mut frame = texts();
        frame.with_column(column).unwrap();
        let error = with_table("faces.parquet", parquet(&mut frame)).error();
        assert_eq!(error, format!("faces.parquet: {message}"));
    }
    let error = with_table("faces.parquet", parquet(&mut texts().clear())).error();
    assert_eq!(error, "faces.parquet: has no rows: a row for each image was expected");
    // Bytes of another column are not read.
    let mut frame = texts();
    frame.with_column(bytes("thumbnail")).unwrap();
    assert_eq!(with_table("faces.parquet", parquet(&mut frame)).read().counts().unwrap(), [2, 1, 1]);
}

#[test]
fn columns_of_other_types_are_not_read_and_named_if_they_are_needed() {
    let others = include_bytes!("../../../golden/other_types.parquet");
    assert_eq!(with_table("faces.parquet", others).read().counts().unwrap(), [2, 1, 1]);
    for (bytes, message) in [
        (&include_bytes!("../../../golden/date_labels.parquet")[..], "column `Male` holds dates: expected labels"),
        (include_bytes!("../../../golden/date_people.parquet"), "column `person` holds dates: save it as text"),
    ] {
        let error = with_table("faces.parquet", bytes).error();
        assert_eq!(error, format!("faces.parquet: {message}"));
    }
}

/// Training makes the same check, on the prepared set.
#[test]
fn a_table_without_labels_for_training_or_testing_is_refused() {
    let check = |labels: [&str; 4]| {
        let rows = IMAGES.iter().zip(["train", "train", "val", "test"]).zip(labels);
        let rows = rows.map(|((image, split), labels)| format!("{image},{split},{labels}\n"));
        let text = format!("path,split,Male,Young\n{}", rows.collect::<Vec<_>>().concat());
        store::check_splits(&with_table("t.csv", text).read())
    };
    assert!(check([",", "1,", ",", "0,1"]).is_ok());
    for labels in [[",", ",", ",", ","], ["1,", ",0", ",", ","], [",", ",", "1,1", "0,1"], ["1,", ",", "1,1", ",1"]] {
        let expected = "the data set has no attribute with known labels in both the training and the test split: prepare it \
                        from a table with such labels";
        assert_eq!(user_error(check(labels)), expected, "{labels:?}");
    }
}

#[test]
fn images_are_found_by_path_or_by_a_name_that_only_one_has() {
    let flat = SMALL.replace("Ann/", "").replace("Bo/1", "3").replace("Cy/1", "4");
    let folder = Folder::new(read_with)
        .with("t.csv", &flat)
        .with_images("a", &["1.jpg", "2.png"])
        .with_images("b/c", &["3.JPG", "4.jpg"]);
    assert_eq!(folder.read().sources().unwrap(), ["a/1.jpg", "a/2.png", "b/c/3.JPG", "b/c/4.jpg"]);
    let error = folder.with_images("b", &["1.jpg"]).error();
    assert!(error.starts_with("ROOT: image 1.jpg (t.csv, line 2) is missing, in total 1 of 4"), "{error}");
    let absolute = with_table("t.csv", "");
    let root = absolute.folder.path().display().to_string();
    let absolute = absolute.with("t.csv", SMALL.replace("Ann/1", &format!("{root}/Ann/1")));
    assert_eq!(absolute.read().sources().unwrap(), IMAGES);
}

#[test]
fn images_without_a_label_are_read_at_the_top_of_a_table_too() {
    let text = "path,Young,Male\nAnn/1.jpg,,\nAnn/2.jpg,,\nBo/1.jpg,1,0\nCy/1.jpg,0,1\n";
    let dataset = with_table("t.csv", text).read();
    assert_eq!(dataset.sources().unwrap(), IMAGES);
    assert_eq!([0, 1, 2].map(|row| known(&dataset, row)), ["", "", "Male- Young+"]);
}

#[test]
fn a_broken_table_has_an_error_that_names_its_row() {
    let cases = [
        (
            "Ann/1.jpg,1,0,train,Ann",
            "Ann/1.jpg,2,0,train,Ann",
            "t.csv, line 2: attribute Young has the label \"2\", expected -1, 0 or 1",
        ),
        (
            "Cy/1.jpg,0,1.0,test,Cy",
            "Cy/1.jpg,0,1.0,other,Cy",
            "t.csv, line 5: found \"other\" for image \"Cy/1.jpg\", expected train",
        ),
        ("Cy/1.jpg,0,1.0,test,Cy", "Cy/1.jpg,0,1.0,train,Cy", "t.csv: the test split is empty"),
        (
            "Cy/1.jpg,0,1.0,test,Cy",
            "Ann/1.jpg,0,1.0,test,Cy",
            "t.csv, line 5: image Ann/1.jpg appears twice, first in t.csv, line 2",
        ),
        (
            "Cy/1.jpg,0,1.0,test,Cy",
            "././Ann/.//1.jpg,0,1.0,test,Cy",
            "t.csv, line 5: image Ann/1.jpg appears twice, first in t.csv, line 2",
        ),
        ("Cy/1.jpg,0,1.0,test,Cy", "Cy/1.jpg,0,1.0", "t.csv, line 5: found 3 columns, expected 5 as in the header"),
        (
            "Bo/1.jpg,NaN,,valid,",
            "Bo/1.jpg,NaN,,,",
            "t.csv, line 4: image Bo/1.jpg has no split: complete the column, or pass",
        ),
        ("Bo/1.jpg", "Di/9.jpg", "ROOT: image Di/9.jpg (t.csv, line 4) is missing, in total 1 of 4 annotated images"),
        (
            "path,Young,Male",
            "path,Tall,Broad",
            "t.csv, line 1: found \"path,Tall,Broad,split,identity\", expected a header of any",
        ),
        ("path,Young,Male", "path,Male,Male", "t.csv, line 1: attribute Male appears twice"),
        ("path,Young,Male", "path,Young,set", "t.csv: columns `set` and `split` both give the split: leave one out"),
        (
            "path,Young,Male",
            "path,Young,Split",
            "t.csv: columns `Split` and `split` both give the split: leave one out",
        ),
        (
            "path,Young,Male",
            "path,Young,person",
            "t.csv: columns `person` and `identity` both give the identity: leave one out",
        ),
    ];
    for (from, to, message) in cases {
        let error = with_table("t.csv", SMALL.replace(from, to)).error();
        assert!(error.starts_with(message), "{to}: {error}");
    }
    let allowed = |from: &str, to: &str| with_table("t.csv", SMALL.replace(from, to)).read_allow_missing().unwrap();
    let unsplit = allowed("Bo/1.jpg,NaN,,valid,", "Bo/1.jpg,NaN,,,");
    assert!(unsplit.notes.contains(&"subset: 3 of 4 annotated images (1 without a split left out)".to_owned()));
    assert_eq!(allowed("Bo/1.jpg", "Di/9.jpg").len(), 3);
}

#[test]
fn a_table_that_cannot_be_found_or_split_is_refused() {
    let error = |folder: &Folder, options: TableOptions| {
        let error = user_error(user_table::read(folder.folder.path(), &options));
        error.replace(&folder.folder.path().display().to_string(), "ROOT")
    };
    let table = || with_table("t.csv", SMALL);
    let none = TableOptions::default();
    assert!(error(&table().without("t.csv"), none).starts_with("ROOT: contains no table: put one file"));
    let two = table().with("u.csv", SMALL);
    assert_eq!(
        error(&two, none),
        "ROOT: contains several files that may be the table: name one of t.csv, u.csv with --table"
    );
    assert!(user_table::read(two.folder.path(), &TableOptions { table: Some("u.csv".as_ref()), ..none }).is_ok());
    let missing = TableOptions { table: Some("v.csv".as_ref()), ..none };
    assert!(error(&two, missing).starts_with("v.csv: does not exist, nor is it in ROOT"));
    let shares = |shares| TableOptions { shares: Some(shares), ..none };
    assert!(error(&table(), shares([0.8, 0.1, 0.1])).contains("has a column of splits: leave out --split"));
    let without = with_table("t.csv", SMALL.replace("split", "note"));
    for wrong in [[0.5, 0.1, 0.1], [1.0, 0.0, 0.0], [0.0, 0.5, 0.5], [1.2, -0.1, -0.1], [f64::NAN, 0.5, 0.5]] {
        assert!(error(&without, shares(wrong)).contains("expected the shares of train, val and test"), "{wrong:?}");
    }
    assert!(error(&without, shares([0.1, 0.4, 0.5])).contains("leaves none of the 3 people for training"));
    let page = table().with("t.csv", "<html>404</html>");
    assert!(error(&page, none).contains("is a web page"));
    assert!(
        error(&table().with("t.csv", SMALL.lines().next().unwrap()), none)
            .contains("t.csv: has no rows: a row for each")
    );
    let packed = Folder::new(read_with).with("t.csv", SMALL);
    assert!(error(&packed, none).starts_with("ROOT: contains no JPEG or PNG images: --root names the folder"));
}

/// From the command line to a trained run: The run uses the profile's section for CelebA, and names it.
#[test]
fn a_table_is_prepared_and_trained_with_no_other_option() {
    let workspace = Workspace::new();
    let mut table = "path,Male,Smiling,person\n".to_owned();
    for person in 0..12 {
        for image in 0..2 {
            let name = format!("{person}/{image}.jpg");
            std::fs::create_dir_all(workspace.path(format!("faces/{person}"))).unwrap();
            workspace.write(&format!("faces/{name}"), jpeg(&gradient((2 * person + image) as u32, 48, 48), 90));
            let label = ["-1", "0", "1"][(person + image) % 3];
            let other = if person % 2 == 0 { "1" } else { "-1" };
            table += &[&*name, ",", label, ",", other, ",p", &person.to_string(), "\n"].concat();
        }
    }
    workspace.write("faces/table.csv", table);
    workspace.write("tiny.toml", TINY.replace("synthetic", "celeba").replace("steps = 40", "steps = 4"));
    let prepare = "prepare --dataset table --root faces --prepared prepared --size 48";
    workspace
        .gal_bench("prepare --dataset celeba --root faces --table faces/table.csv")
        .fails_with("--table is for a table of your own, not for celeba: add --dataset table");
    workspace.gal_bench(prepare).succeeds();
    let manifest = workspace.read("prepared/manifest.csv");
    let column = manifest.lines().next().unwrap().split(',').position(|name| name == "Male").unwrap();
    let first = manifest.lines().nth(2).unwrap().split(',').nth(column).unwrap().to_owned();
    assert_eq!((index("Male"), first.as_str()), (Some(20), ""));
    let train = "train --dataset table --prepared prepared --profile tiny.toml --variant baseline --device cpu";
    workspace.gal_bench(train).succeeds();
    let summary = workspace.read("runs/table-tiny-baseline-seed0/summary.json");
    assert!(summary.contains("Data: faces of a user's table (paper: CelebA and LFWA)."), "{summary}");
    assert!(summary.contains("Batch, steps and learning rate: those of the profile for CelebA."), "{summary}");
    let config = workspace.read("runs/table-tiny-baseline-seed0/config.toml");
    assert!(config.contains("[profile.training.table]"), "{config}");
}
