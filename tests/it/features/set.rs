//! Feature tables: windows, sessions, blocks, joins, missing recordings, fits.

use std::path::Path;

use ndarray::Array2;
use recoup::cohort::prepared::Prepared;
use recoup::cohort::split::{SplitConfig, Splits, SubjectInfo};
use recoup::cohort::window::{Window, WindowConfig, windows};
use recoup::dataset::subjects::{Channel, Cohort, ModalityKind, ModalitySpec, Recording, Session, Subject};
use recoup::features::signals::emg::EmgConfig;
use recoup::features::signals::{Scratch, SignalFeature, SignalInfo};
use recoup::features::tables::{FeatureConfigs, FeatureTable, FittedTransforms, extract, with_features};
use recoup::signal::filter::FilterConfig;

use super::noise;
use crate::allocation;

const RATE_HZ: f64 = 200.0;

/// Subjects with an EMG, a series and a row; the second one has no EMG.
fn cohort(num_subjects: usize, num_samples: usize) -> Cohort {
    let channel = |name: &str, unit: &str| Channel {
        name: name.into(),
        unit: unit.into(),
    };
    let spec = |name: &str, kind, channels| ModalitySpec {
        name: name.into(),
        kind,
        channels,
    };
    let modalities = vec![
        spec(
            "emg",
            ModalityKind::Signal { rate_hz: RATE_HZ },
            vec![channel("flexor", "mV"), channel("extensor", "mV")],
        ),
        spec(
            "stride",
            ModalityKind::Series,
            vec![channel("left", "s"), channel("right", "s")],
        ),
        spec(
            "clinical",
            ModalityKind::Row,
            vec![channel("age", "year"), channel("sex", "1")],
        ),
    ];
    let subject = |index: usize| {
        let draws = noise(2 * num_samples + 7 * index + 1);
        let emg = Array2::from_shape_fn((num_samples, 2), |(row, column)| {
            draws[7 * index + 2 * row + column] as f32
        });
        let secs = num_samples as f64 / RATE_HZ;
        let times: Vec<f64> = (0..(secs as usize)).map(|stride| stride as f64 + 0.5).collect();
        let strides = Array2::from_shape_fn((times.len(), 2), |(row, column)| {
            1.0 + draws[3 * row + column] as f32 / 10.0
        });
        let age = 40.0 + 3.0 * index as f32;
        let recordings = vec![
            (index != 1).then_some(Recording {
                times_secs: None,
                values: emg,
            }),
            Some(Recording {
                times_secs: Some(times),
                values: strides,
            }),
            Some(Recording {
                times_secs: None,
                values: ndarray::arr2(&[[age, if index == 2 { f32::NAN } else { 1.0 }]]),
            }),
        ];
        let session = Session {
            id: "s".into(),
            class: index % 2,
            recordings,
        };
        Subject {
            id: format!("p{index:03}"),
            site: None,
            group: None,
            sessions: vec![session],
        }
    };
    let classes = vec!["no".into(), "yes".into()];
    Cohort {
        name: "c".into(),
        classes,
        modalities,
        subjects: (0..num_subjects).map(subject).collect(),
    }
}

struct Data {
    prepared: Prepared,
    windows: Vec<Window>,
    _folder: tempfile::TempDir,
}

fn data(num_subjects: usize, num_samples: usize, window: Option<WindowConfig>) -> Data {
    let folder = tempfile::tempdir().unwrap();
    let prepared = Prepared::build(&cohort(num_subjects, num_samples), folder.path()).unwrap();
    let windows = windows(&prepared, window.as_ref()).unwrap();
    Data {
        prepared,
        windows,
        _folder: folder,
    }
}

fn configs(text: &str) -> FeatureConfigs {
    toml::from_str(text).unwrap()
}

fn tables(data: &Data, text: &str) -> Vec<FeatureTable> {
    extract(&configs(text), &data.prepared, &data.windows, &|_, _| {}).unwrap()
}

const EMG: &str = r#"
[muscle]
modality = "emg"
filter = [
    { kind = "notch", frequency_hz = 50.0 },
    { kind = "butterworth", band = "band-pass", low_hz = 20.0, high_hz = 90.0, order = 4 },
]
compute = [{ kind = "emg", threshold = 0.01, band_hz = [20.0, 90.0] }]
"#;

