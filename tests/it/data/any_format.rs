//! Every format is a modality of a card: what is loaded is what the format's reader gives.

use std::fs;
use std::path::Path;

use ndarray::{Array2, arr2};
use recoup::cohort::prepared::Prepared;
use recoup::dataset::card::Card;
use recoup::dataset::subjects::{Cohort, Recording};
use recoup::signal::resample::Resampler;
use recoup_formats::edf::{EdfRecording, EdfSignal, write_edf};
use recoup_formats::image::{Scaling, read_scaled};
use recoup_formats::{Contents, FileError, Images, Part, Points, dicom, open, parquet, wfdb};

use super::cards::{Draws, load};
use super::fixtures;

mod drafts;
mod mistakes;
mod visits;

const SUBJECTS: [&str; 3] = ["P1", "P2", "P3"];

fn save(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// The body of 25 points: keypoint k stands at (10 k + frame, 2 k), the frame 2 with little confidence.
fn openpose(frame: usize) -> String {
    let confidence = if frame == 2 { 0.25 } else { 0.75 };
    let points: Vec<String> = (0..25)
        .map(|k| format!("{},{},{confidence}", 10 * k + frame * frame, 2 * k))
        .collect();
    format!(
        "{{\"version\":1.3,\"people\":[{{\"pose_keypoints_2d\":[{}]}}]}}",
        points.join(",")
    )
}

/// One file of every format for each of three subjects, and two tables.
fn write_files(raw: &Path) {
    let files = [
        ("edf/plus.edf", "eeg.edf"),
        ("motion/written.c3d", "walk.c3d"),
        ("nifti/i2le.nii", "brain.nii"),
        ("nifti/pair.hdr", "pair.hdr"),
        ("nifti/pair.img", "pair.img"),
        ("dicom/series_0.dcm", "slice-0.dcm"),
        ("dicom/series_1.dcm", "slice-1.dcm"),
        ("dicom/series_2.dcm", "slice-2.dcm"),
        ("dicom/series_3.dcm", "slice-3.dcm"),
        ("tiff/u16.tif", "thermal.tif"),
        ("wfdb/frames.hea", "frames.hea"),
        ("wfdb/frames.dat", "frames.dat"),
        ("wfdb/frames.atr", "frames.atr"),
        ("wfdb/fixed.hea", "fixed.hea"),
        ("wfdb/fixed_1.hea", "fixed_1.hea"),
        ("wfdb/fixed_1.dat", "fixed_1.dat"),
        ("wfdb/fixed_2.hea", "fixed_2.hea"),
        ("wfdb/fixed_2.dat", "fixed_2.dat"),
    ];
    for subject in SUBJECTS {
        for (from, to) in files {
            save(&raw.join(subject).join(to), &fs::read(fixtures().join(from)).unwrap());
        }
        for frame in 0..6 {
            save(
                &raw.join(subject).join(format!("pose_{frame:012}_keypoints.json")),
                openpose(frame).as_bytes(),
            );
        }
    }
    let ids: Vec<String> = SUBJECTS.map(String::from).to_vec();
    let values = arr2(&[[61.5, 20.0], [70.25, 66.0], [45.0, 0.0]]);
    let columns = [("age", "year"), ("fma", "point")];
    parquet::write_table(
        &raw.join("patients.parquet"),
        &[("subject", &ids)],
        &columns,
        values.view(),
    )
    .unwrap();
    save(
        &raw.join("visits.csv"),
        b"patient,week,item,value\nP1,0,FMA-UE,20\nP1,2,FMA-UE,24\nP1,4,FMA-UE,26\nP1,12,FMA-UE,30\nP2,0,FMA-UE,20\n\
          P2,4,FMA-UE,25\nP2,12,FMA-UE,29\nP3,0,FMA-UE,11\nP3,4,FMA-UE,40\nP1,0,BI,55\nP1,4,BI,60\n",
    );
}

const CARD: &str = r#"name = "any"
classes = ["no", "yes"]

[subjects]
kind = "table"

[table]
file = "patients.parquet"
id = "subject"

[label]
kind = "threshold"
column = "age"
at_least = 61.5

[[modality]]
kind = "signal"
name = "eeg"
file = "{subject}/eeg.edf"
rate_hz = 100.0
channels = [{ channel = "channel 0", unit = "uV" }, { channel = "channel 1", name = "slow", unit = "mV" }]

[[modality]]
kind = "signal"
name = "emg"
file = "{subject}/walk.c3d"
rate_hz = 400.0
channels = [{ channel = "emg1", unit = "mV" }]

[[modality]]
kind = "points"
name = "markers"
file = "{subject}/walk.c3d"
rate_hz = 100.0
points = ["marker 2", "marker 0"]
axes = ["z", "x"]
unit = "mm"
missing = "mask"

[[modality]]
kind = "points"
name = "pose"
file = "{subject}/pose_*_keypoints.json"
file_rate_hz = 30.0
rate_hz = 30.0
points = ["Neck"]
unit = "px"
min_confidence = 0.5
max_gap_secs = 0.034

[[modality]]
kind = "image"
name = "brain"
file = "{subject}/brain.nii"
color = "gray"
height = 3
width = 4
range = [-100.0, 300.0]
slices = [1, 1, 1]

[[modality]]
kind = "image"
name = "pair"
file = "{subject}/pair.hdr"
color = "rgb"
height = 3
width = 4

[[modality]]
kind = "image"
name = "series"
file = "{subject}/slice-*.dcm"
color = "gray"
height = 4
width = 5
slices = [0, 3, 2]

[[modality]]
kind = "image"
name = "thermal"
file = "{subject}/thermal.tif"
color = "gray"
height = 7
width = 9
scale = [0.04, -273.15]

[[modality]]
kind = "annotations"
name = "beats"
file = "{subject}/frames.atr"
labels = { N = 1.0, V = 2.0, "N end" = 3.0 }

[[modality]]
kind = "signal"
name = "ecg"
file = "{subject}/frames.hea"
rate_hz = 250.0
missing = "mask"
channels = [{ channel = "ECG lead II", unit = "mV" }]

[[modality]]
kind = "signal"
name = "ecg-steps"
file = "{subject}/frames.hea"
rate_hz = 250.0
missing = "mask"
channels = [{ channel = "ECG lead II", unit = "adu" }]

[[modality]]
kind = "signal"
name = "halves"
file = "{subject}/fixed.hea"
rate_hz = 100.0
channels = [{ channel = "V", unit = "mV" }, { name = "II", unit = "mV" }]

[[modality]]
kind = "table"
name = "clinical"
channels = [{ column = "age", unit = "year" }, { column = "fma", scale = "fugl-meyer-upper" }]

[[modality]]
kind = "visits"
name = "scores"
file = "visits.csv"
until_week = 4
at_weeks = [0, 2]
visits = { week = "week", items = { "FMA-UE" = "fugl-meyer-upper", BI = "barthel" } }
"#;

fn dataset() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_files(&folder.path().join("raw"));
    fs::write(folder.path().join("card.toml"), CARD).unwrap();
    folder
}

