//! The command line: options, their defaults and their help texts. `commands` runs them.

use clap::builder::{PossibleValue, PossibleValuesParser, Styles, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use gal_bench::dataset::DatasetName;
use gal_bench::export::ExportFormat;
use gal_bench::model::BackboneName;
use gal_bench::predict::{KnownLabel, Order};
use gal_bench::store::Format;
use gal_bench::variant::{Kind, REGISTRY, Registry, Variant};
use std::path::PathBuf;

/// Prepare facial-attribute data sets, train graph attention networks on 40 attributes, and report the results.
///
/// Implements "Exploring Correlations in Multiple Facial Attributes through Graph Attention Network" (arXiv
/// 1810.09162). Data sets are CelebA, LFWA, any faces with a table of attributes, and built-in synthetic faces that need no
/// download.
#[derive(Debug, Parser)]
#[command(
    version,
    arg_required_else_help = true,
    help_template = help_template(),
    after_help = "Examples:
  gal-bench run-all
      All three stages on the built-in synthetic faces
  gal-bench run-all --dataset lfwa --root /data/lfwa --profile quick
      The same on LFWA, in the layout of its authors
  gal-bench prepare --dataset lfwa --expand 75000
      Only the first stage

Exit codes: 0 success; 1 failed check of the doctor, or bug in gal-bench; 2 invalid input or environment, or a difference
that `report --check` found."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The stages of `--help` with their commands.
const STAGES: [(&str, &[&str]); 6] = [
    ("All stages", &["run-all", "run-task"]),
    ("Data", &["prepare", "inspect", "augment"]),
    ("Training", &["train", "profile", "weights"]),
    ("Results", &["evaluate", "report", "compare", "verify"]),
    ("Trained networks", &["predict", "export"]),
    ("Installation", &["doctor", "completions", "man"]),
];

/// The layout of the help. clap has no groups of commands, so the commands are part of the layout.
fn help_template() -> String {
    let (styles, commands) = (Styles::styled(), Command::augment_subcommands(clap::Command::new("gal-bench")));
    let (header, literal) = (styles.get_header(), styles.get_literal());
    let line = |name: &&str| {
        let about = commands.find_subcommand(name).and_then(clap::Command::get_about).map(ToString::to_string);
        format!("  {literal}{name}{literal:#}{:1$}{2}\n", "", 13 - name.len(), about.unwrap_or_default())
    };
    let stage = |(title, names): &(&str, &[&str])| {
        format!("{header}{title}:{header:#}\n{}\n", names.iter().map(line).collect::<String>())
    };
    let stages: String = STAGES.iter().map(stage).collect();
    let options = format!("{header}Options:{header:#}\n{{options}}");
    format!("{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{stages}{options}{{after-help}}")
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Read annotations and images, and store them as a prepared set
    Prepare(PrepareArgs),
    /// Check labels and images of a data set before preparing it
    #[command(alias = "stats")]
    Inspect(InspectArgs),
    /// Draw a contact sheet of the distortions in a pipeline
    Augment(AugmentArgs),
    /// Train variants of the network on a prepared set
    Train(TrainArgs),
    /// Compute accuracies, intervals and tests of finished runs
    Evaluate(EvaluateArgs),
    /// Compare runs with each other, or with predictions of another tool
    Compare(CompareArgs),
    /// Render reports as Markdown and HTML from their results files
    Report(ReportArgs),
    /// Prepare, train, evaluate and report; finished steps are skipped
    RunAll(RunAllArgs),
    /// Prepare the data and train one task of a job, for a scheduler
    #[command(alias = "run-cell")]
    RunTask(RunTaskArgs),
    /// Verify that a prepared set, a run or a report did not change
    Verify(VerifyArgs),
    /// Predict the 40 attributes of images with a trained network
    Predict(PredictArgs),
    /// Export a trained network to PyTorch or ONNX, with a model card
    Export(ExportArgs),
    /// Compare a device with reference results, and measure its speed
    Doctor(DoctorArgs),
    /// Import pretrained weights of other frameworks for a backbone
    #[command(subcommand)]
    Weights(WeightsCommand),
    /// Print an embedded profile as TOML, for example to write your own
    Profile(ProfileArgs),
    /// Print a script that completes commands and options in a shell
    Completions(CompletionsArgs),
    /// Write manual pages, one for each command
    Man(ManArgs),
}

/// Output of a command.
#[derive(Debug, Args)]
pub(crate) struct OutputArgs {
    /// Print only errors
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Also print details: device, plan of the training, and accuracies by attribute
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// Print the result as JSON on standard output; progress goes to standard error
    #[arg(long)]
    pub(crate) json: bool,
}

/// The prepared set.
#[derive(Debug, Args)]
pub(crate) struct DataArgs {
    /// Data set
    #[arg(long, value_enum, default_value_t = DatasetName::Synthetic)]
    pub(crate) dataset: DatasetName,
    /// Folder of the prepared set [default: datasets/prepared/NAME]
    #[arg(long, value_name = "DIR")]
    pub(crate) prepared: Option<PathBuf>,
}

/// Files of the data set.
#[derive(Debug, Args)]
pub(crate) struct SourceArgs {
    /// Folder of the data set's files [default: datasets/NAME]
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
    /// Leave out images without labels, without a split or without a file, instead of failing; reports note it
    #[arg(long, alias = "subset")]
    pub(crate) allow_missing: bool,
    /// With --dataset table: the table (.csv, .tsv, .txt or .parquet). A row holds an image's path below --root, any of the 40
    /// attributes, and optionally `split` and `identity` [default: the only table in --root]
    #[arg(long, value_name = "FILE")]
    pub(crate) table: Option<PathBuf>,
    /// With --dataset table: shares of people in train, val and test, drawn by the seed of `prepare`, for a table without
    /// a column `split` [default: 0.8,0.1,0.1]
    #[arg(long, value_name = "SHARES", value_parser = shares)]
    pub(crate) split: Option<[f64; 3]>,
}

/// Three numbers separated by commas.
fn shares(text: &str) -> Result<[f64; 3], String> {
    let numbers: Result<Vec<f64>, _> = text.split(',').map(|share| share.trim().parse()).collect();
    let numbers = numbers.ok().and_then(|numbers| numbers.try_into().ok());
    numbers.ok_or_else(|| "expected the shares of train, val and test, such as 0.8,0.1,0.1".to_owned())
}

/// The validation split of a data set without one.
#[derive(Debug, Args)]
pub(crate) struct ValSplitArgs {
    /// Move this share of the training half's people, such as 0.1, to the validation split of a data set without one. The
    /// seed of `prepare` draws them. Default of `run-all` and `run-task`: the profile's `val_split`
    #[arg(long = "val-split", value_name = "SHARE")]
    pub(crate) share: Option<f64>,
}

/// Threads, and whether to repeat finished work.
#[derive(Debug, Args)]
pub(crate) struct ExecutionArgs {
    /// Number of CPU threads; it does not change results [default: all cores]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Repeat finished work and replace its output
    #[arg(long)]
    pub(crate) force: bool,
}

/// Device, precision, initial weights and processes.
#[derive(Debug, Args)]
pub(crate) struct ComputeArgs {
    /// auto (the first CUDA device, or with several ranks the one of `LOCAL_RANK`; the CPU if there is none), cpu, or cuda:N
    #[arg(long, default_value = "auto")]
    pub(crate) device: String,
    /// Use TF32 for matrix products on a CUDA device: faster, inputs have a mantissa of 10 bits; reports note it
    #[arg(long)]
    pub(crate) tf32: bool,
    /// Use bf16 for matrix products and convolutions on a CUDA device: inputs have a mantissa of 7 bits. All other
    /// operations stay in float32, and no speed is gained over TF32 yet; reports note it
    #[arg(long)]
    pub(crate) bf16: bool,
    /// Train with candle's operations in place of the program's own, to compare them: slower, the same mathematics
    #[arg(long)]
    pub(crate) reference: bool,
    /// Initial weights of the backbone: a file written by `gal-bench weights import` [default: the profile's weights, or
    /// random ones]
    #[arg(long, value_name = "FILE")]
    pub(crate) weights: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) distributed: DistributedArgs,
    #[command(flatten)]
    pub(crate) execution: ExecutionArgs,
}

