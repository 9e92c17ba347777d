//! The command line, and nothing else: reading it is reading the manual.

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand};
use gal_bench::dataset::DatasetName;
use gal_bench::model::BackboneName;
use gal_bench::predict::Order;
use gal_bench::store::Format;
use gal_bench::variant::VARIANTS;
use std::path::PathBuf;

/// Prepare facial-attribute data sets, train graph attention networks over 40 attributes, report what they learn.
///
/// Reproduces "Exploring Correlations in Multiple Facial Attributes through Graph Attention Network" (arXiv
/// 1810.09162) on CelebA, on LFWA, and on a built-in set of synthetic faces that needs no download.
#[derive(Debug, Parser)]
#[command(
    version,
    arg_required_else_help = true,
    after_help = "Examples:
  gal-bench run-all
      All three stages on the built-in synthetic faces
  gal-bench run-all --dataset lfwa --root /data/lfwa --profile quick
      The same on LFWA, as it comes from its authors
  gal-bench prepare --dataset lfwa --expand 75000
      Only the first stage

Exit code: 0 done, 1 a fault of this program, 2 something that you can mend."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Read annotations and images, standardize and expand them, and store them as a prepared set
    Prepare(PrepareArgs),
    /// Report label rates, correlations, contradictions, and duplicate and broken images of a data set
    #[command(alias = "stats")]
    Inspect(InspectArgs),
    /// Show what a pipeline of distortions does, as a contact sheet
    Augment(AugmentArgs),
    /// Train variants of the network on a prepared set
    Train(TrainArgs),
    /// Turn the predictions of trained variants into accuracies, and gather what a report needs
    Evaluate(EvaluateArgs),
    /// Compare any runs, also with predictions of another tool: accuracies, intervals and tests of their differences
    Compare(CompareArgs),
    /// Render reports from their results files
    Report(ReportArgs),
    /// Prepare, train, evaluate and report; what is done already is not done again
    RunAll(RunAllArgs),
    /// Prepare and train one of the independent tasks that `run-all --list-tasks` prints, for a scheduler
    #[command(alias = "run-cell")]
    RunTask(RunTaskArgs),
    /// Say what a trained network sees in pictures: the probabilities of the 40 attributes
    Predict(PredictArgs),
    /// Write a trained network for PyTorch: its weights, and a Python module that loads them
    Export(ExportArgs),
    /// Check that a device computes what it should, and how fast: what to run first on a machine with a GPU
    Doctor(DoctorArgs),
    /// Bring weights of other frameworks into a form that a backbone starts from
    #[command(subcommand)]
    Weights(WeightsCommand),
    /// Print an embedded profile as TOML, to start one of your own from
    Profile(ProfileArgs),
}

/// How a command speaks.
#[derive(Debug, Args)]
pub(crate) struct OutputArgs {
    /// Say nothing but errors
    #[arg(long)]
    pub(crate) quiet: bool,
    /// Print the result as one JSON object on standard output, everything else on standard error
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which data, and where they lie.
#[derive(Debug, Args)]
pub(crate) struct DataArgs {
    /// The data set
    #[arg(long, value_enum, default_value_t = DatasetName::Synthetic)]
    pub(crate) dataset: DatasetName,
    /// Folder of the prepared set [default: datasets/prepared/NAME]
    #[arg(long, value_name = "DIR")]
    pub(crate) prepared: Option<PathBuf>,
}

/// What to read, and how much of it.
#[derive(Debug, Args)]
pub(crate) struct SourceArgs {
    /// Folder with the official files [default: datasets/NAME]
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
    /// Leave out annotated images that are missing, instead of failing; reports note it
    #[arg(long, alias = "subset")]
    pub(crate) allow_missing: bool,
}

/// How to go about it.
#[derive(Debug, Args)]
pub(crate) struct ExecutionArgs {
    /// Threads of the CPU [default: all cores]; results do not depend on it
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Do it again, and replace what is there
    #[arg(long)]
    pub(crate) force: bool,
}

/// How to compute.
#[derive(Debug, Args)]
pub(crate) struct ComputeArgs {
    /// auto (the first CUDA device if there is one; with several ranks, that of `LOCAL_RANK`), cpu, or cuda:N
    #[arg(long, default_value = "auto")]
    pub(crate) device: String,
    /// TF32 matrix products on a CUDA device: faster, with factors rounded to ten bits of mantissa; reports say so
    #[arg(long)]
    pub(crate) tf32: bool,
    /// bf16 matrix products and convolutions on a CUDA device: faster still, with factors rounded to seven bits of
    /// mantissa; everything else stays in single precision, and reports say so
    #[arg(long)]
    pub(crate) bf16: bool,
    /// Start the backbone from this file of `gal-bench weights import` [default: the profile's, or random weights]
    #[arg(long, value_name = "FILE")]
    pub(crate) weights: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) distributed: DistributedArgs,
    #[command(flatten)]
    pub(crate) execution: ExecutionArgs,
}