fn recording<'c>(cohort: &'c Cohort, subject: usize, modality: &str) -> &'c Recording {
    let index = cohort.modality(modality).unwrap();
    cohort.subjects[subject].sessions[0].recordings[index].as_ref().unwrap()
}

fn contents(name: &str) -> Contents {
    open(&fixtures().join(name)).unwrap()
}

fn points(contents: &Contents) -> &Points {
    let points = contents.parts.iter().find_map(|part| {
        if let Part::Points(points) = part {
            Some(points)
        } else {
            None
        }
    });
    points.unwrap()
}

fn images(contents: &Contents) -> &Images {
    let images = contents.parts.iter().find_map(|part| {
        if let Part::Images(images) = part {
            Some(images)
        } else {
            None
        }
    });
    images.unwrap()
}

fn channel(name: &str, channel: &str) -> Vec<f32> {
    let contents = contents(name);
    let mut channels = contents.parts.iter().flat_map(Part::signals);
    channels.find(|known| known.name == channel).unwrap().values.clone()
}

/// Equal bits, where NaN equals NaN.
fn same(what: &str, found: &Array2<f32>, expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let bits = |value: &f32| if value.is_nan() { u32::MAX } else { value.to_bits() };
    assert!(
        found.iter().map(bits).eq(expected.iter().map(bits)),
        "{what}: {found}\nexpected {expected:?}"
    );
}

fn interleaved(channels: &[Vec<f32>]) -> Vec<f32> {
    (0..channels[0].len())
        .flat_map(|row| channels.iter().map(move |channel| channel[row]))
        .collect()
}

