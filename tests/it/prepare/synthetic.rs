//! The synthetic set from outside: labels against CelebA's published statistics, images against a digest.

use gal_bench::attribute::{COUNT, NAMES};
use gal_bench::dataset::synthetic::{self, Options};
use gal_bench::dataset::{DatasetName, Images};
use gal_bench::synthetic::Renderer;
use rayon::prelude::*;

const RATES: &str = include_str!("../../../datasets/synthetic/celeba-statistics.csv");
const PHI: &str = include_str!("../../../datasets/synthetic/celeba-phi.csv");

/// Number of faces sampled for the comparison.
const DRAWS: usize = 20_000;

/// The numbers in the row of each attribute.
fn table(text: &str) -> Vec<Vec<f64>> {
    let rows = text.lines().skip(1).zip(NAMES);
    rows.map(|(line, name)| {
        let mut fields = line.split(',');
        assert_eq!(fields.next(), Some(name));
        fields.map(|field| field.parse().expect("a number")).collect()
    })
    .collect()
}

fn sampled() -> Vec<[bool; COUNT]> {
    let renderer = Renderer::new(11).expect("valid tables");
    (0..DRAWS).map(|row| renderer.labels(row)).collect()
}

#[test]
fn labels_are_positive_as_often_as_celebas() {
    let labels = sampled();
    for (i, row) in table(RATES).iter().enumerate() {
        let (positive, images) = (row[0], row[1]);
        let published = positive / images;
        let found = labels.iter().filter(|face| face[i]).count() as f64 / DRAWS as f64;
        // Four standard errors of a share of 20,000 draws: at most 1.4 points.
        let tolerance = 4.0 * (published * (1.0 - published) / DRAWS as f64).sqrt();
        assert!((found - published).abs() < tolerance, "{}: {found} for {published}", NAMES[i]);
    }
}

#[test]
fn labels_correlate_as_celebas_do() {
    let labels = sampled();
    let rate: Vec<f64> =
        (0..COUNT).map(|i| labels.iter().filter(|face| face[i]).count() as f64 / DRAWS as f64).collect();
    let mut errors = Vec::new();
    for (i, published) in table(PHI).iter().enumerate() {
        for j in 0..i {
            let both = labels.iter().filter(|face| face[i] && face[j]).count() as f64 / DRAWS as f64;
            let spread = (rate[i] * (1.0 - rate[i]) * rate[j] * (1.0 - rate[j])).sqrt();
            let phi = (both - rate[i] * rate[j]) / spread;
            let error = (phi - published[j]).abs();
            // A Gaussian copula cannot exclude several hair colours at once as strictly as annotators do: its error is up
            // to 0.068 there. The rest of the tolerance is four standard errors.
            assert!(error < 0.10, "{} and {}: phi {phi}, published {}", NAMES[i], NAMES[j], published[j]);
            errors.push(error);
        }
    }
    let mean = errors.iter().sum::<f64>() / errors.len() as f64;
    assert!(mean < 0.015, "mean error of phi {mean}");
}

#[test]
fn the_table_follows_the_options() {
    let set = synthetic::dataset(&Options { train: 7, val: 2, test: 3, seed: 4 }).unwrap();
    assert_eq!(set.name, DatasetName::Synthetic);
    assert_eq!(set.partition.description, "synthetic faces drawn by gal-bench, seed 4");
    assert!(!set.partition.official);
    let names = set.table.get_column_names();
    assert_eq!(names[..3], ["source", "split", "identity"]);
    assert!(names[3..].iter().map(|name| name.as_str()).eq(NAMES));
    let text = |column: &str| -> Vec<String> {
        let column = set.table.column(column).unwrap().str().unwrap();
        column.iter().map(|value| value.unwrap().to_owned()).collect()
    };
    assert_eq!(text("source")[11], "synthetic/000011.png");
    assert_eq!(text("split").join(" "), "train train train train train train train val val test test test");
    let mut people = text("identity");
    people.dedup();
    assert_eq!(people.len(), 12);
    let Images::Synthetic(renderer) = &set.images else { panic!("pixels come from elsewhere") };
    let bald = set.table.column("Bald").unwrap().bool().unwrap().clone();
    assert!((0..12).all(|row| bald.get(row) == Some(renderer.labels(row)[4])));
}

#[test]
fn a_set_without_training_images_is_rejected() {
    let error = synthetic::dataset(&Options { train: 0, ..Options::default() }).unwrap_err();
    assert_eq!(error.exit_code(), 2);
}

#[test]
fn an_image_is_the_same_on_any_thread_and_in_any_set() {
    let renderer = Renderer::new(0).unwrap();
    let alone: Vec<_> = (0..6).map(|row| renderer.render(row)).collect();
    let threads = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    let together: Vec<_> = threads.install(|| (0..6).into_par_iter().rev().map(|row| renderer.render(row)).collect());
    assert!(alone.iter().rev().eq(&together));
    let Images::Synthetic(small) = synthetic::dataset(&Options { train: 1, val: 1, test: 1, seed: 0 }).unwrap().images
    else {
        panic!("pixels come from elsewhere")
    };
    assert_eq!(small.render(5), alone[5]);
    assert_ne!(Renderer::new(1).unwrap().render(5), alone[5]);
}

/// The renderer uses only operations with the same rounding on every machine. After an intended change of the images,
/// `GAL_BENCH_REGENERATE=1` prints the new digest; replace the contact sheet, too.
#[test]
fn images_are_the_same_on_every_machine() {
    let renderer = Renderer::new(0).unwrap();
    let mut digest = blake3::Hasher::new();
    for row in 0..12 {
        digest.update(renderer.render(row).as_raw());
    }
    let found = digest.finalize().to_hex();
    let regenerate = std::env::var_os("GAL_BENCH_REGENERATE").is_some();
    assert!(!regenerate, "the digest of the first 12 images is now {found}");
    assert_eq!(found.as_str(), "f72ab67ce443c3429fdd37bb7bc497b35a62d88c67c1b2eaea40b7a908cd661e");
}

#[test]
fn the_checked_in_contact_sheet_is_the_current_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sheet.png");
    gal_bench::synthetic::write_preview(&path, 0).unwrap();
    let current = image::open(&path).unwrap().to_rgb8();
    let kept = image::open(concat!(env!("CARGO_MANIFEST_DIR"), "/datasets/synthetic/contact-sheet.png")).unwrap();
    assert!(current == kept.to_rgb8(), "datasets/synthetic/contact-sheet.png is outdated: regenerate it");
}
