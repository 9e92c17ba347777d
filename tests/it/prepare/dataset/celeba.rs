//! CelebA in the layouts of its authors, torchvision and Kaggle, and the errors of broken files.

use super::{Folder, csv_header, expected_labels, values};
use crate::common::images::{gradient, jpeg};
use gal_bench::attribute::{COUNT, NAMES};
use gal_bench::dataset::{Images, Options, Split, celeba, table};

const ATTRIBUTES: &str = "Anno/list_attr_celeba.txt";
const PARTITION: &str = "Eval/list_eval_partition.txt";
const IDENTITY: &str = "Anno/identity_CelebA.txt";
const IMAGES: [&str; 5] = ["000001.jpg", "000002.jpg", "000003.jpg", "000004.jpg", "000005.jpg"];
const CODES: [usize; 5] = [0, 0, 1, 2, 2];
/// End of the errors about an image that a file lacks.
const ALLOW: &str = ": complete the file, or pass --allow-missing to leave out such images";

/// The attribute file in the authors' form: one or two blanks between fields, and a blank after the last name.
fn attributes(end: &str) -> String {
    let rows = (0..5).map(|i| format!("{}{}{end}", IMAGES[i], values(i, " ", "-1").replace(" 1", "  1")));
    format!("5{end}{} {end}{}", NAMES.join(" "), rows.collect::<Vec<_>>().concat())
}

fn pairs(separator: &str, end: &str, value: impl Fn(usize) -> String) -> String {
    let lines = (0..5).map(|i| format!("{}{separator}{}{end}", IMAGES[i], value(i)));
    lines.collect::<Vec<_>>().concat()
}

fn partition() -> String {
    pairs(" ", "\r\n", |i| CODES[i].to_string())
}

/// The authors' layout with five images.
fn official() -> Folder {
    Folder::new(celeba::read_with)
        .with(ATTRIBUTES, attributes("\r\n"))
        .with(PARTITION, partition())
        .with_images("Img/img_align_celeba", &IMAGES)
}

/// The authors' layout with another attribute file.
fn with_attributes(content: impl AsRef<[u8]>) -> Folder {
    official().with(ATTRIBUTES, content)
}

/// The attribute file with one line changed; `line` counts from 1.
fn with_line(line: usize, change: impl Fn(&str) -> String) -> Folder {
    let text = attributes("\n");
    let lines = text.lines().enumerate().map(|(i, old)| if i + 1 == line { change(old) } else { old.to_owned() });
    with_attributes(lines.map(|line| line + "\n").collect::<Vec<_>>().concat())
}

fn assert_is_the_fixture(folder: &Folder) {
    let dataset = folder.read();
    assert_eq!(dataset.sources().unwrap(), IMAGES);
    assert_eq!(dataset.counts().unwrap(), [2, 1, 2]);
    for (i, row) in dataset.rows().unwrap().iter().enumerate() {
        assert_eq!(row.labels, expected_labels(i).map(Some), "image {i}");
        assert_eq!(row.split, Split::ALL[CODES[i]], "image {i}");
    }
    assert_eq!(dataset.labels(3).unwrap(), expected_labels(3).map(Some));
}

#[test]
fn the_authors_layout_is_read() {
    assert_is_the_fixture(&official());
}

#[test]
fn unix_line_ends_are_read() {
    assert_is_the_fixture(&with_attributes(attributes("\n")));
}

#[test]
fn torchvisions_flat_layout_is_read_from_the_folder_above_too() {
    for base in ["", "celeba/"] {
        let folder = Folder::new(celeba::read_with)
            .with(&format!("{base}list_attr_celeba.txt"), attributes("\n"))
            .with(&format!("{base}list_eval_partition.txt"), partition())
            .with_images(&format!("{base}img_align_celeba"), &IMAGES);
        assert_is_the_fixture(&folder);
    }
}

