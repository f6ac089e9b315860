//! The bytes of event files, and what the writer does when it cannot write.

use super::{event_files, floats, golden, replica};
use recoup::tracking::{
    DatasetRole, EventWriter, ExperimentSummary, HistogramBucket, HparamValue, MetricInfo, RunTracker,
};
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

/// CRC-32C bit by bit, masked as TensorFlow does it.
fn masked_crc(data: &[u8]) -> u32 {
    let crc = !data.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0x82F6_3B78 } else { crc >> 1 }
        })
    });
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

#[test]
fn records_are_framed_with_length_and_masked_crc() {
    let directory = TempDir::new().unwrap();
    let mut writer = EventWriter::create(directory.path(), 0).unwrap();
    writer.scalar("loss", 3, 0.5).unwrap();
    writer.flush().unwrap();
    let bytes = fs::read(writer.path()).unwrap();
    // How every TensorFlow event file begins: a record of 24 bytes.
    assert_eq!(bytes[..12], *b"\x18\0\0\0\0\0\0\0\xa3\x7fK\"");
    assert_eq!(bytes[21..36], *b"\x1a\x0dbrain.Event:2");

    let mut records = Vec::new();
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
        let (data, after) = rest[12..].split_at(length);
        assert_eq!(rest[8..12], masked_crc(&rest[..8]).to_le_bytes());
        assert_eq!(after[..4], masked_crc(data).to_le_bytes());
        records.push(data);
        rest = &after[4..];
    }
    assert_eq!(records.len(), 3);
    // After the wall time (9 bytes): step 3, summary { value { tag "loss", simple_value 0.5 } }.
    assert_eq!(records[2][9..], *b"\x10\x03\x2a\x0d\x0a\x0b\x0a\x04loss\x15\0\0\0\x3f");
}

#[test]
fn every_life_gets_a_file_of_its_own_that_sorts_last() {
    let directory = TempDir::new().unwrap();
    // An attempt on a machine whose clock was ahead.
    fs::write(
        directory.path().join("events.out.tfevents.9000000000.other.1.0"),
        "kept",
    )
    .unwrap();
    let mut paths = Vec::new();
    for step in 0..3 {
        let mut writer = EventWriter::create(directory.path(), step).unwrap();
        writer.flush().unwrap();
        paths.push(writer.path().to_owned());
    }
    let files = event_files(directory.path());
    assert_eq!(files[1..], paths);
    assert_eq!(fs::read_to_string(&files[0]).unwrap(), "kept");
}

#[test]
fn a_full_disk_is_an_error_with_a_hint_and_never_a_panic() {
    if !cfg!(target_os = "linux") {
        println!("skipped: needs /dev/full");
        return;
    }
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut writer = EventWriter::from_file(full, PathBuf::from("run/tb/events"), 0).unwrap();
    writer.scalar("loss", 0, 1.0).unwrap();
    let hint = "hint: free space or raise the quota, then resume the run: it continues from its last checkpoint";
    for _ in 0..2 {
        let message = writer.flush().unwrap_err().to_string();
        assert_eq!(
            message,
            format!("no space left on the device (or quota used up) while writing run/tb/events\n{hint}")
        );
    }

    #[cfg(unix)]
    {
        let directory = TempDir::new().unwrap();
        let metrics = directory.path().join("metrics.jsonl");
        std::os::unix::fs::symlink("/dev/full", &metrics).unwrap();
        let mut tracker = RunTracker::open(directory.path(), vec![replica("base", 0.1, 0, 0)]).unwrap();
        tracker.log_scalars(0, 0, &[("loss", 1.0)]).unwrap();
        let message = tracker.flush().unwrap_err().to_string();
        let expected = format!(
            "no space left on the device (or quota used up) while writing {}\n{hint}",
            metrics.display()
        );
        assert_eq!(message, expected);
        // The other file was flushed all the same.
        let events = event_files(&directory.path().join("tb/base/repeat0-fold0-seed1"));
        assert!(fs::metadata(&events[0]).unwrap().len() > 100);
    }
}

