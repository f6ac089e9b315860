//! Heart: R peaks against planted ones and the annotations of record 100, variability against NeuroKit2 and SciPy,
//! pulse waves.

use std::collections::BTreeMap;
use std::f64::consts::TAU;

use recoup::base::Problem;
use recoup::dataset::subjects::Channel;
use recoup::features::signals::heart::{
    BeatIntervals, Hrv, Ppg, nonlinear, r_peaks, ratio_of_ratios, sample_entropy, spectral, systolic_peaks, time_domain,
};
use recoup::features::signals::stride::Outliers;
use recoup::features::signals::{Scratch, SignalFeature, SignalInfo};
use recoup_formats::wfdb::read_record;
use serde::Deserialize;

use super::random::Normal;

fn assert_close(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!(
        (found - expected).abs() <= tolerance * expected.abs().max(1.0),
        "{what}: {found}, not {expected}"
    );
}

/// Values of a feature by the name of its column, the channels being `names`.
fn extract(
    feature: &dyn SignalFeature,
    names: &[&str],
    signals: &[&[f64]],
    rate_hz: f64,
) -> Result<BTreeMap<String, f64>, Problem> {
    let channels: Vec<_> = names
        .iter()
        .map(|name| Channel {
            name: name.to_string(),
            unit: "mV".into(),
        })
        .collect();
    let signal = SignalInfo {
        channels: &channels,
        rate_hz,
        num_samples: signals[0].len(),
    };
    feature.check(&signal)?;
    let window: Vec<&[f64]> = feature
        .channels(&signal)
        .iter()
        .map(|name| signals[names.iter().position(|known| known == name).unwrap()])
        .collect();
    let mut values = Vec::new();
    feature.extract(&window, rate_hz, &mut Scratch::default(), &mut values);
    let columns = feature.columns(&signal);
    assert_eq!(columns.len(), values.len());
    Ok(columns.into_iter().map(|column| column.name).zip(values).collect())
}

// ---- R peaks

/// P, Q, R, S and T as Gaussians around R peaks at whole samples.
fn electrocardiogram(peaks: &[usize], len: usize, rate_hz: f64) -> Vec<f64> {
    const WAVES: [(f64, f64, f64); 5] = [
        (-0.17, 0.12, 0.025),
        (-0.027, -0.1, 0.009),
        (0.0, 1.0, 0.011),
        (0.03, -0.2, 0.012),
        (0.26, 0.3, 0.045),
    ];
    let mut signal = vec![0.0; len];
    for peak in peaks {
        for (delay, height, width) in WAVES {
            for (index, x) in signal.iter_mut().enumerate() {
                let distance = (index as f64 - *peak as f64) / rate_hz - delay;
                if distance.abs() < 6.0 * width {
                    *x += height * (-0.5 * (distance / width).powi(2)).exp();
                }
            }
        }
    }
    signal
}

/// Peaks of two minutes with sinus arrhythmia, and the signal.
fn planted(rate_hz: f64) -> (Vec<usize>, Vec<f64>) {
    let mut peaks = Vec::new();
    let mut time = 0.43;
    while time < 119.0 {
        peaks.push((time * rate_hz).round() as usize);
        time += 0.82 + 0.08 * (TAU * 0.2 * time).sin();
    }
    let signal = electrocardiogram(&peaks, (120.0 * rate_hz) as usize, rate_hz);
    (peaks, signal)
}

/// (found of the planted, planted of the found) within `reach` samples.
fn rates(planted: &[usize], found: &[usize], reach: usize) -> (f64, f64) {
    let near = |from: &[usize], to: &[usize]| {
        from.iter()
            .filter(|a| to.iter().any(|b| a.abs_diff(*b) <= reach))
            .count() as f64
            / from.len() as f64
    };
    (near(planted, found), near(found, planted))
}