#[test]
fn kaggles_tables_and_nested_image_folder_are_read() {
    let rows: Vec<String> = (0..5).map(|i| format!("{}{}\n", IMAGES[i], values(i, ",", "-1"))).collect();
    let folder = Folder::new(celeba::read_with)
        .with("list_attr_celeba.csv", csv_header("image_id") + &rows.concat())
        .with("list_eval_partition.csv", format!("image_id,partition\n{}", pairs(",", "\n", |i| CODES[i].to_string())))
        .with_images("img_align_celeba/img_align_celeba", &IMAGES);
    assert_is_the_fixture(&folder);
    let Images::Folder(images) = folder.read().images else { panic!("CelebA's images lie in a folder") };
    assert!(images.ends_with("img_align_celeba/img_align_celeba"));
}

#[test]
fn attributes_in_another_order_are_mapped_by_name() {
    let reversed = |line: &str| line.split_whitespace().rev().collect::<Vec<_>>().join(" ");
    let rows = (0..5).map(|i| format!("{} {}\n", IMAGES[i], reversed(&values(i, " ", "-1"))));
    let header = format!("5\n{}\n", reversed(&NAMES.join(" ")));
    assert_is_the_fixture(&with_attributes(header + &rows.collect::<Vec<_>>().concat()));
}

#[test]
fn a_partition_in_another_order_is_joined_by_name() {
    let mut lines: Vec<String> = partition().lines().map(|line| format!("{line}\n")).collect();
    lines.reverse();
    assert_is_the_fixture(&official().with(PARTITION, lines.concat()));
}

#[test]
fn identities_are_optional() {
    let unknown = official().read();
    assert!(unknown.rows().unwrap().iter().all(|row| row.identity.is_none()));
    assert!(unknown.notes.contains(&"identities: not known".to_owned()), "{:?}", unknown.notes);
    let known = official().with(IDENTITY, pairs(" ", "\n", |i| (2880 + i / 2).to_string())).read();
    let identities: Vec<_> = known.rows().unwrap().iter().map(|row| row.identity.unwrap().to_owned()).collect();
    assert_eq!(identities, ["2880", "2880", "2881", "2881", "2882"]);
    let note = "identities: 3, of which 1 in two splits, which flatters test figures";
    assert!(known.notes.contains(&note.to_owned()), "{:?}", known.notes);
}

#[test]
fn an_unknown_partition_is_not_called_official() {
    let partition = official().read().partition;
    assert!(!partition.official);
    // The digest is that of the `blake3` package of Python on the same bytes.
    let expected = "partition: as given in list_eval_partition.txt (blake3 c15e7b805685fa86), not verified as the \
                    official one; 2 train, 1 val, 2 test images";
    assert_eq!(partition.description, expected);
}

#[test]
fn an_image_without_labels_is_noted() {
    let notes = official().with_images("Img/img_align_celeba", &["999999.jpg"]).read().notes;
    let expected = "images: 6 in the folder, 1 of them without labels and left out";
    assert!(notes.contains(&expected.to_owned()), "{notes:?}");
}

#[test]
fn a_missing_image_is_an_error_that_names_it_and_the_flag() {
    let folder = official().without("Img/img_align_celeba/000002.jpg").without("Img/img_align_celeba/000004.jpg");
    let expected = "Img/img_align_celeba: image 000002.jpg (list_attr_celeba.txt, line 4) is missing, in total 2 of \
                    5 annotated images: unpack all of them here, or pass --allow-missing to leave these out";
    assert_eq!(folder.error(), expected);
}

#[test]
fn allow_missing_keeps_the_images_that_exist_and_notes_it() {
    let folder = official().without("Img/img_align_celeba/000002.jpg").without("Img/img_align_celeba/000004.jpg");
    let dataset = folder.read_allow_missing().unwrap();
    assert_eq!(dataset.sources().unwrap(), ["000001.jpg", "000003.jpg", "000005.jpg"]);
    assert_eq!(dataset.labels(1).unwrap(), expected_labels(2).map(Some));
    let remark = "subset: 3 of 5 annotated images";
    assert!(!dataset.partition.official);
    let expected = format!("2 train, 1 val, 2 test images; {remark}, 1 train, 1 val, 1 test");
    assert!(dataset.partition.description.ends_with(&expected), "{}", dataset.partition.description);
    assert_eq!(dataset.partition.extent.as_deref(), Some("a subset of 3 images"));
    assert!(dataset.notes.contains(&remark.to_owned()), "{:?}", dataset.notes);
}

