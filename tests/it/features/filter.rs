//! Filters against SciPy (`golden/filter.json`) and against laws that need no reference.

use recoup::base::Problem;
use recoup::signal::filter::{FilterConfig, Passband, Sos};
use serde::Deserialize;

use super::{difference, noise};

#[derive(Deserialize)]
struct Golden {
    noise: Vec<f64>,
    designs: Vec<Design>,
    runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Design {
    config: FilterConfig,
    rate_hz: f64,
    sos: Vec<[f64; 6]>,
}

#[derive(Deserialize)]
struct Run {
    config: FilterConfig,
    rate_hz: f64,
    length: usize,
    zero: Vec<f64>,
    causal: Option<Vec<f64>>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../../golden/filter.json")).unwrap()
}

fn config(text: &str) -> FilterConfig {
    toml::from_str(text).unwrap()
}

#[test]
fn sections_are_those_of_scipy() {
    let designs = golden().designs;
    assert_eq!(designs.len(), 178);
    for Design { config, rate_hz, sos } in designs {
        let filter = config.design(rate_hz).unwrap();
        assert_eq!(filter.sos.sections.len(), sos.len(), "{config:?}");
        for (ours, theirs) in filter.sos.sections.iter().zip(&sos) {
            let scale = theirs[..3].iter().fold(0.0, |a: f64, b| a.max(b.abs()));
            assert!(
                difference(&ours[..3], &theirs[..3]) <= 1e-12 * scale,
                "{config:?}: {ours:?} {theirs:?}"
            );
            assert!(
                difference(&ours[3..], &theirs[3..]) <= 1e-12,
                "{config:?}: {ours:?} {theirs:?}"
            );
        }
    }
}

#[test]
fn filtered_noise_is_that_of_scipy() {
    let Golden { noise, runs, .. } = golden();
    assert_eq!(runs.len(), 18);
    for Run {
        config,
        rate_hz,
        length,
        zero,
        causal,
    } in runs
    {
        let sos = config.design(rate_hz).unwrap().sos;
        let signal = &noise[..length];
        let mut ours = signal.to_vec();
        assert!(sos.zero_phase(&mut ours));
        assert!(
            difference(&ours, &zero) < 1e-10,
            "{config:?}: {:e}",
            difference(&ours, &zero)
        );
        if let Some(theirs) = causal {
            let mut ours = signal.to_vec();
            sos.causal(&mut ours);
            let worst = difference(&ours, &theirs);
            assert!(worst < 1e-10, "{config:?}: {worst:e}");
        }
    }
}

#[test]
fn a_signal_as_short_as_the_padding_is_not_filtered() {
    let filter = config("kind = \"butterworth\"\nband = \"low\"\nhigh_hz = 6.0\norder = 4")
        .design(100.0)
        .unwrap();
    assert_eq!(filter.sos.pad_len(), 15);
    let mut short = noise(15);
    let before = short.clone();
    assert!(!filter.sos.zero_phase(&mut short));
    assert_eq!(short, before);
    filter.apply(&mut short);
    assert!(short.iter().all(|x| x.is_nan()));
    filter.apply(&mut []);
    let mut one_more = noise(16);
    filter.apply(&mut one_more);
    assert!(one_more.iter().all(|x| x.is_finite()));
}

#[test]
fn gain_is_minus_3_db_at_the_cut_offs_and_1_in_the_band() {
    let half = 0.5f64.sqrt();
    for order in 1..=12 {
        for rate_hz in [250.0, 1000.0] {
            let gain = |passband, hz| Sos::butterworth(order, passband, rate_hz).response(hz, rate_hz).norm();
            let nyquist = rate_hz / 2.0;
            let (low, high) = (20.0, 100.0);
            for (passband, cuts, pass, stop) in [
                (Passband::Low(high), [high, high], 0.0, nyquist),
                (Passband::High(low), [low, low], nyquist, 0.0),
                (Passband::BandPass(low, high), [low, high], f64::NAN, 0.0),
                (Passband::BandStop(low, high), [low, high], 0.0, f64::NAN),
            ] {
                for cut in cuts {
                    assert!((gain(passband, cut) - half).abs() < 1e-9, "{order} {passband:?}");
                }
                assert!(
                    pass.is_nan() || (gain(passband, pass) - 1.0).abs() < 1e-9,
                    "{order} {passband:?}"
                );
                assert!(stop.is_nan() || gain(passband, stop) < 1e-9, "{order} {passband:?}");
            }
            assert!(Sos::butterworth(order, Passband::BandPass(low, high), rate_hz).pole_radius() < 1.0);
        }
    }
}

#[test]
fn a_notch_takes_out_its_frequency_and_no_more() {
    let filter = config("kind = \"notch\"\nfrequency_hz = 50.0\nharmonics = 4")
        .design(1000.0)
        .unwrap();
    for multiple in 1..=4 {
        let centre = 50.0 * f64::from(multiple);
        assert!(filter.sos.response(centre, 1000.0).norm() < 1e-12);
        // The widest of them, 200 / 30 Hz, has 0.991 at 25 Hz from its centre.
        assert!(filter.sos.response(centre + 25.0, 1000.0).norm() > 0.98);
    }
    let single = Sos::notch(50.0, 30.0, 1000.0);
    // The edges at -3 dB lie 50 / 30 Hz apart after the tangent's warp, which is exact for the pole's angle.
    let edge = |sign: f64| {
        (1..2000)
            .map(|k| 50.0 + sign * f64::from(k) * 0.001)
            .find(|&hz| single.response(hz, 1000.0).norm() > 0.5f64.sqrt())
    };
    let width = edge(1.0).unwrap() - edge(-1.0).unwrap();
    assert!((width - 50.0 / 30.0).abs() < 0.003, "{width}");
    let mut tone: Vec<f64> = (0..20_000)
        .map(|k| (f64::from(k) * std::f64::consts::TAU * 0.05).sin())
        .collect();
    filter.apply(&mut tone);
    assert!(tone[9000..11_000].iter().all(|x| x.abs() < 1e-9));
}

#[test]
fn zero_phase_has_a_symmetric_impulse_response() {
    for (passband, len) in [(Passband::BandPass(20.0, 100.0), 4001), (Passband::Low(6.0), 8001)] {
        let sos = Sos::butterworth(4, passband, 1000.0);
        let mut impulse = vec![0.0; len];
        impulse[len / 2] = 1.0;
        assert!(sos.zero_phase(&mut impulse));
        let mirrored: Vec<f64> = impulse.iter().rev().copied().collect();
        assert!(difference(&impulse, &mirrored) < 1e-12);
        assert!(impulse.iter().all(|x| *x <= impulse[len / 2]));
    }
}

#[test]
fn a_causal_filter_starts_where_a_constant_has_settled() {
    let mut constant = vec![2.5; 300];
    Sos::butterworth(4, Passband::Low(6.0), 1000.0).causal(&mut constant);
    assert!(constant.iter().all(|x| (x - 2.5).abs() < 1e-9));
}

#[test]
fn a_slow_high_pass_takes_out_all_of_an_offset() {
    for order in [1, 2, 4, 8] {
        let mut offset = vec![5.0; 5000];
        assert!(Sos::butterworth(order, Passband::High(0.05), 1000.0).zero_phase(&mut offset));
        // 1e-9 with the initial state that SciPy solves for.
        assert!(offset.iter().all(|x| x.abs() < 1e-12), "{order}");
    }
}

#[test]
fn channels_together_give_the_bits_of_each_alone() {
    for phase in ["zero", "causal"] {
        let text = format!(
            "kind = \"butterworth\"\nband = \"band-pass\"\nlow_hz = 20.0\nhigh_hz = 90.0\norder = 3\nphase = \"{phase}\""
        );
        let filter = config(&text).design(250.0).unwrap();
        for num_channels in 1..=9 {
            let mut channels: Vec<Vec<f64>> = (0..num_channels).map(|c| noise(700 + c)[c..].to_vec()).collect();
            if num_channels == 6 {
                channels[1][300] = f64::NAN;
            }
            let mut alone = channels.clone();
            alone.iter_mut().for_each(|channel| filter.apply(channel));
            filter.apply_channels(&mut channels.iter_mut().map(Vec::as_mut_slice).collect::<Vec<_>>());
            let bits = |x: &[Vec<f64>]| x.iter().flatten().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&channels), bits(&alone), "{num_channels}");
        }
    }
}

