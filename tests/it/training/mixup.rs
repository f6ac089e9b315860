//! Mixup: partners and shares, what is mixed with what, and the loss of mixed samples.

use burn::tensor::{Device, Tensor, TensorData};
use recoup::base::{Problem, Problems};
use recoup::models::{Draw, matrix};
use recoup::training::losses::Targets;
use recoup::training::mixup::beta_quantile;
use recoup::training::step::{Group, floats};
use recoup::training::{Mixup, MixupConfig, TrainingConfig};
use serde::Deserialize;

use super::augment::{DRAWS, batch, stream};
use super::support::{data, plan, replicas};

#[test]
fn quantiles_agree_with_scipy() {
    #[derive(Deserialize)]
    struct Case {
        alpha: f64,
        quantiles: Vec<[f64; 2]>,
    }
    #[derive(Deserialize)]
    struct Golden {
        cases: Vec<Case>,
    }
    let golden: Golden = serde_json::from_str(include_str!("../../golden/augment.json")).unwrap();
    assert_eq!(golden.cases.len(), 8);
    for Case { alpha, quantiles } in golden.cases {
        assert_eq!(MixupConfig { alpha }.problems(), Problems::default());
        for [probability, expected] in quantiles {
            let found = beta_quantile(alpha, probability);
            assert!(
                (found - expected).abs() < 1e-12,
                "alpha {alpha}, {probability}: {found}, SciPy {expected}"
            );
        }
    }
}

#[test]
fn what_cannot_work_is_named() {
    for alpha in [0.0, -1.0, f64::NAN, 1e4] {
        let problem = Problem::new("alpha", "must be between 0.01 and 1000");
        assert_eq!(MixupConfig { alpha }.problems(), problem.into());
    }
    let text =
        "epochs = 1\nbatch_size = 1\noptimizer = { kind = \"adamw\", learning_rate = 0.1 }\nmixup = { alpha = 0.0 }";
    let config: TrainingConfig = toml::from_str(text).unwrap();
    let expected = [
        ("mixup", "mixes samples of one batch: use a batch_size of at least 2"),
        ("mixup.alpha", "must be between 0.01 and 1000"),
    ];
    let expected = expected.map(|(key, message)| Problem::new(key, message));
    assert_eq!(config.problems()[..], expected);
}

/// Three batches of eight: full, one with three samples, one with a single one.
fn window_indices() -> Vec<Vec<Option<u32>>> {
    [8, 3, 1]
        .map(|count| (0..8).map(|at| (at < count).then_some(at)).collect())
        .to_vec()
}

#[test]
fn partners_are_an_order_of_the_samples_and_never_padding() {
    let window_indices = window_indices();
    let mixup = Mixup::draw(&MixupConfig { alpha: 0.4 }, &DRAWS, &window_indices);
    for (r, window_indices) in window_indices.iter().enumerate() {
        let mut partners = mixup.partners[r].clone();
        let draws = stream(&DRAWS[r], "mixup.lambda");
        for b in 0..8 {
            let uniform = (f64::from(draws.u32(b as u64)) + 0.5) / f64::powi(2.0, 32);
            let is_mixed = partners[b] != b;
            let expected = if is_mixed {
                beta_quantile(0.4, uniform) as f32
            } else {
                1.0
            };
            assert_eq!(mixup.shares[r][b], expected);
            assert!(
                !is_mixed || window_indices[b].is_some() && window_indices[partners[b]].is_some(),
                "padding is mixed in"
            );
        }
        partners.sort();
        assert_eq!(partners, (0..8).collect::<Vec<_>>());
        let amounts = mixup.amounts(r);
        assert!((amounts.iter().sum::<f64>() - 8.0).abs() < 1e-6);
    }
    assert!(mixup.partners[0].iter().enumerate().any(|(b, &partner)| partner != b));

    // Alone, a replica draws the same.
    let alone = Mixup::draw(&MixupConfig { alpha: 0.4 }, &DRAWS[1..2], &window_indices[1..2]);
    assert_eq!(
        (&alone.partners[0], &alone.shares[0]),
        (&mixup.partners[1], &mixup.shares[1])
    );
}

#[test]
fn shares_follow_the_beta_distribution() {
    let window_indices = vec![(0..4000).map(Some).collect::<Vec<_>>(); 3];
    let mixup = Mixup::draw(&MixupConfig { alpha: 2.0 }, &DRAWS, &window_indices);
    let shares: Vec<f64> = mixup
        .shares
        .iter()
        .flatten()
        .filter(|&&share| share != 1.0)
        .map(|&s| s.into())
        .collect();
    let count = shares.len() as f64;
    assert!(count > 11_900.0);
    // Beta(2, 2): variance 1/20, fourth central moment 3/560.
    let mean = shares.iter().sum::<f64>() / count;
    assert!((mean - 0.5).abs() < 4.0 * (0.05 / count).sqrt(), "mean {mean}");
    let variance = shares.iter().map(|share| (share - 0.5).powi(2)).sum::<f64>() / count;
    assert!(
        (variance - 0.05).abs() < 4.0 * ((3.0 / 560.0 - 0.0025) / count).sqrt(),
        "variance {variance}"
    );
}

