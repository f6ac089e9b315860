//! The tape's gradients of every model element against central differences, and what masked attention promises.
//!
//! For each parameter tensor the derivative is taken along unit directions halfway between its gradient and a random
//! vector: the first half makes the derivative as large as the gradient, so that rounding stays far below it; the second
//! half sees errors at a right angle to it. Two central differences, at 4e-3 and 8e-3, are extrapolated to a step of 0
//! (Richardson): what is left of the step is of its fourth order, and of f32, about 1e-6 of loss over 8e-3, some 1e-4,
//! the absolute tolerance. Biases before a ReLU are +-3 in turn, so that units are on or off and far from the kink.
//! A maximum can still change hands within a step: hence a relative tolerance of 2 %.

use burn::tensor::{Device, Tensor, TensorData};
use recoup::models::{Context, Draw, InputShape, Mode, Model, ModelConfig, Params, StreamInput, matrix};
use recoup::training::step::floats;
use serde_json::{Value, json};

const NUM_REPLICAS: usize = 2;
const BATCH: usize = 4;
const NUM_CLASSES: usize = 3;
/// The smaller of the two steps.
const STEP: f64 = 4e-3;
const RELATIVE_TOLERANCE: f64 = 2e-2;
const ABSOLUTE_TOLERANCE: f64 = 3e-4;

const ROW: InputShape = InputShape::Row { features: 5 };
const IMAGE: InputShape = InputShape::Image {
    channels: 2,
    height: 7,
    width: 6,
    count: 1,
};
const IMAGES: InputShape = InputShape::Image {
    channels: 1,
    height: 5,
    width: 4,
    count: 12,
};
const SIGNAL: InputShape = InputShape::Sequence {
    channels: 2,
    length: 12,
    fixed: true,
};
const SERIES: InputShape = InputShape::Sequence {
    channels: 2,
    length: 12,
    fixed: false,
};
/// Rows of each sample of a [`SERIES`], replica by replica; 0 is a sample without this modality.
const LENGTHS: [usize; NUM_REPLICAS * BATCH] = [12, 5, 9, 12, 7, 12, 0, 8];

/// Knuth's linear congruential generator, as numbers in [-1, 1).
pub(crate) struct Noise(pub u64);

impl Noise {
    pub(crate) fn next(&mut self) -> f32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }

    pub(crate) fn values(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.next()).collect()
    }
}

pub(crate) fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

/// A model, weights and a batch, ready for forward passes.
struct Setup {
    model: Model,
    weights: Vec<f32>,
    inputs: Vec<StreamInput>,
    dropout: f32,
    training: bool,
}

impl Setup {
    fn new(config: Value, shapes: &[InputShape]) -> Self {
        let config: ModelConfig = serde_json::from_value(config).unwrap();
        assert!(config.problems(shapes).is_empty(), "{:?}", config.problems(shapes));
        let model = Model::new(&config, shapes, NUM_CLASSES);
        let mut noise = Noise(11);
        let mut weights = model.layout().init_params(&[3, 4]);
        let mut column = weights.iter_mut();
        for _ in 0..NUM_REPLICAS {
            for spec in model.layout().params() {
                for (index, weight) in column.by_ref().take(spec.len()).enumerate() {
                    if spec.path.contains("norm.") {
                        *weight += 0.3 * noise.next();
                    }
                    if before_relu(&config, &spec.path) {
                        *weight = if index % 2 == 0 { 3.0 } else { -3.0 };
                    }
                }
            }
        }
        let inputs = shapes.iter().map(|&shape| input(shape, &mut noise)).collect();
        Self {
            model,
            weights,
            inputs,
            dropout: config.dropout,
            training: true,
        }
    }

    fn mode(&self) -> Mode {
        if !self.training {
            return Mode::Eval;
        }
        let draw = |seed| Draw {
            seed,
            step: 7,
            dropout: self.dropout,
        };
        // The last sample only pads the batch; its logits have no part in the loss.
        let mask = (0..NUM_REPLICAS * BATCH).map(|sample| f32::from(sample % BATCH + 1 < BATCH));
        Mode::Train {
            draws: vec![draw(3), draw(4)],
            sample_mask: tensor(mask.collect(), [NUM_REPLICAS, BATCH]),
        }
    }

