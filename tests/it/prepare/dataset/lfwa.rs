//! LFWA from MATLAB files and from conversions, and the errors of broken files. `tests/golden/make_mat.py` writes the
//! `.mat` files.

use super::{Folder, csv_header, expected_labels, values};
use gal_bench::attribute::NAMES;
use gal_bench::dataset::{Options, Split, lfwa, table};
use std::collections::HashSet;

const ATTRIBUTES: &str = "anno/lfw_att_40.mat";
const PARTITION: &str = "anno/indices_train_test.mat";
const IMAGES: [&str; 6] = [
    "Ada_Quill/Ada_Quill_0001.jpg",
    "Ada_Quill/Ada_Quill_0002.jpg",
    "Bo_Ember/Bo_Ember_0001.jpg",
    "Zoë_Finch/Zoë_Finch_0001.jpg",
    "Zoë_Finch/Zoë_Finch_0002.jpg",
    "Zoë_Finch/Zoë_Finch_0003.jpg",
];

fn golden(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The authors' layout with six images.
fn official() -> Folder {
    Folder::new(lfwa::read_with)
        .with(ATTRIBUTES, golden("lfwa_attributes.mat"))
        .with(PARTITION, golden("lfwa_indices.mat"))
        .with_images("lfw", &IMAGES)
}

/// A conversion in place of both files.
fn converted(name: &str, attributes: &str, partition_name: &str, partition: &str) -> Folder {
    Folder::new(lfwa::read_with)
        .with(name, attributes)
        .with(partition_name, partition)
        .with_images("lfw-deepfunneled", &IMAGES)
}

/// A row of labels for every image, under the name that `image` gives it.
fn rows(separator: &str, negative: &str, image: impl Fn(&str) -> String) -> String {
    let rows = (0..6).map(|i| format!("{}{}\n", image(IMAGES[i]), values(i, separator, negative)));
    rows.collect::<Vec<_>>().concat()
}

fn partition(separator: &str, codes: [&str; 2]) -> String {
    let rows = (0..6).map(|i| format!("{}{separator}{}\n", IMAGES[i], codes[i / 3]));
    rows.collect::<Vec<_>>().concat()
}

fn csv_of(negative: &str) -> String {
    csv_header("name") + &rows(",", negative, str::to_owned)
}

fn assert_is_the_fixture(folder: &Folder) {
    let dataset = folder.read();
    let rows = dataset.rows().unwrap();
    assert_eq!(dataset.counts().unwrap(), [3, 0, 3]);
    for (i, row) in rows.iter().enumerate() {
        assert_eq!(row.source, IMAGES[i]);
        assert_eq!(row.labels, expected_labels(i).map(Some), "image {i}");
        assert_eq!(row.split, if i < 3 { Split::Train } else { Split::Test }, "image {i}");
        assert_eq!(row.identity, Some(IMAGES[i].split_once('/').unwrap().0));
    }
}

#[test]
fn the_authors_files_are_read() {
    assert_is_the_fixture(&official());
}

#[test]
fn labels_stored_the_other_way_round_are_read() {
    assert_is_the_fixture(&official().with(ATTRIBUTES, golden("lfwa_transposed.mat")));
}

#[test]
fn every_usual_image_folder_is_found() {
    for images in [
        "lfw-deepfunneled",
        "lfw-deepfunneled/lfw-deepfunneled",
        "lfw_funneled",
        "lfw_home/lfw_funneled",
        "lfw_home/lfw-deepfunneled",
        "lfw-funneled/lfw_funneled",
        "lfw/lfw",
        "images",
        ".",
    ] {
        let folder = Folder::new(lfwa::read_with)
            .with("lfw_att_40.mat", golden("lfwa_attributes.mat"))
            .with("indices_train_test.mat", golden("lfwa_indices.mat"))
            .with_images(images, &IMAGES);
        assert_is_the_fixture(&folder);
    }
}

#[test]
fn a_csv_conversion_is_read_in_either_encoding() {
    for negative in ["0", "-1", "0.0"] {
        let split = format!("image,split\n{}", partition(",", ["train", "test"]));
        assert_is_the_fixture(&converted("lfw_att_40.csv", &csv_of(negative), "lfw_partition.csv", &split));
    }
}

#[test]
fn text_conversions_are_read_with_or_without_count_and_title() {
    let names = NAMES.join(" ");
    let split = partition(" ", ["0", "2"]);
    for head in [format!("6\n{names}\n"), format!("{names}\n"), format!("name {names}\n")] {
        let text = head + &rows(" ", "0", str::to_owned);
        assert_is_the_fixture(&converted("lfw_att_40.txt", &text, "lfw_partition.txt", &split));
    }
}

#[test]
fn a_tab_separated_conversion_with_spaces_in_attribute_names_is_read() {
    let header = format!("filename\t{}\n", NAMES.map(|name| name.replace('_', " ")).join("\t"));
    let split = partition("\t", ["train", "test"]);
    let folder =
        converted("lfw_att_40.txt", &(header + &rows("\t", "0", str::to_owned)), "indices_train_test.txt", &split);
    assert_is_the_fixture(&folder);
}

#[test]
fn names_without_folder_or_with_backslashes_are_completed() {
    let split = partition(",", ["train", "test"]);
    for image in [|name: &str| name.split_once('/').unwrap().1.to_owned(), |name: &str| name.replace('/', "\\")] {
        let text = csv_header("name") + &rows(",", "0", image);
        assert_is_the_fixture(&converted("lfw_att_40.csv", &text, "indices_train_test.csv", &split));
    }
}

#[test]
fn an_unknown_partition_is_not_called_official() {
    let dataset = official().read();
    assert!(!dataset.partition.official);
    let description = dataset.partition.description;
    assert!(description.starts_with("partition: as given in indices_train_test.mat (blake3 "), "{description}");
    assert!(description.ends_with("not verified as the official one; 3 train, 3 test images"), "{description}");
    assert!(dataset.notes.contains(&"image folder: lfw".to_owned()), "{:?}", dataset.notes);
    let people = "identities: 3, none of them in two splits".to_owned();
    assert!(dataset.notes.contains(&people), "{:?}", dataset.notes);
}

#[test]
fn images_without_labels_are_noted() {
    let notes = official().with_images("lfw", &["Cy_Moss/Cy_Moss_0001.jpg"]).read().notes;
    let expected = "images: 7 in the folder, 1 of them without labels and left out".to_owned();
    assert!(notes.contains(&expected), "{notes:?}");
}

#[test]
fn a_missing_image_is_named_with_its_row() {
    let error = official().without("lfw/Bo_Ember/Bo_Ember_0001.jpg").error();
    let expected = "lfw: image Bo_Ember/Bo_Ember_0001.jpg (lfw_att_40.mat, row 3) is missing, in total 1 of 6 ";
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn each_broken_attribute_file_has_its_own_error() {
    let cases = [
        ("lfwa_no_label.mat", "has no variable `label`; its variables are: AttrName, name"),
        ("lfwa_no_name.mat", "`AttrName`: found 2 attribute names, expected 40; Attractive is among the missing"),
        ("lfwa_indices.mat", "has no variable `AttrName`; its variables are: indices_img_test, indices_img_train"),
        ("lfwa_label_two.mat", "row 4: `label` of Zoë_Finch/Zoë_Finch_0001.jpg for Male is 2, expected 0 or 1"),
        ("lfwa_label_short.mat", "`label` is 5 x 40, expected 6 x 40 for 6 names"),
        ("lfwa_attribute_unknown.mat", "`AttrName`: unknown attribute \"Tall\"; the 40 of CelebA were expected"),
        (
            "lfwa_version_5.mat",
            "is in the older MATLAB format (version 5 to 7), expected version 7.3; save it in MATLAB with the option \
             -v7.3, or use a CSV conversion instead (datasets/README.md)",
        ),
    ];
    for (name, message) in cases {
        assert_eq!(official().with(ATTRIBUTES, golden(name)).error(), format!("{ATTRIBUTES}: {message}"));
    }
}

#[test]
fn a_name_array_that_is_not_of_cells_is_rejected() {
    let error = official().with(ATTRIBUTES, golden("lfwa_name_numbers.mat")).error();
    let expected = format!("{ATTRIBUTES}: `name` is not a cell array of strings");
    assert!(error.starts_with(&expected), "{error}");
}

#[test]
fn a_file_that_is_not_matlab_at_all_is_rejected() {
    for (content, words) in [
        (&b"<html>404</html>"[..], "is a web page, as a failed download leaves it"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a pointer of Git LFS"),
        (b"PK\x03\x04", "is a ZIP archive: unpack it"),
        (b"", "is empty: download it again"),
        (b"name,label", "is not a MATLAB 7.3 file; download it again"),
    ] {
        for file in [ATTRIBUTES, PARTITION] {
            let error = official().with(file, content).error();
            assert!(error.starts_with(&format!("{file}: {words}")), "{error}");
        }
    }
}

#[test]
fn a_truncated_mat_file_is_rejected_wherever_it_ends() {
    let whole = golden("lfwa_attributes.mat");
    for length in (0..whole.len()).step_by(977) {
        let error = official().with(ATTRIBUTES, &whole[..length]).error();
        assert!(error.starts_with(&format!("{ATTRIBUTES}: ")), "{length} bytes: {error}");
    }
}

#[test]
fn broken_indices_have_errors_of_their_own() {
    let rows = "the rows of lfw_att_40.mat";
    let cases = [
        (
            "lfwa_indices_outside.mat",
            format!("`indices_img_test`, entry 3: found 7, expected a whole number from 1 to 6, {rows}"),
        ),
        (
            "lfwa_indices_zero.mat",
            format!("`indices_img_train`, entry 1: found 0, expected a whole number from 1 to 6, {rows}"),
        ),
        (
            "lfwa_indices_fraction.mat",
            format!("`indices_img_train`, entry 2: found 2.5, expected a whole number from 1 to 6, {rows}"),
        ),
        (
            "lfwa_indices_both.mat",
            format!("`indices_img_test`, entry 1: image 3 ({}) is already in the train split", IMAGES[2]),
        ),
        (
            "lfwa_indices_neither.mat",
            format!("image 5 ({}) is in neither `indices_img_train` nor `indices_img_test`", IMAGES[4]),
        ),
        (
            "lfwa_indices_no_test.mat",
            "has no variable `indices_img_test`; its variables are: indices_img_train".to_owned(),
        ),
    ];
    for (name, message) in cases {
        assert_eq!(official().with(PARTITION, golden(name)).error(), format!("{PARTITION}: {message}"));
    }
}

#[test]
fn a_conversion_that_mixes_both_encodings_is_rejected() {
    let text = csv_header("name") + &format!("{}{}\n", IMAGES[0], ",0".repeat(39) + ",-1");
    let folder = converted("lfw_att_40.csv", &text, "lfw_partition.csv", "");
    let expected = "lfw_att_40.csv, line 2: attribute Young has the label \"-1\", expected 0 or 1";
    assert_eq!(folder.error(), expected);
}

#[test]
fn an_image_under_two_spellings_of_its_name_is_rejected() {
    let text = csv_of("0") + &format!("Bo_Ember_0001.jpg{}\n", values(2, ",", "0"));
    let folder = converted("lfw_att_40.csv", &text, "lfw_partition.csv", &partition(",", ["train", "test"]));
    let expected =
        format!("lfw_att_40.csv, line 8: image {} appears twice, first in lfw_att_40.csv, line 4", IMAGES[2]);
    assert_eq!(folder.error(), expected);
}

#[test]
fn a_partition_with_zero_and_one_alone_is_not_taken_for_train_and_test() {
    let folder = converted("lfw_att_40.csv", &csv_of("0"), "lfw_partition.csv", &partition(",", ["0", "1"]));
    let expected = "lfw_partition.csv: the test split is empty; 0 is train, 1 is val, 2 is test";
    assert_eq!(folder.error(), expected);
}

#[test]
fn the_error_of_an_empty_folder_lists_the_files_searched_for() {
    let error = Folder::new(lfwa::read_with).error();
    let expected = "ROOT: contains no attribute file of LFWA: searched for lfw_att_40.mat, lfw_att_40.csv, lfw_att_40.txt in \
                    ., anno, lfwa, lfwa/anno, LFWA, LFWA/anno; ";
    assert!(error.starts_with(expected), "{error}");
}

/// An index partition counts the rows of one table: in any other it would assign people at random.
#[test]
fn an_index_partition_beside_another_table_is_refused() {
    let by_index = |text: String| {
        Folder::new(lfwa::read_with)
            .with("lfw_att_40.csv", text)
            .with("indices_train_test.mat", golden("lfwa_indices.mat"))
            .with_images("lfw", &IMAGES)
    };
    let lines: Vec<String> = csv_of("0").lines().map(|line| format!("{line}\n")).collect();
    let sorted = csv_of("0");
    let reversed: String = lines[..1].iter().chain(lines[1..].iter().rev()).map(String::as_str).collect();
    let filtered: String = lines[..6].concat();
    for text in [sorted, reversed, filtered] {
        let expected = "indices_train_test.mat: counts the rows of the authors' lfw_att_40.mat, and lfw_att_40.csv has other \
                        images or another order: use the authors' table, or remove this file and write lfw_partition.csv \
                        with a line such as `Ann_Lee/Ann_Lee_0001.jpg,train` for each image";
        assert_eq!(by_index(text).error(), expected);
    }
    // Images 1, 2 and 5 against 3, 4 and 6 in a table of the same origin.
    let error = official().with(PARTITION, golden("lfwa_indices_people.mat")).error();
    let expected =
        "lfw_att_40.mat has another order, as it would put Zoë_Finch into both splits: use the authors' table";
    assert!(error.contains(expected), "{error}");
}

#[test]
fn the_person_is_taken_from_the_file_name_where_the_folder_is_that_of_a_split() {
    let name =
        |i: usize| format!("{}/P_{}_000{}.jpg", ["train", "test"][i / 4], ["A", "B", "C", "D"][i / 2], i % 2 + 1);
    let images: Vec<String> = (0..8).map(name).collect();
    let text = csv_header("name")
        + &images
            .iter()
            .enumerate()
            .map(|(i, image)| format!("{image}{}\n", values(i, ",", "0")))
            .collect::<Vec<_>>()
            .concat();
    let split = |images: &[String]| {
        let lines = images.iter().enumerate().map(|(i, image)| format!("{image},{}\n", ["train", "test"][i / 4]));
        lines.collect::<Vec<_>>().concat()
    };
    let folder = |images: &[String], text: &str| {
        let names: Vec<&str> = images.iter().map(String::as_str).collect();
        Folder::new(lfwa::read_with)
            .with("lfw_att_40.csv", text)
            .with("lfw_partition.csv", split(images))
            .with_images("lfw", &names)
    };
    let dataset = folder(&images, &text).read();
    assert!(dataset.notes.contains(&"identities: 4, none of them in two splits".to_owned()), "{:?}", dataset.notes);
    let people: Vec<_> = dataset.rows().unwrap().iter().map(|row| row.identity.unwrap().to_owned()).collect();
    assert_eq!(people, ["P_A", "P_A", "P_B", "P_B", "P_C", "P_C", "P_D", "P_D"]);
    // File names that count the images of a split name no person.
    let numbered: Vec<String> = (0..8).map(|i| format!("{}/img_{:04}.jpg", ["train", "test"][i / 4], i)).collect();
    let renamed = images.iter().zip(&numbered).fold(text, |text, (old, new)| text.replace(old, new));
    let dataset = folder(&numbered, &renamed).read();
    assert!(dataset.notes.contains(&"identities: not known".to_owned()), "{:?}", dataset.notes);
    assert!(dataset.rows().unwrap().iter().all(|row| row.identity.is_none()));
}

/// A partition of faces has each person in one split.
#[test]
fn names_that_lie_in_both_splits_are_no_people() {
    let name = |i: usize| ["spring", "summer", "autumn", "winter"][i / 4].to_owned();
    let images: Vec<String> = (0..16).map(|i| format!("{0}/{0}_{i:04}.jpg", name(i))).collect();
    let rows = |value: &dyn Fn(usize) -> String| {
        images.iter().enumerate().map(|(i, image)| format!("{image}{}\n", value(i))).collect::<Vec<_>>().concat()
    };
    let read = |split_of: &dyn Fn(usize) -> usize| {
        let names: Vec<&str> = images.iter().map(String::as_str).collect();
        Folder::new(lfwa::read_with)
            .with("lfw_att_40.csv", csv_header("name") + &rows(&|i| values(i, ",", "0")))
            .with("lfw_partition.csv", rows(&|i| format!(",{}", ["train", "test"][split_of(i)])))
            .with_images("lfw", &names)
            .read()
    };
    let mixed = read(&|i| i % 2);
    assert!(mixed.rows().unwrap().iter().all(|row| row.identity.is_none()));
    let note = "identities: names of files are not taken for people, as 4 of the 4 with several images lie in more than \
                one split";
    for note in [note, "identities: not known"] {
        assert!(mixed.notes.contains(&note.to_owned()), "{:?}", mixed.notes);
    }
    let apart = read(&|i| i / 8);
    assert!(apart.notes.contains(&"identities: 4, none of them in two splits".to_owned()), "{:?}", apart.notes);
}

#[test]
fn images_without_a_folder_or_an_extension_are_found() {
    let flat = IMAGES.map(|image| image.split_once('/').unwrap().1);
    let without = |text: String| text.replace(".jpg", "");
    let split = partition(",", ["train", "test"]);
    let folder = Folder::new(lfwa::read_with)
        .with("lfw_att_40.csv", without(csv_of("0")))
        .with("lfw_partition.csv", without(split))
        .with_images("lfw", &flat);
    let dataset = folder.read();
    assert_eq!(dataset.sources().unwrap(), flat);
    assert_eq!(dataset.rows().unwrap()[3].identity, Some("Zoë_Finch"));
}

#[test]
fn a_stray_image_beside_the_folder_of_the_set_does_not_hide_it() {
    let split = partition(",", ["train", "test"]);
    let folder = Folder::new(lfwa::read_with)
        .with("lfwa/lfw_att_40.csv", csv_of("0"))
        .with("lfwa/lfw_partition.csv", split)
        .with_images("lfwa/lfw", &IMAGES)
        .with_images(".", &["screenshot.jpg"]);
    assert_is_the_fixture(&folder);
}

/// Runs if the environment names a folder with LFWA's files. The expected numbers were computed with h5py and numpy.
#[allow(clippy::print_stderr, reason = "reports a skipped test")]
#[test]
fn the_official_partition_has_the_known_sizes_people_and_floor() {
    let Some(root) = std::env::var_os("GAL_BENCH_LFWA") else {
        eprintln!("skipped: GAL_BENCH_LFWA does not name a folder with LFWA's official files");
        return;
    };
    let annotations = lfwa::annotations(root.as_ref(), Options::default()).unwrap();
    let expected = "partition: indices_train_test.mat is the official LFWA partition (md5 09526624631bf6b6); 6,263 train, \
                    6,880 test images";
    assert!(annotations.partition.official);
    assert_eq!(annotations.partition.description, expected);
    let rows = table::rows(&annotations.table).unwrap();
    let [train, test] =
        [Split::Train, Split::Test].map(|split| rows.iter().filter(|row| row.split == split).collect::<Vec<_>>());
    let people = |split: Split| {
        rows.iter().filter(|row| row.split == split).map(|row| row.identity.unwrap()).collect::<HashSet<_>>()
    };
    let [train_people, test_people] = [Split::Train, Split::Test].map(people);
    assert_eq!((train_people.len(), test_people.len()), (2_732, 2_989));
    assert!(train_people.is_disjoint(&test_people));
    let positives = |rows: &[&table::Row], i: usize| rows.iter().filter(|row| row.labels[i] == Some(true)).count();
    let correct: usize = (0..NAMES.len())
        .map(|i| {
            let positive = positives(&test, i);
            if 2 * positives(&train, i) > train.len() { positive } else { test.len() - positive }
        })
        .sum();
    let floor = 100.0 * correct as f64 / (NAMES.len() * test.len()) as f64;
    assert!((floor - 71.7504).abs() < 0.000_05, "{floor}");
}