/// Data-parallel training.
#[derive(Debug, Args)]
pub(crate) struct DistributedArgs {
    /// Number of processes that train together. Each gets an equal part of every batch, its own --rank, and usually its
    /// own --device [default: `WORLD_SIZE` of the environment, or 1]
    #[arg(long, alias = "ranks", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) world_size: Option<u32>,
    /// Index of this process, from 0; only rank 0 validates, tests and writes files [default: `RANK` of the environment, or
    /// 0]
    #[arg(long, value_name = "K")]
    pub(crate) rank: Option<u32>,
    /// Address on which rank 0 listens. One that other machines reach needs the same `GAL_BENCH_SECRET` in the environment of
    /// all ranks [default: `MASTER_ADDR` and `MASTER_PORT` of the environment, or 127.0.0.1:29400]
    #[arg(long, alias = "meet", value_name = "HOST:PORT")]
    pub(crate) rdzv_endpoint: Option<String>,
    /// Timeout in seconds for connecting and for each exchange. The other ranks wait while rank 0 validates and tests
    #[arg(
        long,
        alias = "patience",
        default_value_t = 1800,
        value_name = "SECONDS",
        value_parser = clap::value_parser!(u64).range(1..=31_536_000)
    )]
    pub(crate) timeout: u64,
    /// With several ranks, take the statistics of batch norm over their whole batch, like one process: slower [default: each
    /// rank takes those of its part]
    #[arg(long)]
    pub(crate) sync_bn: bool,
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) output_args: OutputArgs,
    /// Folder of a prepared set, a run or a report
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Record the digests of the present files of a run that an earlier version trained
    #[arg(long)]
    pub(crate) write: bool,
}

