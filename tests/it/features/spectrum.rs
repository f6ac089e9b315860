//! Spectra against SciPy (`golden/spectrum.json`), and against laws that need no reference.

use std::collections::BTreeMap;
use std::f64::consts::TAU;

use recoup::features::signals::Scratch;
use recoup::features::signals::spectrum::{
    Detrend, Edges, Frames, Integration, Scaling, Spectrum, StftConfig, Taper, Welch, WelchConfig,
};
use serde::Deserialize;

use super::{difference, features, noise, refused, units};

#[derive(Deserialize)]
struct Golden {
    rate_hz: f64,
    noise: Vec<f64>,
    welch: Vec<WelchCase>,
    transforms: Vec<TransformCase>,
    bands: BTreeMap<Integration, BTreeMap<String, f64>>,
    features: Vec<f64>,
    stft_features: Vec<f64>,
    amplitude: Vec<AmplitudeCase>,
}

#[derive(Deserialize)]
struct WelchCase {
    taper: Taper,
    detrend: Detrend,
    scaling: Scaling,
    segment: usize,
    overlap: usize,
    power: Vec<f64>,
}

#[derive(Deserialize)]
struct TransformCase {
    taper: Taper,
    len: usize,
    hop: usize,
    samples: usize,
    edges: Edges,
    frames: Vec<Vec<[f64; 2]>>,
}

#[derive(Deserialize)]
struct AmplitudeCase {
    taper: Taper,
    samples: usize,
    amplitude: Vec<f64>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../../golden/spectrum.json")).unwrap()
}

fn tone(hz: f64, rate_hz: f64, len: usize) -> Vec<f64> {
    (0..len).map(|n| (TAU * hz * n as f64 / rate_hz).sin()).collect()
}

#[test]
fn welch_is_that_of_scipy() {
    let Golden {
        rate_hz, noise, welch, ..
    } = golden();
    assert_eq!(welch.len(), 52);
    let mut scratch = Scratch::default();
    for WelchCase {
        taper,
        detrend,
        scaling,
        segment,
        overlap,
        power,
    } in welch
    {
        let welch = Welch {
            segment,
            overlap,
            taper,
            detrend,
            scaling,
        };
        let ours = welch.estimate(&noise, rate_hz, &mut scratch);
        assert_eq!(ours.step_hz, rate_hz / segment as f64);
        let worst = difference(&ours.power, &power);
        assert!(
            worst < 1e-12 * power.iter().fold(1.0, |a: f64, b| a.max(*b)),
            "{welch:?}: {worst:e}"
        );
    }
    // A segment longer than the signal is the signal.
    let (long, whole) = (Welch::new(10_000), Welch::new(600));
    assert_eq!(
        long.estimate(&noise, rate_hz, &mut scratch),
        whole.estimate(&noise, rate_hz, &mut scratch)
    );
    assert!(long.estimate(&[], rate_hz, &mut scratch).power.is_empty());
}

#[test]
fn short_time_transforms_are_those_of_scipy() {
    let Golden { noise, transforms, .. } = golden();
    assert_eq!(transforms.len(), 12);
    let mut scratch = Scratch::default();
    for TransformCase {
        taper,
        len,
        hop,
        samples,
        edges,
        frames: wanted,
    } in transforms
    {
        let frames = Frames {
            len,
            hop,
            taper,
            detrend: Detrend::None,
            edges,
        };
        let mut ours = Vec::new();
        frames.transform(&noise[..samples], &mut scratch, |transform| {
            ours.push(transform.iter().flat_map(|x| [x.re, x.im]).collect::<Vec<f64>>());
        });
        assert_eq!(ours.len(), wanted.len(), "{frames:?}");
        for (ours, wanted) in ours.iter().zip(&wanted) {
            assert!(difference(ours, wanted.as_flattened()) < 1e-12 * 100.0, "{frames:?}");
        }
    }
}

#[test]
fn band_powers_are_those_of_scipy() {
    let Golden {
        rate_hz, noise, bands, ..
    } = golden();
    let spectrum = Welch::new(250).estimate(&noise, rate_hz, &mut Scratch::default());
    let edges: BTreeMap<_, _> = [
        ("alpha", [8.0, 13.0]),
        ("beta", [13.0, 30.0]),
        ("delta", [1.0, 4.0]),
        ("even", [3.0, 10.0]),
        ("two", [3.0, 4.0]),
        ("all", [0.0, 125.0]),
    ]
    .into();
    assert_eq!(bands.len(), 2);
    for (rule, powers) in bands {
        assert_eq!(powers.len(), edges.len());
        for (name, power) in powers {
            assert!(
                (spectrum.band_power(edges[name.as_str()], rule) - power).abs() < 1e-12,
                "{rule:?} {name}"
            );
        }
    }
}