#[test]
fn windows_of_a_long_recording_are_those_of_the_recording_filtered_as_a_whole() {
    // Several blocks, so that margins count.
    let window = WindowConfig {
        window_secs: 10.0,
        stride_secs: 5.0,
    };
    let data = data(1, 300_000, Some(window));
    let [table] = tables(&data, EMG).try_into().unwrap();
    assert_eq!(table.values.nrows(), data.windows.len());
    let text = EMG.replace("[muscle]", "");
    let config: recoup::features::tables::FeatureConfig = toml::from_str(&text).unwrap();
    let mut channels: Vec<Vec<f64>> = (0..2)
        .map(|column| {
            data.prepared
                .table(0)
                .iter()
                .skip(column)
                .step_by(2)
                .map(|&value| f64::from(value))
                .collect()
        })
        .collect();
    for filter in config
        .filter
        .iter()
        .map(|filter: &FilterConfig| filter.design(RATE_HZ).unwrap())
    {
        channels.iter_mut().for_each(|channel| filter.apply(channel));
    }
    let emg: EmgConfig = toml::from_str("threshold = 0.01\nband_hz = [20.0, 90.0]").unwrap();
    let mut scratch = Scratch::default();
    for (window, row) in data.windows.iter().zip(table.values.outer_iter()) {
        let rows = window.rows[0].start as usize..(window.rows[0].start + window.rows[0].count) as usize;
        let samples: Vec<&[f64]> = channels.iter().map(|channel| &channel[rows.clone()]).collect();
        let mut expected = Vec::new();
        emg.extract(&samples, RATE_HZ, &mut scratch, &mut expected);
        for (found, expected) in row.iter().zip(&expected) {
            assert!(
                (found - expected).abs() <= 1e-9 * expected.abs().max(1.0),
                "{found} {expected}"
            );
        }
    }
    let info = SignalInfo {
        channels: &data.prepared.modalities()[0].channels,
        rate_hz: RATE_HZ,
        num_samples: 2000,
    };
    assert_eq!(table.columns, emg.columns(&info));
}

#[test]
fn memory_does_not_grow_with_the_length_of_a_recording() {
    let peak = |num_samples: usize| {
        let data = data(
            1,
            num_samples,
            Some(WindowConfig {
                window_secs: 20.0,
                stride_secs: 20.0,
            }),
        );
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        // The pool's one thread does all the work, and is the one whose memory is counted.
        pool.install(|| allocation::peak(|| tables(&data, EMG)).1)
    };
    let (short, long) = (peak(500_000), peak(4_000_000));
    assert!(
        long < short + (1 << 20),
        "{short} bytes for 500,000 samples, {long} for 4,000,000"
    );
}

#[test]
fn sessions_have_the_mean_and_deviation_over_windows() {
    let data = data(3, 4000, None);
    let text = |window: &str| {
        format!("[f]\nmodality = \"emg\"\nper = \"session\"\n{window}\ncompute = [{{ kind = \"statistics\" }}]\n")
    };
    let [whole] = tables(&data, &text("")).try_into().unwrap();
    let [parts] = tables(&data, &text("window = { window_secs = 2.0, stride_secs = 2.0 }"))
        .try_into()
        .unwrap();
    assert_eq!((whole.values.nrows(), parts.values.nrows()), (3, 3));
    assert_eq!(parts.values.ncols(), 2 * whole.values.ncols());
    let column = |table: &FeatureTable, name: &str| table.columns.iter().position(|c| c.name == name).unwrap();
    for subject in [0, 2] {
        // Windows of equal length that fill the session: the mean of their means is the mean.
        let mean = whole.values[[subject, column(&whole, "flexor.mean")]];
        let of_means = parts.values[[subject, column(&parts, "flexor.mean.mean")]];
        assert!((mean - of_means).abs() < 1e-12, "{mean} {of_means}");
    }
    // The second has no EMG.
    assert_eq!(whole.present, [true, false, true]);
    assert!(whole.values.row(1).iter().all(|value| value.is_nan()));
}

/// Too few strides leave NaN.
fn same(stored: &[f32], computed: ndarray::ArrayView1<f64>) -> bool {
    stored.len() == computed.len()
        && stored
            .iter()
            .zip(computed)
            .all(|(a, b)| *a == *b as f32 || a.is_nan() && b.is_nan())
}