/// Runs by profile, variants and seeds.
#[derive(Debug, Args)]
pub(crate) struct SelectionArgs {
    /// An embedded profile (paper, authors-code, quick, small, imagenet-alexnet) or the path of a .toml file
    #[arg(long, default_value = "quick", value_name = "NAME|FILE.toml")]
    pub(crate) profile: String,
    /// Variants, or sets of them (paper, controls, compared, own-trunk), separated by commas [default: paper]
    #[arg(
        long,
        visible_alias = "variants",
        value_parser = variant_names(REGISTRY),
        value_delimiter = ',',
        value_name = "NAME|SET"
    )]
    pub(crate) variant: Vec<String>,
    #[arg(long, help = controls_help(REGISTRY))]
    pub(crate) controls: bool,
    /// Seeds of weights, batches, crops and flips, such as 0,1,2; every variant is trained with each seed
    #[arg(
        long = "seed",
        default_value = "0",
        value_delimiter = ',',
        value_name = "N",
        // The largest number of a configuration in TOML.
        value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64)
    )]
    pub(crate) seeds: Vec<u64>,
    #[command(flatten)]
    pub(crate) overrides: OverrideArgs,
    /// Folder of the run folders
    #[arg(long, default_value = "runs", value_name = "DIR")]
    pub(crate) runs: PathBuf,
    /// Start the backbone, with its batch-norm statistics, from a finished run with an equal backbone: its folder, or its
    /// name below --runs. One run serves all variants and seeds; run folders and reports are called PROFILE-from-DATASET
    #[arg(long, value_name = "RUN", conflicts_with = "init_all")]
    pub(crate) init: Option<PathBuf>,
    /// Like --init, also for branches and classifiers. A correlation net starts from the variant's own run beside RUN, if
    /// that is finished. The folders are called PROFILE-all-from-DATASET
    #[arg(long, value_name = "RUN")]
    pub(crate) init_all: Option<PathBuf>,
}

