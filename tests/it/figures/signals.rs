//! Traces, marks and spectrograms.

use super::*;

/// The rows of the only trace: title and no marks above it.
const TRACE: std::ops::Range<u32> = 40..262;

#[test]
fn a_spike_of_one_sample_among_a_million_is_as_high_as_the_plot() {
    let mut values = vec![0.0; 1_000_000];
    values[700_000] = 1.0;
    values[200_000] = -0.5;
    let image = draw(
        &signals(vec![signal("a", "mV", 1000.0, values)]),
        &RenderOptions::default(),
    );
    let columns = columns(&image, FIRST_COLOR, TRACE);
    let (first, last) = (columns[0].0, columns.last().unwrap().0);
    assert_eq!(columns.len() as u32, last - first + 1, "a column without ink");
    let spikes: Vec<_> = columns.iter().filter(|(_, top, bottom)| bottom - top > 20).collect();
    assert_eq!(spikes.len(), 2, "each spike in its column: {spikes:?}");
    let x_of = |share: f64| f64::from(first) + share * f64::from(last - first + 1);
    for (spike, (share, up)) in spikes.iter().zip([(0.2, false), (0.7, true)]) {
        assert!((f64::from(spike.0) - x_of(share)).abs() <= 1.0, "{spike:?} at {share}");
        let base = columns[5].1;
        assert_eq!(spike.1 < base - 20, up);
        assert_eq!(spike.2 > base + 20, !up);
    }
    // Room of 6 % above and below: the whole range is 1.12 of the plot's 220 pixels.
    let (highest, lowest) = (spikes[1].1, spikes[0].2);
    assert!(
        (f64::from(lowest - highest) - 220.0 / 1.12).abs() < 3.0,
        "{highest} to {lowest}"
    );
}

#[test]
fn gaps_stay_blank_however_dense_the_samples() {
    for num_samples in [120, 100_000] {
        let wave = |index: usize| (index as f32 * 40.0 / num_samples as f32).sin();
        let mut values: Vec<f32> = (0..num_samples).map(wave).collect();
        values[num_samples / 2..num_samples * 3 / 4].fill(f32::NAN);
        values[num_samples / 8] = f32::INFINITY;
        let image = draw(
            &signals(vec![signal("a", "1", 10.0, values)]),
            &RenderOptions::default(),
        );
        let inked = columns(&image, FIRST_COLOR, TRACE);
        let (first, last) = (inked[0].0, inked.last().unwrap().0);
        let share = |x: u32| f64::from(x - first) / f64::from(last - first);
        let num_in_gap = inked
            .iter()
            .filter(|(x, ..)| (0.515..0.735).contains(&share(*x)))
            .count();
        assert_eq!(num_in_gap, 0, "{num_samples} samples");
        assert!(inked.iter().any(|(x, ..)| (0.74..0.78).contains(&share(*x))));
        assert!(inked.iter().any(|(x, ..)| (0.47..0.51).contains(&share(*x))));
    }
}

/// The row of the largest value in the spectrogram: yellow is the top of the scale.
fn brightest_row(image: &RgbImage, plot: std::ops::Range<u32>) -> u32 {
    let brightness = |y: u32| (200..700).map(|x| u64::from(image.get_pixel(x, y).0[1])).sum::<u64>();
    plot.max_by_key(|&y| brightness(y)).unwrap()
}

#[test]
fn a_tone_shows_at_its_frequency() {
    // 260 rows from 0 Hz, below, to 200 Hz.
    let plot = 40 + 220 + 7 + 44 + 22 + 22..40 + 220 + 7 + 44 + 22 + 22 + 260;
    for hz in [20.0, 50.0, 100.0, 170.0] {
        let tone = |index: usize| (std::f64::consts::TAU * hz * index as f64 / 400.0).sin() as f32;
        let image = draw(
            &signals(vec![signal("a", "V", 400.0, (0..20_000).map(tone).collect())]),
            &RenderOptions::default(),
        );
        let row = f64::from(brightest_row(&image, plot.clone()) - plot.start);
        let expected = 260.0 * (1.0 - hz / 200.0);
        assert!(
            (row - expected).abs() <= 2.0,
            "{hz} Hz at row {row}, expected {expected}"
        );
    }
}