#[test]
fn images_below_the_data_sets_size_and_the_people_of_a_subset_are_named() {
    let small = jpeg(&gradient(0, 64, 64), 90);
    let folder =
        IMAGES[..4].iter().fold(official().with(IDENTITY, pairs(" ", "\n", |i| i.to_string())), |folder, image| {
            folder.with(&format!("Img/img_align_celeba/{image}"), &small)
        });
    assert_eq!(folder.read().partition.extent, None, "the last image has no size");
    let dataset = folder.without("Img/img_align_celeba/000005.jpg").read_allow_missing().unwrap();
    assert_eq!(dataset.partition.extent.as_deref(), Some("a subset of 4 images of 64 x 64 pixels"));
    let description = dataset.partition.description;
    let expected = "; subset: 4 of 5 annotated images, 2 train, 1 val, 1 test; the sources are 64 x 64 pixels, those of the \
                    data set 178 x 218";
    assert!(description.ends_with(expected), "{description}");
    assert!(dataset.notes.contains(&"identities: 4, none of them in two splits".to_owned()), "{:?}", dataset.notes);
}

#[test]
fn allow_missing_without_any_image_is_an_error() {
    let mut folder = official().with_images("Img/img_align_celeba", &["other.jpg"]);
    for image in IMAGES {
        folder = folder.without(&format!("Img/img_align_celeba/{image}"));
    }
    let error = folder.message(folder.read_allow_missing());
    assert_eq!(error, "Img/img_align_celeba: contains none of the 5 annotated images");
}

#[test]
fn the_error_of_an_empty_folder_lists_the_files_searched_for() {
    let expected = "ROOT: contains no attribute file of CelebA: searched for list_attr_celeba.txt, list_attr_celeba.csv in \
                    ., Anno, Eval, celeba, celeba/Anno, celeba/Eval, CelebA, CelebA/Anno, CelebA/Eval, ";
    let error = Folder::new(celeba::read_with).error();
    assert!(error.starts_with(expected), "{error}");
    assert!(error.ends_with("; datasets/README.md explains how to obtain the files"), "{error}");
}

#[test]
fn a_missing_folder_is_an_error() {
    let error = celeba::read(std::path::Path::new("no/such/folder")).unwrap_err().to_string();
    assert!(
        error.starts_with("no/such/folder: is not a folder; pass the one that contains the files of CelebA"),
        "{error}"
    );
}

#[test]
fn the_error_of_a_folder_without_images_lists_the_folders_searched() {
    let folder = Folder::new(celeba::read_with).with(ATTRIBUTES, attributes("\n")).with(PARTITION, partition());
    let error = folder.error();
    assert!(
        error.starts_with("ROOT: contains no JPEG or PNG images of CelebA: searched in Img/img_align_celeba"),
        "{error}"
    );
}

#[test]
fn a_row_with_39_values_is_rejected() {
    let folder = with_line(5, |line| line.rsplit_once(' ').unwrap().0.to_owned());
    assert_eq!(folder.error(), format!("{ATTRIBUTES}, line 5: found 39 labels, expected 40"));
}

#[test]
fn a_row_with_41_values_is_rejected() {
    let folder = with_line(3, |line| format!("{line} 1"));
    assert_eq!(folder.error(), format!("{ATTRIBUTES}, line 3: found 41 labels, expected 40"));
}

#[test]
fn a_label_of_zero_is_rejected() {
    let folder = with_line(4, |line| line.replacen(" -1", " 0", 1));
    let attribute = NAMES[expected_labels(1).iter().position(|label| !label).unwrap()];
    let expected = format!("{ATTRIBUTES}, line 4: attribute {attribute} has the label \"0\", expected -1 or 1");
    assert_eq!(folder.error(), expected);
}

