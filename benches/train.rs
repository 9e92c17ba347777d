//! Training and inference speed on a CPU, against PyTorch in its fastest form (`peers/train.py`: eager or compiled,
//! `channels_last`, oneDNN, an allocator that keeps freed memory). Both sides run the same network (GAL-j with both
//! losses) with the same batch and threads, in separate processes that alternate within one run.
//!
//!     python3 -m venv peers && peers/bin/pip install -r benches/peers/requirements.txt
//!     GAL_BENCH_PYTHON=peers/bin/python cargo bench --profile release --bench train
//!
//! It also prints the cost of the set `paper`, alone and with `compared`, relative to one Baseline, without the pass that
//! stores a frozen backbone's features, and of each correlation net relative to the FLN. For each layer it prints the share
//! of the machine's measured matrix product that our convolutions reach. Other backbones are measured at 224 pixels, beside
//! the paper's, with their processor time per image. One part alone, or one case:
//!
//!     cargo bench --profile release --bench train -- peers|variants|nets|backbones|layers
//!     cargo bench --profile release --bench train -- train paper 32 alexnet

mod peers;

use candle_core::{Device, Tensor, Var};
use clap::ValueEnum;
use gal_bench::config::{Crop, Profile};
use gal_bench::model::{Architecture, BackboneName, Backend};
use gal_bench::nn::{ConvBlock, ConvParameters, Statistics, Tail};
use gal_bench::train::{Learner, SharedRun, shared_runs};
use gal_bench::variant::{Fln, REGISTRY, Variant};
use peers::Result;
use rayon::prelude::*;
use serde_json::{Value, json};
use std::fmt;
use std::time::{Duration, Instant};

/// Seconds that each side works in a round.
const SECONDS: f64 = 5.0;
const ROUNDS: usize = 3;
/// By default glibc returns large buffers to the system after each step.
const ALLOCATOR: [(&str, &str); 3] = [
    ("MALLOC_MMAP_THRESHOLD_", "4294967296"),
    ("MALLOC_TRIM_THRESHOLD_", "8589934592"),
    ("MALLOC_TOP_PAD_", "268435456"),
];

/// Backbones beside the paper's.
const BACKBONES: [BackboneName; 3] = [BackboneName::AlexnetCvgj, BackboneName::Alexnet, BackboneName::Resnet18];

/// Mode, profile and batch.
const CASES: [(&str, &str, usize); 4] =
    [("train", "paper", 32), ("infer", "paper", 32), ("train", "quick", 64), ("infer", "quick", 64)];

/// PyTorch's forms with their options; the fastest counts. Without a gradient to the pixels it does not train their scale and
/// shift. Our code computes no such gradient either, and trains both.
const FORMS: [(&str, &[&str]); 3] = [
    ("eager", &[]),
    ("eager, no gradient to the pixels", &["--no-input-grad"]),
    ("torch.compile, no gradient to the pixels", &["--no-input-grad", "--compile"]),
];