#[test]
fn r_peaks_are_where_they_were_planted() {
    for rate_hz in [125.0, 250.0, 360.0, 1000.0] {
        let (peaks, signal) = planted(rate_hz);
        let found = r_peaks(&signal, rate_hz);
        assert_eq!(found, peaks, "{rate_hz} Hz");
    }
    let (peaks, clean) = planted(250.0);
    // Standard deviation of the noise for an R wave of 1, with baseline wander of 0.2 on top; least sensitivity and
    // precision within 1 sample, and within 40 ms.
    for (noise, close, near) in [
        (0.01, 1.0, 1.0),
        (0.03, 1.0, 1.0),
        (0.1, 0.95, 1.0),
        (0.2, 0.8, 1.0),
        (0.3, 0.65, 0.97),
    ] {
        let mut normal = Normal::new(7);
        let noisy =
            |(index, x): (usize, &f64)| x + 0.2 * (TAU * 0.25 * index as f64 / 250.0).sin() + noise * normal.next();
        let signal: Vec<f64> = clean.iter().enumerate().map(noisy).collect();
        let found = r_peaks(&signal, 250.0);
        let (exact, wide) = (rates(&peaks, &found, 1), rates(&peaks, &found, 10));
        println!("noise {noise}: within 1 sample {exact:.3?}, within 40 ms {wide:.3?}");
        assert!(exact.0 >= close && exact.1 >= close, "noise {noise}: {exact:?}");
        assert!(wide.0 >= near && wide.1 >= near, "noise {noise}: {wide:?}");
    }
}

#[test]
fn weak_beats_are_found_by_the_search_back_and_tall_t_waves_are_not_beats() {
    let rate_hz = 250.0;
    let peaks: Vec<usize> = (0..60).map(|beat| 120 + 200 * beat).collect();
    let mut signal = electrocardiogram(&peaks, 200 * 60 + 200, rate_hz);
    // One beat in ten has 0.4 of the height, 0.16 of the energy: below the threshold of a quarter, above its half.
    for peak in peaks.iter().skip(15).step_by(10) {
        signal[peak - 30..peak + 30].iter_mut().for_each(|x| *x *= 0.4);
    }
    assert_eq!(r_peaks(&signal, rate_hz), peaks);
    // T waves taller than R.
    let mut signal = electrocardiogram(&peaks, 200 * 60 + 200, rate_hz);
    for peak in &peaks {
        for (index, x) in signal.iter_mut().enumerate().skip(peak + 15).take(130) {
            *x += 0.9 * (-0.5 * (((index - peak) as f64 / rate_hz - 0.26) / 0.045).powi(2)).exp();
        }
    }
    assert_eq!(rates(&peaks, &r_peaks(&signal, rate_hz), 1), (1.0, 1.0));
}

#[test]
fn beats_are_found_again_after_an_artefact_and_not_in_a_loose_lead() {
    let (peaks, mut signal) = planted(250.0);
    // Fifty times an R wave, for one and a half seconds from 40 s on.
    let mut normal = Normal::new(5);
    signal[10_000..10_375]
        .iter_mut()
        .for_each(|x| *x += 50.0 * normal.next());
    let found = r_peaks(&signal, 250.0);
    let away = |peaks: &[usize]| -> Vec<usize> {
        peaks
            .iter()
            .copied()
            .filter(|peak| !(9_800..10_600).contains(peak))
            .collect()
    };
    assert_eq!(away(&found), away(&peaks));
    // Noise of 2 % of an R wave from 60 s to 100 s.
    signal[15_000..25_000]
        .iter_mut()
        .for_each(|x| *x = 0.02 * normal.next());
    let loose = r_peaks(&signal, 250.0)
        .iter()
        .filter(|peak| (15_200..24_800).contains(*peak))
        .count();
    assert_eq!(loose, 0);
}

#[test]
fn signals_without_beats_have_none() {
    for signal in [vec![], vec![1.5; 10], vec![1.5; 5000]] {
        assert!(r_peaks(&signal, 250.0).is_empty());
        assert!(systolic_peaks(&signal, 250.0).is_empty());
    }
    assert!(r_peaks(&planted(250.0).1, 40.0).is_empty());
}

#[derive(Deserialize)]
struct EcgGolden {
    rate_hz: f64,
    lead_differences: Vec<i64>,
    beat_differences: Vec<i64>,
}

fn ecg_golden() -> EcgGolden {
    serde_json::from_str(include_str!("../../golden/ecg.json")).unwrap()
}

fn sums(differences: &[i64]) -> Vec<i64> {
    let mut sum = 0;
    differences
        .iter()
        .map(|difference| {
            sum += difference;
            sum
        })
        .collect()
}

/// Sensitivity and positive predictivity within 75 ms, one beat for one annotation.
fn against_annotations(found: &[usize], annotated: &[i64], rate_hz: f64) -> (f64, f64) {
    let reach = (0.075 * rate_hz) as i64;
    let mut left: Vec<i64> = found.iter().map(|peak| *peak as i64).collect();
    let mut hits = 0;
    for beat in annotated {
        if let Some(position) = left.iter().position(|peak| (peak - beat).abs() <= reach) {
            left.remove(position);
            hits += 1;
        }
    }
    (
        f64::from(hits) / annotated.len() as f64,
        f64::from(hits) / found.len() as f64,
    )
}