#[test]
fn an_error_names_what_could_not_be_created() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("occupied");
    fs::write(&file, "").unwrap();
    let error = EventWriter::create(&file.join("tb"), 0).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot create {}/tb", file.display()));
}

#[test]
fn histograms_are_counted_as_tensorboard_counts_them() {
    for case in golden()["histograms"].as_array().unwrap() {
        let buckets = HistogramBucket::count(&floats(&case["values"]), case["buckets"].as_u64().unwrap() as usize);
        let expected = case["expected"].as_array().unwrap();
        assert_eq!(buckets.len(), expected.len());
        for (bucket, row) in buckets.iter().zip(expected) {
            assert!((bucket.left - row[0].as_f64().unwrap()).abs() < 1e-12);
            assert!((bucket.right - row[1].as_f64().unwrap()).abs() < 1e-12);
            assert_eq!(bucket.count, row[2].as_f64().unwrap());
        }
    }
    assert_eq!(HistogramBucket::count(&[], 30), []);
    assert_eq!(HistogramBucket::count(&[f32::NAN, f32::INFINITY], 30), []);
    let buckets = HistogramBucket::count(&[f32::NAN, -f32::MAX, f32::MAX], 2);
    assert_eq!(
        buckets.iter().map(|bucket| bucket.count).collect::<Vec<_>>(),
        [1.0, 1.0]
    );
}

#[test]
fn a_pr_curve_of_nonsense_is_refused() {
    let directory = TempDir::new().unwrap();
    let mut writer = EventWriter::create(directory.path(), 0).unwrap();
    let hint = "hint: give one probability in [0, 1] per label and 2 or more thresholds";
    let mut refuse = |labels: &[bool], scores: &[f32], num_thresholds, message: &str| {
        let error = writer.pr_curve("pr", 0, labels, scores, num_thresholds).unwrap_err();
        assert_eq!(error.to_string(), format!("{message}\n{hint}"));
    };
    refuse(&[true], &[0.5, 0.5], 10, "PR curve \"pr\" has 1 labels and 2 scores");
    refuse(&[true], &[0.5], 1, "PR curve \"pr\" has 1 thresholds");
    refuse(
        &[true, false],
        &[0.5, f32::NAN],
        10,
        "score 1 of PR curve \"pr\" is NaN",
    );
    refuse(&[true, false], &[1.5, 0.0], 10, "score 0 of PR curve \"pr\" is 1.5");
}

#[test]
fn the_hparams_table_refuses_what_tensorboard_would_garble() {
    let directory = TempDir::new().unwrap();
    let mut writer = EventWriter::create(directory.path(), 0).unwrap();
    let metrics = vec![MetricInfo {
        tag: "valid/auc".to_owned(),
        group: String::new(),
        display_name: String::new(),
        dataset: DatasetRole::Valid,
    }];
    let mut error = |variants: Vec<Vec<(String, HparamValue)>>, metrics: &[MetricInfo]| {
        let summary = ExperimentSummary {
            name: "gait".to_owned(),
            description: String::new(),
            variants,
            metrics: metrics.to_vec(),
        };
        writer.experiment(&summary).unwrap_err().to_string()
    };
    assert_eq!(
        error(
            vec![
                vec![("dropout".to_owned(), 0.5.into())],
                vec![("dropout".to_owned(), "none".into())]
            ],
            &metrics
        ),
        "hyperparameter \"dropout\" is of different kinds in different variants: [Number(0.5), Text(\"none\")]\n\
         hint: leave an absent value out instead of writing \"none\"; TensorBoard would turn the whole column into text"
    );
    assert_eq!(
        error(vec![vec![("dropout".to_owned(), 0.5.into())]], &[]),
        "experiment \"gait\" has 1 hyperparameters and 0 metrics to compare\n\
         hint: TensorBoard shows an empty HPARAMS page unless there is at least one of each"
    );
}
