//! Headers that lie and files that are damaged: an error with its place, soon and without much memory.

use std::path::Path;
use std::time::{Duration, Instant};

use recoup_formats::wfdb::{read_annotations, read_record_with};
use recoup_formats::{Contents, Part, Warning, WarningCode, refuse_unaccepted};

use super::written::{flac_frame, flac_start};
use super::{Folder, file_from, fixtures, read_file, read_from};
use crate::allocation;

/// The fixtures, in memory.
pub(super) fn folder() -> Folder {
    let files = fixtures().read_dir().unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|path| {
            (
                path.file_name().unwrap().to_str().unwrap().into(),
                read_file(&path).unwrap(),
            )
        })
        .collect()
}

/// A file of the folder with one piece of text replaced.
fn edit(folder: &mut Folder, file: &str, from: &str, to: &str) {
    let text = String::from_utf8(folder[file].clone()).unwrap();
    assert!(text.contains(from), "`{from}` is not in {file}");
    folder.insert(file.into(), text.replacen(from, to, 1).into_bytes());
}

#[test]
fn headers_that_lie_are_refused_soon_and_with_their_place() {
    // Record, file, what stands there, the lie, the first line of the message.
    const CASES: [(&str, &str, &str, &str, &str); 33] = [
        (
            "fixed",
            "fixed.hea",
            "fixed/2",
            "fixed/1000000000",
            "fixed.hea: line 5: found `the end of the file`, expected 1000000000 segment lines",
        ),
        (
            "fixed",
            "fixed.hea",
            "fixed/2",
            "fixed/0",
            "fixed.hea: line 1: found `fixed/0 2 100 25`, expected at least one segment",
        ),
        (
            "fixed",
            "fixed.hea",
            "fixed_2 10",
            "fixed_2 ten",
            "fixed.hea: line 3: found `ten`, expected a number of samples",
        ),
        (
            "fixed",
            "fixed.hea",
            "100 25",
            "100 26",
            "fixed.hea: line 1: found `25 samples in all segments`, expected 26",
        ),
        (
            "fixed",
            "fixed.hea",
            "fixed_1 15\nfixed_2 10",
            "fixed_1 14\nfixed_2 11",
            "fixed_1.hea: line 1: found `15 samples`, expected 14",
        ),
        (
            "fixed",
            "fixed.hea",
            "fixed_2 10",
            "fixed_3 10",
            "fixed.hea: line 3, segment `fixed_3`: found no file fixed_3.hea, expected the headers and signal files of all segments",
        ),
        (
            "fixed",
            "fixed.hea",
            "fixed_2",
            "../fixed_2",
            "fixed.hea: line 3: found `../fixed_2`, expected a file beside the header",
        ),
        (
            "fixed",
            "fixed.hea",
            "fixed_2 10",
            "fixed 10",
            "fixed.hea: line 1: found `a record of segments`, expected signals",
        ),
        (
            "fixed",
            "fixed.hea",
            "2 100 25",
            "3 100 25",
            "fixed.hea: line 1: found `2 signals in the segments`, expected 3, as the first line announces",
        ),
        (
            "fixed",
            "fixed_2.hea",
            "2 100",
            "2 101",
            "fixed_2.hea: line 1: found `101 Hz`, expected 100 Hz",
        ),
        (
            "fixed",
            "fixed_2.hea",
            "/mV",
            "/uV",
            "fixed_2.hea: line 2: found `uV, 1 samples per frame`, expected mV, 1, as elsewhere in the record",
        ),
        (
            "fixed",
            "fixed_2.hea",
            " V",
            " aVF",
            "fixed_2.hea: line 3: found `aVF`, expected a signal of the layout or of the first segment",
        ),
        (
            "variable",
            "variable_2.hea",
            "variable_2.dat",
            "gone.dat",
            "variable.hea: line 6, segment `variable_2`: found no file gone.dat, expected the headers and signal files of all segments",
        ),
        (
            "variable",
            "variable.hea",
            "125 46 10:44:18.529\nvariable_layout 0\n~ 20",
            "125 0\nvariable_layout 0\n~ 900000000000",
            "variable.hea: line 1: found `2700000000078 samples of all signals`, expected at most 2099264 where the files hold 33",
        ),
        (
            "variable",
            "variable.hea",
            "46 10:44:18.529\nvariable_layout 0\n~ 20",
            "0\nvariable_layout 0\n~ 18446744073709551610",
            "variable.hea: line 1: found `too many samples in all segments`, expected fewer",
        ),
        (
            "variable",
            "variable_layout.hea",
            "0 0 V",
            "0 0 II",
            "variable_layout.hea: line 3: found `II`, expected a name of its own",
        ),
        (
            "variable",
            "variable_1.hea",
            "ABP",
            "II",
            "variable_1.hea: line 3: found `II`, expected each signal once",
        ),
        (
            "variable",
            "variable_1.hea",
            "ABP",
            "PAP",
            "variable_1.hea: line 2: found `PAP`, expected a signal of the layout or of the first segment",
        ),
        (
            "variable_layout",
            "variable_layout.hea",
            "86",
            "86",
            "variable_layout.hea: line 2: found `~`, expected a file beside the header",
        ),
        (
            "frames",
            "frames.hea",
            "frames 3",
            "frames 1000000000",
            "frames.hea: line 9: found `the end of the file`, expected 1000000000 signal lines",
        ),
        (
            "frames",
            "frames.hea",
            "62.5/1000(12.5) 20",
            "62.5 99999999999",
            "frames.dat: size: found 218 bytes, expected at least 1049999999998 bytes for 99999999999 samples",
        ),
        (
            "frames",
            "frames.hea",
            "62.5/1000(12.5) 20",
            "62.5 9999999999999999999",
            "frames.dat: size: found 218 bytes, expected a number of samples that a file can hold",
        ),
        (
            "frames",
            "frames.hea",
            "62.5/",
            "0/",
            "frames.hea: line 2: found `0`, expected a positive rate in Hz",
        ),
        (
            "frames",
            "frames.hea",
            "212x4+8",
            "212x0+8",
            "frames.hea: line 3: found `212x0+8`, expected at least one sample per frame",
        ),
        (
            "frames",
            "frames.hea",
            "212x4+8",
            "212x18446744073709551615+8",
            "frames.dat: size: found 218 bytes, expected a number of samples that a file can hold",
        ),
        (
            "frames",
            "frames.hea",
            "212x4+8",
            "212x4+18446744073709551615",
            "frames.dat: format: found `212:3+8`, expected `212x4+18446744073709551615`, as signal 1 of this file",
        ),
        (
            "frames",
            "frames.hea",
            "212x4+8",
            "99",
            "frames.hea: line 3: found `99`, expected format 8, 16, 24, 32, 61, 80, 160, 212, 310, 311, 508, 516 or 524",
        ),
        (
            "frames",
            "frames.hea",
            "212:3+8",
            "212:21+8",
            "frames.hea: line 5: found `212:21+8`, expected a skew within the 20 samples of the record",
        ),
        (
            "frames",
            "frames.hea",
            "212:3+8",
            "212:-3+8",
            "frames.hea: line 5: found `-3`, expected a skew in frames",
        ),
        (
            "frames",
            "frames.hea",
            "12.5/mmHg",
            "nan/mmHg",
            "frames.hea: line 5: found `nan`, expected a finite gain",
        ),
        (
            "flacframes",
            "flacframes.hea",
            "508",
            "516x3",
            "flacframes_b.dat: size: found 40 samples, expected at least 120",
        ),
        (
            "flacframes",
            "flacframes.hea",
            "125 40",
            "125 1000000000",
            "flacframes_a.dat: size: found 80 samples, expected at least 2000000000",
        ),
        (
            "flacframes",
            "flacframes.hea",
            "flacframes_a.dat 516x2 100/mV 16 0 -7",
            "flacframes_b.dat 508 100/mV 16 0 -7",
            "flacframes_a.dat: byte 8: found 2 channels of 16 bits, expected 1 of at most 16 bits",
        ),
    ];
    for (record, file, from, to, message) in CASES {
        let mut folder = folder();
        edit(&mut folder, file, from, to);
        let start = Instant::now();
        let (result, peak) = allocation::peak(|| read_from(&folder, &format!("{record}.hea")));
        let error = result.unwrap_err().to_string();
        assert_eq!(error.lines().next(), Some(message), "{to}");
        assert!(
            peak < 16 << 20 && start.elapsed() < Duration::from_secs(10),
            "{to}: {peak} bytes, {:?}",
            start.elapsed()
        );
    }
}

