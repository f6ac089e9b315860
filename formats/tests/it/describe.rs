//! Descriptions as text and as JSON.

use ndarray::{Array2, Array3, Array4};
use recoup_formats::delimited::DelimitedLayout;
use recoup_formats::{
    Annotation, Contents, DescribeOptions, Images, Part, Points, SignalChannel, Warning, WarningCode, describe, open,
};

use crate::open::fixtures;

const SHOWN: DescribeOptions = DescribeOptions { personal: false };

fn text(contents: &Contents) -> String {
    let text = describe(contents, SHOWN).to_string();
    for line in text.lines() {
        assert!(line.chars().count() <= 100 && line.trim_end() == line, "{line:?}");
    }
    text
}

fn text_of(name: &str) -> String {
    text(&open(&fixtures().join(name)).unwrap())
}

fn mark(onset_secs: f64, duration_secs: Option<f64>, text: &str) -> Annotation {
    Annotation {
        onset_secs,
        duration_secs,
        text: text.into(),
    }
}

#[test]
fn signals_are_told_by_rate_and_length() {
    let wave = |count: usize| (0..count).map(|index| index as f32 / 10.0).collect::<Vec<_>>();
    let mut gaps = wave(1000);
    gaps[10..20].fill(f32::NAN);
    gaps[500] = f32::INFINITY;
    let channel = |name: &str, unit: &str, rate_hz, values| SignalChannel {
        name: name.into(),
        unit: unit.into(),
        rate_hz,
        values,
    };
    let contents = Contents {
        format: "test".into(),
        facts: vec![
            ("device".into(), "a b".into()),
            ("patient".into(), "Ada Byron".into()),
            ("comment".into(), "fell".into()),
            ("comment".into(), "twice".into()),
        ],
        parts: vec![Part::Signals(vec![
            channel("first", "mV", 250.0, gaps),
            channel("second", "1", 250.0, wave(1000)),
            channel("slow", "degC", 0.5, vec![36.6, f32::NAN]),
            channel("empty", "V", 10.0, vec![]),
        ])],
        annotations: vec![
            mark(0.5, None, "N"),
            mark(1.25, Some(2.5), "sleep stage 2"),
            mark(3.0, None, "N"),
            mark(4000.0, None, "V"),
        ],
        warnings: vec![Warning::new(WarningCode::CutOff, "the last record is cut short")],
    };
    assert_eq!(
        text(&contents),
        "\
test
  device   a b
  patient  (1 hidden: may identify a person; --personal shows it)
  comment  (2 hidden: may identify a person; --personal shows it)

2 signals at 250 Hz, 1000 samples, 4 s
  channel  unit  min   max   mean     missing  stretches
  first    mV      0  99.9  50.44  11 (1.1 %)          2
  second   1       0  99.9  49.95           -          -
1 signal at 0.5 Hz, 2 samples, 4 s
  channel  unit   min   max  mean     missing  stretches
  slow     degC  36.6  36.6  36.6  1 (50.0 %)          1
1 signal at 10 Hz, 0 samples, 0 s
  channel  unit  min  max  mean  missing  stretches
  empty    V       -    -     -        -          -

4 annotations from 0.5 s to 1 h 6 min 40 s
  N (2), V (1), sleep stage 2 (1)
           first
           0.5 s             N
          1.25 s  for 2.5 s  sleep stage 2
             3 s             N
  1 h 6 min 40 s             V

warnings
  the last record is cut short (cut-off)
"
    );
    let personal = describe(&contents, DescribeOptions { personal: true }).to_string();
    assert!(personal.contains("Ada Byron") && personal.contains("twice"));
    let json = serde_json::to_value(describe(&contents, SHOWN)).unwrap();
    assert_eq!(json["facts"][1], serde_json::json!(["patient", null]));
    assert_eq!(json["parts"][0]["kind"], "signals");
    let first = &json["parts"][0]["channels"][0];
    assert_eq!(
        first["missing"],
        serde_json::json!({"count": 11, "stretches": 2, "longest": 10})
    );
    assert_eq!(first["duration_secs"], 4.0);
    assert_eq!(json["annotations"]["kinds"][0], serde_json::json!(["N", 2]));
}

#[test]
fn tables_tell_kinds_and_no_names() {
    let mut csv = String::from("id,patient name,age,sex,visit,site,note,empty,PHONE\n");
    for index in 0..40 {
        let sex = if index % 4 == 0 { "f" } else { "m" };
        let age = if index == 3 {
            "NA".to_owned()
        } else {
            (40 + index).to_string()
        };
        let note = format!("fell on day {index}");
        csv.push_str(&format!(
            "p{index},Ada Byron {index},{age},{sex},2024-03-{:02},b,{note},,0171 {index}\n",
            index % 28 + 1
        ));
    }
    let table = DelimitedLayout::default()
        .table(csv.as_bytes(), "t.csv".as_ref())
        .unwrap();
    let contents = Contents {
        format: "delimited text".into(),
        parts: vec![Part::Table(table)],
        ..Contents::default()
    };
    assert_eq!(
        text(&contents),
        "\
delimited text

table of 40 rows and 9 columns
  column        kind      missing  values
  id            text            -  40 different
  patient name  hidden          -  40 different; --personal shows them
  age           number      2.5 %  40 to 79, mean 59.92
  sex           category        -  m (30), f (10)
  visit         date            -  2024-03-01 to 2024-03-28
  site          category        -  b (40)
  note          text            -  40 different
  empty         empty     100.0 %
  PHONE         hidden          -  40 different; --personal shows them
"
    );
    for options in [SHOWN, DescribeOptions { personal: true }] {
        let json = serde_json::to_string(&describe(&contents, options)).unwrap();
        assert_eq!(
            json.contains("Ada") || json.contains("0171") || json.contains("fell"),
            options.personal
        );
    }
}

