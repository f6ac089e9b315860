//! [`stft`] and its gradient against `torch.stft`.

use crate::{Bench, Prepare};
use burn::tensor::{Device, Tensor, TensorData};
use recoup_kernels::{Filterbank, MelOptions, MelScale, StftOptions, StftOutput, stft, stft_complex};
use serde_json::json;

const SAMPLES: usize = 30_000;
const SAMPLE_RATE_HZ: f64 = 16_000.0;
const FLOOR: f32 = 1e-6;

/// Frame lengths and hops at which the transform is timed.
const SIZES: [(usize, usize); 5] = [(256, 64), (512, 128), (200, 50), (400, 160), (1000, 250)];

/// Timed cases of each size: `complex`, `power`, `log-power`, `log-mel`; forward, or forward and backward.
pub fn cases(signals: &[usize]) -> Vec<Bench> {
    let outputs = [
        ("complex", false),
        ("power", false),
        ("power", true),
        ("log-power", false),
        ("log-mel", true),
    ];
    let cases = signals.iter().flat_map(|&signals| SIZES.map(|size| (signals, size)));
    cases
        .flat_map(|(signals, size)| outputs.map(|(output, backward)| case(signals, size, output, backward)))
        .collect()
}

fn case(signals: usize, (n_fft, hop): (usize, usize), output: &'static str, backward: bool) -> Bench {
    Bench {
        op: "stft",
        name: format!(
            "{output} {n_fft}/{hop} of {signals} x {SAMPLES}{}",
            if backward { ", with gradient" } else { "" }
        ),
        peer: json!({
            "n_fft": n_fft,
            "hop": hop,
            "signals": signals,
            "samples": SAMPLES,
            "output": output,
            "window": "hann",
            "center": true,
            "padding": "reflect",
            "backward": backward,
            "floor": FLOOR,
            "mel": { "filters": FILTERS, "sample_rate_hz": SAMPLE_RATE_HZ, "scale": "htk", "unit_area": false },
        }),
        ours: ours(signals, n_fft, hop, output, backward),
        burn: None,
    }
}

/// Few enough that every filter of the shortest frame holds a bin.
const FILTERS: usize = 40;

fn options(n_fft: usize, hop: usize, output: &str) -> StftOptions {
    let output = match output {
        "log-power" => StftOutput::LogPower { floor: FLOOR },
        "log-mel" => {
            let filters = Filterbank::mel(&MelOptions {
                filters: FILTERS,
                sample_rate_hz: SAMPLE_RATE_HZ,
                n_fft,
                min_hz: 0.0,
                max_hz: SAMPLE_RATE_HZ / 2.0,
                scale: MelScale::Htk,
                unit_area: false,
            });
            StftOutput::LogMel {
                filters: filters.expect("the options are in range"),
                floor: FLOOR,
            }
        }
        _ => StftOutput::Power,
    };
    StftOptions {
        n_fft,
        hop,
        output,
        ..StftOptions::default()
    }
}

/// White noise from a linear congruential generator.
fn signals(count: usize, device: &Device) -> Tensor<4> {
    let mut state = 1u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    let values: Vec<f32> = (0..count * SAMPLES).map(|_| next()).collect();
    Tensor::from_data(TensorData::new(values, [1, count, 1, SAMPLES]), device)
}

fn ours(count: usize, n_fft: usize, hop: usize, output: &'static str, backward: bool) -> Prepare {
    Box::new(move |device| {
        let options = options(n_fft, hop, output);
        let x = signals(count, device);
        if backward {
            let gradient = stft(x.clone(), &options).ones_like();
            let gradient = Tensor::from_inner(gradient);
            let x = Tensor::from_inner(x).require_grad();
            return Box::new(move || {
                let loss = (stft(x.clone(), &options) * gradient.clone()).sum();
                std::hint::black_box(x.grad(&loss.backward()));
            });
        }
        Box::new(move || match output {
            "complex" => drop(std::hint::black_box(stft_complex(x.clone(), &options))),
            _ => drop(std::hint::black_box(stft(x.clone(), &options))),
        })
    })
}