#[test]
fn each_finite_stretch_is_filtered_alone() {
    let filter = config("kind = \"butterworth\"\nband = \"low\"\nhigh_hz = 6.0\norder = 4")
        .design(100.0)
        .unwrap();
    let signal = noise(400);
    let mut gaps = signal.clone();
    gaps[..3].fill(f64::NAN);
    gaps[100..110].fill(f64::INFINITY);
    gaps[120] = f64::NAN; // 10 samples before it: too few
    gaps[399] = f64::NAN;
    filter.apply(&mut gaps);
    let mut first = signal[3..100].to_vec();
    let mut second = signal[121..399].to_vec();
    filter.apply(&mut first);
    filter.apply(&mut second);
    assert_eq!(gaps[3..100], first);
    assert_eq!(gaps[121..399], second);
    assert!(
        gaps[110..121]
            .iter()
            .chain(&gaps[..3])
            .chain(&gaps[399..])
            .all(|x| x.is_nan())
    );
    assert!(gaps[100..110].iter().all(|x| !x.is_finite()));
}

#[test]
fn a_block_is_that_of_the_whole_recording() {
    let filters = [
        "kind = \"butterworth\"\nband = \"band-pass\"\nlow_hz = 20.0\nhigh_hz = 450.0\norder = 4",
        "kind = \"butterworth\"\nband = \"high\"\nlow_hz = 0.5\norder = 8",
        "kind = \"butterworth\"\nband = \"band-stop\"\nlow_hz = 48.0\nhigh_hz = 52.0\norder = 6",
        "kind = \"butterworth\"\nband = \"low\"\nhigh_hz = 6.0\norder = 2\nphase = \"causal\"",
        "kind = \"notch\"\nfrequency_hz = 50.0\nquality = 50.0\nharmonics = 5",
    ];
    // A drift, as electrodes have it, and gaps.
    let mut recording: Vec<f64> = noise(120_000)
        .iter()
        .enumerate()
        .map(|(k, x)| x + k as f64 * 1e-4)
        .collect();
    recording[50_000..50_007].fill(f64::NAN);
    recording[50_020] = f64::NAN;
    for text in filters {
        let filter = config(text).design(1000.0).unwrap();
        let mut whole = recording.clone();
        filter.apply(&mut whole);
        for block in [
            0..1000,
            500..3000,
            49_000..51_000,
            50_005..50_030,
            60_000..60_001,
            119_000..120_000,
            119_999..120_000,
            7..7,
        ] {
            let reach = filter.reach(block.clone(), recording.len());
            let mut values = recording[reach.clone()].to_vec();
            filter.apply(&mut values);
            let values = &values[block.start - reach.start..block.end - reach.start];
            let worst = difference(values, &whole[block.clone()]);
            assert!(worst < 1e-10, "{text} {block:?}: {worst:e}");
            let margin = filter.sos.settling_samples() + filter.sos.pad_len() + 1;
            assert!(reach.len() <= block.len() + 2 * margin, "{reach:?} for {block:?}");
        }
    }
}