/// Training length, batch and learning rate in place of the profile's.
#[derive(Debug, Args)]
pub(crate) struct OverrideArgs {
    /// Optimizer steps, in place of the profile's; a cyclical schedule keeps its number of cycles. --steps,
    /// --epochs, --batch and --rate become part of the profile's name in run folders and reports, such as quick-steps200
    #[arg(long, value_name = "N", conflicts_with = "epochs")]
    pub(crate) steps: Option<usize>,
    /// Passes over the training images of the prepared set (copies included), in place of steps. A profile may have `epochs`
    /// in place of `steps`, too
    #[arg(long, value_name = "N")]
    pub(crate) epochs: Option<usize>,
    /// Images of a batch, in place of the profile's
    #[arg(long, value_name = "N")]
    pub(crate) batch: Option<usize>,
    /// Largest learning rate of the schedule, in place of the profile's
    #[arg(long, value_name = "RATE")]
    pub(crate) rate: Option<f64>,
}

/// Names of sets and variants; a former name becomes the present one.
fn variant_names(registry: Registry) -> impl TypedValueParser<Value = String> {
    let value = |variant: &'static Variant| PossibleValue::new(variant.name).aliases(variant.former_name);
    let sets = Kind::ALL.map(|kind| PossibleValue::new(kind.set()));
    let names = PossibleValuesParser::new(sets.into_iter().chain(registry.0.iter().map(value)));
    names.map(move |name| registry.current_name(&name).to_owned())
}

fn controls_help(registry: Registry) -> String {
    let controls = registry.0.iter().filter(|variant| variant.kind == Kind::Control);
    format!("Include the control variants ({})", controls.map(|variant| variant.name).collect::<Vec<_>>().join(", "))
}

#[allow(clippy::struct_excessive_bools, reason = "flags of a command line")]
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gal-bench prepare --dataset lfwa --root /data/lfwa --expand 75000
  gal-bench prepare --dataset celeba --root /data/celeba --allow-missing
  gal-bench prepare --dataset lfwa --expand 75000 --balance --format webdataset
  gal-bench prepare --dataset lfwa --expand 75000 --val-split 0.1
  gal-bench prepare --dataset table --root /data/faces --table /data/faces/labels.csv
  gal-bench prepare --dataset lfwa --verify")]
pub(crate) struct PrepareArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Store at least N training images: each source once undistorted, plus equally many distorted copies of each.
    /// Validation and test images are never copied or distorted
    #[arg(long, value_name = "N", conflicts_with = "copies")]
    pub(crate) expand: Option<usize>,
    /// Store each training image N times: once undistorted, then N - 1 distorted copies
    #[arg(long, value_name = "N")]
    pub(crate) copies: Option<usize>,
    /// Store more copies of training images with rare attributes, at the total of --expand or --copies. Their number is
    /// proportional to the sum of 1/rate of the image's attributes, at least 1 and at most 4 times the mean
    #[arg(long)]
    pub(crate) balance: bool,
    #[command(flatten)]
    pub(crate) val_split: ValSplitArgs,
    /// Storage format of the images
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
    /// Pipeline of distortions as TOML [default: the embedded datasets/pipelines/default.toml]
    #[arg(long, value_name = "FILE")]
    pub(crate) pipeline: Option<PathBuf>,
    /// Width and height of the stored images in pixels
    #[arg(long, default_value_t = 256, value_name = "PIXELS")]
    pub(crate) size: u32,
    /// Seed of the distortions and of the synthetic faces
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) seed: u64,
    /// Only write a contact sheet of synthetic faces to this PNG file
    #[arg(long, value_name = "FILE", conflicts_with = "verify")]
    pub(crate) preview: Option<PathBuf>,
    /// Only verify the prepared set against its digests (the virtual format: the digests of its sources)
    #[arg(long, alias = "check")]
    pub(crate) verify: bool,
    /// With --verify: also verify that the images below --root are the sources of the prepared set
    #[arg(long, alias = "sources", requires = "verify")]
    pub(crate) verify_sources: bool,
    #[command(flatten)]
    pub(crate) execution: ExecutionArgs,
    #[command(flatten)]
    pub(crate) output_args: OutputArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gal-bench inspect --dataset celeba --root /data/celeba
  gal-bench inspect --dataset lfwa --root /data/lfwa --images --output lfwa-page")]