#[test]
fn a_tone_that_begins_late_begins_late_in_the_spectrogram() {
    let tone = |index: usize| {
        let noise = ((index * 7919) % 1000) as f32 * 1e-6;
        noise
            + if index < 30_000 {
                0.0
            } else {
                (std::f64::consts::TAU * 50.0 * index as f64 / 400.0).sin() as f32
            }
    };
    let image = draw(
        &signals(vec![signal("a", "V", 400.0, (0..60_000).map(tone).collect())]),
        &RenderOptions::default(),
    );
    let row = 355 + 195;
    let is_bright = |x: &u32| image.get_pixel(*x, row).0[1] > 200 && image.get_pixel(*x, row).0 != WHITE;
    let bright: Vec<u32> = (60..890)
        .filter(is_bright)
        .filter(|x| image.get_pixel(*x, row).0[2] < 100)
        .collect();
    let trace = columns(&image, FIRST_COLOR, TRACE);
    let middle = (trace[0].0 + trace.last().unwrap().0) / 2;
    assert!(
        bright.first().unwrap().abs_diff(middle) <= 4,
        "{:?}, the middle is {middle}",
        bright.first()
    );
}

#[test]
fn marks_lie_at_their_times_and_labels_do_not_touch() {
    let mut contents = signals(vec![signal("a", "mV", 100.0, vec![0.0; 10_000])]);
    contents.annotations = vec![
        mark(25.0, None, "V"),
        mark(50.0, Some(10.0), "a rather long label of an event"),
    ];
    let image = draw(&contents, &RenderOptions::default());
    let marks: Vec<u32> = columns(&image, [213, 94, 0], 69..73)
        .iter()
        .map(|found| found.0)
        .collect();
    let trace = columns(&image, FIRST_COLOR, 80..302);
    let (first, last) = (f64::from(trace[0].0), f64::from(trace.last().unwrap().0));
    let expected = [0.25, 0.5].map(|share| first + share * (last - first));
    assert_eq!(marks.len(), 2);
    for (mark, expected) in marks.iter().zip(expected) {
        assert!(
            (f64::from(*mark) - expected).abs() <= 1.5,
            "{mark}, expected {expected}"
        );
    }
    // Ten thousand marks: the frequent kind has no labels, the rare one keeps its own.
    contents.annotations = (0..10_000).map(|index| mark(index as f64 / 100.0, None, "N")).collect();
    let without = draw(&contents, &RenderOptions::default());
    contents.annotations[5_000].text = "V".into();
    let with = draw(&contents, &RenderOptions::default());
    let ink = |image: &RgbImage| columns(image, [213, 94, 0], 40..66).len();
    assert_eq!(ink(&without), 0);
    assert!((3..9).contains(&ink(&with)), "{} columns of one letter", ink(&with));
}

#[test]
fn the_stretch_that_was_asked_for_is_drawn() {
    let mut values = vec![0.0; 100_000];
    values[30_500] = 1.0;
    let contents = signals(vec![
        signal("a", "mV", 1000.0, values),
        signal("b", "mV", 1000.0, vec![0.0; 100_000]),
    ]);
    let options = RenderOptions {
        channel: Some("a".into()),
        start_secs: 30.0,
        duration_secs: Some(1.0),
        ..RenderOptions::default()
    };
    let image = draw(&contents, &options);
    let trace = columns(&image, FIRST_COLOR, TRACE);
    let (peak, ..) = trace.iter().min_by_key(|found| found.1).unwrap();
    let middle = (trace[0].0 + trace.last().unwrap().0) / 2;
    assert!(peak.abs_diff(middle) <= 2, "{peak}, the middle is {middle}");
    let wrong = |options: RenderOptions| render(&contents, &options).unwrap_err().to_string();
    assert_eq!(
        wrong(RenderOptions {
            channel: Some("c".into()),
            ..options.clone()
        }),
        "no channel `c`: there is a, b\nhint: give one of these names"
    );
    assert_eq!(
        wrong(RenderOptions {
            start_secs: 100.0,
            ..options.clone()
        }),
        "a stretch from 100 s of a recording of 100 s\nhint: begin earlier"
    );
    assert!(
        wrong(RenderOptions {
            duration_secs: Some(-1.0),
            ..options.clone()
        })
        .contains("positive duration")
    );
    assert!(
        wrong(RenderOptions {
            width: 10_000,
            ..options
        })
        .contains("480 to 4000")
    );
}