    fn params(&self, weights: &[f32], tracked: bool) -> Params {
        let layout = self.model.layout();
        let device = Device::flex();
        let buffers = matrix(layout.init_buffers(&[3, 4]), NUM_REPLICAS, &device);
        Params::cut(
            layout,
            &matrix(weights.to_vec(), NUM_REPLICAS, &device),
            &buffers,
            tracked,
            None,
        )
    }

    /// Logits `[R, B, K]` and stream weights `[R, B, M]`.
    fn forward(&self, weights: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let params = self.params(weights, false);
        let output = self.model.forward(&self.inputs, &Context::new(&params, self.mode()));
        (floats(output.logits), floats(output.stream_weights))
    }

    /// What the loss multiplies the logits with.
    fn cotangent() -> Vec<f32> {
        let mut noise = Noise(5);
        let value = |at: usize| {
            if at / NUM_CLASSES % BATCH + 1 < BATCH {
                noise.next()
            } else {
                0.0
            }
        };
        (0..NUM_REPLICAS * BATCH * NUM_CLASSES).map(value).collect()
    }

    fn loss(&self, weights: &[f32]) -> f64 {
        let (logits, _) = self.forward(weights);
        logits
            .iter()
            .zip(Self::cotangent())
            .map(|(&logit, c)| f64::from(logit) * f64::from(c))
            .sum()
    }

    fn gradient(&self) -> Vec<f32> {
        let params = self.params(&self.weights, true);
        let inputs: Vec<_> = self.inputs.iter().cloned().map(StreamInput::on_tape).collect();
        let logits = self.model.forward(&inputs, &Context::new(&params, self.mode())).logits;
        let cotangent = tensor(Self::cotangent(), [NUM_REPLICAS, BATCH, NUM_CLASSES]);
        let mut gradients = (logits * cotangent.autodiff()).sum().backward();
        floats(params.gradients(&mut gradients))
    }

    /// Places in the weight matrix of the parameter that starts at column `start`, in all replicas.
    fn places(&self, start: usize, len: usize) -> Vec<usize> {
        let width = self.model.layout().num_params();
        (0..NUM_REPLICAS)
            .flat_map(|r| (r * width + start)..(r * width + start + len))
            .collect()
    }

    /// Compares the gradient of every parameter with central differences.
    fn check(&self, name: &str) {
        let gradient = self.gradient();
        assert!(gradient.iter().any(|&value| value.abs() > 1e-2), "{name}: no gradient");
        let mut noise = Noise(17);
        let mut start = 0;
        for spec in self.model.layout().params() {
            let places = self.places(start, spec.len());
            start += spec.len();
            let what = format!("{name}, {}", spec.path);
            assert_derivatives(&what, &self.weights, &gradient, &places, &mut noise, &|weights| {
                self.loss(weights)
            });
        }
    }
}

/// Compares the derivative of `loss` at `weights`, along two directions over `places`, with its `gradient`.
pub(crate) fn assert_derivatives(
    what: &str,
    weights: &[f32],
    gradient: &[f32],
    places: &[usize],
    noise: &mut Noise,
    loss: &dyn Fn(&[f32]) -> f64,
) {
    for draw in 0..2 {
        let direction = direction(places, gradient, noise);
        let analytic: f64 = places
            .iter()
            .zip(&direction)
            .map(|(&at, d)| f64::from(gradient[at]) * d)
            .sum();
        let moved = |step: f64| {
            let mut weights = weights.to_vec();
            for (&at, d) in places.iter().zip(&direction) {
                weights[at] = (f64::from(weights[at]) + step * d) as f32;
            }
            loss(&weights)
        };
        let central = |step: f64| (moved(step) - moved(-step)) / (2.0 * step);
        let numeric = (4.0 * central(STEP) - central(2.0 * STEP)) / 3.0;
        let tolerance = ABSOLUTE_TOLERANCE + RELATIVE_TOLERANCE * numeric.abs();
        assert!(
            (analytic - numeric).abs() <= tolerance,
            "{what}, draw {draw}: tape {analytic:e}, difference quotient {numeric:e}"
        );
    }
}