pub(crate) struct InspectArgs {
    /// Data set
    #[arg(long, value_enum, default_value_t = DatasetName::Synthetic)]
    pub(crate) dataset: DatasetName,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Scan the images, too: sizes, duplicates, broken, turned, grey and tiny images, files that are not images
    #[arg(long)]
    pub(crate) images: bool,
    /// Folder of the page and its tables [default: inspect/NAME]
    #[arg(long, alias = "out", value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) execution: ExecutionArgs,
    #[command(flatten)]
    pub(crate) output_args: OutputArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gal-bench augment --output sheet.png
  gal-bench augment --output sheet.png --pipeline datasets/pipelines/everything.toml --seed 7 face.jpg")]
pub(crate) struct AugmentArgs {
    /// PNG file for the contact sheet: a row for each source; columns for the undistorted image, each operation alone, and
    /// the whole pipeline
    #[arg(long, alias = "preview", value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Pipeline of distortions as TOML [default: the embedded datasets/pipelines/default.toml]
    #[arg(long, value_name = "FILE")]
    pub(crate) pipeline: Option<PathBuf>,
    /// Seed of the distortions and of the synthetic faces
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) seed: u64,
    /// Width and height of the images on the sheet in pixels
    #[arg(long, default_value_t = 128, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(16..=1024))]
    pub(crate) size: u32,
    /// Replace an existing file
    #[arg(long)]
    pub(crate) force: bool,
    /// JPEG or PNG images [default: synthetic faces]
    #[arg(value_name = "IMAGE")]
    pub(crate) images: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) output_args: OutputArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gal-bench train
  gal-bench train --dataset lfwa --variant baseline --variant gal-j --seed 1
  gal-bench train --dataset lfwa --controls --seed 0,1,2
  gal-bench train --dataset celeba --profile paper --device cuda:0
  gal-bench train --dataset lfwa --init runs/celeba-quick-baseline-seed0
  for k in 0 1; do gal-bench train --world-size 2 --rank $k --device cuda:$k & done; wait
      Two GPUs, half of every batch each
  torchrun --no-python --nproc-per-node 2 gal-bench train
      The same, with ranks and devices from torchrun's environment
  srun sh -c 'gal-bench train --world-size $SLURM_NTASKS --rank $SLURM_PROCID --device cuda:$SLURM_LOCALID \\
    --rdzv-endpoint node1:29400'
      As many ranks as the Slurm job has tasks, rank 0 on node1")]
pub(crate) struct TrainArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    #[command(flatten)]
    pub(crate) compute: ComputeArgs,
    #[command(flatten)]
    pub(crate) output_args: OutputArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gal-bench evaluate --dataset lfwa
  gal-bench evaluate --dataset celeba --seed 0,1,2 --perturb affact
  gal-bench evaluate --dataset celeba --seed 0,1,2 --on lfwa

Figures with faces need the prepared set. Synthetic faces go into the report; photographs of people are written only to
the run's folder, RUN/figures.")]
pub(crate) struct EvaluateArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    /// Folder of the reports; results go to DIR/DATASET-PROFILE-seedN/results
    #[arg(long, default_value = "reports", value_name = "DIR")]
    pub(crate) reports: PathBuf,
    /// Write into a folder with other files, and replace those of the same names
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) retest: RetestArgs,
    #[command(flatten)]
    pub(crate) output_args: OutputArgs,
}

