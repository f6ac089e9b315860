//! Figures: nothing clipped, everything where it belongs.

use recoup::figures::{IntervalRow, Picture, Spectrogram, confusion_matrix, curves, intervals};

fn decode(picture: &Picture) -> image::RgbImage {
    let decoded = image::load_from_memory(&picture.png).unwrap().to_rgb8();
    assert_eq!(decoded.dimensions(), (picture.width, picture.height));
    decoded
}

/// Text or lines that touch the border would be cut off.
fn assert_nothing_is_clipped(picture: &Picture) {
    let image = decode(picture);
    let (width, height) = image.dimensions();
    for (x, y, pixel) in image.enumerate_pixels() {
        let is_border = x < 4 || y < 4 || x + 4 >= width || y + 4 >= height;
        assert!(
            !is_border || pixel.0 == [255; 3],
            "ink at ({x}, {y}) of {width} x {height}"
        );
    }
}

#[test]
fn figures_fit_on_their_canvas() {
    let long = "multiple system atrophy, cerebellar type";
    for num_classes in 2..=12_usize {
        for name in ["a", "relapse", long] {
            let classes = vec![name.to_owned(); num_classes];
            for count in [7, 12_345_678_901] {
                let counts = vec![vec![count; num_classes]; num_classes];
                assert_nothing_is_clipped(
                    &confusion_matrix(&classes, &counts, "Confusion of the test set, all folds").unwrap(),
                );
            }
        }
    }
    let series: Vec<_> = (0..40)
        .map(|index| (format!("{long} {index}"), vec![(0.0, -1e9), (1e7, f64::from(index))]))
        .collect();
    assert_nothing_is_clipped(&curves(&series, "step", "loss", long).unwrap());
    assert_nothing_is_clipped(&curves(&[], "step", "loss", "").unwrap());
    let row = |mean: f64| IntervalRow {
        group: long.to_owned(),
        name: long.to_owned(),
        mean,
        low: mean - 1.0,
        high: mean + 1.0,
    };
    assert_nothing_is_clipped(&intervals(&[row(-123_456.0), row(f64::NAN), row(5.0)], 0.0, "AUC", long).unwrap());
    let spectrogram = Spectrogram {
        values: &[1e-6, 2e-6],
        num_bins: 1,
        num_frames: 2,
        duration_secs: 3600.0,
        nyquist_hz: 22_050.0,
        value_label: "power spectral density [V^2/Hz]",
        title: long,
    };
    assert_nothing_is_clipped(&spectrogram.draw().unwrap());
}

#[test]
fn a_spectrogram_has_low_frequencies_below_and_time_to_the_right() {
    // Two bins, two frames: only the low bin of the second frame is loud; the high bin of the first is unknown.
    let spectrogram = Spectrogram {
        values: &[0.0, 1.0, f32::NAN, 0.0],
        num_bins: 2,
        num_frames: 2,
        duration_secs: 1.0,
        nyquist_hz: 50.0,
        value_label: "power",
        title: "",
    };
    let image = decode(&spectrogram.draw().unwrap());
    let count = |color: [u8; 3], left: u32, top: u32| {
        let pixels = image
            .enumerate_pixels()
            .filter(|(x, y, pixel)| (*x < 410) == (left == 0) && (*y < 186) == (top == 0) && pixel.0 == color);
        pixels.count()
    };
    // A quarter of the plot is 360 x 170 pixels; the right half holds the colour scale too.
    assert_eq!(count([253, 231, 37], 0, 0) + count([253, 231, 37], 0, 1), 0);
    assert!(count([253, 231, 37], 1, 1) >= 360 * 170);
    assert_eq!(count([68, 1, 84], 0, 1), 360 * 170);
    assert!(count([226, 226, 226], 0, 0) >= 360 * 170);
}

#[test]
fn a_curve_is_interrupted_where_it_is_not_finite() {
    let line = |middle: f64| {
        vec![(
            "a".to_owned(),
            vec![(0.0, 0.0), (1.0, 0.0), (2.0, middle), (3.0, 0.0), (4.0, 0.0)],
        )]
    };
    let blue = |series: &[(String, Vec<(f64, f64)>)]| {
        let image = decode(&curves(series, "", "", "").unwrap());
        let columns: std::collections::BTreeSet<u32> = image
            .enumerate_pixels()
            .filter(|(_, _, pixel)| pixel.0[2].saturating_sub(pixel.0[0]) > 50)
            .map(|(x, _, _)| x)
            .collect();
        columns.len()
    };
    // 600 pixels are four units: a NaN takes two of them away.
    let (whole, broken) = (blue(&line(0.0)), blue(&line(f64::NAN)));
    assert!((whole - broken).abs_diff(300) <= 3, "{whole} {broken}");
}

#[test]
fn figures_of_nonsense_are_refused() {
    let classes = ["a".to_owned(), "b".to_owned()];
    assert_eq!(
        confusion_matrix(&classes, &[vec![1, 2]], "m").unwrap_err().to_string(),
        "confusion matrix \"m\" has 2 classes and 1 rows of counts\nhint: give one row and one column per class, for 1 to 40 classes"
    );
    let row = IntervalRow {
        group: String::new(),
        name: "cnn".to_owned(),
        mean: 2.0,
        low: 0.0,
        high: 1.0,
    };
    assert_eq!(
        intervals(&[row], 0.0, "", "").unwrap_err().to_string(),
        "row \"cnn\" has mean 2 outside its interval [0, 1]\nhint: give low <= mean <= high; a NaN for what is unknown"
    );
    let empty = Spectrogram {
        values: &[],
        num_bins: 0,
        num_frames: 4,
        duration_secs: 1.0,
        nyquist_hz: 1.0,
        value_label: "",
        title: "s",
    };
    assert_eq!(
        empty.draw().unwrap_err().to_string(),
        "spectrogram \"s\" has 0 values for 0 bins x 4 frames, 1 s, 1 Hz\n\
         hint: give bins x frames values, at least one, and a positive duration and frequency"
    );
}

#[test]
fn figures_are_the_same_bytes_every_time() {
    let series = [("a".to_owned(), vec![(0.0, 1.0), (1.0, 0.5), (2.0, 0.7)])];
    assert_eq!(
        curves(&series, "x", "y", "t").unwrap(),
        curves(&series, "x", "y", "t").unwrap()
    );
}