/// Whether a parameter is the last addition before a ReLU: of the embedding, the head, or a ReLU encoder.
fn before_relu(config: &ModelConfig, path: &str) -> bool {
    let relu = |prefix: &str| {
        let stream = config.stream.iter().find(|stream| stream.name == prefix);
        stream.is_some_and(|stream| serde_json::to_value(&stream.encoder).unwrap()["activation"] == "relu")
    };
    let prefix = path.split('.').next().unwrap();
    path.ends_with(".bias") && (path.ends_with("embed.bias") || prefix == "head" || relu(prefix))
}

/// A unit vector halfway between the gradient and a random vector.
fn direction(places: &[usize], gradient: &[f32], noise: &mut Noise) -> Vec<f64> {
    let unit = |vector: Vec<f64>| {
        let norm = vector.iter().map(|v| v * v).sum::<f64>().sqrt().max(1e-12);
        vector.into_iter().map(move |v| v / norm).collect::<Vec<f64>>()
    };
    let along = unit(places.iter().map(|&at| f64::from(gradient[at])).collect());
    let random = unit(places.iter().map(|_| f64::from(noise.next())).collect());
    unit(along.iter().zip(random).map(|(a, r)| a + r).collect())
}

fn input(shape: InputShape, noise: &mut Noise) -> StreamInput {
    let (steps, columns, lengths) = match shape {
        InputShape::Row { features } => (1, features, None),
        InputShape::Image {
            channels,
            height,
            width,
            count,
        } => (count, channels * height * width, (count > 1).then_some(LENGTHS)),
        InputShape::Sequence {
            channels,
            length,
            fixed,
        } => (length, channels, (!fixed).then_some(LENGTHS)),
    };
    let samples = NUM_REPLICAS * BATCH;
    let mut rows: Vec<f32> = noise
        .values(samples * steps * columns)
        .iter()
        .map(|v| 2.0 * v)
        .collect();
    for (sample, &length) in lengths.iter().flatten().enumerate() {
        rows[(sample * steps + length) * columns..(sample + 1) * steps * columns].fill(0.0);
    }
    let present = (0..samples).map(|sample| f32::from(lengths.is_none_or(|lengths| lengths[sample] > 0)));
    StreamInput {
        rows: tensor(rows, [NUM_REPLICAS, BATCH, steps, columns]),
        lengths: lengths.map(|lengths| lengths.to_vec().into()),
        present: tensor(present.collect(), [NUM_REPLICAS, BATCH, 1]),
    }
}

fn config(streams: &[(&str, Value)], fusion: Value) -> Value {
    let stream = |(name, encoder): &(&str, Value)| json!({ "name": name, "modality": name, "encoder": encoder });
    json!({
        "embedding_size": 6,
        "fusion": fusion,
        "head": { "hidden_sizes": [8] },
        "stream": streams.iter().map(stream).collect::<Vec<_>>(),
    })
}

fn single(encoder: Value) -> Value {
    config(&[("x", encoder)], json!({ "kind": "concat" }))
}

/// A convolutional encoder of these blocks, smooth and without normalisation unless `options` says otherwise.
fn cnn(blocks: Value, options: Value) -> Value {
    let mut encoder = json!({
        "kind": "cnn",
        "blocks": blocks,
        "norm": { "kind": "none" },
        "activation": "gelu",
    });
    for (key, value) in options.as_object().unwrap() {
        encoder[key] = value.clone();
    }
    encoder
}

fn two_blocks() -> Value {
    json!([
        { "channels": 4, "kernel_size": 3 },
        { "channels": 6, "kernel_size": 4, "stride": 2, "dilation": 2 },
    ])
}