/// Tests on other images than those of the runs' own test split.
#[derive(Debug, Args)]
pub(crate) struct RetestArgs {
    /// Also test on distorted test images, the same for all runs: affact, default, or a pipeline as a .toml file
    #[arg(long, value_name = "NAME|FILE.toml")]
    pub(crate) perturb: Option<PathBuf>,
    /// Also test on the test split of another data set
    #[arg(long, value_enum, value_name = "DATASET")]
    pub(crate) on: Option<DatasetName>,
    /// Folder of that data set's prepared set [default: datasets/prepared/NAME]
    #[arg(long, value_name = "DIR", requires = "on")]
    pub(crate) on_prepared: Option<PathBuf>,
    /// Device for --perturb and --on: auto, cpu, or cuda:N
    #[arg(long, default_value = "auto")]
    pub(crate) device: String,
}

#[derive(Debug, Args)]
#[command(
    after_help = "A file of another tool's predictions has one row for each image, in any order: a column of file
names, and a column of probabilities for each of the 40 attributes, under its name. Text may
separate columns by commas, semicolons or tabs. Other columns are left out and named. Output of
`predict --csv` and a run's predictions.parquet are read, too. The labels are those of the reference
run.

Examples:
  gal-bench compare runs/lfwa-quick-baseline-seed0 runs/lfwa-quick-gal-j-seed0
  gal-bench compare runs/lfwa-quick-gal-j-seed0 theirs.csv --output reports/lfwa-theirs"
)]
pub(crate) struct CompareArgs {
    /// Folder of the reference run
    #[arg(value_name = "RUN")]
    pub(crate) reference: PathBuf,
    /// Folders of other runs, or files of predictions: CSV, tab separated text or Parquet
    #[arg(required = true, value_name = "RUN|FILE")]
    pub(crate) others: Vec<PathBuf>,
    /// Folder for the comparison as Markdown with its results
    #[arg(long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    /// Write into a folder with other files, and replace those of the same names
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) output_args: OutputArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gal-bench report
  gal-bench report lfwa-quick-seed0
  gal-bench report --together lfwa-quick-seed0 synthetic-quick-seed0
  gal-bench report --check")]
pub(crate) struct ReportArgs {
    /// Names of report folders [default: all]
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Folder of the reports
    #[arg(long, default_value = "reports", value_name = "DIR")]
    pub(crate) reports: PathBuf,
    /// Render one page of the named reports beside each other, in the folder together-DATASETS
    #[arg(long, conflicts_with = "check")]
    pub(crate) together: bool,
    /// Write nothing, and fail with exit code 2 if a report differs from its results
    #[arg(long)]
    pub(crate) check: bool,
    /// Replace files of a report that were changed since, and write into a folder with other files
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) output_args: OutputArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gal-bench run-all
  gal-bench run-all --dataset lfwa --root /data/lfwa --profile quick
  gal-bench run-all --dataset lfwa --root /data/lfwa --init runs/celeba-quick-baseline-seed0
  gal-bench run-all --dataset celeba --profile paper --device cuda:0
  gal-bench run-all --dataset celeba --profile paper --seed 0,1,2 --list-tasks")]