#[test]
fn one_card_reads_every_format_as_its_reader_does() {
    let folder = dataset();
    let cohort = load(folder.path()).unwrap();
    assert_eq!(
        cohort
            .subjects
            .iter()
            .map(|subject| subject.sessions[0].class)
            .collect::<Vec<_>>(),
        [1, 1, 0]
    );
    for subject in 0..3 {
        let values = |modality: &str| &recording(&cohort, subject, modality).values;
        let slow = Resampler::new(32.0, 100.0)
            .unwrap()
            .resample(&channel("edf/plus.edf", "channel 1"));
        same(
            "eeg",
            values("eeg"),
            &interleaved(&[channel("edf/plus.edf", "channel 0"), slow]),
        );
        same("emg", values("emg"), &channel("motion/written.c3d", "emg1"));

        let walk = contents("motion/written.c3d");
        let expected = points(&walk)
            .positions
            .outer_iter()
            .flat_map(|frame| [(2, 2), (2, 0), (0, 2), (0, 0)].map(|(point, axis)| frame[[point, axis]]));
        same("markers", values("markers"), &expected.collect::<Vec<_>>());
        // Frame 2 was seen with little confidence: between 11 and 19 the straight line.
        let neck = [0.0, 1.0, 5.0, 9.0, 16.0, 25.0].map(|x| [10.0 + x, 2.0]);
        same("pose", values("pose"), neck.as_flattened());

        let brain = contents("nifti/i2le.nii");
        let second = images(&brain)
            .values
            .iter()
            .skip(12)
            .map(|value| ((value + 100.0) / 400.0).clamp(0.0, 1.0));
        same("brain", values("brain"), &second.collect::<Vec<_>>());
        let pair = contents("nifti/pair.hdr");
        let slices = images(&pair).values.outer_iter().flat_map(|slice| {
            let plane: Vec<f32> = slice.iter().copied().collect();
            plane.repeat(3)
        });
        same("pair", values("pair"), &slices.collect::<Vec<_>>());

        let names = [0, 1, 2, 3].map(|slice| fixtures().join(format!("dicom/series_{slice}.dcm")));
        let files = names.map(|path| (path.clone(), fs::read(&path).unwrap()));
        let series = dicom::read_series(&files).unwrap();
        let kept = images(&series)
            .values
            .iter()
            .copied()
            .enumerate()
            .filter(|(at, _)| at / 20 % 2 == 0);
        same(
            "series",
            values("series"),
            &kept.map(|(_, value)| value).collect::<Vec<_>>(),
        );
        // In the order of space: not that of the names.
        assert_ne!(
            values("series").row(0).to_vec(),
            images(&contents("dicom/series_0.dcm"))
                .values
                .iter()
                .copied()
                .collect::<Vec<_>>()
        );

        let bytes = fs::read(fixtures().join("tiff/u16.tif")).unwrap();
        let celsius = Scaling::Celsius {
            slope: 0.04,
            offset: -273.15,
        };
        let thermal = read_scaled(&bytes, Path::new("u16.tif"), celsius).unwrap();
        same(
            "thermal",
            values("thermal"),
            images(&thermal).values.as_slice().unwrap(),
        );

        let ecg = channel("wfdb/frames.hea", "ECG lead II");
        same("ecg", values("ecg"), &ecg);
        let steps = wfdb::digital_contents_with(&fixtures().join("wfdb/frames.hea"), |path| {
            fs::read(path).map_err(FileError::io(path, "read"))
        });
        let steps = steps.unwrap();
        let steps = steps.parts[0]
            .signals()
            .iter()
            .find(|channel| channel.name == "ECG lead II")
            .unwrap();
        assert_ne!(steps.values, ecg);
        same("ecg-steps", values("ecg-steps"), &steps.values);
        let halves = ["V", "II"].map(|name| channel("wfdb/fixed.hea", name));
        assert_eq!(halves[0].len(), 25);
        same("halves", values("halves"), &interleaved(&halves));

        let beats = recording(&cohort, subject, "beats");
        let nan = f32::NAN;
        same("beats", &beats.values, &[1.0, nan, 2.0, nan, 3.0, nan]);
        let marks = contents("wfdb/frames.hea").annotations;
        let onsets: Vec<f64> = marks
            .iter()
            .filter(|mark| ["N", "V", "N end"].contains(&mark.text.as_str()))
            .map(|mark| mark.onset_secs)
            .collect();
        assert_eq!(beats.times_secs.as_ref().unwrap(), &onsets);
        let clinical = [[61.5, 20.0], [70.25, 66.0], [45.0, 0.0]][subject];
        same("clinical", values("clinical"), &clinical);
    }
    let units = |modality: &str| -> Vec<(String, String)> {
        let spec = &cohort.modalities[cohort.modality(modality).unwrap()];
        spec.channels
            .iter()
            .map(|channel| (channel.name.clone(), channel.unit.clone()))
            .collect()
    };
    let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(name, unit)| (name.to_string(), unit.to_string()))
            .collect()
    };
    assert_eq!(units("eeg"), pairs(&[("channel 0", "uV"), ("slow", "mV")]));
    let markers = [
        ("marker 2.z", "mm"),
        ("marker 2.x", "mm"),
        ("marker 0.z", "mm"),
        ("marker 0.x", "mm"),
    ];
    assert_eq!(units("markers"), pairs(&markers));
    assert_eq!(units("clinical"), pairs(&[("age", "year"), ("fma", "point")]));
    assert_eq!(units("beats"), pairs(&[("label", "1"), ("duration", "s")]));
}

