//! Tracking: event files as the real TensorBoard reads them, `metrics.jsonl`, progress lines and figures.

mod event_files;
mod figures;
mod metrics;
mod tensorboard;

use recoup::tracking::{GroupStatus, HparamValue, Progress, RunTracker, TrackedReplica, read_metrics};
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;

fn replica(variant: &str, learning_rate: f64, fold: usize, first_step: u64) -> TrackedReplica {
    let hparams = vec![
        ("optimiser.learning_rate".to_owned(), HparamValue::from(learning_rate)),
        ("model.kind".to_owned(), HparamValue::from("cnn")),
    ];
    TrackedReplica {
        variant: variant.to_owned(),
        group: variant.to_owned(),
        repeat: 0,
        fold,
        seed: 1,
        hparams,
        first_step,
    }
}

fn event_files(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|path| path.to_str().unwrap().contains("tfevents"));
    files.sort();
    files
}

fn golden() -> Value {
    serde_json::from_str(include_str!("../golden/tracking.json")).unwrap()
}

fn floats(value: &Value) -> Vec<f32> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|value| value.as_f64().unwrap() as f32)
        .collect()
}

#[test]
fn replicas_that_would_share_a_directory_are_refused() {
    let directory = TempDir::new().unwrap();
    let error = |replicas| RunTracker::open(directory.path(), replicas).unwrap_err().to_string();
    assert_eq!(
        error(vec![replica("a", 0.1, 3, 0), replica("a", 0.2, 3, 0)]),
        "two replicas are a/repeat0-fold3-seed1\nhint: variant, repeat, fold and seed together must be different for each replica of a run"
    );
    for variant in ["", "..", "a/b"] {
        assert_eq!(
            error(vec![replica(variant, 0.1, 0, 0)]),
            format!(
                "variant \"{variant}\" cannot name a directory\nhint: use a name without slashes that does not start with a dot"
            )
        );
    }
    let mut tracker = RunTracker::open(directory.path(), vec![replica("a", 0.1, 0, 0)]).unwrap();
    assert_eq!(
        tracker.log_scalars(1, 0, &[]).unwrap_err().to_string(),
        "replica 1 is unknown: the run has 1 replicas\nhint: give the index of the replica within the run, not within its group"
    );
}

#[test]
fn logging_many_replicas_is_cheap() {
    let directory = TempDir::new().unwrap();
    let mut tracker = RunTracker::open(
        directory.path(),
        (0..25).map(|fold| replica("base", 0.1, fold, 0)).collect(),
    )
    .unwrap();
    let tags = [
        "train/loss",
        "valid/loss",
        "valid/auc",
        "valid/accuracy",
        "learning_rate",
        "gradient_norm",
    ];
    let started = Instant::now();
    for step in 0..300 {
        for index in 0..25 {
            tracker
                .log_scalars(index, step, &tags.map(|tag| (tag, 1.0 / (step + 1) as f64)))
                .unwrap();
        }
        tracker.flush().unwrap();
    }
    let elapsed = started.elapsed();
    println!("45,000 scalars, 300 flushes: {elapsed:?}");
    // Tens of milliseconds on a laptop; the bound only catches a sync or a reopened file per value.
    assert!(elapsed < Duration::from_secs(5), "{elapsed:?}");
    assert_eq!(
        read_metrics(&directory.path().join("metrics.jsonl")).unwrap().len(),
        7500
    );
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn progress_without_a_terminal_is_a_few_plain_lines() {
    let log = Log::default();
    let mut progress = Progress::plain(Box::new(log.clone()), Duration::from_secs(3600));
    let group = progress.start_group("cnn, 1 of 2", 100, 300, 25);
    let mut status = GroupStatus {
        num_active: 25,
        train_loss: Some(0.123456),
        ..GroupStatus::default()
    };
    for step in 101..=300 {
        status.step = step;
        status.best_valid = (step > 150).then(|| ("AUC".to_owned(), 0.75));
        progress.update(group, &status);
    }
    progress.print("replica 3 stopped: its loss is not finite");
    progress.finish_group(group, &status, "done");
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert_eq!(lines[0], "cnn, 1 of 2: step 101/300, train loss 0.1235, 25/25 replicas");
    assert_eq!(lines[1], "replica 3 stopped: its loss is not finite");
    assert_eq!(
        lines[2],
        "cnn, 1 of 2: step 300/300, done in 0s, train loss 0.1235, best AUC 0.7500"
    );
}

#[test]
fn progress_knows_speed_and_time_left_after_a_second() {
    let log = Log::default();
    let mut progress = Progress::plain(Box::new(log.clone()), Duration::ZERO);
    let group = progress.start_group("lstm", 0, 50, 4);
    for step in [1, 6, 11] {
        progress.update(
            group,
            &GroupStatus {
                step,
                num_active: 4,
                ..GroupStatus::default()
            },
        );
        std::thread::sleep(Duration::from_millis(550));
    }
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    // Ten steps of four replicas in 1.1 s or, on a busy machine, more.
    let (before, after) = lines[2].split_once(" left, 4/4 replicas, ").unwrap();
    let secs_left: f64 = before
        .strip_prefix("lstm: step 11/50, ")
        .unwrap()
        .strip_suffix('s')
        .unwrap()
        .parse()
        .unwrap();
    let speed: f64 = after.strip_suffix(" replica-steps/s").unwrap().parse().unwrap();
    assert_eq!(lines[0], "lstm: step 1/50, 4/4 replicas");
    assert!(speed > 0.0 && speed <= 37.0, "{text}");
    assert!((secs_left - 4.0 * 39.0 / speed).abs() <= 0.6, "{text}");
}