/// A part of the bench with its name.
type Part = (&'static str, fn() -> Result<()>);

#[allow(clippy::print_stdout, reason = "the figures are the result")]
fn main() -> Result<()> {
    #[allow(unsafe_code, reason = "as the program does")]
    // SAFETY: no other thread runs yet.
    unsafe {
        gal_bench::nn::limit_candle_spin();
    }
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [mode, profile, batch, backbone] = arguments.as_slice() {
        println!(
            "{}",
            measure(mode, &with_backbone(profile, BackboneName::from_str(backbone, false)?)?, batch.parse()?)?
        );
        return Ok(());
    }
    let parts: [Part; 5] = [
        ("peers", peer_cases),
        ("variants", sets_of_variants),
        ("nets", || correlation_nets(&Profile::load("quick")?, 64)),
        ("backbones", || backbones(32)),
        ("layers", || roofline(32)),
    ];
    if let Some(other) = arguments.iter().find(|argument| parts.iter().all(|(name, _)| name != argument)) {
        let names = parts.map(|(name, _)| name).join(", ");
        return Err(format!("there is no part {other}: give any of {names}, or none for all").into());
    }
    println!("{} threads", rayon::current_num_threads());
    for (name, part) in parts {
        if arguments.is_empty() || arguments.iter().any(|argument| argument == name) {
            part()?;
        }
    }
    Ok(())
}

#[allow(clippy::print_stdout, reason = "the figures are the result")]
fn peer_cases() -> Result<()> {
    println!("images/s of the median step, by round");
    CASES.iter().try_for_each(|&(mode, profile, batch)| compare(mode, &Profile::load(profile)?, batch))
}

fn sets_of_variants() -> Result<()> {
    for profile in ["paper", "quick"] {
        let profile = Profile::load(profile)?;
        variants(&profile, 32, &["paper"])?;
        variants(&profile, 32, &["paper", "compared"])?;
    }
    Ok(())
}

#[allow(clippy::print_stdout, reason = "the figures are the result")]
fn compare(mode: &str, profile: &Profile, batch: usize) -> Result<()> {
    let Architecture { input_size: input, stride, widths, branch_channels: branch, .. } = profile.network;
    let widths = widths.map(|width| width.to_string()).join(",");
    let threads = rayon::current_num_threads();
    let numbers = [batch.to_string(), input.to_string(), stride.to_string(), widths, branch.to_string()];
    let mut arguments = vec![mode.to_owned()];
    arguments.extend(numbers);
    arguments.extend([threads.to_string(), SECONDS.to_string()]);
    arguments.extend((!profile.network.last_pool).then(|| "--no-last-pool".to_owned()));
    let mut ours = Side::default();
    let mut theirs: [Side; FORMS.len()] = Default::default();
    for _ in 0..ROUNDS {
        ours.add(&in_own_process(mode, &profile.name, batch, profile.network.backbone)?)?;
        for (side, (_, options)) in theirs.iter_mut().zip(FORMS) {
            let options = options.iter().map(|option| (*option).to_owned());
            side.add(&peers::run("train.py", arguments.iter().cloned().chain(options), &ALLOCATOR)?)?;
        }
    }
    println!("\n{mode}, {} profile, {input} x {input}, batch {batch}", profile.name);
    println!("  ours: {ours}");
    for (side, (name, _)) in theirs.iter().zip(FORMS) {
        println!("  PyTorch, {name}: {side}");
        let (ratio, memory) = (peers::ratio(&ours.rates, &side.rates), ours.peak / side.peak);
        println!("    {ratio}; memory {memory:.2} of PyTorch's");
    }
    let best = theirs.iter().max_by(|a, b| a.median().total_cmp(&b.median())).ok_or("PyTorch has no form")?;
    println!("  over the fastest: {}", peers::ratio(&ours.rates, &best.rates));
    Ok(())
}

/// Results of one side.
#[derive(Default)]
struct Side {
    /// Images/s of the median step, by round.
    rates: Vec<f64>,
    /// Peak memory in MiB.
    peak: f64,
}

impl Side {
    fn add(&mut self, result: &Value) -> Result<()> {
        self.rates.push(number(result, "median")?);
        self.peak = self.peak.max(number(result, "peak_mib")?);
        Ok(())
    }

    fn median(&self) -> f64 {
        let mut rates = self.rates.clone();
        rates.sort_by(f64::total_cmp);
        median(&rates)
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let rates: Vec<String> = self.rates.iter().map(|rate| format!("{rate:.1}")).collect();
        write!(f, "{} ({:.0} MiB)", rates.join(" "), self.peak)
    }
}

/// [`measure`] in a process of its own.
fn in_own_process(mode: &str, profile: &str, batch: usize, backbone: BackboneName) -> Result<Value> {
    let arguments = [mode.to_owned(), profile.to_owned(), batch.to_string(), backbone.to_string()];
    let output = std::process::Command::new(std::env::current_exe()?).args(arguments).output()?;
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// A profile with another backbone at its published sizes and 224 pixels.
fn with_backbone(profile: &str, backbone: BackboneName) -> Result<Profile> {
    let mut profile = Profile::load(profile)?;
    if backbone != profile.network.backbone {
        let (stride, widths) = backbone.published();
        profile.network = Architecture { backbone, input_size: 224, stride, widths, ..profile.network };
    }
    Ok(profile)
}

/// Speed of each backbone in the `paper` profile.
#[allow(clippy::print_stdout, reason = "the figures are the result")]
fn backbones(batch: usize) -> Result<()> {
    println!("\nbackbones, paper profile, batch {batch}: images/s, processor time per image, peak memory");
    for (backbone, mode) in BACKBONES.into_iter().flat_map(|backbone| [(backbone, "train"), (backbone, "infer")]) {
        let result = in_own_process(mode, "paper", batch, backbone)?;
        let [rate, cpu, peak] = ["median", "cpu_ms", "peak_mib"].map(|name| number(&result, name));
        println!("  {backbone}, {mode}: {:.1}, {:.1} ms, {:.0} MiB", rate?, cpu?, peak?);
    }
    Ok(())
}

fn number(result: &Value, name: &str) -> Result<f64> {
    result[name].as_f64().ok_or_else(|| format!("no {name} in {result}").into())
}

/// The learner of a shared run with random input.
struct Work {
    learner: Learner,
    pixels: Tensor,
    targets: Tensor,
}

impl Work {
    fn new(profile: &Profile, run: &SharedRun, batch: usize) -> Result<Self> {
        let device = Device::Cpu;
        let learner = Learner::new(&profile.network, run, &profile.optimizer, 0, Backend::Native, &device)?;
        let side = profile.network.input_size;
        let pixels = Tensor::rand(0.0_f32, 255.0, (3, batch, side, side), &device)?;
        let yes = Tensor::rand(0.0_f32, 1.0, (40, batch), &device)?.ge(0.5)?.to_dtype(candle_core::DType::F32)?;
        let targets = Tensor::stack(&[&(1.0 - &yes)?, &yes], 1)?.contiguous()?;
        Ok(Self { learner, pixels, targets })
    }

    fn step(&mut self) -> Result<()> {
        let features = self.learner.features(&self.pixels)?;
        self.learner.step(&features, &self.targets, 1e-3)?;
        Ok(())
    }
}

/// Calls before the first measured one.
const WARM_UP: usize = 2;

/// Sorted durations in seconds of calls of `work` during [`SECONDS`], after [`WARM_UP`] others.
fn times(mut work: impl FnMut() -> Result<()>) -> Result<Vec<f64>> {
    for _ in 0..WARM_UP {
        work()?;
    }
    let (mut times, end) = (Vec::new(), Instant::now() + Duration::from_secs_f64(SECONDS));
    while Instant::now() < end || times.len() < 3 {
        let start = Instant::now();
        work()?;
        times.push(start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    Ok(times)
}

fn median(times: &[f64]) -> f64 {
    times[times.len() / 2]
}

/// Measures GAL-j, the network of the peer, in this process.
fn measure(mode: &str, profile: &Profile, batch: usize) -> Result<Value> {
    let joint = Variant::named("gal-j").ok_or("no gal-j")?;
    let mut work = Work::new(profile, &shared_runs(&[joint], profile)[0], batch)?;
    let cpu = cpu_seconds()?;
    let times = match mode {
        "train" => times(|| work.step())?,
        _ => times(|| Ok(work.learner.predict(&work.pixels).map(drop)?))?,
    };
    let images = batch * (times.len() + WARM_UP);
    Ok(json!({
        "median": batch as f64 / median(&times),
        "cpu_ms": 1000.0 * (cpu_seconds()? - cpu) / images as f64,
        "peak_mib": peak_mib()?,
    }))
}

/// Processor time of all threads of this process, from Linux's `/proc`, which counts in hundredths of a second.
fn cpu_seconds() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = status.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    Ok((fields[11].parse::<f64>()? + fields[12].parse::<f64>()?) / 100.0)
}

/// Peak resident memory of this process in MiB, from Linux's `/proc`.
fn peak_mib() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
}

/// The cost of sets of variants relative to one Baseline, with one step of each shared run.
#[allow(clippy::print_stdout, reason = "the figures are the result")]
fn variants(profile: &Profile, batch: usize, sets: &[&str]) -> Result<()> {
    let names: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    let variants: Vec<Variant> = REGISTRY.select(&names, false);
    // Like the trainer, which stores features only for center crops.
    let known = |run: &SharedRun| run.fln == Fln::FrozenBaseline && profile.images.crop == Crop::Centre;
    let step = |run: &SharedRun| -> Result<f64> {
        let mut work = Work::new(profile, run, batch)?;
        if known(run) {
            let features = work.learner.features(&work.pixels)?;
            return Ok(median(&times(|| Ok(work.learner.step(&features, &work.targets, 1e-3).map(drop)?))?));
        }
        Ok(median(&times(|| work.step())?))
    };
    let baseline = step(&shared_runs(&variants[..1], profile)[0])?;
    let mut sum = 0.0;
    println!(
        "\n{}, {} profile, batch {batch}: Baseline alone {:.0} ms a step",
        sets.join(" and "),
        profile.name,
        1000.0 * baseline
    );
    for run in shared_runs(&variants, profile) {
        let names: Vec<&str> = run.variants.iter().map(|variant| variant.title).collect();
        let seconds = step(&run)?;
        let on = if known(&run) { " on stored features" } else { "" };
        println!("  {}{on}: {:.0} ms", names.join(", "), 1000.0 * seconds);
        sum += seconds;
    }
    println!("  all {}: {:.2}x one Baseline", variants.len(), sum / baseline);
    Ok(())
}

/// The cost of correlation nets that share one FLN, alone and together, relative to a step of that FLN.
#[allow(clippy::print_stdout, reason = "the figures are the result")]
fn correlation_nets(profile: &Profile, batch: usize) -> Result<()> {
    let mut profile = profile.clone();
    // One weight decay for all, so that Baseline shares the FLN.
    profile.optimizer.weight_decay = Some(1e-3);
    let baseline = Variant::named("baseline").ok_or("no baseline")?;
    let sets = ["paper", "controls", "compared"].map(str::to_owned);
    let shared: Vec<Variant> = shared_runs(&REGISTRY.select(&sets, false), &profile)
        .into_iter()
        .filter(|run| run.fln == Fln::Trained)
        .max_by_key(|run| run.variants.len())
        .map_or_else(Vec::new, |run| run.variants);
    let heads: Vec<Variant> = shared.into_iter().filter(|variant| variant.net.is_some()).collect();
    let sets = heads.iter().map(|head| vec![*head]).chain([heads.clone()]);
    let mut works = vec![Work::new(&profile, &shared_runs(&[baseline], &profile)[0], batch)?];
    for set in sets.clone() {
        works.push(Work::new(&profile, &shared_runs(&set, &profile)[0], batch)?);
    }
    // All take turns step by step, so that a noisy machine disturbs all alike.
    let mut durations = vec![Vec::new(); works.len()];
    for round in 0..WARM_UP + 25 {
        for (work, durations) in works.iter_mut().zip(&mut durations) {
            let start = Instant::now();
            work.step()?;
            if round >= WARM_UP {
                durations.push(start.elapsed().as_secs_f64());
            }
        }
    }
    for durations in &mut durations {
        durations.sort_by(f64::total_cmp);
    }
    let fln = median(&durations[0]);
    println!("\ncorrelation nets, {} profile, batch {batch}: FLN alone {:.0} ms a step", profile.name, 1000.0 * fln);
    for (set, durations) in sets.zip(&durations[1..]) {
        let names: Vec<&str> = set.iter().map(|variant| variant.title).collect();
        println!("  with {}: {:.2}x", names.join(", "), median(durations) / fln);
    }
    Ok(())
}

/// Each convolution block of the paper's network, relative to the machine's matrix product.
#[allow(clippy::print_stdout, reason = "the figures are the result")]
fn roofline(batch: usize) -> Result<()> {
    let ceiling = ceiling()?;
    println!(
        "\nlayers of the paper's network, batch {batch}; ceiling (matrix product on all threads) {ceiling:.0} GFLOP/s"
    );
    let layers = [
        (3, 96, 11, 4, 0, 1, 227, true),
        (96, 256, 5, 1, 2, 2, 27, true),
        (256, 384, 3, 1, 1, 1, 13, false),
        (384, 384, 3, 1, 1, 2, 13, false),
        (384, 256, 3, 1, 1, 2, 13, true),
    ];
    for (layer, (inputs, outputs, kernel, stride, padding, groups, side, pool)) in layers.into_iter().enumerate() {
        let random = |shape: &[usize]| Var::from_tensor(&Tensor::rand(-1.0_f32, 1.0, shape, &Device::Cpu)?);
        let block = ConvBlock { groups, stride, padding, tail: Tail::rectified(pool), eps: 1e-3 };
        let x = random(&[inputs, batch, side, side])?;
        // The first layer's input are pixels, which need no gradient.
        let x = if layer == 0 { x.as_detached_tensor() } else { x.as_tensor().clone() };
        let of = |shape: &[usize]| random(shape).map(|var| var.as_tensor().clone());
        let p = ConvParameters {
            weight: of(&[outputs, inputs / groups, kernel, kernel])?,
            bias: of(&[outputs])?,
            gamma: of(&[outputs])?,
            beta: of(&[outputs])?,
        };
        let forward = median(&times(|| Ok(block.forward(&x, &p, &Statistics::Batch).map(drop)?))?);
        let both = median(&times(|| {
            let (y, _) = block.forward(&x, &p, &Statistics::Batch)?;
            Ok(y.sum_all()?.backward().map(drop)?)
        })?);
        let out = (side + 2 * padding - kernel) / stride + 1;
        let products = 2e-9 * (outputs * inputs / groups * kernel * kernel * batch * out * out) as f64;
        let ways = if layer == 0 { 1.0 } else { 2.0 };
        let share = |products: f64, seconds: f64| 100.0 * products / seconds / ceiling;
        println!(
            "  conv{}: forward {:.0} ms ({:.0} %), backward {:.0} ms ({:.0} %), norm, ReLU and pool included",
            layer + 1,
            1000.0 * forward,
            share(products, forward),
            1000.0 * (both - forward),
            share(ways * products, both - forward)
        );
    }
    Ok(())
}

/// GFLOP/s of large matrix products, one on each thread.
#[allow(unsafe_code, reason = "the gemm crate takes raw pointers")]
fn ceiling() -> Result<f64> {
    const SIDE: usize = 768;
    let threads = rayon::current_num_threads();
    let mut matrices: Vec<[Vec<f32>; 3]> = vec![[(); 3].map(|()| vec![0.5; SIDE * SIDE]); threads];
    let seconds = times(|| {
        matrices.par_iter_mut().for_each(|[a, b, c]| {
            // SAFETY: three square matrices of SIDE rows of SIDE.
            unsafe {
                let (m, step) = (SIDE, SIDE as isize);
                let none = gemm::Parallelism::None;
                let (a, b) = (a.as_ptr(), b.as_ptr());
                gemm::gemm(
                    m,
                    m,
                    m,
                    c.as_mut_ptr(),
                    1,
                    step,
                    false,
                    a,
                    1,
                    step,
                    b,
                    1,
                    step,
                    0.0,
                    1.0,
                    false,
                    false,
                    false,
                    none,
                );
            }
        });
        Ok(())
    })?;
    Ok(2e-9 * (SIDE * SIDE * SIDE * threads) as f64 / seconds[0])
}