#[test]
fn features_are_those_of_numpy() {
    let Golden {
        rate_hz,
        noise,
        features: wanted,
        stft_features,
        ..
    } = golden();
    let welch: WelchConfig =
        toml::from_str("segment_secs = 1.0\nbands = { delta = [1, 4], alpha = [8, 13], beta = [13, 30] }").unwrap();
    let ours: Vec<f64> = features(&welch, &noise, rate_hz)
        .into_iter()
        .map(|(_, value)| value)
        .collect();
    assert!(difference(&ours, &wanted) < 1e-10, "{ours:?} {wanted:?}");
    let stft: StftConfig = toml::from_str("frame_secs = 0.2\nbands = { low = [5, 15], muscle = [20, 60] }").unwrap();
    let ours: Vec<f64> = features(&stft, &noise, rate_hz)
        .into_iter()
        .map(|(_, value)| value)
        .collect();
    assert!(difference(&ours, &stft_features) < 1e-10, "{ours:?} {stft_features:?}");
    assert_eq!(
        units(&welch)[..2],
        ["a.alpha.power [mV^2]", "a.alpha.relative_power [1]"]
    );
    assert_eq!(units(&welch)[6], "a.dominant_frequency [Hz]");
    assert_eq!(
        units(&stft)[..3],
        [
            "a.low.log_power_mean [dB]",
            "a.low.log_power_sd [dB]",
            "a.low.log_power_slope [dB/s]"
        ]
    );
}

#[test]
fn amplitudes_are_those_of_numpy() {
    let Golden {
        rate_hz,
        noise,
        amplitude,
        ..
    } = golden();
    assert_eq!(amplitude.len(), 8);
    for AmplitudeCase {
        taper,
        samples,
        amplitude,
    } in amplitude
    {
        let ours = Spectrum::amplitude(&noise[..samples], rate_hz, taper, &mut Scratch::default());
        assert!(
            difference(&ours.power, &amplitude) < 1e-12 * 10.0,
            "{taper:?} {samples}"
        );
    }
    let three: Vec<f64> = tone(20.0, 200.0, 100).iter().map(|x| 3.0 * x).collect();
    let spectrum = Spectrum::amplitude(&three, 200.0, Taper::Hann, &mut Scratch::default());
    assert!(
        (spectrum.power[10] - 3.0).abs() < 1e-12,
        "a tone on a bin has its amplitude there"
    );
}

#[test]
fn a_boxcar_periodogram_obeys_parseval() {
    for len in [2, 3, 64, 97, 250, 1021] {
        let signal = noise(len);
        let welch = Welch {
            taper: Taper::Boxcar,
            detrend: Detrend::None,
            overlap: 0,
            ..Welch::new(len)
        };
        let spectrum = welch.estimate(&signal, 100.0, &mut Scratch::default());
        let power = signal.iter().map(|x| x * x).sum::<f64>() / len as f64;
        assert!(
            (spectrum.power.iter().sum::<f64>() * spectrum.step_hz - power).abs() < 1e-12,
            "{len}"
        );
    }
}

#[test]
fn the_density_of_white_noise_is_flat_and_integrates_to_its_variance() {
    let signal = noise(200_000);
    let mut scratch = Scratch::default();
    for taper in [Taper::Hann, Taper::Hamming, Taper::Blackman, Taper::Boxcar] {
        let spectrum = Welch {
            taper,
            ..Welch::new(256)
        }
        .estimate(&signal, 1000.0, &mut scratch);
        // Variance 1/4 over 500 Hz; some 1500 segments leave 3 % per bin, hence 15 % is five deviations.
        assert!(
            (spectrum.band_power([0.0, 500.0], Integration::Trapezoid) - 0.25).abs() < 0.005,
            "{taper:?}"
        );
        assert!(
            spectrum.power[4..125]
                .iter()
                .all(|p| (p / (0.25 / 500.0) - 1.0).abs() < 0.15),
            "{taper:?}"
        );
        assert!(spectrum.entropy(1..129) > 0.999);
        assert!((spectrum.edge_hz(1..129, 0.5) - 250.0).abs() < 10.0);
    }
}

