//! Time stamps: dates and times of day, stamps that rows share, clocks that change.

use recoup::signal::stamps::{Clock, is_clock_change, shared_stamps_rate};

fn secs(stamps: &[&str]) -> Vec<Option<f64>> {
    let mut clock = Clock::default();
    stamps.iter().map(|stamp| clock.secs(stamp)).collect()
}

#[test]
fn dates_and_times_become_seconds_since_the_first() {
    assert_eq!(
        secs(&[
            "2021-03-04T10:00:00.250",
            "2021-03-04 10:00:01.5",
            "2021-03-05T10:00:00Z",
            "2021/03/04 10:00"
        ]),
        [Some(0.0), Some(1.25), Some(86_399.75), Some(-0.25)]
    );
    assert_eq!(
        secs(&[
            "2021-03-04T10:00:00+01:00",
            "2021-03-04T10:00:00Z",
            "2021-03-04T10:00:00-0530",
            "2021-03-04T10:00:00+01"
        ]),
        [Some(0.0), Some(3600.0), Some(6.5 * 3600.0), Some(0.0)]
    );
    assert_eq!(
        secs(&["28.02.2021 23:59:59", "01.03.2021 00:00:01,5"]),
        [Some(0.0), Some(2.5)]
    );
    assert_eq!(
        secs(&["11:59:59.5 AM", "12:00:00 PM", "1:00:00 pm", "11:00 PM"]),
        [Some(0.0), Some(0.5), Some(3600.5), Some(39_600.5)]
    );
    assert_eq!(secs(&["12:00 AM", "00:30"]), [Some(0.0), Some(1800.0)]);
    // Past midnight, twice.
    assert_eq!(
        secs(&["23:59:59.999", "00:00:00.001", "23:00:00", "00:00:00.001"]).last(),
        Some(&Some(86_400.002))
    );
    // Microseconds do not get lost in seconds since 1970.
    assert_eq!(
        secs(&["2021-03-04T10:00:00.000001", "2021-03-04T10:00:00.000003"])[1],
        Some(2e-6)
    );
}

#[test]
fn other_texts_are_no_stamps() {
    for text in [
        "",
        "7",
        "0.5",
        "10",
        "25:00",
        "10:60",
        "13:00 PM",
        "0:30 am",
        "2021-13-01 10:00",
        "2021-03-04",
        "03/04/2021 10:00",
        "10:00:00.5x",
        "a:b",
        "2021-03-04T10:00:00+1",
    ] {
        assert_eq!(secs(&[text]), [None], "{text}");
    }
    // A date among times.
    assert_eq!(secs(&["10:00", "2021-03-04 10:01"]), [Some(0.0), None]);
}

#[test]
fn rows_that_share_stamps_are_spread_evenly() {
    let stamped = |rate_hz: f64, resolution: f64, offset: f64, num_rows: usize| -> Vec<f64> {
        let times = (0..num_rows).map(|row| ((row as f64 / rate_hz + offset) / resolution + 1e-9).floor() * resolution);
        times.collect()
    };
    for (rate_hz, resolution, offset) in [
        (100.0, 1.0, 0.0),
        (100.0, 1.0, 0.37),
        (2000.0, 1e-3, 0.0),
        (128.0, 1.0, 0.5),
        (25.6, 1.0, 0.1),
    ] {
        let times = stamped(rate_hz, resolution, offset, 3000);
        let found = shared_stamps_rate(&times, None).unwrap().unwrap();
        // By at most one row over the recording.
        assert!((found - rate_hz).abs() <= rate_hz / 2900.0, "{found} for {rate_hz}");
        assert_eq!(shared_stamps_rate(&times, Some(rate_hz)), Ok(Some(rate_hz)));
        if rate_hz.fract() == 0.0 {
            assert_eq!(found, rate_hz);
        }
        // Ten rows are lost.
        let mut lost = times.clone();
        lost.drain(1500..1510);
        assert!(
            shared_stamps_rate(&lost, Some(rate_hz)).is_err_and(|row| (1500..1900).contains(&row)),
            "{rate_hz}"
        );
        assert!(shared_stamps_rate(&times, Some(rate_hz * 1.01)).is_err());
    }
    assert_eq!(shared_stamps_rate(&[0.0, 0.5, 1.0], None), Ok(None));
    assert_eq!(shared_stamps_rate(&[0.0, 0.0, 1.0], None), Ok(None));
}

#[test]
fn an_hour_is_a_change_of_the_clock() {
    for (step, is_change) in [
        (3600.01, true),
        (-3599.99, true),
        (3600.0, true),
        (3500.0, false),
        (0.01, false),
        (7200.0, false),
    ] {
        assert_eq!(is_clock_change(step), is_change, "{step}");
    }
}
