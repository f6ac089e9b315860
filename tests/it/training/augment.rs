//! Random changes to samples: each kind's effect against the draws it must come from, and its distribution.

use std::sync::Arc;

use burn::tensor::{DType, Device, Tensor, TensorData};
use recoup::base::Problems;
use recoup::models::augment::Augmentation;
use recoup::models::encoder::Encoder;
use recoup::models::{AugmentConfig, Context, Draw, EncoderConfig, InputShape, LayoutBuilder};
use recoup::models::{Mode, Params, StreamInput, matrix};
use recoup::training::step::floats;
use recoup_kernels::random::{Key, Purpose, Stream, path_hash};

pub const DRAWS: [Draw; 3] = [
    Draw {
        seed: 11,
        step: 0,
        dropout: 0.0,
    },
    Draw {
        seed: 12,
        step: 4,
        dropout: 0.0,
    },
    Draw {
        seed: 13,
        step: 9,
        dropout: 0.0,
    },
];

/// The draws that `path` must take.
pub fn stream(draw: &Draw, path: &str) -> Stream {
    Key {
        seed: draw.seed,
        purpose: Purpose::Augmentation,
        step: draw.step,
        path: path_hash(path),
    }
    .stream()
}

/// A batch of three replicas whose values all differ and are not 0; zeros past each sample's length.
pub fn batch(size: usize, length: usize, channels: usize, lengths: Option<&[usize]>) -> StreamInput {
    let samples = DRAWS.len() * size;
    let valid = |sample: usize, at: usize| lengths.is_none_or(|lengths| at < lengths[sample]);
    let value = |index: usize| {
        let (sample, at) = (index / (length * channels), index / channels % length);
        if valid(sample, at) { 1.0 + index as f32 } else { 0.0 }
    };
    let rows = (0..samples * length * channels).map(value).collect::<Vec<f32>>();
    let present = vec![1.0f32; samples];
    StreamInput {
        rows: Tensor::from_data(
            TensorData::new(rows, [DRAWS.len(), size, length, channels]),
            &Device::flex(),
        ),
        lengths: lengths.map(Arc::from),
        present: Tensor::from_data(TensorData::new(present, [DRAWS.len(), size, 1]), &Device::flex()),
    }
}

fn signal(channels: usize, length: usize) -> InputShape {
    InputShape::Sequence {
        channels,
        length,
        fixed: true,
    }
}

fn augmentation(list: &str, shape: InputShape) -> Augmentation {
    #[derive(serde::Deserialize)]
    struct List {
        augment: Vec<AugmentConfig>,
    }
    let list: List = toml::from_str(&format!("augment = [{list}]")).unwrap();
    assert_eq!(Augmentation::problems(&list.augment, shape), Problems::default());
    LayoutBuilder::new().scope("force", |layout| Augmentation::new(layout, &list.augment, shape))
}

/// Values before and after, row-major.
fn changed(list: &str, shape: InputShape, input: &StreamInput) -> (Vec<f32>, Vec<f32>) {
    let output = augmentation(list, shape).apply(input.clone(), &DRAWS);
    assert_eq!(output.rows.dims(), input.rows.dims());
    assert_eq!(output.lengths, input.lengths);
    assert_eq!(floats(output.present), floats(input.present.clone()));
    (floats(input.rows.clone()), floats(output.rows))
}

/// Mean and standard deviation, with the standard error of each under normality.
fn moments(values: &[f64]) -> [(f64, f64); 2] {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let deviation = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
    [
        (mean, deviation / count.sqrt()),
        (deviation, deviation / (2.0 * count).sqrt()),
    ]
}

fn assert_near((found, error): (f64, f64), expected: f64, what: &str) {
    assert!(
        (found - expected).abs() < 4.0 * error,
        "{what}: {found} +- {error}, expected {expected}"
    );
}

