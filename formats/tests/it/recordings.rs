//! Recordings as they come from devices: EDF and C3D that depart from their format, texts in old encodings.

use std::path::Path;

use recoup_formats::{Contents, Part, Points, SignalChannel, Warning, WarningCode, c3d, edf};

/// A signal of an EDF file: its label, its unit, the four limits, and the bytes of each record.
pub struct Signal<'a> {
    pub label: &'a [u8],
    pub unit: &'a [u8],
    pub limits: [&'a str; 4],
    pub records: Vec<Vec<u8>>,
}

impl Default for Signal<'_> {
    fn default() -> Self {
        Self {
            label: b"EEG",
            unit: b"uV",
            limits: ["-100", "100", "-1000", "1000"],
            records: vec![words(&[-1000, 0, 500, 1000])],
        }
    }
}

pub fn words(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

/// Lists of annotations, padded to 64 bytes.
fn lists(text: &[u8]) -> Vec<Vec<u8>> {
    let mut record = text.to_vec();
    record.resize(64, 0);
    vec![record]
}

/// A file of these signals: its variant, its start, and the seconds of a record.
pub fn edf_file(variant: &str, start: &str, record_secs: &str, signals: &[Signal]) -> Vec<u8> {
    let num_records = signals.iter().map(|signal| signal.records.len()).max().unwrap_or(0);
    let pad = |text: &[u8], width: usize| {
        let mut field = text.to_vec();
        field.resize(width, b' ');
        field
    };
    let mut file = Vec::new();
    for (text, width) in [
        ("0", 8),
        ("X X X X", 80),
        ("Startdate X X X X", 80),
        (start, 16),
        ((256 * (signals.len() + 1)).to_string().as_str(), 8),
        (variant, 44),
        (num_records.to_string().as_str(), 8),
        (record_secs, 8),
        (signals.len().to_string().as_str(), 4),
    ] {
        file.extend(pad(text.as_bytes(), width));
    }
    let mut column = |width: usize, text: &dyn Fn(&Signal) -> Vec<u8>| {
        signals.iter().for_each(|signal| file.extend(pad(&text(signal), width)));
    };
    column(16, &|signal| signal.label.to_vec());
    column(80, &|_| Vec::new());
    column(8, &|signal| signal.unit.to_vec());
    for limit in 0..4 {
        column(8, &|signal| signal.limits[limit].as_bytes().to_vec());
    }
    column(80, &|_| Vec::new());
    column(8, &|signal| (signal.records[0].len() / 2).to_string().into_bytes());
    column(32, &|_| Vec::new());
    for record in 0..num_records {
        signals.iter().for_each(|signal| file.extend(&signal.records[record]));
    }
    file
}

fn read(file: &[u8]) -> Contents {
    edf::read(file, Path::new("a.edf")).unwrap()
}

fn signals(contents: &Contents) -> Vec<&SignalChannel> {
    contents.parts.iter().flat_map(Part::signals).collect()
}

fn codes(contents: &Contents) -> Vec<WarningCode> {
    contents.warnings.iter().map(|warning| warning.code).collect()
}

const START: &str = "01.01.2010.00.00";

/// MNE with `encoding="latin1"` and pyedflib read these letters.
#[test]
fn annotations_in_old_encodings_keep_their_letters() {
    for (bytes, text) in [
        (&b"\xd6ffnen"[..], "Öffnen"),
        (b"\xc4ffnen", "Äffnen"),
        ("Öffnen".as_bytes(), "Öffnen"),
        // windows-1252, where Latin-1 has control characters
        (b"L\xf6schen \x96 Ende", "Löschen – Ende"),
    ] {
        let list = [b"+0\x14\x14\0+1.5\x152\x14", bytes, b"\x14\0"].concat();
        let file = edf_file(
            "EDF+C",
            START,
            "1",
            &[
                Signal::default(),
                Signal {
                    label: b"EDF Annotations",
                    records: lists(&list),
                    ..Signal::default()
                },
            ],
        );
        let contents = read(&file);
        let found: Vec<&str> = contents.annotations.iter().map(|mark| mark.text.as_str()).collect();
        assert_eq!(found, [text]);
        assert_eq!(
            (
                contents.annotations[0].onset_secs,
                contents.annotations[0].duration_secs
            ),
            (1.5, Some(2.0))
        );
        assert!(contents.warnings.is_empty(), "{:?}", contents.warnings);
    }
}

/// As MNE: 1 channel, and the marks.
#[test]
fn annotations_of_a_file_that_does_not_claim_edf_plus_are_read() {
    let marks = |records| Signal {
        label: b"EDF Annotations",
        records,
        ..Signal::default()
    };
    let file = edf_file(
        "",
        START,
        "1",
        &[Signal::default(), marks(lists(b"+0\x14\x14\0+0.25\x14start\x14\0"))],
    );
    let contents = read(&file);
    assert_eq!(signals(&contents).len(), 1);
    assert_eq!(contents.annotations.len(), 1);
    assert_eq!(
        (
            contents.annotations[0].onset_secs,
            contents.annotations[0].text.as_str()
        ),
        (0.25, "start")
    );
    assert_eq!(codes(&contents), [WarningCode::OddHeader]);
    // Samples of that name that are no lists stay samples.
    let contents = read(&edf_file("", START, "1", &[marks(vec![words(&[1, 2, 3, 4])])]));
    assert_eq!((signals(&contents).len(), contents.annotations.len()), (1, 0));
}

/// A recorder in a German locale; MNE reads it since its pull request 10754.
#[test]
fn decimal_commas_in_the_header_are_read_and_told() {
    let limits = ["-99,5", "+99,5", "-995", "995"];
    let records = vec![words(&[-995, 994])];
    let contents = read(&edf_file(
        "",
        START,
        "0,5",
        &[Signal {
            limits,
            records,
            ..Signal::default()
        }],
    ));
    let [signal] = signals(&contents)[..] else {
        panic!("{contents:?}")
    };
    assert_eq!((signal.values.as_slice(), signal.rate_hz), (&[-99.5, 99.4][..], 4.0));
    assert_eq!(codes(&contents), [WarningCode::OddHeader]);
    let limits = ["-99,5,1", "99,5", "-995", "995"];
    let error = edf::read(
        &edf_file(
            "",
            START,
            "1",
            &[Signal {
                limits,
                ..Signal::default()
            }],
        ),
        Path::new("a.edf"),
    );
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("found `-99,5,1`, expected a number")
    );
}

