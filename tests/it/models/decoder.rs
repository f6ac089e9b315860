//! Decoders: shapes, gradients, the masked error, and that autoencoders made of them learn. The reference of the linear
//! one is made by `tests/golden/decoder.py`.

use burn::tensor::{Bool, Device, Tensor, TensorData};
use recoup::base::{Problem, Problems};
use recoup::models::decoder::{Decoder, DecoderConfig, reconstruction_error};
use recoup::models::layers::Linear;
use recoup::models::{Context, InputShape, LayoutBuilder, Mode, Params, matrix};
use recoup::training::OptimizerConfig;
use recoup::training::optimizer::{OptimizerStep, ReplicaStep};
use recoup::training::step::floats;
use serde::Deserialize;
use serde_json::{Value, json};

use super::support::{Weights, bits};
use crate::gradients::{Noise, tensor};

const BATCH: usize = 3;
const LATENT: usize = 4;

const ROW: InputShape = InputShape::Row { features: 5 };
const SERIES: InputShape = InputShape::Sequence {
    channels: 2,
    length: 11,
    fixed: false,
};
const IMAGE: InputShape = InputShape::Image {
    channels: 2,
    height: 7,
    width: 6,
    count: 1,
};
const IMAGES: InputShape = InputShape::Image {
    channels: 1,
    height: 4,
    width: 5,
    count: 11,
};
/// Of the samples of a [`SERIES`], and images of those of [`IMAGES`], replica by replica.
const LENGTHS: [usize; 2 * BATCH] = [11, 4, 0, 7, 11, 1];

fn mlp() -> Value {
    json!({ "kind": "mlp", "hidden_sizes": [6], "activation": "tanh" })
}

fn cnn() -> Value {
    json!({
        "kind": "cnn",
        "activation": "gelu",
        "norm": { "kind": "group", "num_groups": 2 },
        "blocks": [
            { "channels": 4, "kernel_size": 3 },
            { "channels": 6, "kernel_size": 4, "upsample": 3 },
        ],
    })
}

fn lstm() -> Value {
    json!({ "kind": "lstm", "hidden_size": 5, "layers": 2 })
}

fn config(config: &Value) -> DecoderConfig {
    serde_json::from_value(config.clone()).unwrap()
}

/// Every decoder with everything that it can make.
fn decoders() -> Vec<(Value, InputShape)> {
    let of = |config: fn() -> Value, shapes: &[InputShape]| {
        shapes.iter().map(|&shape| (config(), shape)).collect::<Vec<_>>()
    };
    [
        of(mlp, &[ROW, SERIES, IMAGE]),
        of(cnn, &[SERIES, IMAGE, IMAGES]),
        of(lstm, &[SERIES]),
    ]
    .concat()
}

fn build(decoder: &Value, shape: InputShape, num_replicas: usize) -> (Decoder, Weights) {
    let config = config(decoder);
    assert_eq!(config.problems(LATENT, shape), Problems::default());
    let mut layout = LayoutBuilder::new();
    let decoder = Decoder::new(&mut layout, &config, LATENT, shape);
    (decoder, Weights::new(layout.finish(), num_replicas))
}

fn lengths(shape: InputShape) -> Option<&'static [usize]> {
    (row_shape(shape)[0] == LENGTHS[0]).then_some(&LENGTHS)
}

fn row_shape(shape: InputShape) -> [usize; 2] {
    match shape {
        InputShape::Row { features } => [1, features],
        InputShape::Sequence { channels, length, .. } => [length, channels],
        InputShape::Image {
            channels,
            height,
            width,
            count,
        } => [count, channels * height * width],
    }
}