#[test]
fn settling_is_what_an_impulse_takes() {
    for (order, passband) in [
        (1, Passband::High(0.5)),
        (4, Passband::BandPass(20.0, 450.0)),
        (8, Passband::BandStop(48.0, 52.0)),
        (8, Passband::Low(6.0)),
        (12, Passband::BandPass(5.0, 6.0)),
    ] {
        let sos = Sos::butterworth(order, passband, 1000.0);
        let settling = sos.settling_samples();
        // The sample before the impulse, which the filter begins with, is silent.
        let mut samples = vec![0.0; 2 * settling + 1];
        samples[1] = 1.0;
        sos.causal(&mut samples);
        let impulse = &samples[1..];
        let largest = |x: &[f64]| x.iter().fold(0.0, |a: f64, b| a.max(b.abs()));
        assert!(
            largest(&impulse[settling..]) <= 1e-12,
            "{passband:?}: {:e}",
            largest(&impulse[settling..])
        );
        assert!(
            largest(&impulse[settling / 3..]) > 1e-12,
            "{passband:?}: {settling} samples are too many"
        );
    }
}

#[test]
fn problems_name_the_key_and_the_value() {
    let problems = |text: &str| -> String {
        let lines = config(text)
            .problems(250.0)
            .into_iter()
            .map(|problem| format!("{} {}\n", problem.key, problem.message));
        lines.collect()
    };
    let butterworth = "kind = \"butterworth\"\norder = 4\n";
    for (text, wanted) in [
        (
            format!("{butterworth}band = \"band-pass\"\nlow_hz = 20.0\nhigh_hz = 450.0"),
            "high_hz must lie above 0 and below half the sampling rate, 125 Hz, but it is 450 Hz\n",
        ),
        (
            format!("{butterworth}band = \"band-pass\"\nlow_hz = 20.0"),
            "high_hz is missing: this band has such a cut-off\n",
        ),
        (
            format!("{butterworth}band = \"low\"\nlow_hz = 20.0"),
            "low_hz must not stand here: `low` ends at high_hz, `high` begins at low_hz\nhigh_hz is missing: this band has such a cut-off\n",
        ),
        (
            format!("{butterworth}band = \"band-stop\"\nlow_hz = 60.0\nhigh_hz = 40.0"),
            "low_hz must be less than high_hz, but is 60 and 40 Hz\n",
        ),
        (
            "kind = \"butterworth\"\nband = \"high\"\nlow_hz = nan\norder = 0".into(),
            "low_hz must lie above 0 and below half the sampling rate, 125 Hz, but it is NaN Hz\norder must be 1 to 12, but is 0\n",
        ),
        (
            "kind = \"notch\"\nfrequency_hz = 50.0\nharmonics = 3\nquality = -1.0".into(),
            "harmonics must lie above 0 and below half the sampling rate, 125 Hz, but the multiple 3 of 50 Hz is 150 Hz\nquality must be above 0, but is -1\n",
        ),
    ] {
        assert_eq!(problems(&text), wanted);
        assert!(config(&text).design(250.0).is_err());
    }
    let fine = format!("{butterworth}band = \"band-pass\"\nlow_hz = 20.0\nhigh_hz = 90.0");
    assert!(problems(&fine).is_empty());
    let read = config(&fine);
    assert_eq!(
        toml::from_str::<FilterConfig>(&toml::to_string(&read).unwrap()).unwrap(),
        read
    );
    assert!(
        toml::from_str::<FilterConfig>(&format!("{fine}\nquality = 3")).is_err(),
        "a key of the other kind"
    );
}

/// The diagnostic band of an electrocardiogram needs more than the 250 Hz that the paper allows.
#[test]
fn a_band_up_to_150_hz_is_refused_at_250_hz() {
    let text = "kind = \"butterworth\"\nband = \"band-pass\"\nlow_hz = 0.05\nhigh_hz = 150.0";
    let filter: FilterConfig = toml::from_str(text).unwrap();
    let problems = filter.problems(250.0);
    let [Problem { key, message }] = &problems[..] else {
        panic!("{problems:?}")
    };
    assert_eq!(key, "high_hz");
    assert!(message.contains("125") && message.contains("150"), "{message}");
    assert!(filter.problems(500.0).is_empty());
}
