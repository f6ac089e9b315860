//! The folder of runs: links, loops, and what stands there that is no run.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use recoup::runs::{Manifest, RunDirectory, RunList, RunStatus, list_runs};

use crate::cli::{fail, stderr_of, succeed};

fn manifest(status: RunStatus) -> Manifest {
    Manifest {
        experiment: "a".into(),
        status,
        recoup_version: "0".into(),
        git_commit: None,
        burn_version: "0".into(),
        device: "cpu".into(),
        precision: "f32".into(),
        experiment_hash: "0".into(),
        data_hash: "0".into(),
        split_hash: "0".into(),
        seeds: vec![0],
        num_replicas: 1,
        num_params: 1,
        test_evaluations_before: 0,
        attempts: Vec::new(),
    }
}

fn run(folder: &Path) -> RunDirectory {
    let run = RunDirectory::create(folder, "0123456789", SystemTime::UNIX_EPOCH).unwrap();
    run.write_manifest(&manifest(RunStatus::Finished)).unwrap();
    run
}

fn roots(list: &RunList, below: &Path) -> Vec<String> {
    let root = |(run, _): &(RunDirectory, Manifest)| run.root().strip_prefix(below).unwrap().display().to_string();
    list.runs.iter().map(root).collect()
}

#[test]
#[cfg(unix)]
fn every_run_is_listed_once_whatever_links_lead_to_it() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().join("checkpoints");
    let (first, second) = (run(&here.join("a")), run(&here.join("a")));
    let expected = ["a/19700101-000000-01234567", "a/19700101-000000-01234567-2"];
    assert_eq!(roots(&list_runs(&here).unwrap(), &here), expected);

    // A link to the newest run that sorts before it, two that lead back, and one to the folder itself.
    symlink(second.root(), here.join("a/0-latest")).unwrap();
    symlink(".", here.join("a/self")).unwrap();
    symlink("..", here.join("a/up")).unwrap();
    symlink(&here, here.join("b")).unwrap();
    symlink("missing", here.join("broken")).unwrap();
    let list = list_runs(&here).unwrap();
    assert_eq!(roots(&list, &here), expected);
    assert_eq!(list.warnings, [""; 0]);

    // Runs that lie elsewhere are listed under the link, once; one deep below a link is not searched for.
    let elsewhere = folder.path().join("elsewhere");
    let third = run(&elsewhere.join("c"));
    run(&elsewhere.join("deep/er/and/deeper"));
    symlink(&elsewhere, here.join("linked")).unwrap();
    symlink(third.root(), here.join("z")).unwrap();
    let list = list_runs(&here).unwrap();
    let linked = "linked/c/19700101-000000-01234567";
    assert_eq!(roots(&list, &here).len(), 3, "{:?}", roots(&list, &here));
    assert!(roots(&list, &here).iter().any(|root| root == linked || root == "z"));
    drop(first);
}

#[test]
fn what_is_no_run_is_skipped_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    run(&here.join("a"));
    let damaged: [(&str, &[u8]); 4] = [
        ("empty", b""),
        ("cut", b"{\"experiment\": \"a\", \"sta"),
        ("foreign", b"{\"name\": \"web app\"}"),
        ("binary", &[0xff, 0x00, 0xfe]),
    ];
    for (name, bytes) in damaged {
        fs::create_dir_all(here.join(name).join("state/base/finished/r")).unwrap();
        fs::write(here.join(name).join("manifest.json"), bytes).unwrap();
    }
    // A manifest that is a folder, and a run whose manifest is gone: its checkpoints have manifests of their own.
    fs::create_dir_all(here.join("folder/manifest.json")).unwrap();
    fs::create_dir_all(here.join("gone/state/base/finished/r")).unwrap();
    fs::write(here.join("gone/state/base/finished/r/manifest.json"), "{}").unwrap();
    let list = list_runs(here).unwrap();
    assert_eq!(roots(&list, here), ["a/19700101-000000-01234567"]);
    assert_eq!(list.warnings.len(), 6, "{:?}", list.warnings);
    for name in ["empty", "cut", "foreign", "binary", "folder", "gone"] {
        let path = here.join(name).display().to_string();
        let named = list.warnings.iter().filter(|warning| warning.contains(&path));
        assert_eq!(named.count(), 1, "{name}: {:?}", list.warnings);
    }
    assert!(list_runs(&here.join("nowhere")).unwrap().runs.is_empty());
}

#[test]
fn a_damaged_run_stops_neither_the_list_nor_the_next_run() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let train = ["train", "small.toml", "-q"];
    fs::write(here.join("small.toml"), SMALL).unwrap();
    succeed(here, &train);
    let damaged = here.join("checkpoints/small/damaged");
    fs::create_dir_all(&damaged).unwrap();
    fs::write(damaged.join("manifest.json"), "{").unwrap();
    for arguments in [&train[..], &["runs", "list"]] {
        let told = stderr_of(here, arguments);
        assert!(
            told.contains("warning: skipped: ") && told.contains("damaged/manifest.json"),
            "{told}"
        );
    }
    let listed = succeed(here, &["runs", "list"]);
    assert_eq!(listed.lines().count(), 2, "{listed}");
    let manifests: Vec<usize> = list_runs(&here.join("checkpoints"))
        .unwrap()
        .runs
        .iter()
        .map(|(_, manifest)| manifest.test_evaluations_before)
        .collect();
    assert_eq!(manifests.iter().sum::<usize>(), 1, "{manifests:?}");
    let message = fail(here, &["train", "small.toml", "-q", "--resume"], 2);
    assert!(message.contains("no unfinished run"), "{message}");
}

#[test]
fn the_command_that_is_printed_can_be_pasted() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    fs::write(here.join("small.toml"), SMALL).unwrap();
    let printed = succeed(here, &["train", "small.toml", "-q", "--out", "it's my run ü"]);
    let command = printed.split("TensorBoard: ").nth(1).unwrap().trim();
    let words = command.strip_prefix("tensorboard --logdir ").unwrap();
    // What a shell makes of it.
    let echo = std::process::Command::new("sh")
        .args(["-c", &format!("printf %s {words}")])
        .output()
        .unwrap();
    let path = String::from_utf8(echo.stdout).unwrap();
    assert!(path.starts_with("it's my run ü/small/"), "{path}");
    assert!(here.join(&path).is_dir(), "{path}");
}

/// The smallest experiment there is.
pub const SMALL: &str = r#"
name = "small"
[data]
source = { kind = "simulated", num_subjects = 32 }
[split]
protocol = { kind = "stratified-group-k-fold", folds = 2 }
[model]
embedding_size = 4
[[model.stream]]
name = "clinical"
modality = "clinical"
encoder = { kind = "mlp", hidden_sizes = [4] }
[training]
epochs = 1
batch_size = 8
optimizer = { kind = "adamw", learning_rate = 0.01 }
"#;