#[test]
fn any_size_can_be_made() {
    let dims = |decoder: &Value, shape: InputShape| {
        let (decoder, weights) = build(decoder, shape, 2);
        let latent = tensor(Noise(1).values(2 * BATCH * LATENT), [2, BATCH, LATENT]).autodiff();
        let params = weights.params(&weights.values);
        let rows = decoder.forward(latent, None, &Context::new(&params, Mode::Eval));
        let dims = rows.dims();
        let rows = floats(rows);
        assert!(rows.iter().copied().all(f32::is_finite));
        // Not a constant: the last value differs from the first.
        assert_ne!(rows.first(), rows.last());
        dims
    };
    for length in [1, 2, 3, 4, 5, 6, 7, 12, 13, 31, 64] {
        for channels in [1, 3] {
            let shape = InputShape::Sequence {
                channels,
                length,
                fixed: true,
            };
            for decoder in [mlp(), cnn(), lstm()] {
                assert_eq!(
                    dims(&decoder, shape),
                    [2, BATCH, length, channels],
                    "{decoder}, {length}"
                );
            }
        }
    }
    for [height, width, count] in [[1, 1, 1], [1, 9, 1], [8, 8, 3], [7, 12, 1], [13, 5, 2]] {
        let shape = InputShape::Image {
            channels: 2,
            height,
            width,
            count,
        };
        for decoder in [mlp(), cnn()] {
            assert_eq!(
                dims(&decoder, shape),
                [2, BATCH, count, 2 * height * width],
                "{decoder}, {shape:?}"
            );
        }
    }
    assert_eq!(dims(&mlp(), ROW), [2, BATCH, 1, 5]);
}

#[test]
fn upsampling_repeats_each_position_and_an_image_keeps_its_axes() {
    // One channel, kernels of one tap with weight 1: the rows are the grid, enlarged and cut.
    let decoder = json!({
        "kind": "cnn",
        "activation": "relu",
        "norm": { "kind": "none" },
        "blocks": [{ "channels": 1, "kernel_size": 1, "upsample": [2, 3] }],
    });
    let shape = InputShape::Image {
        channels: 1,
        height: 3,
        width: 5,
        count: 1,
    };
    let (decoder, mut weights) = build(&decoder, shape, 1);
    let places = weights.places();
    let mut set = |path: &str, values: &[f32]| {
        assert_eq!(places[path].len(), values.len(), "{path}");
        places[path]
            .iter()
            .zip(values)
            .for_each(|(&at, &value)| weights.values[at] = value);
    };
    set("grid.weight", &[0.0; 16]);
    set("grid.bias", &[1.0, 2.0, 3.0, 4.0]);
    for path in ["block0.conv", "last"] {
        set(&format!("{path}.weight"), &[1.0]);
        set(&format!("{path}.bias"), &[0.0]);
    }
    let params = weights.params(&weights.values);
    let latent = tensor(vec![1.0; LATENT], [1, 1, LATENT]).autodiff();
    let rows = floats(decoder.forward(latent, None, &Context::new(&params, Mode::Eval)));
    #[rustfmt::skip]
    assert_eq!(rows, [
        1.0, 1.0, 1.0, 2.0, 2.0,
        1.0, 1.0, 1.0, 2.0, 2.0,
        3.0, 3.0, 3.0, 4.0, 4.0,
    ]);
}

#[test]
fn the_images_of_a_sample_are_one_image() {
    let (decoder, weights) = build(&cnn(), IMAGES, 1);
    let latent = tensor(Noise(1).values(LATENT), [1, 1, LATENT]).autodiff();
    let params = weights.params(&weights.values);
    let rows = floats(decoder.forward(latent, Some(&[2]), &Context::new(&params, Mode::Eval)));
    let [count, columns] = row_shape(IMAGES);
    assert_eq!(rows.chunks(columns).collect::<Vec<_>>(), vec![&rows[..columns]; count]);
}