#[test]
fn files_outside_the_folder_of_the_record_are_refused() {
    for name in [
        "../a.dat",
        "/etc/passwd",
        "sub/../../a.dat",
        "./../a.dat",
        "..",
        "~root/a.dat",
        "C:a.dat",
        "a\\..\\b",
        "sub/..",
    ] {
        for header in [format!("r 1 100 1\n{name} 16\n"), format!("r/1 1 100 1\n{name} 1\n")] {
            let folder = Folder::from([("r.hea".into(), header.into_bytes())]);
            let error = read_from(&folder, "r.hea").unwrap_err().to_string();
            let expected = format!("r.hea: line 2: found `{name}`, expected a file beside the header");
            assert_eq!(error.lines().next(), Some(expected.as_str()));
        }
    }
    let files = [("r.hea", "r 1 100 1\nsub/a.dat 16\n"), ("sub/a.dat", "\u{1}\0")];
    let folder: Folder = files.map(|(name, text)| (name.into(), text.into())).into();
    assert!(read_from(&folder, "r.hea").is_ok());
}

#[test]
fn one_file_in_very_many_segments_is_refused_without_the_memory() {
    let mut folder = folder();
    let mut signal = vec![3u8; 1 << 16];
    signal.resize(1 << 17, 0);
    folder.insert("s.dat".into(), signal);
    folder.insert("s.hea".into(), b"s 1 100 131072\ns.dat 80\n".to_vec());
    let lines = "s 131072\n".repeat(10_000);
    folder.insert("r.hea".into(), format!("r/10000 1 100\n{lines}").into_bytes());
    let (result, peak) = allocation::peak(|| read_from(&folder, "r.hea"));
    let expected =
        "r.hea: line 1: found `10616832 samples of all signals`, expected at most 10485760 where the files hold 131072";
    assert_eq!(result.unwrap_err().to_string().lines().next(), Some(expected));
    assert!(peak < 100 << 20, "{peak}");
}