#[test]
fn a_wrong_count_line_is_rejected() {
    let expected = format!(
        "{ATTRIBUTES}, line 1: the count is 6, but 5 images follow: download the file again, or pass --allow-missing to use this part"
    );
    assert_eq!(with_line(1, |_| "6".to_owned()).error(), expected);
}

#[test]
fn an_unknown_attribute_is_rejected() {
    let expected = format!("{ATTRIBUTES}, line 2: unknown attribute \"Tall\"; the 40 of CelebA were expected");
    assert_eq!(with_line(2, |line| line.replace("Young", "Tall")).error(), expected);
}

#[test]
fn an_attribute_named_twice_is_rejected() {
    let folder = with_line(2, |line| line.replace("Young", "Male"));
    assert_eq!(folder.error(), format!("{ATTRIBUTES}, line 2: attribute Male appears twice"));
}

#[test]
fn a_header_that_lacks_an_attribute_is_rejected() {
    let expected =
        format!("{ATTRIBUTES}, line 2: found 39 attribute names, expected {COUNT}; Young is among the missing");
    assert_eq!(with_line(2, |line| line.replace("Young", "")).error(), expected);
}

#[test]
fn an_empty_attribute_file_is_rejected() {
    let expected = format!("{ATTRIBUTES}: is empty: download it again, or write it anew");
    assert_eq!(with_attributes("").error(), expected);
    let expected = format!("{ATTRIBUTES}: ends before the header of 40 attribute names");
    assert_eq!(with_attributes("202599\n").error(), expected);
}

#[test]
fn a_file_without_rows_is_rejected() {
    for header in ["", "40\n"] {
        let labels = with_attributes(format!("{header}{}\n", NAMES.join(" ")));
        assert_eq!(labels.error(), format!("{ATTRIBUTES}: has no rows: a row for each image was expected"));
    }
    for (file, text) in [(PARTITION, "image_id,partition\n"), (PARTITION, "\n \n"), (IDENTITY, "image_id identity\n")] {
        let error = official().with(file, text).error();
        assert_eq!(error, format!("{file}: has no rows: a row for each image was expected"));
    }
}

#[test]
fn line_ends_of_old_spreadsheets_are_read() {
    let folder = with_attributes(attributes("\r")).with(PARTITION, pairs(" ", "\r", |i| CODES[i].to_string()));
    assert_is_the_fixture(&folder);
    let text = attributes("\r").replace("000004.jpg", "000002.jpg");
    let expected =
        format!("{ATTRIBUTES}, line 6: image 000002.jpg appears twice, first in list_attr_celeba.txt, line 4");
    assert_eq!(with_attributes(text).error(), expected);
}

#[test]
fn an_image_annotated_twice_is_rejected() {
    let folder = with_line(6, |line| line.replace("000004", "000002"));
    let expected =
        format!("{ATTRIBUTES}, line 6: image 000002.jpg appears twice, first in list_attr_celeba.txt, line 4");
    assert_eq!(folder.error(), expected);
}

#[test]
fn an_image_with_two_splits_is_rejected() {
    let folder = official().with(PARTITION, partition() + "000001.jpg 2\n");
    let expected =
        format!("{PARTITION}, line 6: image 000001.jpg appears twice, first in list_eval_partition.txt, line 1");
    assert_eq!(folder.error(), expected);
}

#[test]
fn an_image_without_a_split_is_rejected() {
    let folder = official().with(PARTITION, partition().replace("000003.jpg 1\r\n", ""));
    let expected = format!("{ATTRIBUTES}, line 5: image 000003.jpg has no split in list_eval_partition.txt{ALLOW}");
    assert_eq!(folder.error(), expected);
}

#[test]
fn an_image_with_a_split_but_no_labels_is_rejected() {
    let folder = official().with(PARTITION, "000000.jpg 0\n".to_owned() + &partition());
    let expected =
        format!("{PARTITION}, line 1: image 000000.jpg has a split, but no labels in list_attr_celeba.txt{ALLOW}");
    assert_eq!(folder.error(), expected);
}

