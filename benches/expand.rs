//! Images per second of expanding a training set, compared with Augmentor on one thread and albumentations in two
//! processes. All use the same faces and the same operations with the same parameter ranges. The output is 256 x 256
//! pixels as JPEG of quality 95, or as the raw array. Rounds alternate between the programs.
//!
//!     python3 -m venv peers && peers/bin/pip install -r benches/peers/requirements.txt
//!     GAL_BENCH_PYTHON=peers/bin/python cargo bench --profile release --bench expand
//!
//! `GAL_BENCH_FACES` names a folder of JPEG files, searched recursively; the default is synthetic faces of 250 x 250
//! pixels. The peers resample bicubically in every operation. Ours interpolates once: bilinearly, the default, or
//! bicubically in the rows named so.

mod peers;

use gal_bench::augment::{Filter, Interpolation, Pipeline, resize};
use gal_bench::dataset::table::{self, Columns};
use gal_bench::dataset::{Dataset, DatasetName, Images, Partition, Split, synthetic};
use gal_bench::progress::Progress;
use gal_bench::store::{self, Format};
use peers::Result;
use std::path::{Path, PathBuf};
use std::time::Instant;

const SOURCES: usize = 500;
const COPIES: usize = 12;
/// Images that each peer makes in a round; fewer, because the peers are slower.
const PEER_IMAGES: usize = 1000;
const ROUNDS: usize = 5;
const PIPELINE: &str = r#"
[[operation]]
name = "rotate"
probability = 1.0
max_left = 15
max_right = 15

[[operation]]
name = "zoom"
probability = 1.0
min_factor = 1.05
max_factor = 1.2

[[operation]]
name = "random_distortion"
probability = 1.0
grid_width = 4
grid_height = 4
magnitude = 8

[[operation]]
name = "flip_left_right"
probability = 0.5
"#;

#[allow(clippy::print_stdout, reason = "the figures are the result")]
fn main() -> Result<()> {
    let scratch =
        tempfile::tempdir_in(if Path::new("/dev/shm").exists() { "/dev/shm".into() } else { std::env::temp_dir() })?;
    let faces = scratch.path().join("faces");
    let origin = gather(&faces)?;
    let dataset = dataset(&faces)?;
    let threads = rayon::current_num_threads();
    println!("{SOURCES} faces ({origin}), {COPIES} copies of each, {threads} threads; images per second, by round");

    let mut rates: Vec<(&str, Vec<f64>)> =
        ["JPEG", "JPEG, bicubic", "array", "array, bicubic", "Augmentor", "albumentations"]
            .map(|name| (name, Vec::new()))
            .into();
    for _ in 0..ROUNDS {
        let out = || scratch.path().join("out");
        let programs: [&dyn Fn() -> Result<f64>; 6] = [
            &|| ours(&dataset, &out(), Format::Jpeg, Interpolation::Bilinear),
            &|| ours(&dataset, &out(), Format::Jpeg, Interpolation::Bicubic),
            &|| ours(&dataset, &out(), Format::Npy, Interpolation::Bilinear),
            &|| ours(&dataset, &out(), Format::Npy, Interpolation::Bicubic),
            &|| peer("augmentor_expand.py", &faces, &out(), &[]),
            &|| peer("albumentations_expand.py", &faces, &out(), &["2"]),
        ];
        for (program, (_, rates)) in programs.iter().zip(&mut rates) {
            rates.push(program()?);
            std::fs::remove_dir_all(out())?;
        }
    }
    for (name, rates) in &rates {
        let each: Vec<String> = rates.iter().map(|rate| format!("{rate:.0}")).collect();
        println!("{name:>16}: {}", each.join(" "));
    }
    for (ours, peer) in (0..4).flat_map(|ours| [(ours, 4), (ours, 5)]) {
        println!("{} over {}: {}", rates[ours].0, rates[peer].0, peers::ratio(&rates[ours].1, &rates[peer].1));
    }
    Ok(())
}

/// Images per second of one preparation, from the annotation in memory to the finished folder.
fn ours(dataset: &Dataset, out: &Path, format: Format, interpolation: Interpolation) -> Result<f64> {
    let pipeline = Pipeline { interpolation, ..Pipeline::from_toml("benches/expand.rs", PIPELINE)? };
    let options = store::Options { copies: Some(COPIES), pipeline, format, ..store::Options::default() };
    let start = Instant::now();
    let prepared = store::prepare(dataset, out, &options, &Progress::new(true))?;
    Ok(prepared.train.stored as f64 / start.elapsed().as_secs_f64())
}

/// Images per second, as a peer's script reports them.
fn peer(script: &str, faces: &Path, out: &Path, more: &[&str]) -> Result<f64> {
    std::fs::create_dir(out)?;
    let count = PEER_IMAGES.to_string();
    let folders = [faces.as_os_str(), out.as_os_str(), count.as_ref()];
    let result = peers::run(script, folders.into_iter().chain(more.iter().map(AsRef::as_ref)), &[])?;
    match (result["images"].as_f64(), result["seconds"].as_f64()) {
        (Some(images), Some(seconds)) if images as usize == PEER_IMAGES => Ok(images / seconds),
        _ => Err(format!("{script}: {result}, expected {PEER_IMAGES} images").into()),
    }
}

/// Writes the faces into one flat folder; returns their origin.
fn gather(faces: &Path) -> Result<String> {
    std::fs::create_dir(faces)?;
    let Ok(folder) = std::env::var("GAL_BENCH_FACES") else {
        let set = synthetic::dataset(&synthetic::Options::default())?;
        let Images::Synthetic(renderer) = &set.images else {
            return Err("the synthetic data set has no renderer".into());
        };
        for row in 0..SOURCES {
            let face = resize(&renderer.render(row), 250, 250, Filter::Bicubic);
            let file = std::fs::File::create(faces.join(format!("{row:04}.jpg")))?;
            face.write_with_encoder(image::codecs::jpeg::JpegEncoder::new_with_quality(file, 90))?;
        }
        return Ok("synthetic, 250 x 250 pixels".to_owned());
    };
    let mut found = Vec::new();
    find(Path::new(&folder), &mut found)?;
    found.sort();
    if found.len() < SOURCES {
        return Err(format!("{folder} holds {} JPEG files, expected at least {SOURCES}", found.len()).into());
    }
    // Evenly spaced over the folder.
    for (row, path) in found.iter().step_by(found.len() / SOURCES).take(SOURCES).enumerate() {
        std::fs::copy(path, faces.join(format!("{row:04}.jpg")))?;
    }
    Ok("from GAL_BENCH_FACES".to_owned())
}

fn find(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            find(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "jpg") {
            found.push(path);
        }
    }
    Ok(())
}

/// The faces as a data set with constant labels.
fn dataset(faces: &Path) -> Result<Dataset> {
    let columns = Columns {
        sources: (0..SOURCES).map(|row| format!("{row:04}.jpg")).collect(),
        splits: vec![Split::Train; SOURCES],
        identities: vec![None; SOURCES],
        labels: vec![[Some(false); 40]; SOURCES],
    };
    let partition = Partition { description: "all for training".to_owned(), ..Partition::default() };
    let table = table::build(columns)?;
    Ok(Dataset {
        name: DatasetName::Lfwa,
        table,
        images: Images::Folder(faces.to_path_buf()),
        partition,
        notes: Vec::new(),
    })
}