#[test]
fn mlp() {
    for activation in ["relu", "gelu", "tanh", "silu"] {
        let encoder = json!({ "kind": "mlp", "hidden_sizes": [7, 6], "activation": activation });
        Setup::new(single(encoder), &[ROW]).check(activation);
    }
    for (name, shape) in [("row", ROW), ("flat signal", SIGNAL), ("flat image", IMAGE)] {
        let encoder = json!({ "kind": "mlp", "hidden_sizes": [], "activation": "tanh" });
        Setup::new(single(encoder), &[shape]).check(name);
    }
}

#[test]
fn cnn_activations() {
    for activation in ["relu", "gelu", "tanh", "silu"] {
        let encoder = cnn(two_blocks(), json!({ "activation": activation }));
        Setup::new(single(encoder), &[SIGNAL]).check(activation);
    }
}

#[test]
fn cnn_norms() {
    for norm in [
        json!({ "kind": "group", "num_groups": 2 }),
        json!({ "kind": "layer" }),
        json!({ "kind": "batch" }),
        json!({ "kind": "none" }),
    ] {
        let encoder = cnn(two_blocks(), json!({ "norm": norm }));
        let mut setup = Setup::new(single(encoder), &[SIGNAL]);
        setup.check(&format!("{norm}, training"));
        setup.training = false;
        setup.check(&format!("{norm}, evaluation"));
    }
}

#[test]
fn cnn_paddings_residuals_and_block_pools() {
    let blocks = |pool: Option<&str>, residual: bool| {
        let mut blocks = json!([
            { "channels": 4, "kernel_size": 3, "residual": residual },
            { "channels": 4, "kernel_size": 2, "dilation": 2, "residual": residual },
            { "channels": 6, "kernel_size": 3, "stride": 2, "residual": residual },
        ]);
        if let Some(kind) = pool {
            blocks[1]["pool"] = json!({ "kind": kind, "size": 2 });
        }
        blocks
    };
    for padding in ["same", "valid", "causal"] {
        for residual in [false, true] {
            for pool in [None, Some("max"), Some("mean")] {
                let options = json!({ "padding": padding, "norm": { "kind": "group", "num_groups": 2 } });
                let encoder = cnn(blocks(pool, residual), options);
                let name = format!("padding {padding}, residual {residual}, pool {pool:?}");
                let mut setup = Setup::new(single(encoder), &[SIGNAL]);
                setup.training = pool.is_none();
                setup.check(&name);
            }
        }
    }
}

#[test]
fn cnn_pooling_of_whole_and_masked_sequences() {
    for (name, shape) in [("whole", SIGNAL), ("masked", SERIES)] {
        for pooling in ["mean", "max", "stats", "last"] {
            let encoder = cnn(two_blocks(), json!({ "pooling": pooling }));
            Setup::new(single(encoder), &[shape]).check(&format!("{pooling}, {name}"));
        }
    }
}

#[test]
fn cnn_over_images() {
    let blocks = json!([
        { "channels": 4, "kernel_size": 3, "pool": { "kind": "mean", "size": 2 } },
        { "channels": 6, "kernel_size": [3, 2], "stride": [1, 2], "dilation": [1, 2], "residual": true },
    ]);
    for norm in [json!({ "kind": "group", "num_groups": 2 }), json!({ "kind": "batch" })] {
        for pooling in ["mean", "stats", "max"] {
            let encoder = cnn(blocks.clone(), json!({ "norm": norm, "pooling": pooling }));
            Setup::new(single(encoder), &[IMAGE]).check(&format!("{norm}, {pooling}"));
        }
    }
}

#[test]
fn several_images_per_sample() {
    let encoder = cnn(json!([{ "channels": 4, "kernel_size": 3, "stride": 2 }]), json!({}));
    Setup::new(single(encoder), &[IMAGES]).check("CNN");
    let encoder = json!({ "kind": "mlp", "hidden_sizes": [4], "activation": "tanh" });
    Setup::new(single(encoder), &[IMAGES]).check("MLP");
}