#[test]
fn a_time_shift_moves_rows_by_the_drawn_amount() {
    let (size, length, channels) = (40, 10, 2);
    let lengths: Vec<usize> = (0..DRAWS.len() * size).map(|sample| sample % (length + 1)).collect();
    for (edge, lengths) in [
        ("wrap", None),
        ("zero", None),
        ("wrap", Some(&lengths[..])),
        ("zero", Some(&lengths)),
    ] {
        let shape = InputShape::Sequence {
            channels,
            length,
            fixed: lengths.is_none(),
        };
        let list = format!("{{ kind = \"time-shift\", max_share = 0.34, edge = \"{edge}\" }}");
        let (before, after) = changed(&list, shape, &batch(size, length, channels, lengths));
        let mut shifts = std::collections::BTreeSet::new();
        for sample in 0..DRAWS.len() * size {
            let valid = lengths.map_or(length, |lengths| lengths[sample]) as i64;
            let most = (0.34 * valid as f64).floor() as i64;
            let draws = stream(&DRAWS[sample / size], "force.time-shift");
            let shift = draws.below((sample % size) as u64, 2 * most as u64 + 1) as i64 - most;
            shifts.insert(shift);
            for at in 0..length as i64 {
                let source = match at - shift {
                    _ if at >= valid => None,
                    source if edge == "wrap" => Some(source.rem_euclid(valid)),
                    source => Some(source).filter(|source| (0..valid).contains(source)),
                };
                for channel in 0..channels {
                    let value = |at: i64, values: &[f32]| values[(sample * length + at as usize) * channels + channel];
                    let expected = source.map_or(0.0, |source| value(source, &before));
                    assert_eq!(
                        value(at, &after),
                        expected,
                        "{edge}, sample {sample} by {shift}, row {at}"
                    );
                }
            }
        }
        assert_eq!(shifts.into_iter().collect::<Vec<_>>(), [-3, -2, -1, 0, 1, 2, 3]);
    }
}

#[test]
fn scaling_multiplies_each_channel_by_a_normal_factor() {
    let (size, length, channels) = (500, 3, 4);
    let input = batch(size, length, channels, None);
    let (before, after) = changed("{ kind = \"scaling\", std = 0.1 }", signal(channels, length), &input);
    let mut factors = Vec::new();
    for sample in 0..DRAWS.len() * size {
        let draws = stream(&DRAWS[sample / size], "force.scaling");
        for channel in 0..channels {
            let factor = 1.0 + 0.1 * draws.normal((sample % size * channels + channel) as u64);
            factors.push(f64::from(factor));
            for at in 0..length {
                let index = (sample * length + at) * channels + channel;
                assert_eq!(after[index], before[index] * factor);
            }
        }
    }
    let [mean, deviation] = moments(&factors);
    assert_near(mean, 1.0, "mean");
    assert_near(deviation, 0.1, "std");

    let (before, after) = changed("{ kind = \"scaling\", std = 0.9 }", signal(channels, length), &input);
    assert!(
        before.iter().chain(&after).all(|&value| value >= 0.0),
        "a signal is turned over"
    );
    assert!(after.contains(&0.0));
}

#[test]
fn images_are_scaled_channel_by_channel() {
    // Three channels of 2 x 2 pixels; a sample of several images has one factor per channel.
    let lengths = [3, 0, 1, 2, 3, 3];
    for (count, lengths) in [(1, None), (3, Some(&lengths[..]))] {
        let shape = InputShape::Image {
            channels: 3,
            height: 2,
            width: 2,
            count,
        };
        let input = batch(2, count, 12, lengths);
        let (before, after) = changed("{ kind = \"scaling\", std = 0.1 }", shape, &input);
        for (index, (before, after)) in before.iter().zip(&after).enumerate() {
            let (sample, channel) = (index / (12 * count), index % 12 / 4);
            let normal = stream(&DRAWS[sample / 2], "force.scaling").normal((sample % 2 * 3 + channel) as u64);
            assert_eq!(*after, before * (1.0 + 0.1 * normal));
        }
        let (before, after) = changed("{ kind = \"jitter\", std = 0.1 }", shape, &input);
        for (before, after) in before.iter().zip(after) {
            assert_eq!(
                *before == 0.0,
                after == 0.0,
                "noise is where no image is, or not where one is"
            );
            assert!((after - before).abs() < 0.8);
        }
    }
}