#[test]
fn gradients_agree_with_difference_quotients() {
    for (decoder, shape) in decoders() {
        let (built, weights) = build(&decoder, shape, 2);
        let mut noise = Noise(2);
        let [steps, columns] = row_shape(shape);
        let latent = noise.values(2 * BATCH * LATENT);
        let rows = noise.values(2 * BATCH * steps * columns);
        weights.check_gradient(&format!("{decoder}, {shape:?}"), weights.training(BATCH), |context| {
            let latent = tensor(latent.clone(), [2, BATCH, LATENT]).autodiff();
            let rows = tensor(rows.clone(), [2, BATCH, steps, columns]).autodiff();
            let present = tensor(vec![1.0; 2 * BATCH], [2, BATCH, 1]).autodiff();
            let decoded = built.forward(latent, lengths(shape), context);
            reconstruction_error(rows, decoded, lengths(shape), present) * (steps * columns) as f64
        });
    }
}

#[test]
fn a_replica_alone_has_the_bits_it_has_among_five() {
    for (decoder, shape) in decoders() {
        let (built, mut weights) = build(&decoder, shape, 5);
        weights.dropout = 0.3;
        let mut noise = Noise(3);
        let [steps, columns] = row_shape(shape);
        let latent = noise.values(5 * BATCH * LATENT);
        let cotangent = noise.values(5 * BATCH * steps * columns);
        let run = |weights: &Weights, latent: &[f32], cotangent: &[f32]| {
            let dims = [weights.num_replicas(), BATCH, LATENT];
            let forward = |context: &Context| built.forward(tensor(latent.to_vec(), dims).autodiff(), None, context);
            weights.run(weights.training(BATCH), forward, cotangent)
        };
        let (rows, gradient) = run(&weights, &latent, &cotangent);
        for replica in 0..5 {
            let own = |values: &[f32]| {
                let width = values.len() / 5;
                values[replica * width..(replica + 1) * width].to_vec()
            };
            let (own_rows, own_gradient) = run(&weights.only(replica), &own(&latent), &own(&cotangent));
            assert_eq!(bits(&own_rows), bits(&own(&rows)), "{decoder}, replica {replica}");
            assert_eq!(
                bits(&own_gradient),
                bits(&own(&gradient)),
                "{decoder}, replica {replica}"
            );
        }
    }
}

#[test]
fn the_error_is_the_mean_square_over_valid_values() {
    let rows = tensor(
        vec![
            1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0, 1.0, 1.0, 1.0, 1.0,
        ],
        [1, 4, 2, 2],
    );
    let decoded = tensor(
        vec![
            1.0, 1.0, 1.0, 1.0, 1.0, 5.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 7.0, 7.0, 7.0, 7.0,
        ],
        [1, 4, 2, 2],
    );
    let present = tensor(vec![1.0, 1.0, 1.0, 0.0], [1, 4, 1]);
    let error = reconstruction_error(rows.clone(), decoded.clone(), Some(&[2, 1, 0, 2]), present.clone());
    assert_eq!(error.dims(), [1, 4, 1]);
    // (0 + 1 + 4 + 9) / 4 over two rows; (0 + 9) / 2 over the first; no row; not there.
    assert_eq!(floats(error), [3.5, 4.5, 0.0, 0.0]);
    let error = reconstruction_error(rows, decoded, None, present);
    assert_eq!(floats(error), [3.5, (9.0 + 2.0 * 81.0) / 4.0, 81.0, 0.0]);
}