#[test]
fn lstm() {
    for (name, shape) in [("whole", SIGNAL), ("masked", SERIES)] {
        for bidirectional in [false, true] {
            for layers in [1, 2] {
                for pooling in ["last", "mean", "max", "stats"] {
                    let encoder = json!({
                        "kind": "lstm",
                        "layers": layers,
                        "hidden_size": 4,
                        "bidirectional": bidirectional,
                        "pooling": pooling,
                    });
                    let name = format!("{layers} layers, bidirectional {bidirectional}, {pooling}, {name}");
                    Setup::new(single(encoder), &[shape]).check(&name);
                }
            }
        }
    }
}

#[test]
fn cnn_lstm() {
    let mut cnn = cnn(two_blocks(), json!({ "norm": { "kind": "group", "num_groups": 2 } }));
    cnn.as_object_mut().unwrap().remove("kind");
    let encoder = json!({ "kind": "cnn-lstm", "cnn": cnn, "lstm": { "hidden_size": 4, "bidirectional": true } });
    for (name, shape) in [("whole", SIGNAL), ("masked", SERIES)] {
        Setup::new(single(encoder.clone()), &[shape]).check(name);
    }
}

#[test]
fn spectrogram() {
    let blocks = json!([{ "channels": 4, "kernel_size": 3 }, { "channels": 6, "kernel_size": 3, "stride": 2 }]);
    let mut cnn = cnn(blocks, json!({ "norm": { "kind": "layer" } }));
    cnn.as_object_mut().unwrap().remove("kind");
    let encoder = json!({ "kind": "spectrogram", "num_fft": 8, "hop": 2, "cnn": cnn });
    Setup::new(single(encoder), &[SIGNAL]).check("spectrogram");
}