/// CHB-MIT has `T8-P8` twice.
#[test]
fn channels_of_one_name_get_numbers() {
    let channel = |label, sample| Signal {
        label,
        records: vec![words(&[sample])],
        ..Signal::default()
    };
    let file = edf_file(
        "",
        START,
        "1",
        &[channel(b"T8-P8", 10), channel(b"C3", 20), channel(b"T8-P8", 30)],
    );
    let contents = read(&file);
    let found: Vec<(&str, f32)> = signals(&contents)
        .iter()
        .map(|signal| (signal.name.as_str(), signal.values[0]))
        .collect();
    assert_eq!(found, [("T8-P8-0", 1.0), ("C3", 2.0), ("T8-P8-1", 3.0)]);
    let told = "signals: 2 are called `T8-P8`; they got numbers, such as `T8-P8-0`";
    assert_eq!(contents.warnings, [Warning::new(WarningCode::DuplicateNames, told)]);
}

#[test]
fn starts_are_read_as_they_are_written_or_told() {
    let start = |text: &str| {
        let contents = read(&edf_file("", text, "1", &[Signal::default()]));
        let fact = contents.facts.iter().find(|(name, _)| name == "start");
        (fact.map(|(_, start)| start.clone()), codes(&contents))
    };
    assert_eq!(start("12.03.0409:01:17"), (Some("2004-03-12T09:01:17".into()), vec![]));
    assert_eq!(start("12.03.8509.01.17"), (Some("1985-03-12T09:01:17".into()), vec![]));
    assert_eq!(start("00.00.0000.00.00"), (None, vec![WarningCode::OddHeader]));
    assert_eq!(start("31.02.2010.00.00"), (None, vec![WarningCode::OddHeader]));
}

#[test]
fn digital_limits_below_zero_scale_and_empty_ones_do_not() {
    let of = |limits| {
        let contents = read(&edf_file(
            "",
            START,
            "1",
            &[Signal {
                limits,
                ..Signal::default()
            }],
        ));
        let signal = signals(&contents)[0].clone();
        (signal.unit, signal.values, codes(&contents))
    };
    // All limits below zero; the digital value 0 lies beyond.
    let (unit, values, told) = of(["-100", "100", "-3000", "-1000"]);
    assert_eq!(
        (unit.as_str(), values.as_slice(), told),
        ("uV", &[100.0, 200.0, 250.0, 300.0][..], vec![])
    );
    // Upside down, as the format allows.
    let (_, values, _) = of(["100", "-100", "-1000", "1000"]);
    assert_eq!(values, [100.0, 0.0, -50.0, -100.0]);
    for limits in [
        ["-100", "100", "5", "5"],
        ["-100", "100", "1000", "-1000"],
        ["1", "1", "-1000", "1000"],
    ] {
        let (unit, values, told) = of(limits);
        assert_eq!((unit.as_str(), values), ("1", vec![-1000.0, 0.0, 500.0, 1000.0]));
        assert_eq!(told, [WarningCode::Uncalibrated]);
    }
}

