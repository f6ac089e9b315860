//! The command line: types only.

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use recoup::cohort::split::Part;
use recoup::launch::DeviceChoice;
use recoup::simulate::FileLayout;

/// A value of an option: its name, what it is, and what it stands for.
type Choice<T> = (&'static str, &'static str, T);

const PARTS: &[Choice<Part>] = &[
    ("train", "Subjects that the weights were fitted on", Part::Train),
    ("valid", "Subjects that the best weights were chosen by", Part::Valid),
    ("test", "Subjects that were left out", Part::Test),
];

const LAYOUTS: &[Choice<FileLayout>] = &[
    (
        "physionet",
        "Signals as WFDB, images as PNG, tables as CSV",
        FileLayout::Physionet,
    ),
    (
        "laboratory",
        "EMG as analog channels of C3D, force as EDF, images as NIfTI, tables as Parquet",
        FileLayout::Laboratory,
    ),
];

const DEVICES: &[Choice<DeviceChoice>] = &[
    (
        "auto",
        "The first of cuda, vulkan, wgpu and cpu that is compiled in and there",
        DeviceChoice::Auto,
    ),
    ("cuda", "NVIDIA GPU", DeviceChoice::Cuda),
    ("vulkan", "Any GPU through Vulkan, SPIR-V shaders", DeviceChoice::Vulkan),
    ("wgpu", "Any GPU through wgpu, WGSL shaders", DeviceChoice::Wgpu),
    ("cpu", "The processor, all cores", DeviceChoice::Cpu),
];

/// Reads one of these names. The library's types know nothing of the command line.
fn one_of<T: Copy + Send + Sync>(choices: &'static [Choice<T>]) -> impl TypedValueParser<Value = T> {
    let value = |(name, help, _): &Choice<T>| PossibleValue::new(*name).help(*help);
    PossibleValuesParser::new(choices.iter().map(value)).try_map(move |name| {
        let known = choices.iter().find(|(known, ..)| *known == name);
        known.map(|(.., value)| *value).ok_or("no such value")
    })
}

/// Trains every fold, seed and variant of an experiment as one program.
#[derive(Debug, Parser)]
#[command(name = "recoup", version, arg_required_else_help = true, after_help = EXIT_CODES)]
pub struct Cli {
    /// Folder with one folder per dataset.
    #[arg(
        long,
        global = true,
        env = "RECOUP_DATASETS",
        default_value = "datasets",
        value_name = "DIR"
    )]
    pub datasets: PathBuf,
    /// Folder for prepared tables, for datasets that are read-only; DATASETS/<name>/prepared when absent.
    #[arg(long, global = true, env = "RECOUP_PREPARED", value_name = "DIR")]
    pub prepared: Option<PathBuf>,
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Results go to stdout, progress and errors to stderr.
Exit codes: 0 done; 1 failed; 2 wrong usage or bad input; 75 interrupted by a signal with a checkpoint written, \
continue with --resume.";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the devices that this binary can use here.
    Devices(Json),
    /// Datasets: list, show, fetch, prepare, audit, de-identify.
    #[command(subcommand)]
    Data(DataCommand),
    /// Compute the feature tables of an experiment and write them as one table.
    Features(FeaturesArgs),
    /// Train an experiment and evaluate it.
    Train(TrainArgs),
    /// Derive metrics from the stored predictions of a run.
    Evaluate(EvaluateArgs),
    /// Runs on disk: list, show.
    #[command(subcommand)]
    Runs(RunsCommand),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub struct Json {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// List the datasets that have a card, and whether their files are here.
    List(Json),
    /// Show a dataset (source, licence, classes, modalities), or a file of data: what is in it, or a picture of it.
    Show(ShowArgs),
    /// Write a folder of data anew without what identifies patients. The folder itself is never changed.
    Deidentify(DeidentifyArgs),
    /// Download a dataset's files, or copy them from a folder, and check every hash. Continues where it was cut off.
    Fetch {
        /// Name of the dataset.
        name: String,
        /// Copy from this folder instead of downloading.
        #[arg(long, value_name = "DIR")]
        from: Option<PathBuf>,
        /// Download from this address instead of the card's.
        #[arg(long, value_name = "URL", conflicts_with = "from")]
        base_url: Option<String>,
    },
    /// Read a dataset's files into the tables that training maps into memory. `train` does it by itself when needed.
    Prepare {
        /// Name of the dataset.
        name: String,
    },
    /// Write a simulated cohort as files with a card, and print how well it can be predicted at best.
    Simulate {
        /// Folder for it: new or empty. Below the datasets' folder it can be named in an experiment.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Formats of the files; they load as the same cohort.
        #[arg(long, value_parser = one_of(LAYOUTS), default_value = "physionet")]
        layout: FileLayout,
        /// Change one key of the cohort, e.g. --set num_subjects=500. May be repeated.
        #[arg(long = "set", value_name = "KEY=VALUE")]
        set: Vec<String>,
    },
    /// Look at a folder of recordings and draft a card and an experiment for it. What could not be told is listed.
    New {
        /// Folder of the dataset: its files are in DIR/raw, the drafts go to DIR/card.toml and DIR/experiment.toml.
        folder: PathBuf,
    },
    /// Look for leaks in an experiment's data and splits: duplicates, missing values and file order that tell the class.
    Audit {
        /// Experiment file.
        experiment: PathBuf,
        #[command(flatten)]
        overrides: Overrides,
        #[command(flatten)]
        json: Json,
    },
}