#[test]
fn an_image_without_an_identity_is_rejected() {
    let folder = official().with(IDENTITY, "000001.jpg 7\n");
    let expected = format!("{ATTRIBUTES}, line 4: image 000002.jpg has no identity in identity_CelebA.txt{ALLOW}");
    assert_eq!(folder.error(), expected);
}

#[test]
fn an_unknown_split_is_rejected() {
    let folder = official().with(PARTITION, partition().replace("000004.jpg 2", "000004.jpg 3"));
    let expected =
        format!("{PARTITION}, line 4: found \"3\" for image \"000004.jpg\", expected 0 or train, 1 or val, 2 or test");
    assert_eq!(folder.error(), expected);
}

#[test]
fn a_partition_line_with_one_or_three_fields_is_rejected() {
    for (line, fields) in [("000004.jpg", "1 field"), ("000004.jpg 2 2", "3 fields")] {
        let folder = official().with(PARTITION, partition().replace("000004.jpg 2", line));
        let expected = format!("{PARTITION}, line 4: found {fields}, expected 2: an image's name and its value");
        assert_eq!(folder.error(), expected);
    }
}

#[test]
fn a_partition_without_test_images_is_rejected() {
    let folder = official().with(PARTITION, pairs(" ", "\n", |i| (i / 3).to_string()));
    let expected = format!("{PARTITION}: the test split is empty; 0 is train, 1 is val, 2 is test");
    assert_eq!(folder.error(), expected);
}