#[test]
fn tables_become_modalities_whose_rows_the_windows_know() {
    let mut data = data(
        3,
        2000,
        Some(WindowConfig {
            window_secs: 2.0,
            stride_secs: 1.0,
        }),
    );
    let text = r#"
        [muscle]
        modality = "emg"
        channels = ["extensor"]
        compute = [{ kind = "statistics" }]
        [gait]
        modality = "stride"
        per = "session"
        compute = [{ kind = "stride-statistics", pairs = [["left", "right"]] }]
        [row]
        modality = "clinical"
        [all]
        join = ["muscle", "gait", "row"]
    "#;
    let tables = tables(&data, text);
    let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(names, ["gait", "muscle", "row", "all"]);
    let [gait, muscle, row, all] = &tables[..] else {
        panic!()
    };
    assert!(muscle.columns.iter().all(|column| column.name.starts_with("extensor.")));
    assert_eq!(
        row.columns
            .iter()
            .map(|column| column.name.as_str())
            .collect::<Vec<_>>(),
        ["age", "sex"]
    );
    assert_eq!(gait.values.nrows(), 3);
    assert_eq!(
        all.values.dim(),
        (
            data.windows.len(),
            muscle.columns.len() + gait.columns.len() + row.columns.len()
        )
    );
    assert!(
        all.present.iter().all(|present| *present),
        "strides and row are there where the EMG is not"
    );

    let before = data.windows[0].rows.len();
    let prepared = with_features(&data.prepared, &mut data.windows, &tables);
    let specs: Vec<&str> = prepared.modalities().iter().map(|spec| spec.name.as_str()).collect();
    assert_eq!(specs, ["emg", "stride", "clinical", "gait", "muscle", "row", "all"]);
    for (index, window) in data.windows.iter().enumerate() {
        assert_eq!(window.rows.len(), before + 4);
        let has_emg = window.subject != 1;
        assert_eq!(
            window.rows[before + 1].count,
            u32::from(has_emg),
            "without a recording there are no features"
        );
        if has_emg {
            let values = prepared.values(before + 1, window.rows[before + 1]).unwrap();
            assert!(same(values, muscle.values.row(index)));
        }
        let of_session = prepared.values(before, window.rows[before]).unwrap();
        assert!(same(of_session, gait.values.row(window.subject as usize)));
    }
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let data = data(2, 2000, None);
    let text = r#"
        [clinical]
        modality = "clinical"
        [a]
        modality = "eng"
        [b]
        modality = "emg"
        filter = [{ kind = "butterworth", band = "low", high_hz = 150.0, order = 4 }]
        compute = [{ kind = "statistics" }]
        [c]
        modality = "stride"
        compute = [{ kind = "statistics" }]
        [d]
        modality = "emg"
        channels = ["biceps"]
        compute = [{ kind = "statistics" }]
        [e]
        modality = "emg"
        [f]
        modality = "emg"
        compute = [{ kind = "statistics" }, { kind = "statistics" }]
    "#;
    let problems = extract(&configs(text), &data.prepared, &data.windows, &|_, _| {}).unwrap_err();
    let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
    let expected = [
        "a.modality",
        "b.filter[0].high_hz",
        "c.compute[0].kind",
        "clinical",
        "d.channels",
        "e.compute",
        "f.compute",
    ];
    assert_eq!(keys, expected, "{problems:?}");
    assert!(
        problems[6].message.ends_with("side by side with `join`"),
        "{}",
        problems[6].message
    );
    for wrong in [
        "{ kind = \"statistic\" }",
        "{ kind = \"emg\", treshold = 1 }",
        "{ kind = \"sobel\" }",
    ] {
        let text = format!("[a]\nmodality = \"emg\"\ncompute = [{wrong}]");
        let error = toml::from_str::<FeatureConfigs>(&text).unwrap_err().to_string();
        assert!(error.contains("unknown") || error.contains("missing field"), "{error}");
    }
}

#[test]
fn what_is_fitted_depends_on_training_subjects_only() {
    let text = "[f]\nmodality = \"emg\"\ncompute = [{ kind = \"statistics\" }]\n\
                fit = [{ kind = \"impute-mean\" }, { kind = \"z-score\" }, { kind = \"pca\", components = 3 }]\n";
    let fit = |cohort: &Cohort, folder: &Path| {
        let prepared = Prepared::build(cohort, folder).unwrap();
        let windows = windows(&prepared, None).unwrap();
        let configs = configs(text);
        let [table] = extract(&configs, &prepared, &windows, &|_, _| {})
            .unwrap()
            .try_into()
            .unwrap();
        let everyone: Vec<SubjectInfo> = (cohort.subjects.iter())
            .map(|subject| SubjectInfo {
                id: subject.id.clone(),
                class: subject.sessions[0].class,
                site: None,
                group: None,
            })
            .collect();
        let splits = Splits::make(&SplitConfig::default(), &everyone, "hash").unwrap();
        let split = splits.splits()[0].clone();
        let fold = split.train_fold(&everyone).unwrap();
        (FittedTransforms::new(&table, &configs["f"].fit, &fold).unwrap(), split)
    };
    let folder = tempfile::tempdir().unwrap();
    let mut cohort = cohort(20, 1000);
    let (before, split) = fit(&cohort, folder.path());
    let outside = |subject: &Subject| split.part_of(&subject.id) != Some(recoup::cohort::split::Part::Train);
    for subject in cohort.subjects.iter_mut().filter(|subject| outside(subject)) {
        subject.sessions[0].recordings[0]
            .iter_mut()
            .for_each(|recording| recording.values.mapv_inplace(|x| 3.0 * x + 9.0));
    }
    let (after, _) = fit(&cohort, folder.path());
    assert_eq!(before.pipeline, after.pipeline);
    assert_eq!(before.pipeline.columns().len(), 3);
    assert_ne!(
        before.values, after.values,
        "the rows of others are transformed, and they did change"
    );
}