/// Trains by full-batch AdamW with a rate that falls linearly to 0; gives the last loss and the weights.
fn train(
    weights: &Weights,
    num_steps: u64,
    learning_rate: f64,
    loss: impl Fn(&Context) -> Tensor<3>,
) -> (f32, Vec<f32>) {
    let adam = json!({ "kind": "adamw", "learning_rate": learning_rate, "weight_decay": 0.0 });
    let config: OptimizerConfig = serde_json::from_value(adam).unwrap();
    let mut values = matrix(weights.values.clone(), 1, &Device::flex());
    let buffers = matrix(Vec::new(), 1, &Device::flex());
    let mut slots = config.fresh_slots(&values);
    let trusted = Tensor::<2, Bool>::from_data(TensorData::from([[true]]), &Device::flex());
    let mut last = f32::NAN;
    for at in 0..num_steps {
        let params = Params::cut(&weights.layout, &values, &buffers, true, None);
        let errors = loss(&Context::new(&params, Mode::Eval));
        let batch = errors.dims()[1] as f64;
        let loss = errors.sum_dim(1) / batch;
        let gradient = params.gradients(&mut loss.backward());
        last = floats(loss)[0];
        let left = 1.0 - at as f64 / num_steps as f64;
        let part = ReplicaStep {
            step: at,
            learning_rate: learning_rate * left,
            weight_decay: 0.0,
            active: true,
        };
        let stepped = config.step(OptimizerStep {
            replicas: &[part],
            max_norm: None,
            trusted: &trusted,
            factors: None,
            weights: values,
            gradient,
            slots,
        });
        (values, slots) = (stepped.weights, stepped.slots);
    }
    (last, floats(values))
}

#[derive(Deserialize)]
struct Golden {
    rows: Vec<Vec<f32>>,
    components: Vec<Vec<f64>>,
    least_error: f32,
}

#[test]
fn a_linear_autoencoder_finds_the_principal_components() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/decoder.json");
    let golden: Golden = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let (samples, features, latent_size) = (golden.rows.len(), golden.rows[0].len(), golden.components.len());
    let mut layout = LayoutBuilder::new();
    let encoder = layout.scope("encoder", |layout| Linear::new(layout, features, latent_size));
    let linear = config(&json!({ "kind": "mlp" }));
    let shape = InputShape::Row { features };
    let decoder = layout.scope("decoder", |layout| Decoder::new(layout, &linear, latent_size, shape));
    let weights = Weights::new(layout.finish(), 1);
    let (error, values) = train(&weights, 800, 0.02, |context| {
        let rows: Tensor<3> = tensor(golden.rows.concat(), [1, samples, features]).autodiff();
        let present = tensor(vec![1.0; samples], [1, samples, 1]).autodiff();
        let decoded = decoder.forward(encoder.forward(rows.clone(), context), None, context);
        reconstruction_error(rows.unsqueeze_dim(2), decoded, None, present)
    });
    let excess = error / golden.least_error - 1.0;

    // An orthonormal basis of what the decoder can reach, by Gram and Schmidt.
    let columns: Vec<f64> = weights.places()["decoder.linear0.weight"]
        .iter()
        .map(|&at| f64::from(values[at]))
        .collect();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut basis: Vec<Vec<f64>> = Vec::new();
    let outside = |basis: &[Vec<f64>], vector: &[f64]| {
        let mut rest = vector.to_vec();
        for axis in basis {
            let along = dot(axis, &rest);
            rest.iter_mut()
                .zip(axis)
                .for_each(|(value, axis)| *value -= along * axis);
        }
        rest
    };
    for row in columns.chunks(features) {
        let rest = outside(&basis, row);
        let norm = dot(&rest, &rest).sqrt();
        basis.push(rest.iter().map(|value| value / norm).collect());
    }
    // The sum of the squared sines of the principal angles between the two spaces.
    let squares: f64 = golden
        .components
        .iter()
        .map(|v| outside(&basis, v))
        .map(|rest| dot(&rest, &rest))
        .sum();
    println!(
        "error {error}, {excess:e} above the least; sines of the angles {:e}",
        squares.sqrt()
    );
    assert!(
        (-1e-5..1e-4).contains(&excess),
        "error {error}, the least is {}",
        golden.least_error
    );
    assert!(
        squares.sqrt() < 1e-2,
        "angles of {} to the principal components",
        squares.sqrt()
    );
}