#[test]
fn a_name_that_is_not_utf8_is_rejected() {
    let mut bytes = attributes("\n").into_bytes();
    let offset = bytes.windows(10).position(|window| window == b"000003.jpg").unwrap();
    bytes[offset] = 0xFF;
    let expected = format!(r#"{ATTRIBUTES}, line 5: "\xff00003.jpg" is not UTF-8 text"#);
    assert_eq!(with_attributes(bytes).error(), expected);
    let folder = official().with(PARTITION, b"000001.jpg \xFF\n");
    assert_eq!(folder.error(), format!(r#"{PARTITION}, line 1: "\xff" is not UTF-8 text"#));
}

#[test]
fn a_kaggle_row_with_another_number_of_columns_is_rejected() {
    let table = csv_header("image_id") + "000001.jpg,1,-1\n";
    let folder = official().without(ATTRIBUTES).with("list_attr_celeba.csv", table);
    let expected = "list_attr_celeba.csv, line 2: found 3 columns, expected 41: the image's name and 40 labels";
    assert_eq!(folder.error(), expected);
}

#[test]
fn labels_of_zero_and_one_are_accepted_and_named() {
    let rows = (0..5).map(|i| format!("{}{}\n", IMAGES[i], values(i, ",", "0"))).collect::<Vec<_>>().concat();
    let folder = official().without(ATTRIBUTES).with("list_attr_celeba.csv", csv_header("image_id") + &rows);
    assert_is_the_fixture(&folder);
    let note = "labels: 0 and 1 in list_attr_celeba.csv, where CelebA has -1 and 1".to_owned();
    assert!(folder.read().notes.contains(&note), "{:?}", folder.read().notes);
    assert_is_the_fixture(&with_attributes(attributes("\n").replace("-1", "0")));
    assert!(official().read().notes.iter().all(|note| !note.contains("0 and 1")));
}

#[test]
fn the_columns_are_found_whatever_stands_around_them() {
    let rows = |separator: &str, first: fn(usize) -> String| {
        (0..5).map(|i| format!("{}{}\n", first(i), values(i, separator, "-1"))).collect::<Vec<_>>().concat()
    };
    let name: fn(usize) -> String = |i| IMAGES[i].to_owned();
    let names = |separator: &str| NAMES.join(separator);
    let quoted = format!("\"{}\"", names("\" \""));
    for text in [
        format!("{}\n{}", names(" "), rows(" ", name)),
        format!("image_id {}\n{}", names(" "), rows("\t", name)),
        format!("5\nfile_name\t{}\n{}", names("\t"), rows("\t", name)),
        format!(",{}\n{}", names(","), rows(",", name)),
        format!(",image_id,{}\n{}", names(","), rows(",", |i| format!("{i},{}", IMAGES[i]))),
        format!("image_id,{}\n{}", names(","), rows(",", |i| format!("{i},{}", IMAGES[i]))),
        format!("attribute;{}\nimage_id{}\n{}", names(";"), ";".repeat(40), rows(";", name)),
        format!("{quoted}\n{}", rows(" ", |i| format!("\"{}\"", IMAGES[i]))),
        format!("\"image_id\" {quoted}\n{}", rows(" ", |i| format!("\"{}\" \"{}\"", i + 1, IMAGES[i]))),
        format!("the labels of CelebA\n5\n{}\n{}", names(" "), rows("  ", name)),
    ] {
        assert_is_the_fixture(&with_attributes(text));
    }
}

#[test]
fn a_list_without_the_names_of_the_attributes_is_refused() {
    let rows = (0..5).map(|i| format!("{}{}\n", IMAGES[i], values(i, " ", "0"))).collect::<Vec<_>>().concat();
    let error = with_attributes(rows).error();
    let expected = format!("{ATTRIBUTES}, line 1: found \"000001.jpg 1 0");
    assert!(error.starts_with(&expected), "{error}");
    assert!(
        error.contains("expected a header of the 40 attribute names: put a line such as `image_id 5_o_Clock"),
        "{error}"
    );
    assert!(error.ends_with("that order is never guessed"), "{error}");
}

#[test]
fn a_partition_may_have_any_title_an_index_and_names_of_splits() {
    let rows = |words: [&str; 3]| pairs(",", "\n", |i| words[CODES[i]].to_owned());
    let index = (0..5).map(|i| format!("{i},{},{}\n", IMAGES[i], CODES[i])).collect::<Vec<_>>().concat();
    for text in [
        "id,partition\n".to_owned() + &rows(["0", "1", "2"]),
        ",partition\n".to_owned() + &rows(["0", "1", "2"]),
        "file_name,eval_status\n".to_owned() + &rows(["0", "1", "2"]),
        "face;dataset\n".to_owned() + &rows(["0", "1", "2"]).replace(',', ";"),
        format!(",image_id,partition\n{index}"),
        format!("image_id,partition\n{index}"),
        "5\n".to_owned() + &rows(["Train", "Validation", "TEST"]).replace(',', " \t"),
        rows(["training", "dev", "testing"]),
        rows(["0.0", "1.0", "2.0"]),
        "\"image\",\"split\"\n".to_owned() + &rows(["\"train\"", "\"valid\"", "\"test\""]),
    ] {
        assert_is_the_fixture(&official().with(PARTITION, text));
    }
    for header in ["id identity", "image_id identity", "name person"] {
        let text = format!("{header}\n{}", pairs(" ", "\n", |i| i.to_string()));
        assert_eq!(official().with(IDENTITY, text).read().rows().unwrap()[0].identity, Some("0"));
    }
    let numbers = (0..5).map(|i| format!("{i} {}\n", CODES[i])).collect::<Vec<_>>().concat();
    let error = official().with(PARTITION, numbers).error();
    assert!(error.starts_with(&format!("{PARTITION}: names the images by numbers, which count the rows")), "{error}");
}

#[test]
fn what_is_no_annotation_at_all_is_named_with_what_to_do() {
    let page = "<!DOCTYPE html><html><head><style>a{b:0, c:1}</style></head></html>";
    let lfs = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
    let utf16: Vec<u8> =
        [0xff, 0xfe].into_iter().chain(attributes("\n").encode_utf16().flat_map(u16::to_le_bytes)).collect();
    for file in [ATTRIBUTES, PARTITION, IDENTITY] {
        let link = format!("../elsewhere/{}", file.rsplit('/').next().unwrap());
        let cases: [(&[u8], &str); 8] = [
            (page.as_bytes(), "is a web page, as a failed download leaves it"),
            (lfs.as_bytes(), "is a pointer of Git LFS, not the file itself: run `git lfs pull`"),
            (link.as_bytes(), "it is a symbolic link that was checked out or copied as text"),
            (b"PK\x03\x04\x14\0\0\0", "is a ZIP archive: unpack it"),
            (b"\x1f\x8b\x08\0", "is a gzip archive: unpack it"),
            (b"", "is empty: download it again"),
            (&utf16, "is UTF-16 text: save it as UTF-8"),
            (b"\x01\0\x02\0\0\0", "is binary data"),
        ];
        for (content, words) in cases {
            let error = official().with(file, content).error();
            assert!(error.starts_with(&format!("{file}: ")) && error.contains(words), "{error}");
        }
    }
}

/// Eight rows below an official count, with the partition and the images of all: the first rows of a download.
#[test]
fn a_part_of_the_rows_of_the_partition_or_of_the_images_needs_one_flag() {
    let first = |lines: usize, text: &str| {
        text.lines().take(lines).map(|line| format!("{line}\n")).collect::<Vec<_>>().concat()
    };
    // The test half loses its first image, the rows, the partition and the folder one each.
    let rows = || with_attributes(first(6, &attributes("\n")));
    let split = || official().with(PARTITION, partition().replace("000004.jpg 2\r\n", ""));
    let image = || official().without("Img/img_align_celeba/000002.jpg");
    let cases = [
        (
            rows(),
            "the count is 5, but 4 images follow",
            4,
            "subset: 4 of 5 annotated images (1 without labels left out)",
        ),
        (split(), "image 000004.jpg has no split", 4, "subset: 4 of 5 annotated images (1 without a split left out)"),
        (image(), "image 000002.jpg (list_attr_celeba.txt, line 4) is missing", 4, "subset: 4 of 5 annotated images"),
        (
            rows()
                .with(PARTITION, partition().replace("000004.jpg 2\r\n", ""))
                .without("Img/img_align_celeba/000001.jpg"),
            "the count is 5, but 4 images follow",
            2,
            "subset: 2 of 5 annotated images (1 without labels and 1 without a split left out)",
        ),
    ];
    for (folder, refusal, images, remark) in cases {
        let error = folder.error();
        assert!(error.contains(refusal) && error.contains("pass --allow-missing"), "{error}");
        let dataset = folder.read_allow_missing().unwrap();
        assert_eq!(dataset.len(), images);
        assert!(!dataset.partition.official);
        assert!(dataset.partition.description.contains(&format!("; {remark}, ")), "{}", dataset.partition.description);
        assert!(dataset.notes.contains(&remark.to_owned()), "{:?}", dataset.notes);
        assert_eq!(dataset.partition.extent, Some(format!("a subset of {images} images")));
        let annotations = celeba::annotations(folder.folder.path(), Options { allow_missing: true }).unwrap();
        assert!(annotations.table.height() >= images);
    }
    let error = with_line(1, |_| "4".to_owned());
    assert!(
        error
            .message(error.read_allow_missing())
            .contains("the count is 4, but 5 images follow: is the file of one piece?")
    );
}

#[test]
fn names_and_files_may_differ_in_the_extension() {
    let png = IMAGES.map(|image| image.replace(".jpg", ".png"));
    let png: Vec<&str> = png.iter().map(String::as_str).collect();
    for images in ["Img/img_align_celeba_png", "img_align_celeba_png/img_align_celeba_png"] {
        let folder = Folder::new(celeba::read_with)
            .with(ATTRIBUTES, attributes("\n"))
            .with(PARTITION, partition())
            .with_images(images, &png);
        let dataset = folder.read();
        assert_eq!(dataset.sources().unwrap(), png);
        let note = "images: the annotation names 5 of them by another extension or folder".to_owned();
        assert!(dataset.notes.contains(&note), "{:?}", dataset.notes);
    }
    for change in [|text: String| text.replace(".jpg", ".JPG"), |text: String| text.replace(".jpg", "")] {
        assert_is_the_fixture(&with_attributes(change(attributes("\n"))).with(PARTITION, change(partition())));
        assert_is_the_fixture(&official().with(PARTITION, change(partition())));
    }
}

#[test]
fn two_images_that_differ_in_the_extension_share_no_row_of_the_partition() {
    let attributes = attributes("\n").replace(IMAGES[1], &IMAGES[0].replace(".jpg", ".png"));
    let error = with_attributes(attributes).with(PARTITION, partition().replace(".jpg", "")).error();
    assert!(error.contains(&format!("image {} has no split in", IMAGES[0])), "{error}");
}

#[test]
fn a_stray_image_does_not_hide_the_set() {
    let folder =
        official().with_images("img_align_celeba", &["screenshot.jpg", "000001.jpg"]).with_images(".", &["me.png"]);
    assert_is_the_fixture(&folder);
}

#[test]
fn images_that_are_still_packed_are_named() {
    let folder = Folder::new(celeba::read_with)
        .with(ATTRIBUTES, attributes("\n"))
        .with(PARTITION, partition())
        .with("Img/img_align_celeba.zip", "PK");
    let error = folder.error();
    assert!(error.contains("; unpack img_align_celeba.zip first, if it holds the images; "), "{error}");
}

/// The folder of CelebA's official files, if the environment names one.
#[allow(clippy::print_stderr, reason = "reports a skipped test")]
fn real_celeba() -> Option<std::path::PathBuf> {
    let root = std::env::var_os("GAL_BENCH_CELEBA");
    if root.is_none() {
        eprintln!("skipped: GAL_BENCH_CELEBA does not name a folder with CelebA's official files");
    }
    root.map(Into::into)
}

/// A Python script counted `datasets/celeba-statistics.csv` from the official files.
#[test]
fn the_official_files_have_the_published_number_of_positives_in_every_split() {
    let Some(root) = real_celeba() else { return };
    let table = celeba::annotations(&root, Options::default()).unwrap().table;
    let rows = table::rows(&table).unwrap();
    let mut published = csv::Reader::from_path("datasets/celeba-statistics.csv").unwrap();
    for record in published.records() {
        let record = record.unwrap();
        let index = gal_bench::attribute::index(&record[0]).unwrap();
        for (column, split) in Split::ALL.iter().enumerate() {
            let positives = rows.iter().filter(|row| row.split == *split && row.labels[index] == Some(true)).count();
            assert_eq!(positives.to_string(), record[column + 1], "{} in {}", &record[0], split.label());
        }
    }
}

#[test]
fn the_official_partition_is_recognised_as_text_and_as_table_if_every_image_is_there() {
    let Some(root) = real_celeba() else { return };
    let table = celeba::annotations(&root, Options::default()).unwrap().table;
    let rows = table::rows(&table).unwrap();
    let images: Vec<&str> = rows.iter().map(|row| row.source).collect();
    let lines: Vec<String> = rows.iter().map(|row| format!("{},{}\n", row.source, row.split as u8)).collect();
    let attributes = std::fs::read(root.join("Anno/list_attr_celeba.txt")).unwrap();
    let folder = Folder::new(celeba::read_with)
        .with("list_attr_celeba.txt", attributes)
        .with("list_eval_partition.csv", "image_id,partition\n".to_owned() + &lines.concat())
        .with_images("img_align_celeba", &images);
    let dataset = folder.read();
    assert!(dataset.partition.official);
    let expected = "partition: list_eval_partition.csv is the official CelebA partition (md5 d32c9cbf5e040fd4); 162,770 \
                    train, 19,867 val, 19,962 test images";
    assert_eq!(dataset.partition.description, expected);
    assert!(dataset.notes[0].contains("is the official CelebA labels (md5 75e246fa4810816f)"), "{:?}", dataset.notes);
    let incomplete = folder.without("img_align_celeba/202599.jpg").read_allow_missing().unwrap();
    assert!(!incomplete.partition.official);
}