#[test]
fn beats_of_record_100_are_those_of_its_annotators() {
    let golden = ecg_golden();
    let beats = sums(&golden.beat_differences);
    let lead: Vec<f64> = sums(&golden.lead_differences).into_iter().map(|x| x as f64).collect();
    let minute: Vec<i64> = beats.iter().copied().filter(|beat| *beat < lead.len() as i64).collect();
    assert!(minute.len() > 70);
    assert_eq!(
        against_annotations(&r_peaks(&lead, golden.rate_hz), &minute, golden.rate_hz),
        (1.0, 1.0)
    );

    let Some(folder) = std::env::var_os("RECOUP_TEST_DATA") else {
        println!("skipped: RECOUP_TEST_DATA is not set, the whole of record 100 was not read");
        return;
    };
    let header = std::path::PathBuf::from(folder).join("wfdb_samples/sample-data/100.hea");
    let record = read_record(&header).unwrap();
    let lead: Vec<f64> = record.signals[0].digital().into_iter().map(f64::from).collect();
    assert_eq!(lead.len(), 650_000);
    let (sensitivity, predictivity) = against_annotations(&r_peaks(&lead, record.rate_hz), &beats, record.rate_hz);
    println!(
        "record 100, {} beats: sensitivity {sensitivity:.5}, positive predictivity {predictivity:.5}",
        beats.len()
    );
    assert!(
        sensitivity > 0.99 && predictivity > 0.99,
        "{sensitivity} {predictivity}"
    );
}

// ---- heart rate variability

#[derive(Deserialize)]
struct HrvGolden {
    series: BTreeMap<String, HrvSeries>,
}

#[derive(Deserialize)]
struct HrvSeries {
    beat_secs: Vec<f64>,
    time: [f64; 7],
    poincare: [f64; 3],
    sample_entropy: Option<f64>,
    dfa_alpha1: f64,
    spectral: [Option<f64>; 6],
    resampled_head: Vec<f64>,
    dropped: Vec<usize>,
    clean_sdnn: f64,
    clean_rmssd: f64,
    clean_spectral: [Option<f64>; 6],
}

#[test]
fn variability_equals_neurokit_and_scipy() {
    let golden: HrvGolden = serde_json::from_str(include_str!("../../golden/hrv.json")).unwrap();
    assert_eq!(golden.series.len(), 5);
    let optional = |found: f64, expected: Option<f64>, what: &str| match expected {
        Some(expected) => assert_close(found, expected, 1e-9, what),
        None => assert!(found.is_nan(), "{what}: {found}"),
    };
    for (name, series) in &golden.series {
        let intervals = BeatIntervals::new(&series.beat_secs, &Outliers::Keep {});
        let [mean_rr, heart_rate, rest @ ..] = time_domain(&intervals);
        assert_close(heart_rate, 60_000.0 / mean_rr, 1e-12, name);
        for (found, expected) in std::iter::once(mean_rr).chain(rest).zip(series.time) {
            assert_close(found, expected, 1e-9, name);
        }
        let [sd1, sd2, share, entropy, alpha1] = nonlinear(&intervals);
        for (found, expected) in [sd1, sd2, share].into_iter().zip(series.poincare) {
            assert_close(found, expected, 1e-9, name);
        }
        optional(entropy, series.sample_entropy, name);
        assert_close(alpha1, series.dfa_alpha1, 1e-9, name);
        for (found, expected) in intervals.resample(4.0).into_iter().zip(&series.resampled_head) {
            assert_close(found, *expected, 1e-10, name);
        }
        let mut scratch = Scratch::default();
        for (found, expected) in spectral(&intervals, 120.0, &mut scratch)
            .into_iter()
            .zip(series.spectral)
        {
            optional(found, expected, name);
        }

        let rule = Outliers::LocalMedian { share: 0.2 };
        let lengths = |beats: &[f64]| beats.windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>();
        let kept = rule.kept(&lengths(&series.beat_secs));
        let dropped: Vec<usize> = (0..kept.len()).filter(|index| !kept[*index]).collect();
        assert_eq!(dropped, series.dropped, "{name}");
        let clean = BeatIntervals::new(&series.beat_secs, &rule);
        let [_, _, sdnn, rmssd, ..] = time_domain(&clean);
        assert_close(sdnn, series.clean_sdnn, 1e-9, name);
        assert_close(rmssd, series.clean_rmssd, 1e-9, name);
        for (found, expected) in spectral(&clean, 120.0, &mut scratch)
            .into_iter()
            .zip(series.clean_spectral)
        {
            optional(found, expected, name);
        }
    }
}