pub(crate) struct RunAllArgs {
    #[command(flatten)]
    pub(crate) job: JobArgs,
    /// Only list the independent tasks of the job for `gal-bench run-task`, a line for each: number, data set, variants,
    /// seed, steps and state
    #[arg(long, alias = "plan")]
    pub(crate) list_tasks: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sbatch --array=0-5 --wrap 'gal-bench run-task $SLURM_ARRAY_TASK_ID --dataset celeba --profile paper --seed 0,1,2'
  seq 0 5 | parallel -j 2 gal-bench run-task {} --dataset celeba --profile paper --seed 0,1,2
      Tasks in any order, at the same time, on machines that share a folder
  gal-bench evaluate --dataset celeba --profile paper --seed 0,1,2 && gal-bench report
      Then the report, the same as run-all's

The options are those of run-all. The first task prepares the data set, under a lock that ends with its process; the
others wait. --force trains the task again, but never prepares again. If the locks of a shared folder do not reach every
machine (NFS mounted with nolock or local_lock), run gal-bench prepare first.")]
pub(crate) struct RunTaskArgs {
    /// The task's number, as `gal-bench run-all --list-tasks` with the same options prints it
    #[arg(value_name = "K")]
    pub(crate) task: usize,
    #[command(flatten)]
    pub(crate) job: JobArgs,
}

/// A whole job: data, runs, reports and device.
#[derive(Debug, Args)]
pub(crate) struct JobArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    #[command(flatten)]
    pub(crate) val_split: ValSplitArgs,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    /// Folder of the reports
    #[arg(long, default_value = "reports", value_name = "DIR")]
    pub(crate) reports: PathBuf,
    #[command(flatten)]
    pub(crate) compute: ComputeArgs,
    #[command(flatten)]
    pub(crate) output_args: OutputArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gal-bench doctor --device cuda:0
  gal-bench doctor --device cuda:0 --tf32 --profile paper
  gal-bench doctor --device cuda:0 --bf16

On the CPU, the doctor checks the operations that training on a CUDA device uses. Exit code 1 means that a check failed.")]
pub(crate) struct DoctorArgs {
    /// auto (the first CUDA device if there is one), cpu, or cuda:N
    #[arg(long, default_value = "auto")]
    pub(crate) device: String,
    /// Check TF32 matrix products, with wider tolerances
    #[arg(long)]
    pub(crate) tf32: bool,
    /// Check bf16 matrix products and convolutions, with wider tolerances
    #[arg(long)]
    pub(crate) bf16: bool,
    /// An embedded profile (paper, authors-code, quick, small, imagenet-alexnet) or the path of a .toml file
    #[arg(long, default_value = "quick", value_name = "NAME|FILE.toml")]
    pub(crate) profile: String,
    /// Variants, or sets of them (paper, controls, compared, own-trunk), whose training is checked, separated by commas
    /// [default: all]
    #[arg(
        long,
        visible_alias = "variants",
        value_parser = variant_names(REGISTRY),
        value_delimiter = ',',
        value_name = "NAME|SET"
    )]
    pub(crate) variant: Vec<String>,
    /// JSON file for the results; attach it to bug reports
    #[arg(long, default_value = "doctor.json", value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Replace an existing file that is not of the doctor
    #[arg(long)]
    pub(crate) force: bool,
    /// Factor on all tolerances
    #[arg(long, default_value_t = 1.0, value_name = "FACTOR")]
    pub(crate) tolerance: f64,
    /// Number of CPU threads [default: all cores]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    #[command(flatten)]
    pub(crate) output_args: OutputArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:
  gal-bench profile quick > mine.toml")]
pub(crate) struct ProfileArgs {
    /// Name of the profile: paper, authors-code, quick, small or imagenet-alexnet
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) output_args: OutputArgs,
}

/// A finished run.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Folder of the run, or its name below --runs, such as lfwa-quick-gal-j-seed0
    #[arg(long, value_name = "ID|DIR")]
    pub(crate) run: PathBuf,
    /// Folder of the run folders
    #[arg(long, default_value = "runs", value_name = "DIR")]
    pub(crate) runs: PathBuf,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Images are preprocessed like the test split: resized (aspect ratio not kept), re-encoded, center-cropped. Use the crop
of the training data: CelebA's aligned images of 178 x 218 pixels, or LFW's deep-funneled images of 250 x 250. The
probabilities of other crops are meaningless.