#[test]
fn on_the_tape_and_in_half_precision_the_same_is_done() {
    let list = r#"{ kind = "time-shift", max_share = 0.3, edge = "zero" }, { kind = "scaling", std = 0.1 },
        { kind = "jitter", std = 0.1 }, { kind = "channel-dropout", rate = 0.3 }, { kind = "time-mask", max_share = 0.3 }"#;
    let mut input = batch(4, 20, 3, None);
    input.rows = input.rows.sin();
    let (_, expected) = changed(list, signal(3, 20), &input);
    let (_, on_tape) = changed(list, signal(3, 20), &input.clone().on_tape());
    assert_eq!(on_tape, expected);
    let mut half = input.on_tape();
    half.rows = half.rows.cast(DType::BF16);
    half.present = half.present.cast(DType::BF16);
    let (_, half) = changed(list, signal(3, 20), &half);
    for (half, expected) in half.iter().zip(expected) {
        assert!((half - expected).abs() < 0.04, "{half}, in f32 {expected}");
    }
}

#[test]
fn jitter_adds_noise_to_every_value_that_is_there() {
    let (size, length, channels) = (50, 20, 4);
    let lengths: Vec<usize> = (0..DRAWS.len() * size).map(|sample| sample % (length + 1)).collect();
    for lengths in [None, Some(&lengths[..])] {
        let shape = InputShape::Sequence {
            channels,
            length,
            fixed: lengths.is_none(),
        };
        let mut input = batch(size, length, channels, lengths);
        input.rows = input.rows.zeros_like();
        let mut present = vec![1.0f32; DRAWS.len() * size];
        present[size + 1] = 0.0;
        input.present = Tensor::from_data(TensorData::new(present, [DRAWS.len(), size, 1]), &Device::flex());
        let (_, noise) = changed("{ kind = \"jitter\", std = 0.5 }", shape, &input);
        let mut drawn = Vec::new();
        for (index, &value) in noise.iter().enumerate() {
            let (sample, at, channel) = (index / (length * channels), index / channels % length, index % channels);
            let is_there = lengths.map_or(sample != size + 1, |lengths| at < lengths[sample]);
            let place = (sample % size * channels + channel) * length + at;
            let normal = stream(&DRAWS[sample / size], "force.jitter").normal(place as u64);
            assert_eq!(
                value,
                if is_there { 0.5 * normal } else { 0.0 },
                "sample {sample}, row {at}"
            );
            if is_there {
                drawn.push(f64::from(value));
            }
        }
        let [mean, deviation] = moments(&drawn);
        assert_near(mean, 0.0, "mean");
        assert_near(deviation, 0.5, "std");
    }
}

#[test]
fn channel_dropout_zeroes_whole_channels_and_keeps_one() {
    let (size, length) = (1000, 2);
    for (rate, channels) in [(0.3, 5), (0.95, 2)] {
        let list = format!("{{ kind = \"channel-dropout\", rate = {rate} }}");
        let (before, after) = changed(&list, signal(channels, length), &batch(size, length, channels, None));
        let mut dropped = 0.0;
        for (before, after) in before.chunks(length * channels).zip(after.chunks(length * channels)) {
            let is_kept = |channel: usize| after[channel] == before[channel];
            for (index, &value) in after.iter().enumerate() {
                assert_eq!(value, if is_kept(index % channels) { before[index] } else { 0.0 });
            }
            let kept = (0..channels).filter(|&channel| is_kept(channel)).count();
            assert!(kept > 0, "nothing is left of a sample");
            dropped += (channels - kept) as f64;
        }
        let draws = (DRAWS.len() * size * channels) as f64;
        let expected = rate - f64::powi(rate, channels as i32) / channels as f64;
        // Channels of one sample are dependent where one is kept: the error of independent ones is times sqrt(C) at most.
        let error = (expected * (1.0 - expected) / draws * channels as f64).sqrt();
        assert_near((dropped / draws, error), expected, "share of channels dropped");
    }
}

#[test]
fn a_time_mask_zeroes_the_drawn_stretches() {
    let (size, length, channels, count) = (200, 10, 2, 2);
    let lengths: Vec<usize> = (0..DRAWS.len() * size).map(|sample| sample % (length + 1)).collect();
    let list = "{ kind = \"time-mask\", max_share = 0.4, count = 2 }";
    for lengths in [None, Some(&lengths[..])] {
        let shape = InputShape::Sequence {
            channels,
            length,
            fixed: lengths.is_none(),
        };
        let (before, after) = changed(list, shape, &batch(size, length, channels, lengths));
        let mut widths = [0; 5];
        for sample in 0..DRAWS.len() * size {
            let valid = lengths.map_or(length, |lengths| lengths[sample]);
            let draws = stream(&DRAWS[sample / size], "force.time-mask");
            let hidden = stretches(&draws, sample % size, count, 0.4, valid);
            if lengths.is_none() {
                hidden.iter().for_each(|stretch| widths[stretch.len()] += 1);
            }
            for index in sample * length * channels..(sample + 1) * length * channels {
                let at = index / channels % length;
                let is_hidden = hidden.iter().any(|stretch| stretch.contains(&at));
                assert_eq!(
                    after[index],
                    if is_hidden { 0.0 } else { before[index] },
                    "sample {sample}, row {at}"
                );
            }
        }
        if lengths.is_none() {
            for width in widths {
                assert_near(
                    (f64::from(width), f64::sqrt(1200.0 * 0.2 * 0.8)),
                    240.0,
                    "stretches of one width",
                );
            }
        }
    }
}

