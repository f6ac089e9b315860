//! Recordings read in blocks hold the values of the whole reading.

use std::path::{Path, PathBuf};

use recoup_formats::open::blocks;
use recoup_formats::{Part, SignalChannel, WarningCode, open};

use crate::recordings::{Signal, edf_file, words};

/// The channels of a file by its blocks of at most so many bytes, and the number of blocks.
fn joined(path: &Path, max_bytes: usize) -> Option<(Vec<SignalChannel>, usize)> {
    let whole = open(path).unwrap();
    let mut found = blocks(path, max_bytes).unwrap()?;
    let mut channels: Vec<SignalChannel> = (found.channels.iter())
        .map(|channel| SignalChannel {
            name: channel.name.clone(),
            unit: channel.unit.clone(),
            rate_hz: channel.rate_hz,
            values: Vec::new(),
        })
        .collect();
    let mut num_blocks = 0;
    for block in found.by_ref() {
        let block = block.unwrap();
        assert_eq!(block.len(), channels.len());
        for (channel, values) in channels.iter_mut().zip(block) {
            channel.values.extend(values);
        }
        num_blocks += 1;
    }
    for (channel, announced) in channels.iter().zip(&found.channels) {
        assert_eq!(channel.values.len(), announced.num_samples, "{}", path.display());
    }
    let (of_blocks, of_whole) = (&found.contents, &whole);
    assert_eq!(of_blocks.format, of_whole.format);
    assert_eq!(of_blocks.facts, of_whole.facts);
    assert_eq!(of_blocks.annotations, of_whole.annotations);
    let sorted = |warnings: &[recoup_formats::Warning]| {
        let mut texts: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        texts.sort();
        texts
    };
    assert_eq!(sorted(&of_blocks.warnings), sorted(&of_whole.warnings));
    Some((channels, num_blocks))
}

fn assert_equal(path: &Path, max_bytes: usize) -> Option<usize> {
    let whole = open(path).unwrap();
    let whole: Vec<&SignalChannel> = whole.parts.iter().flat_map(Part::signals).collect();
    let (channels, num_blocks) = joined(path, max_bytes)?;
    assert_eq!(channels.len(), whole.len(), "{}", path.display());
    for (channel, whole) in channels.iter().zip(whole) {
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(
            (&channel.name, &channel.unit, channel.rate_hz),
            (&whole.name, &whole.unit, whole.rate_hz)
        );
        assert!(
            bits(&channel.values) == bits(&whole.values),
            "{} {}",
            path.display(),
            channel.name
        );
    }
    Some(num_blocks)
}

fn fixtures(folder: &str, extensions: &[&str]) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/data")
        .join(folder);
    let mut files: Vec<PathBuf> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| {
        extensions
            .iter()
            .any(|extension| path.extension().is_some_and(|found| found == *extension))
    });
    files.sort();
    files
}

/// EDF, EDF+C, EDF+D with pauses, BDF.
#[test]
fn blocks_of_edf_are_the_whole() {
    let files = fixtures("edf", &["edf", "bdf"]);
    assert!(files.len() >= 8);
    for path in files {
        for max_bytes in [1, 5000, usize::MAX] {
            let num_blocks = assert_equal(&path, max_bytes).unwrap();
            assert!(num_blocks > 1 || max_bytes > 1, "{}", path.display());
        }
    }
}

/// All storage formats, several samples per frame, skew; FLAC and segments are read whole.
#[test]
fn blocks_of_wfdb_are_the_whole() {
    let (mut num_in_blocks, mut num_whole) = (0, 0);
    for path in fixtures("wfdb", &["hea"]) {
        if open(&path).is_err() {
            continue;
        }
        for max_bytes in [1, 100, usize::MAX] {
            match assert_equal(&path, max_bytes) {
                Some(_) => num_in_blocks += 1,
                None => num_whole += 1,
            }
        }
    }
    assert!(num_in_blocks >= 15 && num_whole >= 3, "{num_in_blocks} {num_whole}");
}

#[test]
fn a_file_that_is_cut_off_and_a_wrong_checksum_are_told_in_blocks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.edf");
    let records = vec![words(&[1, 2, 3]); 4];
    let file = edf_file(
        "",
        "01.01.2010.00.00",
        "1",
        &[Signal {
            records,
            ..Signal::default()
        }],
    );
    std::fs::write(&path, &file[..file.len() - 7]).unwrap();
    assert_equal(&path, 1).unwrap();
    let codes = |path: &Path| -> Vec<WarningCode> {
        let mut blocks = blocks(path, 1).unwrap().unwrap();
        for block in blocks.by_ref() {
            block.unwrap();
        }
        blocks.contents.warnings.iter().map(|warning| warning.code).collect()
    };
    assert_eq!(codes(&path), [WarningCode::CutOff, WarningCode::SurplusBytes]);
    let header = folder.path().join("b.hea");
    std::fs::write(&header, "b 1 100 20\nb.dat 16 200/mV 16 0 0 7 0 I\n").unwrap();
    std::fs::write(folder.path().join("b.dat"), words(&(0..20).collect::<Vec<i16>>())).unwrap();
    assert_equal(&header, 1).unwrap();
    assert_eq!(codes(&header), [WarningCode::Checksum]);
}

#[test]
fn other_formats_are_read_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    std::fs::write(&path, "a,b\n1,2\n3,4\n").unwrap();
    assert!(blocks(&path, 1).unwrap().is_none());
}
