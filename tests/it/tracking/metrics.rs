//! `metrics.jsonl`: what is read back, after interruptions too.

use super::{event_files, replica};
use recoup::tracking::{RunTracker, read_metrics};
use std::fs;
use tempfile::TempDir;

#[test]
fn metrics_come_back_bit_for_bit() {
    let directory = TempDir::new().unwrap();
    let mut tracked = replica("base", 0.1, 2, 0);
    tracked.seed = u64::MAX;
    let mut tracker = RunTracker::open(directory.path(), vec![tracked]).unwrap();
    let mut bits = 1_u64;
    let mut expected = Vec::new();
    for step in 0..500 {
        // Any bit pattern that is a number, tiny and huge ones included.
        bits = bits
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let value = Some(f64::from_bits(bits))
            .filter(|value| !value.is_nan())
            .unwrap_or(0.0);
        tracker.log_scalars(0, step, &[("b", value), ("a", -value)]).unwrap();
        expected.push(value);
    }
    tracker
        .log_scalars(
            0,
            500,
            &[("nan", f64::NAN), ("inf", f64::INFINITY), ("minus", f64::NEG_INFINITY)],
        )
        .unwrap();
    tracker.flush().unwrap();

    let path = directory.path().join("metrics.jsonl");
    let lines = read_metrics(&path).unwrap();
    assert_eq!(lines.len(), 501);
    for (line, expected) in lines.iter().zip(&expected) {
        assert_eq!(line.values["b"].to_bits(), expected.to_bits());
        assert_eq!(line.values["a"].to_bits(), (-expected).to_bits());
    }
    let last = &lines[500];
    assert_eq!(
        (last.replica, last.variant.as_str(), last.fold, last.seed, last.step),
        (0, "base", 2, u64::MAX, 500)
    );
    assert!(last.values["nan"].is_nan());
    assert_eq!(
        (last.values["inf"], last.values["minus"]),
        (f64::INFINITY, f64::NEG_INFINITY)
    );
    assert!(last.wall_time_secs > 1.7e9);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.ends_with("\"values\":{\"inf\":\"Infinity\",\"minus\":\"-Infinity\",\"nan\":\"NaN\"}}\n"));
}

fn line(replica: usize, step: u64, values: &str) -> String {
    format!(
        r#"{{"replica":{replica},"variant":"v","repeat":0,"fold":0,"seed":1,"step":{step},"wall_time_secs":1.5,"values":{values}}}"#
    )
}

#[test]
fn a_torn_tail_is_skipped_and_cut_off_by_the_next_life() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("metrics.jsonl");
    let complete = format!("{}\n{}\n", line(0, 0, r#"{"a":1}"#), line(0, 1, r#"{"a":2}"#));
    for torn in [r#"{"replica":0,"vari"#, "\0\0\0\0\0\0", "\0\0\0\0\n", &line(0, 2, "{}")] {
        fs::write(&path, format!("{complete}{torn}")).unwrap();
        assert_eq!(
            read_metrics(&path)
                .unwrap()
                .iter()
                .map(|line| line.step)
                .collect::<Vec<_>>(),
            [0, 1]
        );

        let mut tracker = RunTracker::open(directory.path(), vec![replica("v", 0.1, 0, 1)]).unwrap();
        tracker.log_scalars(0, 1, &[("a", 3.0)]).unwrap();
        tracker.flush().unwrap();
        assert!(
            fs::read_to_string(&path)
                .unwrap()
                .starts_with(&format!("{complete}{{\"replica\":0"))
        );
        let values: Vec<_> = read_metrics(&path)
            .unwrap()
            .iter()
            .map(|line| (line.step, line.values["a"]))
            .collect();
        assert_eq!(values, [(0, 1.0), (1, 3.0)]);
    }
}

#[test]
fn a_bad_line_in_the_middle_is_an_error_with_its_number() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("metrics.jsonl");
    let hint = "hint: only a torn last line can come from an interrupted run; this file was edited or damaged on disk";
    for (bad, reason) in [
        ("{\"replica\":0,", "EOF while parsing a value at line 2 column 0"),
        (
            &*line(0, 0, r#"{"a":"none"}"#),
            "value of \"a\" is \"none\", expected a number, \"NaN\", \"Infinity\" or \"-Infinity\"",
        ),
        (
            &*line(0, 0, r#"{"a":[1]}"#),
            "expected a number, \"NaN\", \"Infinity\" or \"-Infinity\"",
        ),
    ] {
        fs::write(&path, format!("{}\n{bad}\n{}\n", line(0, 0, "{}"), line(0, 1, "{}"))).unwrap();
        let message = read_metrics(&path).unwrap_err().to_string();
        let start = format!("{}, line 2: not a metric line: {reason}", path.display());
        assert!(message.starts_with(&start) && message.ends_with(hint), "{message}");
    }
    let missing = directory.path().join("none.jsonl");
    assert_eq!(
        read_metrics(&missing).unwrap_err().to_string(),
        format!("cannot read {}", missing.display())
    );
}

#[test]
fn a_later_life_supersedes_what_its_replica_logged_from_there_on() {
    let directory = TempDir::new().unwrap();
    let log = |first_steps: [u64; 2], last_step: u64, offset: f64| {
        let replicas = vec![
            replica("a", 0.1, 0, first_steps[0]),
            replica("b", 0.1, 0, first_steps[1]),
        ];
        let mut tracker = RunTracker::open(directory.path(), replicas).unwrap();
        for (index, first_step) in first_steps.into_iter().enumerate() {
            for step in first_step..last_step {
                tracker
                    .log_scalars(index, step, &[("loss", offset + step as f64)])
                    .unwrap();
            }
        }
    };
    log([0, 0], 10, 0.0);
    // Replica 0 goes on from step 4 and is killed early; replica 1 was done and does not log again.
    log([4, 10], 6, 100.0);
    let lines = read_metrics(&directory.path().join("metrics.jsonl")).unwrap();
    let of = |index: usize| {
        lines
            .iter()
            .filter(|line| line.replica == index)
            .map(|line| line.values["loss"])
            .collect::<Vec<_>>()
    };
    assert_eq!(of(0), [0.0, 1.0, 2.0, 3.0, 104.0, 105.0]);
    assert_eq!(of(1), (0..10).map(f64::from).collect::<Vec<_>>());
    assert_eq!(event_files(&directory.path().join("tb/b/repeat0-fold0-seed1")).len(), 1);

    // Without a new attempt, the newest value of a tag stays and other tags of that step are kept.
    let path = directory.path().join("duplicates.jsonl");
    fs::write(
        &path,
        format!("{}\n{}\n", line(0, 3, r#"{"a":1,"b":2}"#), line(0, 3, r#"{"a":5}"#)),
    )
    .unwrap();
    let values: Vec<_> = read_metrics(&path)
        .unwrap()
        .into_iter()
        .flat_map(|line| line.values)
        .collect();
    assert_eq!(values, [("b".to_owned(), 2.0), ("a".to_owned(), 5.0)]);
}
