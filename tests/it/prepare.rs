//! Stages 1b and storage: what a prepared folder holds, that it is the same however it came about, and what is refused.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod golden;

use gal_bench::attribute;
use gal_bench::augment::{Filter, Operation, Pipeline, Plan, Source, Step, render, resize};
use gal_bench::dataset::{Dataset, Images, Name, Partition, Split};
use gal_bench::progress::Progress;
use gal_bench::store::{self, Options, Prepared, Reader};
use image::RgbImage;
use polars::prelude::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Images on disk and a place to prepare them in.
struct Bench {
    folder: tempfile::TempDir,
    dataset: Dataset,
}

fn picture(row: u32, width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| image::Rgb([(x * 3 + row * 40) as u8, (y * 2) as u8, (x / 2 + y) as u8]))
}

fn write_jpeg(path: &Path, image: &RgbImage) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let encoder = jpeg_encoder::Encoder::new_file(path, 95).unwrap();
    encoder.encode(image.as_raw(), image.width() as u16, image.height() as u16, jpeg_encoder::ColorType::Rgb).unwrap();
}

fn table(sources: &[String], splits: &[&str]) -> DataFrame {
    let identity: Vec<Option<String>> =
        (0..sources.len()).map(|row| (row % 2 == 0).then(|| format!("person {row}"))).collect();
    let mut columns = vec![
        Column::new("source".into(), sources),
        Column::new("split".into(), splits),
        Column::new("identity".into(), identity),
    ];
    for (place, name) in attribute::NAMES.iter().enumerate() {
        let labels: Vec<bool> = (0..sources.len()).map(|row| (row + place) % 3 == 0).collect();
        columns.push(Column::new((*name).into(), labels));
    }
    DataFrame::new(sources.len(), columns).unwrap()
}