/// What a mask of a sample of `length` positions hides.
fn stretches(draws: &Stream, place: usize, count: usize, share: f64, length: usize) -> Vec<std::ops::Range<usize>> {
    let widest = (share * length as f64) as u64;
    (place * count..(place + 1) * count)
        .map(|stretch| {
            let width = draws.below(2 * stretch as u64, widest + 1) as usize;
            let start = draws.below(2 * stretch as u64 + 1, (length - width + 1) as u64) as usize;
            assert!(start + width <= length);
            start..start + width
        })
        .collect()
}

#[test]
fn a_spectrogram_is_masked_with_its_mean_in_training_only() {
    let config: EncoderConfig = toml::from_str(
        "kind = \"spectrogram\"\nnum_fft = 16\nhop = 8\nmask = { frequency_share = 0.5, time_share = 0.3, count = 2 }\n\
         [cnn]\nnorm = { kind = \"none\" }\nactivation = \"silu\"\npooling = \"stats\"\n\
         blocks = [{ channels = 1, kernel_size = 1 }]",
    )
    .unwrap();
    let (size, length, shape) = (4, 80, signal(1, 80));
    assert_eq!(config.problems(shape), Problems::default());
    let mut layout = LayoutBuilder::new();
    let encoder = layout.scope("force", |layout| Encoder::new(layout, &config, shape));
    let layout = layout.finish();
    let mut input = batch(size, length, 1, None);
    input.rows = input.rows.sin();
    let buffers = matrix(Vec::new(), DRAWS.len(), &Device::flex());
    // Scale and shift of the normalisation, weight and bias of the convolution: the rest is silu and pooling.
    let encode = |mean: f32, mode: Mode| {
        let weights = matrix([1.0, mean, 1.0, 0.0].repeat(DRAWS.len()), DRAWS.len(), &Device::flex());
        let params = Params::cut(&layout, &weights, &buffers, true, None);
        let output = encoder.forward(&input.clone().on_tape(), &Context::new(&params, mode));
        let gradient = params.gradients(&mut output.clone().sum_dim(2).sum_dim(1).backward());
        (floats(output), floats(gradient))
    };
    let training = || Mode::Train {
        draws: DRAWS.to_vec(),
        sample_mask: Tensor::ones([DRAWS.len(), size], &Device::flex()),
    };
    let mean = 0.7f32;
    let (plain, _) = encode(mean, Mode::Eval);
    let (masked, gradient) = encode(mean, training());

    // The shift's gradient passes through what is hidden and what is not.
    let [above, below] = [0.01, -0.01].map(|step| encode(mean + step, training()).0);
    for r in 0..DRAWS.len() {
        let sum = |values: &[f32]| {
            values[2 * size * r..2 * size * (r + 1)]
                .iter()
                .map(|&v| f64::from(v))
                .sum::<f64>()
        };
        let (found, expected) = (f64::from(gradient[4 * r + 1]), (sum(&above) - sum(&below)) / 0.02);
        assert!(
            (found - expected).abs() < 1e-3,
            "replica {r}: gradient {found}, differences {expected}"
        );
    }

    let spectrogram = encoder.spectrogram(&input).unwrap();
    let [_, _, _, bins, frames] = spectrogram.dims();
    let spectrogram = floats(spectrogram);
    for (sample, power) in spectrogram.chunks(bins * frames).enumerate() {
        let power: Vec<f64> = power.iter().map(|&value| f64::from(value)).collect();
        let [(centre, _), (deviation, _)] = moments(&power);
        let hidden = |axis: &str, share: f64, length: usize| {
            let draws = stream(&DRAWS[sample / size], &format!("force.spectrogram.{axis}-mask"));
            stretches(&draws, sample % size, 2, share, length)
        };
        let (in_frequency, in_time) = (hidden("frequency", 0.5, bins), hidden("time", 0.3, frames));
        let pooled = |is_masked: bool| {
            let value = |(index, power): (usize, &f64)| {
                let hides = |stretches: &[std::ops::Range<usize>], at: usize| stretches.iter().any(|s| s.contains(&at));
                let is_hidden = hides(&in_frequency, index / frames) || hides(&in_time, index % frames);
                let normal = (power - centre) / (deviation * deviation + 1e-5).sqrt();
                let value = if is_masked && is_hidden { 0.0 } else { normal } + f64::from(mean);
                value / (1.0 + (-value).exp())
            };
            let values: Vec<f64> = power.iter().enumerate().map(value).collect();
            moments(&values).map(|(moment, _)| moment)
        };
        for (found, is_masked) in [(&plain, false), (&masked, true)] {
            for (found, expected) in found[2 * sample..].iter().zip(pooled(is_masked)) {
                assert!(
                    (f64::from(*found) - expected).abs() < 1e-4,
                    "sample {sample}: {found}, expected {expected}"
                );
            }
        }
    }
    assert!(
        plain
            .iter()
            .zip(&masked)
            .filter(|(plain, masked)| plain != masked)
            .count()
            > plain.len() / 2
    );
}