#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Name of a dataset, or else a file, a WFDB record, or a folder of images.
    pub name: String,
    /// Draw the file and write the picture here, as PNG.
    #[arg(long, value_name = "FILE.png", conflicts_with = "json")]
    pub out: Option<PathBuf>,
    /// Draw this signal, point or column alone.
    #[arg(long, requires = "out")]
    pub channel: Option<String>,
    /// Draw from this second.
    #[arg(long, value_name = "SECS", default_value_t = 0.0, requires = "out")]
    pub start: f64,
    /// Draw no more than this many seconds.
    #[arg(long, value_name = "SECS", requires = "out")]
    pub duration: Option<f64>,
    /// Width of the picture in pixels.
    #[arg(long, value_name = "PIXELS", default_value_t = 1200, requires = "out")]
    pub width: u32,
    /// Show what may identify a person.
    #[arg(long)]
    pub personal: bool,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Debug, Args)]
pub struct DeidentifyArgs {
    /// Folder with the data.
    pub folder: PathBuf,
    /// Folder for the data without identities: new or empty.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Rules that say what the columns of tables are and where patients are named; see datasets/README.md.
    #[arg(long, value_name = "FILE.toml")]
    pub rules: PathBuf,
    /// File with the secret key, 16 random bytes or more. Equal keys give equal pseudonyms.
    #[arg(long, value_name = "FILE")]
    pub key_file: PathBuf,
    /// Write who has which pseudonym here, for the eyes of the owner only.
    #[arg(long, value_name = "FILE.csv")]
    pub mapping: Option<PathBuf>,
    /// Leave out files that no reader knows, instead of stopping.
    #[arg(long)]
    pub skip_unknown: bool,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Debug, Args)]
pub struct Overrides {
    /// Change one key of the experiment, e.g. --set training.optimizer.learning_rate=1e-3. May be repeated. An element of
    /// a list is named by its `name`: model.stream.force.encoder.kind.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

#[derive(Debug, Args)]
pub struct FeaturesArgs {
    /// Experiment file.
    pub experiment: PathBuf,
    #[command(flatten)]
    pub overrides: Overrides,
    /// Where to write the table: Parquet, or CSV where the name ends in `.csv`.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Only these tables of `[features]`. May be repeated.
    #[arg(long, value_name = "NAME")]
    pub only: Vec<String>,
    /// No progress on stderr.
    #[arg(long, short)]
    pub quiet: bool,
}

#[derive(Debug, Args)]
pub struct TrainArgs {
    /// Experiment file.
    pub experiment: PathBuf,
    #[command(flatten)]
    pub overrides: Overrides,
    /// Where to train.
    #[arg(long, value_parser = one_of(DEVICES), default_value = "auto", env = "RECOUP_DEVICE")]
    pub device: DeviceChoice,
    /// Folder for runs; this one goes to DIR/<experiment>/<time>-<hash>.
    #[arg(long, value_name = "DIR", default_value = "checkpoints")]
    pub out: PathBuf,
    /// Continue a run that was cut off: the newest of this experiment, or the one given. Ends with the same bytes.
    #[arg(long, value_name = "RUN", num_args = 0..=1, require_equals = true)]
    pub resume: Option<Option<PathBuf>>,
    /// Print the plan (replicas, parameters, memory) and the resolved experiment, and stop.
    #[arg(long)]
    pub dry_run: bool,
    /// Most replicas in one group; as many as fit the memory when absent. Changes no result.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_replicas: Option<u64>,
    /// Train only these replicas, e.g. repeat0-fold1-seed0. May be repeated.
    #[arg(long, value_name = "REPLICA")]
    pub only: Vec<String>,
    /// No progress on stderr.
    #[arg(long, short)]
    pub quiet: bool,
    /// Print the evaluation as JSON instead of tables.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct EvaluateArgs {
    /// Run directory.
    pub run: PathBuf,
    /// Part of the splits to score.
    #[arg(long, value_parser = one_of(PARTS), default_value = "test")]
    pub part: Part,
    /// Compare with another run on identical splits: paired differences, this run minus that one.
    #[arg(long, value_name = "RUN")]
    pub against: Option<PathBuf>,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Debug, Subcommand)]
pub enum RunsCommand {
    /// List the runs below a folder.
    List {
        /// Folder of runs.
        #[arg(default_value = "checkpoints")]
        folder: PathBuf,
        #[command(flatten)]
        json: Json,
    },
    /// Show the manifest of a run and where its parts lie.
    Show {
        /// Run directory.
        run: PathBuf,
        #[command(flatten)]
        json: Json,
    },
}