#[test]
fn variability_obeys_its_laws() {
    let mut normal = Normal::new(2);
    let mut time = 0.0;
    let beats: Vec<f64> = (0..300)
        .map(|_| {
            time += 0.8 + 0.03 * normal.next();
            time
        })
        .collect();
    let intervals = BeatIntervals::new(&beats, &Outliers::Keep {});
    let [_, _, _, _, sdsd, ..] = time_domain(&intervals);
    let [sd1, sd2, ..] = nonlinear(&intervals);
    assert_close(sd1 * sd1, sdsd * sdsd / 2.0, 1e-12, "SD1");
    assert!(sd2 > 0.0);

    // Multiples of 1/4 s are exact, so that their differences are.
    let constant: Vec<f64> = (0..200).map(|beat| 0.75 * f64::from(beat)).collect();
    let intervals = BeatIntervals::new(&constant, &Outliers::LocalMedian { share: 0.2 });
    assert_eq!(time_domain(&intervals), [750.0, 80.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    let [sd1, sd2, share, entropy, alpha] = nonlinear(&intervals);
    assert_eq!((sd1, sd2, entropy), (0.0, 0.0, 0.0));
    assert!(share.is_nan() && alpha.is_nan());
    let [very_low, low, high, ratio, ..] = spectral(&intervals, 120.0, &mut Scratch::default());
    assert!([very_low, low, high].iter().all(|power| power.abs() < 1e-20) && !ratio.is_infinite());

    for beats in [&constant[..0], &constant[..1], &constant[..2], &constant[..3]] {
        let intervals = BeatIntervals::new(beats, &Outliers::LocalMedian { share: 0.2 });
        assert!(nonlinear(&intervals).iter().all(|x| x.is_nan() || *x == 0.0));
        assert!(time_domain(&intervals)[4].is_nan());
        assert!(
            spectral(&intervals, 120.0, &mut Scratch::default())
                .iter()
                .all(|x| x.is_nan())
        );
    }
    assert!(sample_entropy(&[1.0, 2.0], 2, 0.1).is_nan());
}

#[test]
fn a_modulated_heart_rate_has_its_power_in_its_band() {
    // 30 ms at 0.1 Hz (LF) and 20 ms at 0.25 Hz (HF): variances 450 and 200 ms^2.
    let mut time: f64 = 0.0;
    let mut beats = vec![time];
    while time < 600.0 {
        time += 0.8 + 0.03 * (TAU * 0.1 * time).sin() + 0.02 * (TAU * 0.25 * time).sin();
        beats.push(time);
    }
    let intervals = BeatIntervals::new(&beats, &Outliers::Keep {});
    let [very_low, low, high, ratio, low_share, high_share] = spectral(&intervals, 120.0, &mut Scratch::default());
    assert!(
        (low - 450.0).abs() < 45.0 && (high - 200.0).abs() < 40.0 && very_low < 5.0,
        "{very_low} {low} {high}"
    );
    assert_close(ratio, low / high, 1e-12, "LF / HF");
    assert_close(low_share + high_share, 100.0, 1e-12, "normalised units");
}

#[test]
fn hrv_is_a_feature_of_a_window() {
    let config: Hrv = toml::from_str("channel = \"ECG\"").unwrap();
    assert_eq!(config, toml::from_str(&toml::to_string(&config).unwrap()).unwrap());
    assert!(toml::from_str::<Hrv>("channel = \"ECG\"\nsegment = 3").is_err());
    assert!(toml::from_str::<Hrv>("channel = \"ECG\"\noutliers = { kind = \"keep\", share = 3 }").is_err());
    let (peaks, signal) = planted(250.0);
    let silent = vec![0.0; signal.len()];
    let found = extract(&config, &["RESP", "ECG"], &[&silent, &signal], 250.0).unwrap();
    let secs = (peaks[peaks.len() - 1] - peaks[0]) as f64 / 250.0;
    assert_close(
        found["ECG.heart_rate"],
        60.0 * (peaks.len() - 1) as f64 / secs,
        1e-12,
        "rate",
    );
    assert!(found["ECG.hf"] > found["ECG.lf"] && found["ECG.sdnn"] > 40.0);
    assert_eq!(found.len(), 19);
    let none = extract(&config, &["ECG"], &[&silent], 250.0).unwrap();
    assert!(none.values().all(|x| x.is_nan()), "{none:?}");

    assert_eq!(
        extract(&config, &["RESP", "II"], &[&silent, &signal], 250.0).unwrap_err(),
        Problem::new("channel", "must name a channel, but `ECG` is none of `RESP`, `II`")
    );
    assert_eq!(extract(&config, &["ECG"], &[&signal], 25.0).unwrap_err().key, "channel");
    let wrong: Hrv = toml::from_str("channel = \"ECG\"\noutliers = { kind = \"local-median\", share = 0 }").unwrap();
    assert_eq!(
        extract(&wrong, &["ECG"], &[&signal], 250.0).unwrap_err().key,
        "outliers.share"
    );
}

// ---- pulse wave

#[derive(Deserialize)]
struct PpgGolden {
    rate_hz: f64,
    planted_ratio: f64,
    beat_secs: Vec<f64>,
    red: Vec<f64>,
    infrared: Vec<f64>,
    ratio: f64,
    peaks: Vec<usize>,
}

#[test]
fn pulse_waves_give_peaks_rate_and_saturation() {
    let golden: PpgGolden = serde_json::from_str(include_str!("../../golden/ppg.json")).unwrap();
    let peaks = systolic_peaks(&golden.infrared, golden.rate_hz);
    let interior: Vec<usize> = golden
        .peaks
        .iter()
        .copied()
        .filter(|peak| (50..1750).contains(peak))
        .collect();
    assert_eq!(
        peaks
            .iter()
            .copied()
            .filter(|peak| (50..1750).contains(peak))
            .collect::<Vec<_>>(),
        interior
    );
    let planted: Vec<usize> = golden
        .beat_secs
        .iter()
        .map(|secs| (secs * golden.rate_hz).round() as usize)
        .collect();
    assert_eq!(rates(&planted[1..planted.len() - 1], &peaks, 2).0, 1.0);
    assert_eq!(rates(&planted, &peaks, 2).1, 1.0);
    let ratio = ratio_of_ratios(&golden.red, &golden.infrared, golden.rate_hz);
    assert_close(ratio, golden.ratio, 1e-9, "ratio");
    assert!((ratio - golden.planted_ratio).abs() < 0.005, "{ratio}");

    let config: Ppg = toml::from_str("red = \"RED\"\ninfrared = \"IR\"").unwrap();
    assert_eq!(config, toml::from_str(&toml::to_string(&config).unwrap()).unwrap());
    let found = extract(
        &config,
        &["RED", "IR"],
        &[&golden.red, &golden.infrared],
        golden.rate_hz,
    )
    .unwrap();
    assert_close(found["RED-IR.spo2"], 110.0 - 25.0 * ratio, 1e-12, "saturation");
    let mean = (planted[planted.len() - 2] - planted[1]) as f64 / (planted.len() - 3) as f64;
    assert!((found["IR.pulse_rate"] - 6000.0 / mean).abs() < 2.0, "{found:?}");
    let curve = Ppg {
        coefficients: vec![104.0, -17.0, 2.0],
        ..config.clone()
    };
    let found = extract(&curve, &["RED", "IR"], &[&golden.red, &golden.infrared], golden.rate_hz).unwrap();
    assert_close(
        found["RED-IR.spo2"],
        104.0 - 17.0 * ratio + 2.0 * ratio * ratio,
        1e-12,
        "saturation",
    );

    let alone = Ppg {
        red: None,
        ..config.clone()
    };
    assert_eq!(
        extract(&alone, &["IR"], &[&golden.infrared], golden.rate_hz)
            .unwrap()
            .len(),
        1
    );
    let dark = vec![0.0; golden.red.len()];
    assert!(
        extract(&config, &["RED", "IR"], &[&dark, &dark], 100.0)
            .unwrap()
            .values()
            .all(|x| x.is_nan())
    );
    assert_eq!(extract(&config, &["IR"], &[&dark], 100.0).unwrap_err().key, "red");
    assert_eq!(
        extract(&config, &["RED", "IR"], &[&dark, &dark], 10.0).unwrap_err().key,
        "infrared"
    );
}

/// Gains of the sensors cancel, and two equal channels have ratio 1.
#[test]
fn the_ratio_of_ratios_does_not_depend_on_the_gains() {
    let golden: PpgGolden = serde_json::from_str(include_str!("../../golden/ppg.json")).unwrap();
    let scaled: Vec<f64> = golden.red.iter().map(|x| 0.125 * x).collect();
    let [plain, other] = [&golden.red, &scaled].map(|red| ratio_of_ratios(red, &golden.infrared, golden.rate_hz));
    assert_close(plain, other, 1e-12, "gain");
    assert_close(
        ratio_of_ratios(&scaled, &golden.red, golden.rate_hz),
        1.0,
        1e-12,
        "equal",
    );
}