/// Three streams, the second missing in some samples.
fn streams() -> [(&'static str, Value, InputShape); 3] {
    [
        (
            "clinical",
            json!({ "kind": "mlp", "hidden_sizes": [5], "activation": "tanh" }),
            ROW,
        ),
        ("stride", json!({ "kind": "lstm", "hidden_size": 4 }), SERIES),
        ("force", cnn(two_blocks(), json!({})), SIGNAL),
    ]
}

fn fused(fusion: Value, order: [usize; 3]) -> Setup {
    let streams = order.map(|index| streams()[index].clone());
    let encoders: Vec<_> = streams
        .iter()
        .map(|(name, encoder, _)| (*name, encoder.clone()))
        .collect();
    Setup::new(config(&encoders, fusion), &streams.map(|(.., shape)| shape))
}

fn attention() -> Value {
    json!({ "kind": "attention", "hidden_size": 5 })
}

/// Every way to fuse.
fn fusions() -> [Value; 6] {
    [
        json!({ "kind": "concat" }),
        attention(),
        json!({ "kind": "attention", "hidden_size": 5, "combine": "concat" }),
        json!({ "kind": "gated", "hidden_size": 5 }),
        json!({ "kind": "cross-attention", "num_heads": 2, "num_layers": 2, "hidden_size": 7 }),
        json!({ "kind": "bottleneck", "num_tokens": 3, "num_heads": 2, "hidden_size": 7 }),
    ]
}

#[test]
fn fusion_with_a_missing_modality() {
    for fusion in fusions() {
        fused(fusion.clone(), [0, 1, 2]).check(&fusion.to_string());
    }
}

#[test]
fn dropout_with_fixed_draws() {
    for encoder in [
        json!({ "kind": "lstm", "layers": 2, "hidden_size": 4, "bidirectional": true }),
        json!({ "kind": "mlp", "hidden_sizes": [24, 6], "activation": "tanh" }),
    ] {
        let mut config = single(encoder);
        config["dropout"] = json!(0.3);
        let setup = Setup::new(config, &[SIGNAL]);
        assert_eq!(setup.forward(&setup.weights), setup.forward(&setup.weights));
        setup.check("dropout");
        let with_dropout = setup.forward(&setup.weights);
        let without = Setup { dropout: 0.0, ..setup };
        assert_ne!(with_dropout, without.forward(&without.weights));
    }
}

#[test]
fn attention_gives_a_missing_stream_no_weight() {
    let mut setup = fused(attention(), [0, 1, 2]);
    // One sample in which nothing is present.
    for input in &mut setup.inputs {
        let mut present = floats(input.present.clone());
        present[5] = 0.0;
        input.present = tensor(present, [NUM_REPLICAS, BATCH, 1]);
    }
    let (logits, weights) = setup.forward(&setup.weights);
    assert!(logits.iter().all(|logit| logit.is_finite()));
    for (sample, weights) in weights.chunks(3).enumerate() {
        match sample {
            5 => assert_eq!(weights, [0.0; 3]),
            _ => {
                assert!(
                    (weights.iter().sum::<f32>() - 1.0).abs() < 1e-6,
                    "sample {sample}: {weights:?}"
                );
                assert_eq!(weights[1] == 0.0, LENGTHS[sample] == 0, "sample {sample}: {weights:?}");
                assert!(weights[0] > 0.0 && weights[2] > 0.0, "sample {sample}: {weights:?}");
            }
        }
    }
}

#[test]
fn attention_does_not_depend_on_the_order_of_the_streams() {
    const ORDER: [usize; 3] = [2, 0, 1];
    let setup = fused(attention(), [0, 1, 2]);
    let mut permuted = fused(attention(), ORDER);
    permuted.inputs = ORDER.map(|index| setup.inputs[index].clone()).to_vec();
    let width = setup.model.layout().num_params();
    let mut by_path = std::collections::BTreeMap::new();
    let mut start = 0;
    for spec in setup.model.layout().params() {
        by_path.insert(&spec.path, start..start + spec.len());
        start += spec.len();
    }
    permuted.weights = (setup.weights.chunks(width))
        .flat_map(|row| {
            let specs = permuted.model.layout().params().iter();
            specs
                .flat_map(|spec| row[by_path[&spec.path].clone()].to_vec())
                .collect::<Vec<_>>()
        })
        .collect();
    assert_ne!(permuted.weights, setup.weights);

    let (logits, weights) = setup.forward(&setup.weights);
    let (permuted_logits, permuted_weights) = permuted.forward(&permuted.weights);
    for (a, b) in logits.iter().zip(&permuted_logits) {
        assert!((a - b).abs() < 1e-5, "{a} and {b}");
    }
    for (weights, permuted) in weights.chunks(3).zip(permuted_weights.chunks(3)) {
        for (at, &index) in ORDER.iter().enumerate() {
            assert!(
                (weights[index] - permuted[at]).abs() < 1e-6,
                "{weights:?} and {permuted:?}"
            );
        }
    }
}

#[test]
fn a_missing_modality_is_not_looked_at() {
    for fusion in fusions() {
        let mut setup = fused(fusion, [2, 0, 1]);
        // The signal of two samples is missing; what its rows hold is of no account.
        let mut present = floats(setup.inputs[0].present.clone());
        (present[1], present[6]) = (0.0, 0.0);
        setup.inputs[0].present = tensor(present, [NUM_REPLICAS, BATCH, 1]);
        let (logits, gradient) = (setup.forward(&setup.weights), setup.gradient());

        let mut rows = floats(setup.inputs[0].rows.clone());
        let mut noise = Noise(23);
        for sample in [1, 6] {
            rows[sample * 24..(sample + 1) * 24].fill_with(|| 50.0 * noise.next());
        }
        setup.inputs[0].rows = tensor(rows.clone(), [NUM_REPLICAS, BATCH, 12, 2]);
        assert_eq!(setup.forward(&setup.weights), logits);
        for (a, b) in setup.gradient().iter().zip(&gradient) {
            assert!((a - b).abs() <= 1e-6 * b.abs().max(1.0), "{a} and {b}");
        }

        // A sample in which it is there does look at it, and no other sample does.
        rows[0] += 1.0;
        setup.inputs[0].rows = tensor(rows, [NUM_REPLICAS, BATCH, 12, 2]);
        let (changed, _) = setup.forward(&setup.weights);
        assert_ne!(changed[..NUM_CLASSES], logits.0[..NUM_CLASSES]);
        assert_eq!(changed[NUM_CLASSES..], logits.0[NUM_CLASSES..]);
    }
}