/// Training by several processes.
#[derive(Debug, Args)]
pub(crate) struct DistributedArgs {
    /// Number of processes that train together; each gets an equal part of every batch, its own --rank, and best its own
    /// --device [default: `WORLD_SIZE` of the environment, or 1]
    #[arg(long, alias = "ranks", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) world_size: Option<u32>,
    /// Index of this process, from 0; only rank 0 validates, tests and writes files [default: `RANK` of the environment, or
    /// 0]
    #[arg(long, value_name = "K")]
    pub(crate) rank: Option<u32>,
    /// Address at which rank 0 listens for the others, on a network that you trust [default: `MASTER_ADDR` and `MASTER_PORT`
    /// of the environment, or 127.0.0.1:29400]
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
}

/// Which runs.
#[derive(Debug, Args)]
pub(crate) struct SelectionArgs {
    /// An embedded profile (paper, authors-code, quick) or the path of a .toml file
    #[arg(long, default_value = "quick", value_name = "NAME|FILE.toml")]
    pub(crate) profile: String,
    /// A variant; repeat it for several [default: the paper's four]
    #[arg(long, value_parser = PossibleValuesParser::new(VARIANTS.map(|variant| variant.name)), value_name = "NAME")]
    pub(crate) variant: Vec<String>,
    /// The controls, too: GAL-j with other edges or another node layout
    #[arg(long)]
    pub(crate) controls: bool,
    /// Seeds of weights, batches, crops and flips; several, such as 0,1,2, train every variant with each
    #[arg(long = "seed", default_value = "0", value_delimiter = ',', value_name = "N")]
    pub(crate) seeds: Vec<u64>,
    /// Folder of the run folders
    #[arg(long, default_value = "runs", value_name = "DIR")]
    pub(crate) runs: PathBuf,
}

#[allow(clippy::struct_excessive_bools, reason = "flags of a command line")]
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gal-bench prepare --dataset lfwa --root /data/lfwa --expand 75000
  gal-bench prepare --dataset celeba --root /data/celeba --allow-missing
  gal-bench prepare --dataset lfwa --expand 75000 --balance --format webdataset
  gal-bench prepare --dataset lfwa --check")]
pub(crate) struct PrepareArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// At least this many training images: the same number of distorted copies of each, the undistorted one first.
    /// Only training images are copied and distorted, whatever the options: validation and test images never
    #[arg(long, value_name = "N", conflicts_with = "copies")]
    pub(crate) expand: Option<usize>,
    /// This many copies of each training image, the undistorted one first
    #[arg(long, value_name = "N")]
    pub(crate) copies: Option<usize>,
    /// As many training images as --expand or --copies ask for, but more of those that carry rare attributes: in
    /// proportion to the sum of 1/rate of what an image carries, at least 1, at most 4 times the mean
    #[arg(long)]
    pub(crate) balance: bool,
    /// How the images are stored
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
    /// Distortions as TOML [default: the embedded pipeline, datasets/pipelines/default.toml]
    #[arg(long, value_name = "FILE")]
    pub(crate) pipeline: Option<PathBuf>,
    /// Side of the stored images in pixels
    #[arg(long, default_value_t = 256, value_name = "PIXELS")]
    pub(crate) size: u32,
    /// Seed of the distortions and of the synthetic faces
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) seed: u64,
    /// Write a contact sheet of synthetic faces to this PNG file, and prepare nothing
    #[arg(long, value_name = "FILE", conflicts_with = "check")]
    pub(crate) preview: Option<PathBuf>,
    /// Verify a prepared set of any format against its digests (a virtual one: its sources), and prepare nothing
    #[arg(long)]
    pub(crate) check: bool,
    /// With --check: verify also that the images below --root are those that the set was prepared from
    #[arg(long, requires = "check")]
    pub(crate) sources: bool,
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
    /// The data set
    #[arg(long, value_enum, default_value_t = DatasetName::Synthetic)]
    pub(crate) dataset: DatasetName,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Scan the images, too: sizes, duplicates, broken, grey and tiny images, files that are not JPEG
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
  gal-bench augment --preview sheet.png
  gal-bench augment --preview sheet.png --pipeline datasets/pipelines/everything.toml --seed 7 face.jpg")]
