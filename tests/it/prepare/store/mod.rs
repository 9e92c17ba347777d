//! Preparing a set: the content of its folder.

mod folder;
mod formats;

use crate::common::gal_bench::user_error;
use crate::common::images::{gradient, jpeg};
use crate::common::workspace::files_below;
use gal_bench::attribute;
use gal_bench::augment::{Filter, Operation, Pipeline, resize};
use gal_bench::dataset::{Dataset, DatasetName, Images, Partition, Split};
use gal_bench::progress::Progress;
use gal_bench::store::{self, Options, Prepared, Reader};
use image::RgbImage;
use polars::prelude::*;
use std::path::{Path, PathBuf};

/// Images on disk and a folder to prepare them in.
struct Bench {
    folder: tempfile::TempDir,
    dataset: Dataset,
}

fn write_jpeg(path: &Path, image: &RgbImage) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, jpeg(image, 95)).unwrap();
}

fn table(sources: &[String], splits: &[&str]) -> DataFrame {
    let identity: Vec<Option<String>> =
        (0..sources.len()).map(|row| (row % 2 == 0).then(|| format!("person {row}"))).collect();
    let mut columns = vec![
        Column::new("source".into(), sources),
        Column::new("split".into(), splits),
        Column::new("identity".into(), identity),
    ];
    for (index, name) in attribute::NAMES.iter().enumerate() {
        let labels: Vec<bool> = (0..sources.len()).map(|row| (row + index) % 3 == 0).collect();
        columns.push(Column::new((*name).into(), labels));
    }
    DataFrame::new(sources.len(), columns).unwrap()
}

impl Bench {
    /// One image of 60 x 50 pixels for each of `splits`.
    fn new(splits: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sources: Vec<String> = (0..splits.len()).map(|row| format!("face/{row:03}.jpg")).collect();
        for (row, source) in sources.iter().enumerate() {
            write_jpeg(&folder.path().join("in").join(source), &gradient(row as u32, 60, 50));
        }
        let dataset = Dataset {
            name: DatasetName::Lfwa,
            table: table(&sources, splits),
            images: Images::Folder(folder.path().join("in")),
            partition: Partition { description: "Made for a test.".to_owned(), ..Partition::default() },
            notes: vec!["A note.".to_owned()],
        };
        Self { folder, dataset }
    }