#[test]
fn rows_are_mixed_where_both_samples_have_them() {
    let (size, length, channels) = (8, 5, 2);
    let samples = DRAWS.len() * size;
    let window_indices = window_indices();
    let mixup = Mixup::draw(&MixupConfig { alpha: 1.0 }, &DRAWS, &window_indices);
    let lengths: Vec<usize> = (0..samples).map(|sample| (sample * 5 + 1) % (length + 1)).collect();
    for lengths in [None, Some(&lengths[..])] {
        let mut input = batch(size, length, channels, lengths);
        let present: Vec<f32> = (0..samples).map(|sample| f32::from(sample % 4 != 2)).collect();
        let shape = [DRAWS.len(), size, 1];
        if lengths.is_none() {
            input.present = Tensor::from_data(TensorData::new(present.clone(), shape), &Device::flex());
        }
        let output = mixup.inputs(vec![input.clone()]).remove(0);
        assert_eq!(output.lengths, input.lengths);
        assert_eq!(floats(output.present), floats(input.present.clone()));
        let (before, after) = (floats(input.rows), floats(output.rows));
        let mut mixed = 0;
        for (index, &value) in after.iter().enumerate() {
            let (sample, at) = (index / (length * channels), index / channels % length);
            let (r, b) = (sample / size, sample % size);
            let (partner, share) = (r * size + mixup.partners[r][b], mixup.shares[r][b]);
            let has_row = |sample: usize| lengths.map_or(present[sample] == 1.0, |lengths| at < lengths[sample]);
            let own = before[index];
            if partner == sample || !has_row(sample) || !has_row(partner) {
                assert_eq!(value, own, "sample {sample}, row {at}");
            } else {
                mixed += 1;
                let other = before[partner * length * channels + index % (length * channels)];
                let expected = share * own + (1.0 - share) * other;
                assert!(
                    (value - expected).abs() <= 1e-6 * own.max(other),
                    "sample {sample}, row {at}"
                );
            }
        }
        assert!(mixed > 20);
    }
}