pub(crate) struct AugmentArgs {
    /// Write the contact sheet to this PNG file: sources in rows; in columns the undistorted picture, each operation
    /// alone, and the whole pipeline
    #[arg(long, value_name = "FILE")]
    pub(crate) preview: PathBuf,
    /// Distortions as TOML [default: the embedded pipeline, datasets/pipelines/default.toml]
    #[arg(long, value_name = "FILE")]
    pub(crate) pipeline: Option<PathBuf>,
    /// Seed of the distortions and of the synthetic faces
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) seed: u64,
    /// Side of the pictures on the sheet in pixels
    #[arg(long, default_value_t = 128, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(16..=1024))]
    pub(crate) size: u32,
    /// Replace a file that is there
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
#[command(after_help = "Example:
  gal-bench evaluate --dataset lfwa

Figures with faces need the prepared set: those of drawn faces go into the report, those of people stay beside each run,
in RUN/figures.")]
pub(crate) struct EvaluateArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    /// Folder of the reports; results go to DIR/DATASET-PROFILE/results
    #[arg(long, default_value = "reports", value_name = "DIR")]
    pub(crate) reports: PathBuf,
    #[command(flatten)]
    pub(crate) output_args: OutputArgs,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Predictions of another tool: a column of file names, then one of probabilities for each of the 40 attributes, under
its name; a row an image, in any order. The labels are those of the run.