/// As Sleep-EDF writes them: one signal of annotations, records without duration.
#[test]
fn a_hypnogram_is_annotations_and_nothing_else() {
    let list = b"+0\x14\x14\0+0\x1530\x14Sleep stage W\x14\0+30\x1560\x14Sleep stage 1\x14\0";
    let marks = Signal {
        label: b"EDF Annotations",
        records: lists(list),
        ..Signal::default()
    };
    let contents = read(&edf_file("EDF+C", START, "0", &[marks]));
    assert!(signals(&contents).is_empty());
    assert_eq!(contents.annotations[0].text, "Sleep stage W");
    assert_eq!(contents.annotations[0].duration_secs, Some(30.0));
}

#[test]
fn micro_signs_are_kept_as_they_are_written() {
    for (unit, text) in [
        (&b"uV"[..], "uV"),
        (b"\xb5V", "\u{b5}V"),
        ("\u{b5}V".as_bytes(), "\u{b5}V"),
        ("\u{3bc}V".as_bytes(), "\u{3bc}V"),
    ] {
        let contents = read(&edf_file(
            "",
            START,
            "1",
            &[Signal {
                unit,
                ..Signal::default()
            }],
        ));
        let found = &signals(&contents)[0].unit;
        assert_eq!(found, text);
        assert!(recoup_formats::units::same_unit(found, "uV"));
    }
}

/// 600.615 Hz: 6144 samples in 10.2295... s, as a header of 8 characters says it.
#[test]
fn rates_are_samples_by_the_duration_of_a_record() {
    let records = vec![words(&vec![0; 6000])];
    let contents = read(&edf_file(
        "",
        START,
        "9.98976",
        &[Signal {
            records,
            ..Signal::default()
        }],
    ));
    assert_eq!(signals(&contents)[0].rate_hz, 6000.0 / 9.98976);
}

#[test]
fn a_clock_that_jumps_and_a_file_that_is_cut_off_are_told_by_their_kind() {
    let times = ["+0\x14\x14\0", "+1\x14\x14\0", "+62\x14\x14\0"];
    let marks = times.iter().flat_map(|time| lists(time.as_bytes())).collect();
    let records = vec![words(&[1, 2]); 3];
    let file = |variant| {
        let marks = Signal {
            label: b"EDF Annotations",
            records: Vec::clone(&marks),
            ..Signal::default()
        };
        edf_file(
            variant,
            START,
            "1",
            &[
                Signal {
                    records: records.clone(),
                    ..Signal::default()
                },
                marks,
            ],
        )
    };
    let whole = file("EDF+C");
    assert_eq!(codes(&read(&whole)), [WarningCode::ClockJump]);
    let gap = read(&file("EDF+D"));
    assert_eq!(codes(&gap), [WarningCode::Gap]);
    assert_eq!(signals(&gap)[0].values.len(), 2 * 63);
    let cut = read(&whole[..whole.len() - 68]);
    assert_eq!(codes(&cut), [WarningCode::CutOff]);
    assert_eq!(
        cut.warnings[0].text,
        "the file is cut off: 2 whole records of the 3 in the header"
    );
}