Examples:
  gal-bench predict --run lfwa-quick-gal-j-seed0 face.jpg
  gal-bench predict --run runs/lfwa-quick-gal-j-seed0 --sort probability faces/
  gal-bench predict --run lfwa-quick-baseline-seed0 --csv faces/ > faces.csv
  find faces -name '*.jpg' | gal-bench predict --run lfwa-quick-gal-j-seed0 - > faces.jsonl"
)]
pub(crate) struct PredictArgs {
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// Order of the attributes of an image
    #[arg(long, value_enum, default_value_t)]
    pub(crate) sort: Order,
    /// Print CSV: a row for each image and attribute, with the probabilities of both heads
    #[arg(long, conflicts_with_all = ["json", "quiet"])]
    pub(crate) csv: bool,
    /// With --json: add the logits, and the mean affinity over the images
    #[arg(long, requires = "json")]
    pub(crate) details: bool,
    /// Labels that every image has, such as Male=1,Smiling=0, for a run of a variant that takes them (transformer-known): it
    /// predicts the other attributes with them
    #[arg(long, value_name = "ATTRIBUTE=0|1", value_delimiter = ',')]
    pub(crate) known: Vec<KnownLabel>,
    /// auto (the first CUDA device if there is one), cpu, or cuda:N
    #[arg(long, default_value = "auto")]
    pub(crate) device: String,
    /// JPEG or PNG files, or folders of them; grayscale is converted to RGB and EXIF orientation is applied. Files that
    /// cannot be read are left out and named at the end, with exit code 2. `-` reads a list of files from standard input, one
    /// a line, and prints a JSON object a line for each in their order, after every batch; a file that cannot be read has
    /// an `error`
    #[arg(value_name = "IMAGE", required = true)]
    pub(crate) images: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) output_args: OutputArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gal-bench export --run lfwa-quick-gal-j-seed0 --output gal-j
  python gal-j/gal_net.py face.jpg
  gal-bench export --run lfwa-quick-gal-j-seed0 --format onnx --output gal-j-onnx")]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// Format of the network
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: ExportFormat,
    /// Folder for the network and its model card, README.md
    #[arg(long, value_name = "DIR")]
    pub(crate) output: PathBuf,
    /// Replace existing files
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) output_args: OutputArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gal-bench completions bash > ~/.local/share/bash-completion/completions/gal-bench
  gal-bench completions zsh > ~/.zfunc/_gal-bench
      In a folder of fpath, before compinit runs
  gal-bench completions fish > ~/.config/fish/completions/gal-bench.fish")]
pub(crate) struct CompletionsArgs {
    /// Shell that runs the script
    #[arg(value_enum)]
    pub(crate) shell: Shell,
    #[command(flatten)]
    pub(crate) output_args: OutputArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:
  gal-bench man ~/.local/share/man/man1 && man gal-bench-train")]
pub(crate) struct ManArgs {
    /// Folder for the pages
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Replace existing files
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) output_args: OutputArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WeightsCommand {
    /// Convert weights of Caffe or torchvision to a safetensors file
    ///
    /// Reads AlexNet-cvgj (a .caffemodel, or its .npy conversion by caffe-tensorflow), and torchvision's AlexNet, ResNet-18
    /// and ResNet-50 (.pth or .safetensors).
    Import(WeightsImportArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Example:
  gal-bench weights import alexnet_cvgj.caffemodel --output alexnet-cvgj.safetensors")]
pub(crate) struct WeightsImportArgs {
    /// Weights file of the other framework
    pub(crate) file: PathBuf,
    /// Expected backbone; others are an error [default: the backbone of the file]
    #[arg(long, value_enum, value_name = "NAME")]
    pub(crate) backbone: Option<BackboneName>,
    /// Safetensors file to write
    #[arg(long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Replace an existing file
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) output_args: OutputArgs,
}

#[cfg(test)]
mod tests;