#[test]
fn points_and_images_tell_their_shapes() {
    let mut positions = Array3::from_shape_fn((100, 2, 3), |(frame, point, axis)| (frame + point * 10 + axis) as f32);
    positions.slice_mut(ndarray::s![0..25, 1, ..]).fill(f32::NAN);
    let points = Points {
        unit: "mm".into(),
        rate_hz: Some(200.0),
        names: vec!["knee".into(), "ankle".into()],
        positions,
        confidence: Some(Array2::from_elem((100, 2), 0.5)),
    };
    let volume = Images {
        planes: vec!["gray".into()],
        unit: "HU".into(),
        rate_hz: Some(0.5),
        values: Array4::from_shape_fn((6, 1, 4, 5), |(slice, _, line, column)| {
            (slice * 100 + line * 10 + column) as f32
        }),
        num_volumes: 2,
        affine: Some([[-2.0, 0.0, 0.0, 90.0], [0.0, 1.5, 0.0, -126.0], [0.0, 0.0, 3.0, -72.0]]),
        display_range: Some([-160.0, 240.0]),
    };
    let film = Images {
        planes: vec!["red".into(), "green".into(), "blue".into()],
        unit: "1".into(),
        rate_hz: Some(30.0),
        values: Array4::from_elem((90, 3, 2, 2), f32::NAN),
        num_volumes: 1,
        affine: None,
        display_range: None,
    };
    let parts = vec![Part::Points(points), Part::Images(volume), Part::Images(film)];
    assert_eq!(
        text(&Contents {
            format: "test".into(),
            parts,
            ..Contents::default()
        }),
        "\
test

2 points in 3 dimensions, 100 frames at 200 Hz, 0.5 s
  axis        unit  min  max   mean
  x           mm      0  109  59.14
  y           mm      1  110  60.14
  z           mm      2  111  61.14
  confidence        0.5  0.5    0.5
  point  missing
  knee         -
  ankle   25.0 %

2 volumes of 5 x 4 x 3 voxels at 0.5 Hz, 4 s
  planes        gray
  values        0 to 534 HU, mean 267
  shown         -160 (black) to 240 HU (white)
  orientation   LAS (columns, lines and slices go towards)
  spacing       2 x 1.5 x 3 mm
  to x [mm]     -2  0  0  90
  to y [mm]     0  1.5  0  -126
  to z [mm]     0  0  3  -72

90 images of 2 x 2 pixels at 30 Hz, 3 s
  planes        red, green, blue
  values        none is finite
  missing       1080
"
    );
}

#[test]
fn files_are_described() {
    assert_eq!(
        text_of("gaitndd/als4.hea"),
        "\
WFDB, format 212
  frames per second  300
  record             als4

2 signals at 300 Hz, 3600 samples, 12 s
  channel     unit      min  max     mean      missing  stretches
  left-foot   mV       -0.4  0.1   -0.201            -          -
  right-foot  mV    -0.6823  0.1  -0.2041  3 (< 0.1 %)          3
"
    );
    assert_eq!(
        text_of("images/rgb8.png"),
        "\
PNG
  samples  8-bit unsigned
  size     5 x 6 pixels
  pages    1

1 image of 5 x 6 pixels
  planes        red, green, blue
  values        0 to 1, mean 0.4802
  shown         0 (black) to 1 (white)
"
    );
    assert_eq!(
        text_of("nifti/film.nii.gz"),
        "\
NIfTI-1
  type         uint16
  dimensions   5 x 4 x 3, volumes: 2
  affine from  qform
  voxel size   2.0000 x 1.5000 x 3.0000 mm
  orientation  LPS
  TR           2.5 s

2 volumes of 5 x 4 x 3 voxels at 0.4 Hz, 5 s
  planes        gray
  values        0 to 65535, mean 35363
  orientation   LPS (columns, lines and slices go towards)
  spacing       2 x 1.5 x 3 mm
  to x [mm]     -1.57  -0.8798  0.596  -11.5
  to y [mm]     1.049  -1.201  -0.8689  20.25
  to z [mm]     0.6578  -0.1847  2.809  3
"
    );
}

#[test]
fn long_lists_and_long_words_are_cut() {
    let long = "word ".repeat(200) + &"x".repeat(300);
    let channel = |index: usize| SignalChannel {
        name: format!("{index} {long}"),
        unit: long.clone(),
        rate_hz: 1e-7,
        values: vec![1e-30, -1e30, f32::NAN],
    };
    let table = format!("{}\n", vec![long.replace(' ', "_"); 60].join(",")) + &vec![long.as_str(); 60].join(",") + "\n";
    let table = DelimitedLayout::default()
        .table(table.as_bytes(), "t.csv".as_ref())
        .unwrap();
    let contents = Contents {
        format: long.clone(),
        facts: (0..60).map(|index| (format!("{index} {long}"), long.clone())).collect(),
        parts: vec![Part::Signals((0..60).map(channel).collect()), Part::Table(table)],
        annotations: (0..60)
            .map(|index| mark(f64::from(index) * 1e5, Some(1e9), &format!("{index} {long}")))
            .collect(),
        warnings: vec![Warning::new(WarningCode::LeftOut, long.clone()); 60],
    };
    let text = text(&contents);
    assert_eq!(
        text.matches("... and 20 more").count(),
        4,
        "facts, signals, columns and warnings"
    );
    assert!(text.contains("and 52 more"), "kinds of annotations");
    assert_eq!(text_of_empty(), "\n\nno data\n");
}

fn text_of_empty() -> String {
    text(&Contents::default())
}