#[test]
fn a_tone_gives_its_frequency() {
    let mut scratch = Scratch::default();
    for hz in [4.0, 50.0, 123.0] {
        let spectrum = Welch::new(1000).estimate(&tone(hz, 1000.0, 4000), 1000.0, &mut scratch);
        let bins = 1..501;
        assert_eq!(spectrum.dominant_hz(bins.clone()), hz);
        assert!((spectrum.mean_hz(bins.clone()) - hz).abs() < 1e-9);
        assert_eq!(spectrum.edge_hz(bins.clone(), 0.5), hz);
        assert!(spectrum.entropy(bins.clone()) < 0.15);
        assert!((spectrum.band_power([hz - 3.0, hz + 3.0], Integration::Trapezoid) - 0.5).abs() < 1e-9);
        assert_eq!(spectrum.edge_hz(bins, 1.0).max(hz), spectrum.edge_hz(1..501, 1.0));
    }
    let silence = Welch::new(10).estimate(&[0.0; 50], 10.0, &mut scratch);
    let read = [
        silence.dominant_hz(0..6),
        silence.mean_hz(0..6),
        silence.edge_hz(0..6, 0.5),
        silence.entropy(0..6),
    ];
    assert!(read.iter().all(|x| x.is_nan()));
    assert!(silence.dominant_hz(4..90).is_nan(), "bins that are not there");
}

#[test]
fn adjoining_bands_sum_to_the_whole() {
    let spectrum = Welch::new(256).estimate(&noise(3000), 256.0, &mut Scratch::default());
    let part = |low, high| spectrum.band_power([low, high], Integration::Trapezoid);
    assert!((part(1.0, 4.0) + part(4.0, 8.0) + part(8.0, 13.0) - part(1.0, 13.0)).abs() < 1e-12);
}

#[test]
fn a_tone_that_grows_has_a_slope() {
    // Power doubles every second: 10 log10 2 dB.
    let growing: Vec<f64> = tone(10.0, 100.0, 800)
        .iter()
        .enumerate()
        .map(|(n, x)| x * 2f64.powf(n as f64 / 200.0))
        .collect();
    let config: StftConfig = toml::from_str("frame_secs = 1.0\noverlap = 0.75\nbands = { x = [8, 12] }").unwrap();
    let features: BTreeMap<_, _> = features(&config, &growing, 100.0).into_iter().collect();
    assert!(
        (features["a.x.log_power_slope"] - 10.0 * 2f64.log10()).abs() < 1e-3,
        "{features:?}"
    );
    let silence = self::features(&config, &[0.0; 300], 100.0);
    assert_eq!(silence[0].1, -200.0);
}

#[test]
fn a_line_has_no_power_without_its_trend() {
    let line: Vec<f64> = (0..500).map(|n| 3.0 + 0.5 * f64::from(n)).collect();
    let welch = Welch {
        detrend: Detrend::Linear,
        ..Welch::new(99)
    };
    let spectrum = welch.estimate(&line, 10.0, &mut Scratch::default());
    assert!(spectrum.power.iter().all(|p| *p < 1e-20));
}

#[test]
fn what_a_window_cannot_give_is_refused() {
    let welch = |text: &str| toml::from_str::<WelchConfig>(text).unwrap();
    for (text, wanted) in [
        (
            "segment_secs = 3.0",
            "segment_secs must be 2 samples to the length of a window, 2 s, but is 3 s",
        ),
        (
            "segment_secs = nan",
            "segment_secs must be 2 samples to the length of a window, 2 s, but is NaN s",
        ),
        (
            "segment_secs = 1.0\noverlap = 1.0",
            "overlap must be a share of the segment, from 0 to less than 1, but is 1",
        ),
        (
            "segment_secs = 1.0\nbands = { g = [30, 60] }",
            "bands.g must be [low, high] from 0 to half the sampling rate, 50 Hz, but is [30, 60]",
        ),
        (
            "segment_secs = 0.2\nbands = { d = [1, 4] }",
            "bands.d has fewer than 2 bins, which are 5 Hz apart: take longer segments",
        ),
        (
            "segment_secs = 1.0\nedge_share = 0.0",
            "edge_share must be above 0 and at most 1, but is 0",
        ),
    ] {
        assert_eq!(refused(&welch(text), 100.0, 200), wanted);
    }
    let stft: StftConfig = toml::from_str("frame_secs = 1.0\nbands = {}").unwrap();
    assert_eq!(
        refused(&stft, 100.0, 200),
        "bands must name at least one band, such as { alpha = [8, 13] }"
    );
    let config = welch("segment_secs = 1.0\nbands = { d = [1, 4] }");
    assert_eq!(
        toml::from_str::<WelchConfig>(&toml::to_string(&config).unwrap()).unwrap(),
        config
    );
    assert!(toml::from_str::<WelchConfig>("segment_secs = 1.0\nsegment = 3").is_err());
}