Examples:
  gal-bench compare runs/lfwa-quick-baseline-seed0 runs/lfwa-quick-gal-j-seed0
  gal-bench compare runs/lfwa-quick-gal-j-seed0 theirs.csv --output reports/lfwa-theirs"
)]
pub(crate) struct CompareArgs {
    /// The folder of the run that the others are compared with
    #[arg(value_name = "RUN")]
    pub(crate) reference: PathBuf,
    /// Folders of other runs, or files of predictions: Parquet, or CSV where the name ends so
    #[arg(required = true, value_name = "RUN|FILE")]
    pub(crate) others: Vec<PathBuf>,
    /// Write the comparison as Markdown, with its results, to this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output_args: OutputArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gal-bench report
  gal-bench report lfwa-quick
  gal-bench report --check")]
pub(crate) struct ReportArgs {
    /// Names of report folders [default: all]
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Folder of the reports
    #[arg(long, default_value = "reports", value_name = "DIR")]
    pub(crate) reports: PathBuf,
    /// Write nothing; fail where a report differs from what its results render to
    #[arg(long)]
    pub(crate) check: bool,
    #[command(flatten)]
    pub(crate) output_args: OutputArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gal-bench run-all
  gal-bench run-all --dataset lfwa --root /data/lfwa --profile quick
  gal-bench run-all --dataset celeba --profile paper --device cuda:0
  gal-bench run-all --dataset celeba --profile paper --seed 0,1,2 --list-tasks")]
pub(crate) struct RunAllArgs {
    #[command(flatten)]
    pub(crate) job: JobArgs,
    /// Print the independent tasks of the job and do nothing else: a line each with number, data set, variants, seed, steps
    /// and state, for `gal-bench run-task`
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

/// A whole job: data, variants, seeds, and where everything goes.
#[derive(Debug, Args)]
pub(crate) struct JobArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
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

Without a CUDA device, the operations that one would run are checked on the CPU.")]
pub(crate) struct DoctorArgs {
    /// auto (the first CUDA device if there is one), cpu, or cuda:N
    #[arg(long, default_value = "auto")]
    pub(crate) device: String,
    /// Check TF32 matrix products, with tolerances that fit them
    #[arg(long)]
    pub(crate) tf32: bool,
    /// Check bf16 matrix products and convolutions, with tolerances that fit them
    #[arg(long)]
    pub(crate) bf16: bool,
    /// An embedded profile (paper, authors-code, quick) or the path of a .toml file
    #[arg(long, default_value = "quick", value_name = "NAME|FILE.toml")]
    pub(crate) profile: String,
    /// The file that a bug report needs
    #[arg(long, default_value = "doctor.json", value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Factor of all tolerances
    #[arg(long, default_value_t = 1.0, value_name = "FACTOR")]
    pub(crate) tolerance: f64,
    /// Threads of the CPU [default: all cores]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    #[command(flatten)]
    pub(crate) output_args: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ProfileArgs {
    /// paper, authors-code or quick
    pub(crate) name: String,
}

/// Which trained network.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The run's folder, or its name below --runs, such as lfwa-quick-gal-j-seed0
    #[arg(long, value_name = "ID|DIR")]
    pub(crate) run: PathBuf,
    /// Folder of the run folders
    #[arg(long, default_value = "runs", value_name = "DIR")]
    pub(crate) runs: PathBuf,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Pictures go the way of the test split: brought to the size of the prepared set and encoded as it \
was, shrunk to the profile's size whatever their aspect, and cut to the centre. The network knows nothing but faces in the \
crop that it was trained on: CelebA's aligned 178 x 218 pictures, or LFW's deep-funneled 250 x 250 ones. Crop others alike \
before, or the probabilities mean nothing.

Examples:
  gal-bench predict --run lfwa-quick-gal-j-seed0 face.jpg
  gal-bench predict --run runs/lfwa-quick-gal-j-seed0 --sort probability faces/
  gal-bench predict --run lfwa-quick-baseline-seed0 --csv faces/ > faces.csv"
)]
pub(crate) struct PredictArgs {
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// How the attributes of a picture are listed
    #[arg(long, value_enum, default_value_t)]
    pub(crate) sort: Order,
    /// Print CSV, a row a picture and attribute with the probabilities of both heads
    #[arg(long, conflicts_with_all = ["json", "quiet"])]
    pub(crate) csv: bool,
    /// With --json: add the logits behind the probabilities, and the mean affinity over the pictures
    #[arg(long, requires = "json")]
    pub(crate) details: bool,
    /// auto (the first CUDA device if there is one), cpu, or cuda:N
    #[arg(long, default_value = "auto")]
    pub(crate) device: String,
    /// JPEG or PNG files, or folders of them; grey ones and those on their side are brought right
    #[arg(value_name = "IMAGE", required = true)]
    pub(crate) images: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) output_args: OutputArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gal-bench export --run lfwa-quick-gal-j-seed0 --output gal-j
  python gal-j/gal_net.py face.jpg")]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// Folder for the module and its weights
    #[arg(long, value_name = "DIR")]
    pub(crate) output: PathBuf,
    /// Replace what is there
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) output_args: OutputArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WeightsCommand {
    /// Import AlexNet-cvgj (a .caffemodel, or the .npy that caffe-tensorflow makes of one), or torchvision's .pth or
    /// .safetensors (AlexNet, ResNet-18, ResNet-50)
    Import(WeightsImportArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Example:
  gal-bench weights import alexnet_cvgj.caffemodel --output alexnet-cvgj.safetensors")]
pub(crate) struct WeightsImportArgs {
    /// The other framework's file
    pub(crate) file: PathBuf,
    /// Insist on weights of this backbone [default: what the file holds]
    #[arg(long, value_enum, value_name = "NAME")]
    pub(crate) backbone: Option<BackboneName>,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Replace a file that is there
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) output_args: OutputArgs,
}