    /// Four training images, one validation image, two test images.
    fn seven() -> Self {
        Self::new(&["train", "test", "train", "val", "train", "test", "train"])
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    fn source(&self, row: usize) -> PathBuf {
        self.folder.path().join(format!("in/face/{row:03}.jpg"))
    }

    /// Replaces a source by text of the same length.
    fn spoil(&self, row: usize) {
        let length = std::fs::read(self.source(row)).unwrap().len();
        std::fs::write(self.source(row), vec![b'x'; length]).unwrap();
    }

    fn prepare(&self, options: &Options) -> gal_bench::Result<Prepared> {
        store::prepare(&self.dataset, &self.out(), options, &Progress::new(true))
    }

    fn refusal(&self, options: &Options) -> String {
        user_error(self.prepare(options))
    }

    /// Asserts that a failed run leaves nothing that looks finished.
    fn assert_unfinished(&self) {
        for name in ["prepared.json", "manifest.parquet", "manifest.csv"] {
            assert!(!self.out().join(name).exists(), "{name}");
        }
    }
}

fn options() -> Options {
    Options { size: 32, expand: Some(10), seed: 7, ..Options::default() }
}

#[test]
fn held_out_people_are_stored_once_and_recorded() {
    let mut bench = Bench::new(&["train"; 10]);
    let whole = bench.prepare(&options()).unwrap();
    let description = |bench: &Bench| std::fs::read_to_string(bench.out().join("prepared.json")).unwrap();
    assert!(!description(&bench).contains("val_split"));

    bench.dataset.hold_out(0.3, 7).unwrap();
    assert!(bench.refusal(&options()).contains("--force"));
    let prepared = bench.prepare(&Options { force: true, ..options() }).unwrap();
    assert_ne!(prepared.input_digest, whole.input_digest);
    assert_eq!((prepared.train.sources, prepared.train.stored), (7, 14));
    assert_eq!((prepared.val.sources, prepared.val.stored), (3, 3));
    assert!(description(&bench).contains("\"val_split\": 0.3"));
    assert!(prepared.split.contains("3 of 10"), "{}", prepared.split);
    let rows = Reader::open(&bench.out()).unwrap().rows;
    assert!(rows.iter().all(|row| row.split == Split::Train || row.copy == 0));
}

#[test]
fn duplicates_are_noted_with_those_in_two_splits() {
    let bench = Bench::seven();
    let note = |duplicates: &[(usize, usize)]| {
        for (from, to) in duplicates {
            std::fs::copy(bench.source(*from), bench.source(*to)).unwrap();
        }
        let prepared = bench.prepare(&Options { force: true, ..options() }).unwrap();
        prepared.notes.get(1).cloned()
    };
    assert_eq!(note(&[]), None);
    let within = "duplicates: 1 image with the file of an earlier one, none of them in another split";
    assert_eq!(note(&[(0, 2)]).as_deref(), Some(within));
    let across = "duplicates: 4 images with the file of an earlier one, 2 of these files in two splits, which flatters test \
                  figures";
    assert_eq!(note(&[(0, 4), (0, 5), (1, 3)]).as_deref(), Some(across));
}

#[test]
fn expansion_makes_the_fewest_equal_copies_that_reach_the_number() {
    let bench = Bench::seven();
    let prepared = bench.prepare(&options()).unwrap();
    assert_eq!((prepared.copies, prepared.train.sources, prepared.train.stored), (3, 4, 12));
    assert_eq!((prepared.val.stored, prepared.test.stored), (1, 2));
    let images = files_below(&bench.out()).into_keys().filter(|name| name.starts_with("images/")).count();
    assert_eq!(images, 15);
    assert_eq!(store::verify(&bench.out()).unwrap(), 15);
}

#[test]
fn without_expansion_every_image_is_stored_once() {
    let bench = Bench::seven();
    let prepared = bench.prepare(&Options { expand: None, ..options() }).unwrap();
    assert_eq!((prepared.copies, prepared.train.stored), (1, 4));
}

#[test]
fn expansion_below_the_number_of_images_drops_none() {
    let bench = Bench::seven();
    assert_eq!(bench.prepare(&Options { expand: Some(2), ..options() }).unwrap().train.stored, 4);
}

#[test]
fn only_later_copies_of_training_images_are_distorted() {
    let bench = Bench::seven();
    bench.prepare(&Options { copies: Some(6), expand: None, ..options() }).unwrap();
    let reader = Reader::open(&bench.out()).unwrap();
    let mut distorted = 0;
    for (index, row) in reader.rows.iter().enumerate() {
        let number: usize = row.source[5..8].parse().unwrap();
        let decoded = image::open(bench.source(number)).unwrap().to_rgb8();
        let undistorted = resize(&decoded, 32, 32, Filter::Bicubic);
        let stored = reader.image(index).unwrap();
        // The bound is the mean error of JPEG at quality 95 with chroma subsampling.
        let error: u64 = undistorted.iter().zip(stored.iter()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        let near = error < 5 * 3 * 32 * 32;
        assert!(near || row.copy > 0, "{} {}: {error}", row.source, row.copy);
        assert!(row.copy == 0 || row.split == Split::Train);
        distorted += usize::from(!near);
    }
    assert!(distorted >= 10, "{distorted} of 20 later copies look distorted");
}

#[test]
fn manifest_holds_source_split_identity_labels_and_operations() {
    let bench = Bench::seven();
    bench.prepare(&options()).unwrap();
    let reader = Reader::open(&bench.out()).unwrap();
    let first: Vec<_> = reader.rows[..4].iter().map(|row| (row.source.as_str(), row.copy, row.split)).collect();
    let train = |copy| ("face/000.jpg", copy, Split::Train);
    assert_eq!(first, [train(0), train(1), train(2), ("face/001.jpg", 0, Split::Test)]);
    assert_eq!(reader.rows[0].identity.as_deref(), Some("person 0"));
    assert_eq!(reader.rows[3].identity, None);
    assert_eq!(reader.rows[3].labels, std::array::from_fn(|index| Some((1 + index) % 3 == 0)));
    let text = std::fs::read_to_string(bench.out().join("manifest.csv")).unwrap();
    let header: Vec<&str> = text.lines().next().unwrap().split(',').collect();
    let mut expected = vec!["source", "copy", "split", "identity"];
    expected.extend(attribute::NAMES);
    expected.extend(["file", "member", "offset", "bytes", "width", "height", "digest", "source_digest", "operations"]);
    assert_eq!(header, expected);
    let pipeline = Pipeline::default();
    for (line, row) in text.lines().skip(1).zip(&reader.rows) {
        let plan = pipeline.plan(7, &row.source, row.copy).to_string();
        assert_eq!(line.rsplit(',').next().unwrap().trim_matches('"'), plan);
    }
}

#[test]
fn same_bytes_on_one_two_and_seven_threads() {
    let bench = Bench::seven();
    let outcomes: Vec<_> = [1, 2, 7]
        .into_iter()
        .map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| bench.prepare(&Options { force: true, ..options() })).unwrap();
            files_below(&bench.out())
        })
        .collect();
    assert!(outcomes[0] == outcomes[1] && outcomes[0] == outcomes[2]);
}