/// Without declared hashes the key of prepared data covers files that are read through others.
#[test]
fn a_change_in_a_file_beside_is_another_preparation() {
    let folder = dataset();
    let cache = tempfile::tempdir().unwrap();
    let raw = folder.path().join("raw");
    let count = || {
        let card = Card::load(&folder.path().join("card.toml")).unwrap();
        Prepared::from_card(&card, &raw, cache.path()).unwrap();
        fs::read_dir(cache.path()).unwrap().count()
    };
    assert_eq!((count(), count()), (1, 1));
    // A comment at the end of a segment's header, a word of a NIfTI pair's values, the mark of an annotation.
    let mut changes = 1;
    for (file, at) in [
        ("P1/fixed_2.hea", usize::MAX),
        ("P2/pair.img", 3),
        ("P3/frames.atr", 0),
        ("visits.csv", usize::MAX),
    ] {
        let path = raw.join(file);
        let mut bytes = fs::read(&path).unwrap();
        match (at, file.ends_with("hea")) {
            (usize::MAX, true) => bytes.extend(b"# more\n"),
            (usize::MAX, false) => bytes.extend(b"P3,2,BI,5\n"),
            _ => bytes[at] ^= 1,
        }
        fs::write(&path, bytes).unwrap();
        changes += 1;
        assert_eq!(count(), changes, "{file}");
    }
    save(&raw.join("P1/unread.edf"), b"nothing");
    assert_eq!(count(), changes);
}

fn noise(num_samples: usize) -> Vec<i16> {
    let mut draws = Draws(5);
    (0..num_samples)
        .map(|_| i16::from(draws.next()) * 100 - 12_800)
        .collect()
}

fn edf(digital: Vec<i16>) -> Vec<u8> {
    let (name, unit) = ("sync".to_string(), "mV".to_string());
    let signal = EdfSignal {
        name,
        unit,
        rate_hz: 100.0,
        physical_range: [-10.0, 10.0],
        digital_range: [-32768, 32767],
        digital,
    };
    write_edf(
        &EdfRecording {
            signals: vec![signal],
            ..Default::default()
        },
        Path::new("sync.edf"),
    )
    .unwrap()
}

/// One device was started 1.23 s before the other, and one 0.5 s after it.
#[test]
fn a_planted_lag_is_undone() {
    let folder = tempfile::tempdir().unwrap();
    let noise = noise(1000);
    let before: Vec<i16> = [vec![0; 123], noise[..877].to_vec()].concat();
    let after: Vec<i16> = [noise[50..].to_vec(), vec![0; 50]].concat();
    for (name, digital) in [("reference", noise), ("before", before), ("after", after)] {
        save(&folder.path().join(format!("raw/a_{name}.edf")), &edf(digital));
    }
    let modality = |name: &str, align: &str| {
        format!(
            "[[modality]]\nkind = \"signal\"\nname = \"{name}\"\nfile = \"{{subject}}_{name}.edf\"\nrate_hz = 100.0\n\
             channels = [{{ channel = \"sync\", unit = \"mV\" }}]\n{align}"
        )
    };
    let align = "align = { to = \"reference\", to_channel = \"sync\", channel = \"sync\", max_lag_secs = 2.0 }\n";
    let card = [
        "name = \"t\"\nclasses = [\"no\", \"yes\"]\n[subjects]\nkind = \"files\"\n[label]\nkind = \"id-prefix\"\n\
         classes = { a = \"yes\" }\n",
        &modality("before", align),
        &modality("reference", ""),
        &modality("after", align),
    ];
    fs::write(folder.path().join("card.toml"), card.concat()).unwrap();
    let cohort = load(folder.path()).unwrap();
    let values = |modality: &str| recording(&cohort, 0, modality).values.column(0).to_vec();
    let reference = values("reference");
    assert_eq!(
        (reference.len(), values("before").len(), values("after").len()),
        (1000, 877, 1050)
    );
    assert_eq!(values("before"), reference[..877]);
    assert!(values("after")[..50].iter().all(|value| value.is_nan()));
    assert_eq!(values("after")[50..1000], reference[50..]);
}
