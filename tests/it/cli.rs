//! The program as a user runs it: every experiment file, resuming after `kill -9`, messages for bad input.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// `recoup` with datasets and runs below `folder`.
fn recoup(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_recoup"));
    command
        .current_dir(folder)
        .env("RECOUP_DATASETS", folder.join("datasets"))
        .env("RECOUP_DEVICE", "cpu")
        .args(arguments);
    command
}

fn output(folder: &Path, arguments: &[&str]) -> Output {
    recoup(folder, arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Standard output of a call that must succeed.
pub fn succeed(folder: &Path, arguments: &[&str]) -> String {
    let output = output(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Standard error of a call that must succeed.
pub fn stderr_of(folder: &Path, arguments: &[&str]) -> String {
    let output = output(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stderr)
}

/// Standard error of a call that must fail with this code.
pub fn fail(folder: &Path, arguments: &[&str], code: i32) -> String {
    let output = output(folder, arguments);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {message}");
    assert!(!message.contains("panicked"), "{message}");
    message
}

fn experiment(name: &str) -> String {
    root().join("experiments").join(name).display().to_string()
}

/// The only run below `folder/checkpoints/<experiment>`.
pub fn only_run(folder: &Path, experiment: &str) -> PathBuf {
    let runs: Vec<PathBuf> = fs::read_dir(folder.join("checkpoints").join(experiment))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(runs.len(), 1, "{runs:?}");
    runs[0].clone()
}

/// The gait database's card over eight made-up subjects, two of each class: the two of the fixtures under other names.
fn gaitndd_stand_in() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let dataset = folder.path().join("datasets/gaitndd");
    fs::create_dir_all(dataset.join("raw")).unwrap();
    let card = fs::read_to_string(root().join("datasets/gaitndd/card.toml")).unwrap();
    // Its files have no published hashes.
    let card = card.split("[[accept]]").map(str::to_owned).collect::<Vec<_>>();
    let rest = card[1].split_once("[subjects]").unwrap().1;
    let head: Vec<&str> = card[0].lines().filter(|line| !line.starts_with("hashes")).collect();
    fs::write(
        dataset.join("card.toml"),
        format!("{}\n[subjects]{rest}", head.join("\n")),
    )
    .unwrap();
    let mut table = "GROUP\tAGE\n".to_owned();
    for (at, (prefix, group)) in [
        ("control", "control"),
        ("hunt", "hunt"),
        ("park", "park"),
        ("als", "subjects"),
    ]
    .into_iter()
    .enumerate()
    {
        for number in 1..=2 {
            let name = format!("{prefix}{number}");
            let from = ["als4", "hunt20"][number - 1];
            for extension in ["hea", "let", "rit", "ts"] {
                let bytes =
                    fs::read(root().join(format!("formats/tests/fixtures/data/gaitndd/{from}.{extension}"))).unwrap();
                let bytes = match extension {
                    "hea" => text(&bytes).replace(from, &name).into_bytes(),
                    _ => bytes,
                };
                fs::write(dataset.join("raw").join(format!("{name}.{extension}")), bytes).unwrap();
            }
            table.push_str(&format!(
                "{name}\t{group}\t{}\t1.7\t70\tf\t1.1\t0\n",
                40 + 3 * at + number
            ));
        }
    }
    fs::write(dataset.join("raw/subject-description.txt"), table).unwrap();
    folder
}

#[test]
fn every_gaitndd_experiment_runs_in_smoke_size() {
    let folder = gaitndd_stand_in();
    let files: Vec<_> = fs::read_dir(root().join("experiments/gaitndd"))
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert!(files.len() >= 3);
    for file in files {
        let file = file.into_string().unwrap();
        let path = experiment(&format!("gaitndd/{file}"));
        let smoke = [
            "train",
            &path,
            "--quiet",
            "--set",
            "training.epochs=1",
            "--set",
            "split.protocol={ kind = \"stratified-group-k-fold\", folds = 2 }",
            "--set",
            "data.window={ window_secs = 6.0, stride_secs = 3.0 }",
        ];
        let printed = succeed(folder.path(), &smoke);
        assert!(
            printed.starts_with("Test subjects") && printed.contains("Run: checkpoints/gaitndd/"),
            "{file}: {printed}"
        );
        let run = only_run(folder.path(), &format!("gaitndd/{}", file.trim_end_matches(".toml")));
        for part in [
            "experiment.toml",
            "split.json",
            "manifest.json",
            "metrics.jsonl",
            "metrics.json",
            "predictions.parquet",
        ] {
            assert!(run.join(part).is_file(), "{file}: {part} is not there");
        }
    }
}

#[test]
fn every_experiment_on_simulated_patients_runs_in_smoke_size() {
    let folder = tempfile::tempdir().unwrap();
    let mut files: Vec<String> = ["simulated", "paper"]
        .into_iter()
        .flat_map(|name| {
            let entries = fs::read_dir(root().join("experiments").join(name)).unwrap();
            entries.map(move |entry| format!("{name}/{}", entry.unwrap().file_name().into_string().unwrap()))
        })
        .collect();
    // Sorted, so that pretrain.toml has run when transfer.toml starts from it.
    files.sort();
    assert!(files.len() >= 10, "{files:?}");
    for file in files {
        let path = experiment(&file);
        let smoke = [
            "train",
            &path,
            "--quiet",
            "--set",
            "training.epochs=1",
            "--set",
            "data.source.num_subjects=24",
            "--set",
            "data.source.anomalies=0.5",
            "--set",
            "seeds=[0]",
            "--set",
            "split.protocol={ kind = \"stratified-group-k-fold\", folds = 2 }",
            "--set",
            "split.inner={ kind = \"hold-out\", valid_fraction = 0.4 }",
        ];
        let printed = succeed(folder.path(), &smoke);
        let run = only_run(folder.path(), file.trim_end_matches(".toml"));
        let resolved = fs::read_to_string(run.join("experiment.toml")).unwrap();
        if resolved.contains("[[variant]]") {
            assert!(
                printed.starts_with("Test subjects, each variant against base"),
                "{file}: {printed}"
            );
            for part in ["ablation.json", "ablation.md", "figures/ablation.png"] {
                assert!(run.join(part).is_file(), "{file}: {part} is not there");
            }
            let again = succeed(folder.path(), &["evaluate", run.to_str().unwrap()]);
            let base = printed.lines().find(|line| line.starts_with("base ")).unwrap();
            assert!(
                again.contains(base.split_whitespace().nth(1).unwrap()),
                "{file}: evaluate prints another table"
            );
        } else {
            assert!(printed.starts_with("Test subjects\n"), "{file}: {printed}");
        }
    }
}

/// The quickstart on fewer subjects.
const SMALL: [&str; 4] = ["--set", "data.source.num_subjects=25", "--set", "training.epochs=3"];

#[test]
fn the_quickstart_runs_and_its_record_can_be_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = experiment("quickstart.toml");
    let printed = succeed(folder.path(), &[&["train", &path, "--json"][..], &SMALL].concat());
    let trained: Value = serde_json::from_str(&printed).unwrap();
    let run = only_run(folder.path(), "quickstart");
    let run = run.to_str().unwrap();
    let evaluated: Value = serde_json::from_str(&succeed(folder.path(), &["evaluate", run, "--json"])).unwrap();
    assert_eq!(
        trained, evaluated,
        "evaluate derives from stored predictions what train printed"
    );
    assert!(succeed(folder.path(), &["evaluate", run, "--part", "valid"]).contains("valid subjects"));
    let same = succeed(folder.path(), &["evaluate", run, "--against", run]);
    assert!(same.contains("accuracy") && same.contains("+0.000"), "{same}");

    let manifest: Value = serde_json::from_str(&succeed(folder.path(), &["runs", "show", run, "--json"])).unwrap();
    assert_eq!(manifest["status"], "finished");
    assert_eq!(manifest["num_replicas"], 5);
    assert_eq!(manifest["precision"], "f32");
    let runs: Value = serde_json::from_str(&succeed(folder.path(), &["runs", "list", "--json"])).unwrap();
    assert_eq!(runs.as_array().unwrap().len(), 1);
    let resolved = fs::read_to_string(Path::new(run).join("experiment.toml")).unwrap();
    assert!(
        resolved.contains("num_subjects = 25") && resolved.contains("beta1 = 0.9"),
        "{resolved}"
    );

    // The same experiment again: another run, the same predictions to the byte, and one evaluation more.
    succeed(
        folder.path(),
        &[&[
            "train",
            &resolved_copy(folder.path(), &resolved),
            "-q",
            "--max-replicas",
            "2",
        ][..]]
        .concat(),
    );
    let runs: Vec<PathBuf> = fs::read_dir(folder.path().join("checkpoints/quickstart"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    let predictions: Vec<Vec<u8>> = runs
        .iter()
        .map(|run| fs::read(run.join("predictions.parquet")).unwrap())
        .collect();
    assert_eq!(predictions.len(), 2);
    assert!(
        predictions[0] == predictions[1],
        "two runs of one experiment predict differently"
    );
    let evaluations: Vec<Value> = runs
        .iter()
        .map(|run| {
            serde_json::from_slice::<Value>(&fs::read(run.join("manifest.json")).unwrap()).unwrap()["test_evaluations_before"]
                .clone()
        })
        .collect();
    assert!(
        evaluations.contains(&Value::from(0)) && evaluations.contains(&Value::from(1)),
        "{evaluations:?}"
    );
}

#[test]
fn features_are_written_as_a_table_and_what_is_fitted_is_stored() {
    let folder = gaitndd_stand_in();
    let path = experiment("gaitndd/features.toml");
    let window = ["--set", "data.window={ window_secs = 6.0, stride_secs = 3.0 }"];
    let features = |more: &[&'static str]| [&["features", &path, "--quiet"], &window[..], more].concat();
    let printed = succeed(folder.path(), &features(&["--out", "features.csv"]));
    let csv = fs::read_to_string(folder.path().join("features.csv")).unwrap();
    let header: Vec<&str> = csv.lines().next().unwrap().split(',').collect();
    assert_eq!(
        header[..4],
        ["subject", "session", "start_secs", "gait.left-foot.stride_mean"]
    );
    assert!(
        header.contains(&"strides.left_stride-right_stride.symmetry_index"),
        "{header:?}"
    );
    let windows = csv.lines().count() - 1;
    assert!(
        printed.starts_with(&format!(
            "features.csv: {windows} windows, {} features",
            header.len() - 3
        )),
        "{printed}"
    );
    assert!(csv.lines().skip(1).all(|line| line.split(',').count() == header.len()));

    // Rows per session, where all tables have them.
    let printed = succeed(
        folder.path(),
        &features(&["--only", "strides", "--out", "strides.parquet"]),
    );
    assert!(
        printed.starts_with("strides.parquet: 8 sessions, 27 features"),
        "{printed}"
    );
    let message = fail(folder.path(), &features(&["--only", "stride", "--out", "x.csv"]), 2);
    assert!(message.contains("it has gait, strides"), "{message}");
    let message = fail(
        folder.path(),
        &features(&["--set", "features.gait.modality=forces", "--out", "x.csv"]),
        2,
    );
    assert!(
        message.contains("features.gait.modality") && message.contains("it has force, stride"),
        "{message}"
    );
    assert!(!folder.path().join("x.csv").exists());

    let split = [
        "--set",
        "split.protocol={ kind = \"stratified-group-k-fold\", folds = 2 }",
    ];
    succeed(
        folder.path(),
        &[
            &["train", &path, "--quiet", "--set", "training.epochs=1"],
            &window[..],
            &split,
        ]
        .concat(),
    );
    let fitted = fs::read(only_run(folder.path(), "gaitndd/features").join("fitted.json")).unwrap();
    let fitted: Value = serde_json::from_slice(&fitted).unwrap();
    // Three variants, two folds of five repeats.
    let base = &fitted.as_array().unwrap()[0];
    assert_eq!(
        (&base["variant"], &base["fold"]),
        (&Value::from("base"), &Value::from(0))
    );
    let kinds = |stream: &str| -> Vec<String> {
        let steps = base["streams"][stream]["pipeline"]["steps"].as_array().unwrap();
        steps
            .iter()
            .map(|step| step["kind"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(kinds("gait"), ["impute-mean", "z-score", "pca"]);
    assert_eq!(kinds("strides"), ["z-score", "impute-knn", "lasso"]);
    assert_eq!(
        base["streams"]["clinical"]["scaler"]["mean"].as_array().unwrap().len(),
        5
    );
    assert!(base["streams"]["clinical"]["pipeline"].is_null());
}

#[test]
fn any_file_is_shown_and_a_folder_loses_its_names() {
    let folder = tempfile::tempdir().unwrap();
    let edf = root().join("formats/tests/fixtures/data/edf/plus.edf");
    let edf = edf.to_str().unwrap();
    assert!(succeed(folder.path(), &["data", "show", edf]).starts_with("EDF+C"));
    let json: Value = serde_json::from_str(&succeed(folder.path(), &["data", "show", edf, "--json"])).unwrap();
    assert_eq!(json["format"], "EDF+C");
    succeed(folder.path(), &["data", "show", edf, "--out", "picture.png"]);
    assert!(
        fs::read(folder.path().join("picture.png"))
            .unwrap()
            .starts_with(b"\x89PNG")
    );
    let message = fail(folder.path(), &["data", "show", "nothing"], 2);
    assert!(message.contains("nothing"), "{message}");
    fs::write(folder.path().join("x.h5"), b"\x89HDF\r\n\x1a\n\0\0\0\0").unwrap();
    let message = fail(folder.path(), &["data", "show", "x.h5"], 2);
    assert!(message.contains("HDF5") && message.contains("hint:"), "{message}");

    fs::create_dir_all(folder.path().join("in/meyer")).unwrap();
    let visits = "name,admitted,age,fma\nmeyer,2024-02-01,93,20\nmeyer,2024-02-15,93,31\n";
    fs::write(folder.path().join("in/meyer/visits.csv"), visits).unwrap();
    let rules = "pattern = \"{patient}/...\"\npatient = \"name\"\n[columns]\nname = \"id\"\nadmitted = \"date\"\n\
                 age = \"age\"\nfma = \"keep\"\n";
    fs::write(folder.path().join("rules.toml"), rules).unwrap();
    fs::write(folder.path().join("key"), "short").unwrap();
    let arguments = [
        "data",
        "deidentify",
        "in",
        "--out",
        "out",
        "--rules",
        "rules.toml",
        "--key-file",
        "key",
    ];
    let message = fail(folder.path(), &arguments, 2);
    assert!(message.contains("16") && !message.contains("short\n"), "{message}");
    fs::write(folder.path().join("key"), "a key of more than sixteen bytes").unwrap();
    succeed(folder.path(), &arguments);
    let report = fs::read_to_string(folder.path().join("out/deidentified.json")).unwrap();
    assert!(!report.contains("meyer"), "{report}");
    let patient = fs::read_dir(folder.path().join("out"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let patient = patient.filter(|path| path.is_dir()).collect::<Vec<_>>();
    let table = fs::read_to_string(patient[0].join("visits.csv")).unwrap();
    assert!(
        !table.contains("meyer") && !table.contains("2024-02-01") && table.contains(",90,31"),
        "{table}"
    );
    fail(folder.path(), &arguments, 2);
}

/// The cohort in memory against its files in two layouts: WFDB, PNG and CSV; C3D, EDF, NIfTI and Parquet.
#[test]
fn training_from_files_of_every_format_predicts_as_from_memory() {
    let folder = tempfile::tempdir().unwrap();
    let train = |name: &str, source: &str| {
        let (name_key, source_key) = (format!("name={name}"), format!("data.source={source}"));
        let sets = [name_key.as_str(), &source_key, "training.epochs=2", "seeds=[0]"];
        let mut arguments = vec!["train".to_string(), experiment("quickstart.toml"), "--quiet".into()];
        arguments.extend(sets.iter().flat_map(|set| ["--set".to_string(), set.to_string()]));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        succeed(folder.path(), &arguments);
        fs::read(only_run(folder.path(), name).join("predictions.parquet")).unwrap()
    };
    let memory = train("memory", "{ kind = \"simulated\", num_subjects = 25, seed = 3 }");
    for layout in ["physionet", "laboratory"] {
        let out = folder.path().join("datasets").join(layout);
        let arguments = ["data", "simulate", "--out", out.to_str().unwrap(), "--layout", layout];
        succeed(
            folder.path(),
            &[&arguments[..], &["--set", "num_subjects=25", "--set", "seed=3"]].concat(),
        );
        let files = train(layout, &format!("{{ kind = \"dataset\", name = \"{layout}\" }}"));
        assert!(files == memory, "{layout}: other predictions than from memory");
    }
}

fn resolved_copy(folder: &Path, resolved: &str) -> String {
    let path = folder.join("resolved.toml");
    fs::write(&path, resolved).unwrap();
    path.display().to_string()
}

#[test]
fn the_real_tensorboard_reads_a_run() {
    let python = std::env::var("RECOUP_TEST_PYTHON")
        .unwrap_or_else(|_| panic!("RECOUP_TEST_PYTHON is unset: run scripts/test.sh"));
    let folder = tempfile::tempdir().unwrap();
    let path = experiment("quickstart.toml");
    succeed(folder.path(), &[&["train", &path, "-q"][..], &SMALL].concat());
    let logdir = only_run(folder.path(), "quickstart").join("tb");
    let script = root().join("tests/python/read_events.py");
    let output = Command::new(python)
        .arg(script)
        .arg(&logdir)
        .arg("python")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    let printed = shown.to_string();
    for expected in [
        "base/repeat0-fold0-seed0",
        "base/repeat0-fold4-seed0",
        "train/loss",
        "train/learning_rate",
        "train/gradient_norm",
        "valid/log_loss",
        "test/subject_accuracy",
        "test/responder",
        "confusion_subjects",
        "spectrogram",
        "weights/motion.block0.conv.weight",
        "training.optimizer.learning_rate",
        "stream_weight/clinical",
    ] {
        assert!(printed.contains(expected), "TensorBoard does not show {expected}");
    }
}

#[test]
fn killed_at_any_time_and_resumed_a_run_ends_with_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = experiment("quickstart.toml");
    let often = ["--set", "training.checkpoint_every_secs=0.0", "-q"];
    let train = |out: &str| {
        let mut arguments: Vec<String> = ["train", &path, "--out", out].map(str::to_owned).into();
        arguments.extend(SMALL.iter().chain(&often).map(|argument| argument.to_string()));
        arguments
    };
    let straight = train("straight");
    let straight: Vec<&str> = straight.iter().map(String::as_str).collect();
    let started = std::time::Instant::now();
    succeed(folder.path(), &straight);
    let duration = started.elapsed();

    let cut = train("cut");
    let mut cut: Vec<&str> = cut.iter().map(String::as_str).collect();
    let mut kills = 0;
    for attempt in 0..6 {
        let mut child = recoup(folder.path(), &cut)
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::thread::sleep(duration.mul_f64([0.35, 0.5, 0.45, 0.6, 0.55, 0.4][attempt]));
        // SIGKILL: nothing of ours runs.
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        kills += u32::from(!output.status.success());
        if !cut.contains(&"--resume") && folder.path().join("cut/quickstart").is_dir() {
            cut.push("--resume");
        }
    }
    assert!(kills > 0, "the run was never cut off");
    let last = output(folder.path(), &cut);
    let message = text(&last.stderr);
    assert!(
        last.status.success() || message.contains("no unfinished run"),
        "{message}"
    );
    let predictions = |out: &str| {
        let run = fs::read_dir(folder.path().join(out).join("quickstart"))
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        fs::read(run.join("predictions.parquet")).unwrap()
    };
    assert!(
        predictions("cut") == predictions("straight"),
        "{kills} kills changed the predictions"
    );
}

#[test]
fn a_signal_leaves_a_checkpoint_and_a_code_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = experiment("quickstart.toml");
    let arguments = ["train", &path, "-q", "--set", "training.epochs=100000"];
    let mut child = recoup(folder.path(), &arguments)
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let metrics = || {
        let runs = fs::read_dir(folder.path().join("checkpoints/quickstart")).ok()?;
        let run = runs.flatten().next()?.path();
        fs::metadata(run.join("metrics.jsonl"))
            .ok()
            .filter(|file| file.len() > 0)
    };
    for _ in 0..600 {
        if metrics().is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(metrics().is_some(), "training did not begin within a minute");
    Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status()
        .unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(75));
    let run = only_run(folder.path(), "quickstart");
    let manifest: Value = serde_json::from_slice(&fs::read(run.join("manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest["status"], "interrupted");
    assert!(run.join("state/base/latest").is_dir());
}

#[test]
fn a_dry_run_prints_the_plan_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let plan = succeed(
        folder.path(),
        &[
            "train",
            &experiment("quickstart.toml"),
            "--dry-run",
            "--set",
            "seeds=[3, 4]",
        ],
    );
    for expected in [
        "10 replicas (5 splits x 2 seeds)",
        "memory: about",
        "motion.block0.conv.weight",
        "repeat0-fold4-seed4",
    ] {
        assert!(plan.contains(expected), "{expected} is not in the plan:\n{plan}");
    }
    assert!(!folder.path().join("checkpoints").exists());
}

#[test]
fn completions_and_devices_are_printed() {
    let folder = tempfile::tempdir().unwrap();
    assert!(succeed(folder.path(), &["completions", "bash"]).contains("recoup"));
    let devices: Value = serde_json::from_str(&succeed(folder.path(), &["devices", "--json"])).unwrap();
    let cpu = devices
        .as_array()
        .unwrap()
        .iter()
        .find(|device| device["name"] == "cpu")
        .unwrap();
    assert_eq!(cpu["available"], true);
}

#[test]
fn bad_input_gets_a_message_that_helps() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let quickstart = experiment("quickstart.toml");
    let train = |extra: &[&str], code| fail(here, &[&["train", &quickstart, "--dry-run"][..], extra].concat(), code);

    let message = fail(here, &["train", "nothing.toml"], 2);
    assert!(
        message.starts_with("error: nothing.toml: cannot read the experiment: No such file"),
        "{message}"
    );

    let broken = fs::read_to_string(&quickstart)
        .unwrap()
        .replace("batch_size = 32", "batch_sise = 32");
    fs::write(here.join("broken.toml"), broken).unwrap();
    let message = fail(here, &["train", "broken.toml"], 2);
    assert!(message.contains("broken.toml: TOML parse error at line 8"), "{message}");
    assert!(
        message.contains("unknown field `batch_sise`, expected one of") && message.contains("`batch_size`"),
        "{message}"
    );

    let message = train(&["--set", "training.optimizer.learning_rat=1"], 2);
    assert!(message.contains("unknown field `learning_rat`"), "{message}");
    let message = train(&["--set", "training"], 2);
    assert_eq!(
        message,
        "error: --set training: expected key=value, e.g. --set training.epochs=20\n"
    );
    let message = train(&["--set", "model.stream.forse.encoder.hop=3"], 2);
    assert!(
        message.contains("this list has no \"forse\"; it has emg, spectrum, force, motion, scales, clinical"),
        "{message}"
    );

    // Everything that is wrong, at once, with its line.
    let several = fs::read_to_string(&quickstart)
        .unwrap()
        .replace("modality = \"motion\"", "modality = \"emotion\"")
        .replace("lstm = { hidden_size = 16", "lstm = { hidden_size = 0");
    fs::write(here.join("several.toml"), several).unwrap();
    let message = fail(here, &["train", "several.toml", "--dry-run"], 2);
    assert!(
        message.contains("the data has no modality \"emotion\"; it has clinical, scales, emg, force, motion"),
        "{message}"
    );
    assert!(message.contains("several.toml: 1 problem\n  line "), "{message}");
    let message = train(
        &[
            "--set",
            "training.epochs=0",
            "--set",
            "training.monitor=test/accuracy",
            "--set",
            "model.dropout=1.5",
        ],
        2,
    );
    assert!(message.contains("training.epochs: must be at least 1"), "{message}");
    assert!(
        message.contains("test/accuracy would select by rows that selection must not see"),
        "{message}"
    );
    let message = train(&["--set", "model.stream.spectrum.encoder.num_fft=4000"], 2);
    assert!(
        message.contains("4000 samples cannot be reflected around a window of"),
        "{message}"
    );
    let message = train(
        &[
            "--set",
            "model.stream.clinical.encoder={ kind = \"lstm\", hidden_size = 3 }",
        ],
        2,
    );
    assert!(
        message.contains("this encoder needs a signal or a series, but the modality is a row of 9 values"),
        "{message}"
    );

    let message = train(&["--set", "data.source.num_subjects=6"], 2);
    assert!(
        message.contains("class 1 has 1 of the 5 subjects that it needs"),
        "{message}"
    );
    let message = train(&["--set", "data.source.effect=2.0"], 2);
    assert!(message.contains("data.source.effect: 2, expected 0 to 1"), "{message}");
    let message = train(
        &["--set", "data.window={ window_secs = 600.0, stride_secs = 600.0 }"],
        2,
    );
    assert!(message.contains("600"), "{message}");
    let message = fail(here, &["train", &quickstart, "--device", "cuda"], 2);
    assert!(message.contains("--device cuda"), "{message}");
    let message = fail(here, &["train", &experiment("gaitndd/fusion.toml")], 2);
    assert!(message.contains("card.toml"), "{message}");
    let message = fail(here, &["data", "show", "nothing"], 2);
    assert!(message.contains("no dataset \"nothing\""), "{message}");
    let message = fail(here, &["evaluate", "nowhere"], 2);
    assert!(message.contains("nowhere: not a run directory"), "{message}");
    let message = fail(here, &["train", &quickstart, "--resume"], 2);
    assert!(
        message.contains("--resume: no unfinished run of this experiment"),
        "{message}"
    );
    let message = train(&["--only", "fold9"], 2);
    assert!(
        message.contains("the experiment has no such replica; it has repeat0-fold0-seed0 to"),
        "{message}"
    );
}

#[test]
fn a_full_disk_is_an_error_and_the_run_can_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let small = folder.path().join("small");
    fs::create_dir(&small).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=900k", "tmpfs"])
        .arg(&small)
        .output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: a small file system cannot be mounted here");
        return;
    }
    let path = experiment("quickstart.toml");
    let arguments = [
        &[
            "train",
            &path,
            "--out",
            "small",
            "-q",
            "--set",
            "training.checkpoint_every_secs=0.0",
        ][..],
        &SMALL,
    ]
    .concat();
    let full = output(folder.path(), &arguments);
    let more = Command::new("mount")
        .args(["-o", "remount,size=64m"])
        .arg(&small)
        .status();
    let resumed = output(folder.path(), &[&arguments[..], &["--resume"]].concat());
    Command::new("umount").arg(&small).status().unwrap();
    let message = text(&full.stderr);
    assert_eq!(full.status.code(), Some(1), "{message}");
    assert!(
        message.to_lowercase().contains("no space left") && message.contains("hint: free"),
        "{message}"
    );
    assert!(!message.contains("panicked"), "{message}");
    assert!(more.unwrap().success());
    assert!(resumed.status.success(), "{}", text(&resumed.stderr));
}