impl Bench {
    /// One image of 60 x 50 for each split named.
    fn new(splits: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sources: Vec<String> = (0..splits.len()).map(|row| format!("face/{row:03}.jpg")).collect();
        for (row, source) in sources.iter().enumerate() {
            write_jpeg(&folder.path().join("in").join(source), &picture(row as u32, 60, 50));
        }
        let dataset = Dataset {
            name: Name::Lfwa,
            table: table(&sources, splits),
            images: Images::Folder(folder.path().join("in")),
            partition: Partition { official: false, description: "Made for a test.".to_owned() },
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

    /// Makes a source undecodable without changing its size.
    fn spoil(&self, row: usize) {
        let length = std::fs::read(self.source(row)).unwrap().len();
        std::fs::write(self.source(row), vec![b'x'; length]).unwrap();
    }

    fn prepare(&self, options: &Options) -> gal_bench::Result<Prepared> {
        store::prepare(&self.dataset, &self.out(), options, &Progress::new(true))
    }

    fn refusal(&self, options: &Options) -> String {
        let error = self.prepare(options).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{error}");
        let message = error.to_string();
        assert!(!message.contains('\n'), "{message}");
        message
    }

    /// That a failed run leaves nothing that looks finished.
    fn assert_unfinished(&self) {
        for name in ["prepared.json", "manifest.parquet", "manifest.csv"] {
            assert!(!self.out().join(name).exists(), "{name}");
        }
    }
}

fn options() -> Options {
    Options { size: 32, expand: Some(10), seed: 7, ..Options::default() }
}

/// Every file below `folder` with its content, but for the lock.
fn content(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap().replace('\\', "/");
            if path.is_dir() {
                folders.push(path);
            } else if name != ".lock" {
                found.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

#[test]
fn expansion_gives_every_training_image_the_least_copies_that_reach_it() {
    let bench = Bench::seven();
    let prepared = bench.prepare(&options()).unwrap();
    assert_eq!((prepared.copies, prepared.train.sources, prepared.train.stored), (3, 4, 12));
    assert_eq!((prepared.val.stored, prepared.test.stored), (1, 2));
    let images = content(&bench.out()).into_keys().filter(|name| name.starts_with("images/")).count();
    assert_eq!(images, 15);
    assert_eq!(store::check(&bench.out()).unwrap(), 15);
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
    for (place, row) in reader.rows.iter().enumerate() {
        let number: usize = row.source[5..8].parse().unwrap();
        let decoded = image::open(bench.source(number)).unwrap().to_rgb8();
        let plain = resize(&decoded, 32, 32, Filter::Bicubic);
        let stored = reader.image(place).unwrap();
        // What JPEG takes at quality 95 with halved colour, on average.
        let error: u64 = plain.iter().zip(stored.iter()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        let near = error < 5 * 3 * 32 * 32;
        assert!(near || row.copy > 0, "{} {}: {error}", row.source, row.copy);
        assert!(row.copy == 0 || row.split == Split::Train);
        distorted += usize::from(!near);
    }
    assert!(distorted >= 10, "{distorted} of 20 later copies look distorted");
}

#[test]
fn manifest_tells_source_split_identity_labels_and_operations() {
    let bench = Bench::seven();
    bench.prepare(&options()).unwrap();
    let reader = Reader::open(&bench.out()).unwrap();
    let first: Vec<_> = reader.rows[..4].iter().map(|row| (row.source.as_str(), row.copy, row.split)).collect();
    let train = |copy| ("face/000.jpg", copy, Split::Train);
    assert_eq!(first, [train(0), train(1), train(2), ("face/001.jpg", 0, Split::Test)]);
    assert_eq!(reader.rows[0].identity.as_deref(), Some("person 0"));
    assert_eq!(reader.rows[3].identity, None);
    assert_eq!(reader.rows[3].labels, std::array::from_fn(|place| (1 + place) % 3 == 0));
    let text = std::fs::read_to_string(bench.out().join("manifest.csv")).unwrap();
    let header: Vec<&str> = text.lines().next().unwrap().split(',').collect();
    let mut expected = vec!["source", "copy", "split", "identity"];
    expected.extend(attribute::NAMES);
    expected.extend(["file", "digest", "operations"]);
    assert_eq!(header, expected);
    let pipeline = Pipeline::default();
    for (line, row) in text.lines().skip(1).zip(&reader.rows) {
        let plan = pipeline.plan(7, &row.source, row.copy as u32).to_string();
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
            content(&bench.out())
        })
        .collect();
    assert!(outcomes[0] == outcomes[1] && outcomes[0] == outcomes[2]);
}

#[test]
fn another_seed_gives_other_distortions_only() {
    let bench = Bench::seven();
    bench.prepare(&options()).unwrap();
    let before = content(&bench.out());
    bench.prepare(&Options { seed: 8, force: true, ..options() }).unwrap();
    let after = content(&bench.out());
    assert_eq!(before["images/train/0000/000-0.jpg"], after["images/train/0000/000-0.jpg"]);
    assert!((1..3).any(|copy| {
        let name = format!("images/train/0000/002-{copy}.jpg");
        before[&name] != after[&name]
    }));
}

#[test]
fn stopped_run_goes_on_to_the_same_bytes_and_keeps_what_is_there() {
    let bench = Bench::seven();
    bench.prepare(&options()).unwrap();
    let whole = content(&bench.out());
    for name in ["prepared.json", "manifest.parquet", "images/train/0000/000-1.jpg", "images/test/0000/001-0.jpg"] {
        std::fs::remove_file(bench.out().join(name)).unwrap();
    }
    // As a power cut and a kill leave them.
    std::fs::write(bench.out().join("images/train/0000/002-0.jpg"), []).unwrap();
    std::fs::write(bench.out().join(".partial-abc"), "half").unwrap();
    // A source whose images are all there is not even read.
    bench.spoil(4);
    bench.prepare(&options()).unwrap();
    assert!(content(&bench.out()) == whole);
}

#[test]
fn finished_folder_is_left_alone() {
    let bench = Bench::seven();
    let first = bench.prepare(&options()).unwrap();
    bench.spoil(0);
    assert_eq!(bench.prepare(&options()).unwrap(), first);
}

#[test]
fn run_that_meets_a_damaged_source_goes_on_once_it_is_mended() {
    let bench = Bench::seven();
    bench.prepare(&options()).unwrap();
    let whole = content(&bench.out());
    std::fs::remove_dir_all(bench.out()).unwrap();
    let good = std::fs::read(bench.source(4)).unwrap();
    bench.spoil(4);
    assert!(bench.refusal(&options()).contains("004.jpg"));
    bench.assert_unfinished();
    std::fs::write(bench.source(4), good).unwrap();
    bench.prepare(&options()).unwrap();
    assert!(content(&bench.out()) == whole);
}

#[test]
fn finished_folder_of_other_images_is_refused() {
    let bench = Bench::seven();
    bench.prepare(&options()).unwrap();
    write_jpeg(&bench.source(3), &picture(3, 90, 20));
    assert!(bench.refusal(&options()).contains("--force"));
}

#[test]
fn unfinished_folder_is_finished_with_the_images_as_they_are_now() {
    let bench = Bench::seven();
    bench.prepare(&options()).unwrap();
    std::fs::remove_file(bench.out().join("prepared.json")).unwrap();
    write_jpeg(&bench.source(2), &picture(3, 90, 20));
    bench.prepare(&options()).unwrap();
    let gone_on = content(&bench.out());
    bench.prepare(&Options { force: true, ..options() }).unwrap();
    assert!(content(&bench.out()) == gone_on);
}

#[test]
fn folder_whose_inputs_are_not_recorded_is_known_by_its_description() {
    let bench = Bench::seven();
    let first = bench.prepare(&options()).unwrap();
    std::fs::remove_file(bench.out().join("inputs.json")).unwrap();
    assert_eq!(bench.prepare(&options()).unwrap(), first);
    assert!(bench.refusal(&Options { seed: 8, ..options() }).contains("--force"));
}

#[test]
fn pipeline_is_recorded_so_that_it_can_be_used_again() {
    let bench = Bench::seven();
    let pipeline = Pipeline { operations: vec![Operation::FlipLeftRight { probability: 1.0 }] };
    let prepared = bench.prepare(&Options { pipeline: pipeline.clone(), ..options() }).unwrap();
    assert_eq!(Pipeline::from_toml("prepared.json", &prepared.pipeline).unwrap(), pipeline);
    assert_eq!(prepared.pipeline_digest, blake3::hash(prepared.pipeline.as_bytes()).to_hex().as_str());
    let reader = Reader::open(&bench.out()).unwrap();
    let mirrored = image::imageops::flip_horizontal(&reader.image(0).unwrap());
    let copy = reader.image(1).unwrap();
    // Copy 0 is resized by cubics and copy 1 linearly; the picture is smooth, so JPEG is what is left.
    let error: u64 = mirrored.iter().zip(copy.iter()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    assert!(error < 8 * 3 * 32 * 32, "{error}");
}

#[test]
fn synthetic_faces_are_drawn_into_the_folder() {
    let bench = Bench::seven();
    let sizes = gal_bench::dataset::synthetic::Options { train: 2, val: 1, test: 1, seed: 3 };
    let dataset = gal_bench::dataset::synthetic::dataset(&sizes).unwrap();
    let prepared = store::prepare(&dataset, &bench.out(), &Options::default(), &Progress::new(true)).unwrap();
    assert_eq!((prepared.dataset.as_str(), prepared.train.stored, prepared.test.stored), ("synthetic", 2, 1));
    let Images::Synthetic(renderer) = &dataset.images else { panic!("not synthetic") };
    let reader = Reader::open(&bench.out()).unwrap();
    for row in 0..4 {
        assert_eq!(reader.rows[row].labels, renderer.labels(row));
        let (drawn, stored) = (renderer.render(row), reader.image(row).unwrap());
        let error: u64 = drawn.iter().zip(stored.iter()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        assert!(error < 8 * 3 * 256 * 256, "{row}: {error}");
    }
}

#[test]
fn folder_of_other_options_is_refused_unless_forced() {
    let bench = Bench::seven();
    bench.prepare(&options()).unwrap();
    let other = Options { quality: 80, ..options() };
    assert!(bench.refusal(&other).contains("--force"));
    std::fs::remove_file(bench.out().join("prepared.json")).unwrap();
    assert!(bench.refusal(&other).contains("--force"));
    assert_eq!(bench.prepare(&Options { force: true, ..other }).unwrap().quality, 80);
}

#[test]
fn folder_of_other_labels_is_refused() {
    let mut bench = Bench::seven();
    bench.prepare(&options()).unwrap();
    let flipped: Vec<bool> =
        bench.dataset.table.column("Male").unwrap().bool().unwrap().iter().map(|l| l != Some(true)).collect();
    bench.dataset.table.with_column(Column::new("Male".into(), flipped)).unwrap();
    assert!(bench.refusal(&options()).contains("--force"));
}

#[test]
fn folder_with_other_files_is_refused_even_when_forced() {
    let bench = Bench::seven();
    std::fs::create_dir(bench.out()).unwrap();
    std::fs::write(bench.out().join("thesis.txt"), "mine").unwrap();
    assert!(bench.refusal(&Options { force: true, ..options() }).contains("thesis.txt"));
    assert_eq!(content(&bench.out()).len(), 1);
}

#[test]
fn folder_in_use_is_refused_and_free_again_afterwards() {
    let bench = Bench::seven();
    std::fs::create_dir(bench.out()).unwrap();
    let other = std::fs::File::create(bench.out().join(".lock")).unwrap();
    other.try_lock().unwrap();
    assert!(bench.refusal(&options()).contains("another run"));
    drop(other);
    bench.prepare(&options()).unwrap();
}

#[test]
fn damaged_image_is_named_and_nothing_looks_finished() {
    let bench = Bench::seven();
    let bytes = std::fs::read(bench.source(2)).unwrap();
    for damage in [&bytes[..bytes.len() / 2], b"GIF89a", b""] {
        std::fs::write(bench.source(2), damage).unwrap();
        let message = bench.refusal(&options());
        assert!(message.contains("002.jpg") && message.contains("not a whole JPEG"), "{message}");
        bench.assert_unfinished();
    }
    std::fs::write(bench.source(2), bytes).unwrap();
    bench.prepare(&options()).unwrap();
}

#[test]
fn missing_images_are_counted_before_anything_is_written() {
    let bench = Bench::seven();
    for row in [1, 4, 5] {
        std::fs::remove_file(bench.source(row)).unwrap();
    }
    let message = bench.refusal(&options());
    assert!(message.contains("001.jpg") && message.contains("2 more"), "{message}");
    assert!(!bench.out().exists());
}

#[test]
fn source_outside_the_image_folder_is_refused() {
    let mut bench = Bench::new(&["train"]);
    bench.dataset.table = table(&["../in/face/000.jpg".to_owned()], &["train"]);
    assert!(bench.refusal(&options()).contains("../in/face/000.jpg"));
}

#[test]
fn unwritable_folder_is_one_sentence() {
    let bench = Bench::seven();
    let below_a_file = bench.source(0).join("out");
    let error = store::prepare(&bench.dataset, &below_a_file, &options(), &Progress::new(true)).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("000.jpg"), "{error}");
    // A folder where an image should go: the run fails in the middle.
    std::fs::create_dir_all(bench.out()).unwrap();
    bench.prepare(&options()).unwrap();
    std::fs::remove_file(bench.out().join("prepared.json")).unwrap();
    std::fs::remove_file(bench.out().join("images/train/0000/002-1.jpg")).unwrap();
    std::fs::create_dir(bench.out().join("images/train/0000/002-1.jpg")).unwrap();
    assert!(bench.refusal(&options()).contains("002-1.jpg"));
    bench.assert_unfinished();
}

#[test]
fn options_out_of_bounds_are_refused() {
    let bench = Bench::seven();
    assert!(bench.refusal(&Options { copies: Some(2), ..options() }).contains("exclude"));
    assert!(bench.refusal(&Options { copies: Some(0), expand: None, ..options() }).contains("--copies"));
    assert!(bench.refusal(&Options { size: 0, ..options() }).contains("--size"));
    assert!(bench.refusal(&Options { quality: 0, ..options() }).contains("--quality"));
    assert!(!bench.out().exists());
}

#[test]
fn sources_of_the_same_file_name_do_not_meet() {
    let mut bench = Bench::new(&["train", "train"]);
    let sources = ["a/x.jpg", "b/X.jpg"].map(str::to_owned);
    for (row, source) in sources.iter().enumerate() {
        write_jpeg(&bench.folder.path().join("in").join(source), &picture(row as u32, 30, 40));
    }
    bench.dataset.table = table(&sources, &["train", "train"]);
    bench.prepare(&Options { expand: None, ..options() }).unwrap();
    let reader = Reader::open(&bench.out()).unwrap();
    assert_ne!(reader.rows[0].file.to_lowercase(), reader.rows[1].file.to_lowercase());
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
fn unfinished_and_altered_sets_are_not_read() {
    let bench = Bench::seven();
    let message = |folder: &Path| Reader::open(folder).unwrap_err().to_string();
    assert!(message(&bench.out()).contains("gal-bench prepare"));
    bench.prepare(&options()).unwrap();
    let manifest = bench.out().join("manifest.parquet");
    let mut bytes = std::fs::read(&manifest).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&manifest, bytes).unwrap();
    assert!(message(&bench.out()).contains("manifest.parquet: is not the manifest"));
}

#[test]
fn altered_image_is_found_by_the_check() {
    let bench = Bench::seven();
    bench.prepare(&options()).unwrap();
    let path = bench.out().join("images/val/0000/003-0.jpg");
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let error = store::check(&bench.out()).unwrap_err();
    assert!(error.to_string().contains("003-0.jpg") && error.exit_code() == 2, "{error}");
    assert!(error.to_string().contains("1 of 15 images"), "{error}");
    std::fs::remove_file(bench.out().join("images/train/0000/000-0.jpg")).unwrap();
    let message = store::check(&bench.out()).unwrap_err().to_string();
    assert!(message.contains("000-0.jpg") && message.contains("2 of 15 images"), "{message}");
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

/// Any step that a pipeline can draw.
fn any_step() -> impl Strategy<Value = Step> {
    let mesh = (1_u32..=9, 1_u32..=9).prop_flat_map(|(across, down)| {
        let count = ((across - 1) * (down - 1)) as usize;
        let nodes = proptest::collection::vec((-250..=250, -250..=250), count);
        nodes.prop_map(move |nodes| Step::Distort { grid: (across, down), nodes })
    });
    prop_oneof![
        (-90..=90).prop_map(Step::Rotate),
        (-180..=180).prop_map(Step::RotateWithoutCrop),
        (100_u32..=10_000).prop_map(Step::Zoom),
        Just(Step::FlipLeftRight),
        mesh,
        (0_u32..=10_000).prop_map(Step::Brightness),
        (0_u32..=10_000).prop_map(Step::Contrast),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_image_under_any_plan_is_rendered(
        width in 1_u32..=600,
        height in 1_u32..=400,
        side in 1_u32..=80,
        steps in proptest::collection::vec(any_step(), 0..6),
    ) {
        let mut source = Source::new(picture(1, width, height), side);
        prop_assert_eq!(source.render(&Plan { steps }).dimensions(), (side, side));
    }

    #[test]
    fn one_colour_stays_that_colour_under_any_geometry(
        width in 1_u32..=60,
        height in 1_u32..=60,
        colour: [u8; 3],
        steps in proptest::collection::vec(any_step(), 0..6),
    ) {
        let values = |step: &Step| matches!(step, Step::Brightness(_) | Step::Contrast(_));
        let steps = steps.into_iter().filter(|step| !values(step)).collect();
        let image = RgbImage::from_pixel(width, height, image::Rgb(colour));
        let copy = render(&image, &Plan { steps }, 40);
        prop_assert!(copy.pixels().all(|pixel| pixel.0 == colour));
    }
}