#[test]
fn what_cannot_work_is_named() {
    let problems = |list: &[AugmentConfig], shape| -> Vec<String> {
        let problems = Augmentation::problems(list, shape).into_iter();
        problems.map(|problem| problem.to_string()).collect()
    };
    let shift = |max_share| AugmentConfig::TimeShift {
        max_share,
        edge: Default::default(),
    };
    let mask = |max_share, count| AugmentConfig::TimeMask { max_share, count };
    let row = InputShape::Row { features: 3 };
    let image = InputShape::Image {
        channels: 1,
        height: 2,
        width: 2,
        count: 1,
    };
    let everywhere = [AugmentConfig::Scaling { std: 0.1 }, AugmentConfig::Jitter { std: 2.0 }];
    let in_time = [shift(0.5), mask(0.2, 1), AugmentConfig::ChannelDropout { rate: 0.5 }];
    for shape in [row, image] {
        assert_eq!(problems(&everywhere, shape), [""; 0]);
        assert_eq!(
            problems(&in_time, shape),
            [
                "augment[0].kind: time-shift needs a signal or a series",
                "augment[1].kind: time-mask needs a signal or a series",
                "augment[2].kind: channel-dropout needs a signal or a series",
            ]
        );
    }
    assert_eq!(problems(&in_time, signal(2, 5)), [""; 0]);
    assert_eq!(
        problems(&in_time, signal(1, 4)),
        [
            "augment[1].max_share: is less than one of the 4 rows of a window",
            "augment[2].kind: channel-dropout needs at least two channels",
        ]
    );
    let wrong = [
        (
            shift(0.51),
            "augment[0].max_share: must be greater than 0 and at most 0.5",
        ),
        (
            shift(f64::NAN),
            "augment[0].max_share: must be greater than 0 and at most 0.5",
        ),
        (
            mask(1.0, 1),
            "augment[0].max_share: must be greater than 0 and less than 1",
        ),
        (mask(0.5, 0), "augment[0].count: must be at least 1"),
        (
            AugmentConfig::Scaling { std: 1.0 },
            "augment[0].std: must be greater than 0 and less than 1",
        ),
        (
            AugmentConfig::Jitter { std: 0.0 },
            "augment[0].std: must be greater than 0",
        ),
        (
            AugmentConfig::ChannelDropout { rate: 1.0 },
            "augment[0].rate: must be greater than 0 and less than 1",
        ),
    ];
    for (config, message) in wrong {
        assert_eq!(problems(&[config], signal(2, 9)), [message]);
    }
    assert_eq!(
        problems(&[shift(0.5), shift(0.2)], signal(2, 9)),
        ["augment[1].kind: time-shift is in the list twice: both would draw the same"]
    );
    let unknown = toml::from_str::<AugmentConfig>("kind = \"jitter\"\nstd = 0.1\nmean = 0.0").unwrap_err();
    assert!(unknown.message().contains("unknown field `mean`"), "{unknown}");
}