#[test]
fn each_of_two_labels_counts_with_the_weight_of_its_class() {
    let (size, classes) = (8, 3);
    let window_indices = window_indices();
    let mixup = Mixup::draw(&MixupConfig { alpha: 1.0 }, &DRAWS, &window_indices);
    let class_weights = [0.5f64, 1.0, 2.5];
    let (mut one_hot, mut weights, mut mask) = (Vec::new(), Vec::new(), Vec::new());
    for (r, window_indices) in window_indices.iter().enumerate() {
        let class = |b: usize| (b * 7 + r) % classes;
        let amounts = mixup.amounts(r);
        let weight = |b: usize| window_indices[b].map_or(0.0, |_| class_weights[class(b)]);
        let total: f64 = (0..size).map(|b| amounts[b] * weight(b)).sum();
        for (b, pick) in window_indices.iter().enumerate() {
            let label = |k: usize| if k == class(b) { 0.9 } else { 0.05f32 };
            one_hot.extend((0..classes).map(|k| pick.map_or(0.0, |_| label(k))));
            weights.push((weight(b) / total) as f32);
            mask.push(f32::from(pick.is_some()));
        }
    }
    let tensor = |values: &Vec<f32>, width: usize| {
        Tensor::<3>::from_data(
            TensorData::new(values.clone(), [DRAWS.len(), size, width]),
            &Device::flex(),
        )
    };
    let sample_mask = Tensor::<2>::from_data(TensorData::new(mask.clone(), [DRAWS.len(), size]), &Device::flex());
    let mixed = mixup.targets(Targets {
        one_hot: tensor(&one_hot, classes),
        weights: tensor(&weights, 1),
        sample_mask,
    });
    assert_eq!(floats(mixed.sample_mask), mask);
    let (mixed_one_hot, mixed_weights) = (floats(mixed.one_hot), floats(mixed.weights));
    for sample in 0..DRAWS.len() * size {
        let (r, b) = (sample / size, sample % size);
        let (partner, share) = (r * size + mixup.partners[r][b], mixup.shares[r][b]);
        let labels = &mixed_one_hot[sample * classes..(sample + 1) * classes];
        if partner == sample {
            assert_eq!(labels, &one_hot[sample * classes..(sample + 1) * classes]);
            assert_eq!(mixed_weights[sample], weights[sample]);
        } else {
            assert!((labels.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        }
        for (k, label) in labels.iter().enumerate() {
            let of = |sample: usize| weights[sample] * one_hot[sample * classes + k];
            let expected = share * of(sample) + (1.0 - share) * of(partner);
            assert!(
                (mixed_weights[sample] * label - expected).abs() < 1e-7,
                "sample {sample}, class {k}"
            );
        }
    }
    for weights in mixed_weights.chunks(size) {
        let sum: f32 = weights.iter().sum();
        assert!((sum - 1.0).abs() < 1e-6, "weights of a replica sum to {sum}");
    }
}

/// With shares of 0 and 1 only, a mixed batch is another batch of the same windows: loss and gradient must be those of
/// that batch trained without mixup.
#[test]
fn all_or_nothing_is_training_on_the_picked_windows() {
    let text = r#"
name = "mixup"
[data]
source = { kind = "dataset", name = "walkers" }
window = { window_secs = 5.0, stride_secs = 3.0 }
[split]
protocol = { kind = "hold-out", test_fraction = 0.25 }
[model]
dropout = 0.2
[[model.stream]]
name = "force"
modality = "force"
encoder = { kind = "cnn", blocks = [{ channels = 4, kernel_size = 9, stride = 8 }] }
[[model.stream]]
name = "motion"
modality = "motion"
encoder = { kind = "cnn", blocks = [{ channels = 4, kernel_size = 3, stride = 2 }] }
[training]
epochs = 1
batch_size = 6
mixup = { alpha = 0.01 }
class_weights = "balanced"
label_smoothing = 0.1
optimizer = { kind = "adamw", learning_rate = 0.01 }
"#;
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(text, &[], folder.path());
    let (program, device) = (plan.base(), Device::flex());
    let mixed = &program.config().training;
    let (config, plain) = (
        mixed.mixup.unwrap(),
        TrainingConfig {
            mixup: None,
            ..mixed.clone()
        },
    );
    let replica = replicas(&plan)[0];
    let data = data(&plan, program, &device);
    let [weights, buffers] = replica
        .first_values(program.model().layout())
        .unwrap()
        .map(|row| matrix(row, 1, &device));
    let gradients = |config: &TrainingConfig, step: u64, batches: &[Vec<Vec<Option<u32>>>]| {
        let made =
            Group::new(program.model(), &data, vec![replica], config).gradients(&weights, &buffers, &[step], batches);
        (floats(made.losses)[0], floats(made.gradient))
    };
    let train = replica.train.concat();
    // One full micro-batch and one with a sample of padding.
    let micro = |range: std::ops::Range<usize>| vec![range.map(|at| train.get(at).copied()).collect::<Vec<_>>()];
    let batches = vec![micro(0..6), micro(train.len() - 5..train.len() + 1)];
    // The windows that each place of a step's micro-batches is given, if all shares are all or nothing.
    let picked = |step: u64| -> Option<Vec<_>> {
        let micro = |(micro, window_indices): (usize, &Vec<Vec<Option<u32>>>)| {
            let draw = Draw {
                seed: replica.seed,
                step: step * 2 + micro as u64,
                dropout: 0.2,
            };
            let mixup = Mixup::draw(&config, &[draw], window_indices);
            let pick = |b: usize| match mixup.shares[0][b] {
                1.0 => Some(window_indices[0][b]),
                share if share < 1e-12 => Some(window_indices[0][mixup.partners[0][b]]),
                _ => None,
            };
            Some(vec![(0..6).map(pick).collect::<Option<Vec<_>>>()?])
        };
        batches.iter().enumerate().map(micro).collect()
    };
    let (step, picked) = (0..1000).find_map(|step| Some((step, picked(step)?))).unwrap();
    assert_ne!(picked, batches);
    let (found, found_gradient) = gradients(mixed, step, &batches);
    let (expected, expected_gradient) = gradients(&plain, step, &picked);
    let (other, _) = gradients(&plain, step, &batches);
    assert!((found - expected).abs() < 1e-6, "{found}, expected {expected}");
    assert!((found - other).abs() > 1e-4, "{found}, without mixup {other}");
    let largest = expected_gradient
        .iter()
        .fold(0.0f32, |largest, value| largest.max(value.abs()));
    for (index, (found, expected)) in found_gradient.iter().zip(expected_gradient).enumerate() {
        assert!(
            (found - expected).abs() <= 1e-5 * largest,
            "weight {index}: {found}, expected {expected}"
        );
    }
}