/// Loss after learning a latent per sample and the decoder together: four samples by heart.
fn by_heart(decoder: &Value, shape: InputShape) -> f32 {
    const SAMPLES: usize = 4;
    let [steps, columns] = row_shape(shape);
    let config = config(decoder);
    let mut layout = LayoutBuilder::new();
    // Samples are numbered by one-hot vectors: a linear layer over those is a table of latents.
    let table = layout.scope("table", |layout| Linear::new(layout, SAMPLES, LATENT));
    let built = layout.scope("decoder", |layout| Decoder::new(layout, &config, LATENT, shape));
    let weights = Weights::new(layout.finish(), 1);
    let rows = Noise(31).values(SAMPLES * steps * columns);
    let lengths = lengths(shape).map(|lengths| &lengths[..SAMPLES]);
    let one_hot: Vec<f32> = (0..SAMPLES * SAMPLES)
        .map(|at| f32::from(at % (SAMPLES + 1) == 0))
        .collect();
    let (error, _) = train(&weights, 600, 0.02, |context| {
        let latent = table.forward(tensor(one_hot.clone(), [1, SAMPLES, SAMPLES]).autodiff(), context);
        let rows = tensor(rows.clone(), [1, SAMPLES, steps, columns]).autodiff();
        let present = tensor(vec![1.0; SAMPLES], [1, SAMPLES, 1]).autodiff();
        reconstruction_error(rows, built.forward(latent, lengths, context), lengths, present)
    });
    error
}

#[test]
fn every_decoder_learns_four_samples_by_heart() {
    let mut cnn = cnn();
    cnn["blocks"] = json!([{ "channels": 16, "kernel_size": 3 }, { "channels": 16, "kernel_size": 3 }]);
    let lstm = json!({ "kind": "lstm", "hidden_size": 24 });
    let mlp = json!({ "kind": "mlp", "hidden_sizes": [16] });
    for (decoder, shape) in [(&mlp, SERIES), (&cnn, SERIES), (&cnn, IMAGE), (&lstm, SERIES)] {
        let error = by_heart(decoder, shape);
        println!("{decoder}: {error:e}");
        // Noise in [-1, 1) has a mean square of 1/3.
        assert!(error < 0.01, "{decoder}, {shape:?}: error {error}");
    }
}

#[test]
fn a_decoder_that_cannot_be_built_says_why() {
    let problems = |decoder: Value, latent_size: usize, shape: InputShape| {
        let text = |Problem { key, message }| format!("decoder.{key} {message}");
        config(&decoder)
            .problems(latent_size, shape)
            .into_iter()
            .map(text)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        problems(json!({ "kind": "mlp", "hidden_sizes": [4, 0] }), 0, ROW),
        [
            "decoder.latent_size must be at least 1",
            "decoder.hidden_sizes must be at least 1"
        ]
    );
    assert_eq!(
        problems(cnn(), 4, ROW),
        ["decoder.kind this decoder makes signals, series and images, but the modality is a row"]
    );
    for shape in [ROW, IMAGE] {
        assert_eq!(
            problems(lstm(), 4, shape),
            ["decoder.kind this decoder makes signals and series, but the modality is neither"]
        );
    }
    assert_eq!(
        problems(json!({ "kind": "cnn", "blocks": [] }), 4, IMAGE),
        ["decoder.blocks is empty: expected at least one block"]
    );
    assert_eq!(
        problems(
            json!({ "kind": "cnn", "blocks": [{ "channels": 6, "kernel_size": 0 }] }),
            4,
            SERIES
        ),
        [
            "decoder.blocks[0] channels, kernel_size and upsample must be at least 1",
            "decoder.blocks[0].channels 6 channels cannot be cut into 4 groups of norm = { kind = \"group\" }: \
             use a multiple, or set norm.num_groups",
        ]
    );
    assert_eq!(
        problems(json!({ "kind": "lstm", "hidden_size": 0, "layers": 0 }), 4, SERIES),
        [
            "decoder.hidden_size must be at least 1",
            "decoder.layers must be at least 1"
        ]
    );
    let unknown = json!({ "kind": "lstm", "hidden_size": 4, "bidirectional": true });
    let error = serde_json::from_value::<DecoderConfig>(unknown)
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("unknown field `bidirectional`"), "{error}");
}