/// A C3D file of floating-point numbers with the rates as given and as many of each sample.
fn c3d_file(num_points: usize, num_frames: usize, rates: [f32; 2], labels: &[&[u8]]) -> Vec<u8> {
    let (num_analog, per_frame) = (2, 1);
    let mut section = vec![1, 80, 0, 84];
    let mut record = |group: i8, name: &str, body: &[u8]| {
        section.extend([name.len() as u8, group as u8]);
        section.extend(name.as_bytes());
        section.extend((body.len() as u16 + 2).to_le_bytes());
        section.extend(body);
    };
    let float = |value: f32| [&[4, 0][..], &value.to_le_bytes()].concat();
    let word = |value: usize| [&[2, 0][..], &(value as u16).to_le_bytes()].concat();
    let texts = |texts: &[&[u8]]| {
        let mut body = vec![0xff, 2, 8, texts.len() as u8];
        for text in texts {
            let mut field = text.to_vec();
            field.resize(8, b' ');
            body.extend(field);
        }
        body.push(0);
        body
    };
    record(-1, "POINT", &[0]);
    record(-2, "ANALOG", &[0]);
    record(1, "USED", &word(num_points));
    record(1, "SCALE", &float(-1.0));
    record(1, "RATE", &float(rates[0]));
    record(1, "FRAMES", &word(num_frames));
    record(1, "LABELS", &texts(labels));
    record(2, "USED", &word(num_analog));
    record(2, "GEN_SCALE", &float(1.0));
    record(2, "RATE", &float(rates[1]));
    section.resize(1024, 0);
    section[2] = 2;
    let mut file = vec![0; 512];
    file[..2].copy_from_slice(&[2, 0x50]);
    for (number, value) in [
        (2, num_points),
        (3, num_analog * per_frame),
        (4, 1),
        (5, num_frames),
        (9, 4),
        (10, per_frame),
    ] {
        file[2 * (number - 1)..2 * number].copy_from_slice(&(value as u16).to_le_bytes());
    }
    file[12..16].copy_from_slice(&(-1f32).to_le_bytes());
    file[20..24].copy_from_slice(&rates[0].to_le_bytes());
    file.extend(section);
    for frame in 0..num_frames {
        let point = [frame as f32, 1.0, 2.0, 0.0];
        let values = std::iter::repeat_n(point, num_points)
            .flatten()
            .chain([10.0 + frame as f32, 20.0]);
        file.extend(values.flat_map(f32::to_le_bytes));
    }
    file
}

fn points(contents: &Contents) -> Option<&Points> {
    contents.parts.iter().find_map(|part| match part {
        Part::Points(points) => Some(points),
        _ => None,
    })
}

/// ezc3d reads both channels of a trial without points whose POINT:RATE is 0.
#[test]
fn a_trial_of_analog_samples_alone_needs_no_rate_of_points() {
    let contents = c3d::read(&c3d_file(0, 5, [0.0, 1000.0], &[]), Path::new("a.c3d")).unwrap();
    assert!(points(&contents).is_none());
    let [one, other] = signals(&contents)[..] else {
        panic!("{contents:?}")
    };
    assert_eq!(
        (one.rate_hz, one.values.as_slice()),
        (1000.0, &[10.0, 11.0, 12.0, 13.0, 14.0][..])
    );
    assert_eq!((other.rate_hz, other.values.len()), (1000.0, 5));
}

#[test]
fn c3d_without_any_rate_says_which_is_missing() {
    let error = c3d::read(&c3d_file(1, 5, [0.0, 0.0], &[b"A"]), Path::new("a.c3d"))
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("a.c3d: ANALOG:RATE: found no rate, nor POINT:RATE, expected a positive number"),
        "{error}"
    );
    // Points alone can be given their rate by a card.
    let mut file = c3d_file(1, 5, [0.0, 0.0], &[b"A"]);
    let used = file
        .windows(10)
        .position(|bytes| bytes == b"\x04\x02USED\x06\0\x02\0")
        .unwrap();
    file[used + 10] = 0;
    file[4..6].copy_from_slice(&[0, 0]);
    let contents = c3d::read(&file, Path::new("a.c3d")).unwrap();
    assert_eq!(points(&contents).unwrap().rate_hz, None);
    assert!(codes(&contents).contains(&WarningCode::OddHeader));
}

/// The numbers that the software was told: C3D holds 59.94 as 59.939998626708984.
#[test]
fn rates_of_c3d_are_those_that_were_written() {
    for (point_hz, analog_hz, expected) in [
        (59.94f32, 59.94f32, [59.94, 59.94]),
        (150.001, 150.001, [150.001, 150.001]),
        (119.88, 119.88, [119.88, 119.88]),
        (100.0, 100.0, [100.0, 100.0]),
    ] {
        let contents = c3d::read(&c3d_file(1, 5, [point_hz, analog_hz], &[b"A"]), Path::new("a.c3d")).unwrap();
        let found = [
            points(&contents).unwrap().rate_hz.unwrap(),
            signals(&contents)[0].rate_hz,
        ];
        assert_eq!(found, expected);
        assert!(contents.warnings.is_empty(), "{:?}", contents.warnings);
    }
}

#[test]
fn labels_of_c3d_keep_their_letters_and_are_one_each() {
    let file = c3d_file(4, 2, [100.0, 100.0], &[b"Kn\xf6chel", b"Kn\xe4chel", b"M", b"M"]);
    let contents = c3d::read(&file, Path::new("a.c3d")).unwrap();
    assert_eq!(points(&contents).unwrap().names, ["Knöchel", "Knächel", "M-0", "M-1"]);
    assert_eq!(codes(&contents), [WarningCode::DuplicateNames]);
}