#[test]
fn a_few_bytes_that_unpack_to_millions_of_samples_are_refused() {
    let mut stream = flac_start(1, 16, 127 * 65_535);
    for number in 0..127 {
        stream.extend(flac_frame(&[0xff, 0xf8, 0x70, 0x08, number, 0xff, 0xfe], &[0, 0, 7]));
    }
    let files = [("r.hea", b"r 1 100\na.dat 516\n".to_vec()), ("a.dat", stream)];
    let folder: Folder = files.map(|(name, bytes)| (name.into(), bytes)).into();
    let error = read_from(&folder, "r.hea").unwrap_err().to_string();
    let expected = "a.dat: sample 7995270: found samples from 1693 bytes, expected at most 4096 per byte";
    assert_eq!(error.lines().next(), Some(expected));
}

#[test]
fn records_of_several_rates_or_segments_are_not_of_one_rate() {
    let message = |header: &str| {
        let folder = folder();
        let error = read_record_with(Path::new(header), |path| file_from(&folder, path))
            .unwrap_err()
            .to_string();
        error.lines().next().unwrap().to_string()
    };
    assert_eq!(
        message("fixed.hea"),
        "fixed.hea: line 1: found `fixed`, expected a record of one segment"
    );
    assert_eq!(
        message("frames.hea"),
        "frames.hea: line 3: found `212x4+8`, expected format 16, 24, 32, 61, 80, 160 or 212"
    );
}

/// The samples are read as they are, and loading refuses them unless the card accepts `checksum`.
#[test]
fn samples_that_contradict_their_header_must_be_accepted() {
    let whole = read_from(&folder(), "frames.hea").unwrap();
    for (from, to, told) in [
        (
            "-142",
            "-143",
            "frames.dat: checksum: found -142, expected -143 (frames.hea, line 5)",
        ),
        (
            "-1432",
            "-1433",
            "frames.dat: first sample: found -1432, expected -1433 (frames.hea, line 3)",
        ),
    ] {
        let mut folder = folder();
        edit(&mut folder, "frames.hea", from, to);
        let contents = read_from(&folder, "frames.hea").unwrap();
        assert_eq!(contents.warnings, [Warning::new(WarningCode::Checksum, told)]);
        let values = |contents: &Contents| -> Vec<Vec<u32>> {
            let channels = contents.parts.iter().flat_map(Part::signals);
            channels
                .map(|channel| channel.values.iter().map(|value| value.to_bits()).collect())
                .collect()
        };
        assert_eq!(values(&contents), values(&whole));
        let refused = |accepted: &[WarningCode]| refuse_unaccepted(&contents.warnings, accepted, Path::new("a.hea"));
        let error = refused(&[WarningCode::CutOff]).unwrap_err().to_string();
        assert!(
            error.contains(told) && error.contains("accept = [\"checksum\"]"),
            "{error}"
        );
        refused(&[WarningCode::Checksum]).unwrap();
    }
}

#[test]
fn what_is_tolerated_is_a_warning() {
    let mut folder = folder();
    edit(&mut folder, "frames.hea", "#<age>", "more.dat 16\n#<age>");
    folder.get_mut("frames.dat").unwrap().extend([0; 5]);
    folder.get_mut("frames.atr").unwrap().truncate(60);
    let contents = read_from(&folder, "frames.hea").unwrap();
    assert_eq!(
        contents.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "frames.hea: line 7: `more.dat 16` is one more line than announced (odd-header)",
            "frames.dat: 5 bytes after the last sample (surplus-bytes)",
            "frames.atr: no end mark: the file may be cut short (unclosed)",
        ]
    );
}

#[test]
fn damaged_annotations_name_the_byte() {
    let bytes = &folder()["frames.atr"];
    let message = |bytes: &[u8]| {
        let error = read_annotations(bytes, Path::new("a.atr")).unwrap_err().to_string();
        error.lines().next().unwrap().to_string()
    };
    assert_eq!(
        message(&bytes[..18]),
        "a.atr: byte 12: found a text of 5 bytes, expected one within the file"
    );
    assert_eq!(
        message(&bytes[..36]),
        "a.atr: byte 32: found the end of the file, expected an interval of four bytes"
    );
    assert_eq!(
        message(&bytes[4..]),
        "a.atr: byte 0: found code 60, expected an annotation before it"
    );
    let mut wrong = folder()["frames.own"].clone();
    let at = wrong.windows(3).position(|bytes| bytes == b"125").unwrap();
    wrong[at..at + 3].copy_from_slice(b"0.0");
    assert_eq!(
        message(&wrong),
        "a.atr: notes at time 0: found `## time resolution: 0.0`, expected a positive rate, or a code and its mnemonic"
    );
}