#[test]
fn another_seed_changes_only_the_distortions() {
    let bench = Bench::seven();
    bench.prepare(&options()).unwrap();
    let before = files_below(&bench.out());
    bench.prepare(&Options { seed: 8, force: true, ..options() }).unwrap();
    let after = files_below(&bench.out());
    assert_eq!(before["images/train/0000/000-0.jpg"], after["images/train/0000/000-0.jpg"]);
    assert!((1..3).any(|copy| {
        let name = format!("images/train/0000/002-{copy}.jpg");
        before[&name] != after[&name]
    }));
}

#[test]
fn pipeline_is_recorded_so_that_it_can_be_used_again() {
    let bench = Bench::seven();
    let pipeline = Pipeline { operations: vec![Operation::FlipLeftRight { probability: 1.0 }], ..Pipeline::default() };
    let prepared = bench.prepare(&Options { pipeline: pipeline.clone(), ..options() }).unwrap();
    assert_eq!(Pipeline::from_toml("prepared.json", &prepared.pipeline).unwrap(), pipeline);
    assert_eq!(prepared.pipeline_digest, blake3::hash(prepared.pipeline.as_bytes()).to_hex().as_str());
    let reader = Reader::open(&bench.out()).unwrap();
    let mirrored = image::imageops::flip_horizontal(&reader.image(0).unwrap());
    let copy = reader.image(1).unwrap();
    // Copy 0 is resized bicubically and copy 1 bilinearly. The image is smooth, so the error is that of JPEG.
    let error: u64 = mirrored.iter().zip(copy.iter()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    assert!(error < 8 * 3 * 32 * 32, "{error}");
}

#[test]
fn synthetic_faces_are_rendered_into_the_folder() {
    let bench = Bench::seven();
    let sizes = gal_bench::dataset::synthetic::Options { train: 2, val: 1, test: 1, seed: 3 };
    let dataset = gal_bench::dataset::synthetic::dataset(&sizes).unwrap();
    let prepared = store::prepare(&dataset, &bench.out(), &Options::default(), &Progress::new(true)).unwrap();
    assert_eq!((prepared.dataset.as_str(), prepared.train.stored, prepared.test.stored), ("synthetic", 2, 1));
    let Images::Synthetic(renderer) = &dataset.images else { panic!("not synthetic") };
    let reader = Reader::open(&bench.out()).unwrap();
    for row in 0..4 {
        assert_eq!(reader.rows[row].labels, renderer.labels(row).map(Some));
        let (rendered, stored) = (renderer.render(row), reader.image(row).unwrap());
        let error: u64 = rendered.iter().zip(stored.iter()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        assert!(error < 8 * 3 * 256 * 256, "{row}: {error}");
    }
}

#[test]
fn sources_with_the_same_file_name_do_not_collide() {
    let mut bench = Bench::new(&["train", "train"]);
    let sources = ["a/x.jpg", "b/X.jpg"].map(str::to_owned);
    for (row, source) in sources.iter().enumerate() {
        write_jpeg(&bench.folder.path().join("in").join(source), &gradient(row as u32, 30, 40));
    }
    bench.dataset.table = table(&sources, &["train", "train"]);
    bench.prepare(&Options { expand: None, ..options() }).unwrap();
    let reader = Reader::open(&bench.out()).unwrap();
    let file = |row: usize| reader.rows[row].location.as_ref().unwrap().file.to_lowercase();
    assert_ne!(file(0), file(1));
    assert_ne!(reader.image(0).unwrap(), reader.image(1).unwrap());
}

#[test]
fn sources_are_sharded_by_the_thousand() {
    let mut bench = Bench::new(&["test"]);
    let sources: Vec<String> = (0..1002).map(|row| format!("{row}.jpg")).collect();
    let bytes = std::fs::read(bench.source(0)).unwrap();
    for source in &sources {
        std::fs::write(bench.folder.path().join("in").join(source), &bytes).unwrap();
    }
    bench.dataset.table = table(&sources, &vec!["test"; sources.len()]);
    bench.prepare(&Options { size: 8, expand: None, ..options() }).unwrap();
    let count = |shard: &str| std::fs::read_dir(bench.out().join("images/test").join(shard)).unwrap().count();
    assert_eq!((count("0000"), count("0001")), (1000, 2));
}

#[test]
fn image_is_read_at_its_size_or_another() {
    let bench = Bench::seven();
    bench.prepare(&options()).unwrap();
    let reader = Reader::open(&bench.out()).unwrap();
    let stored = reader.image(0).unwrap();
    assert_eq!(reader.resized(0, 32).unwrap(), stored.as_raw().as_slice());
    assert_eq!(reader.resized(0, 9).unwrap(), resize(&stored, 9, 9, Filter::Triangle).into_raw());
}
