//! Every kind of fusion: PyTorch's values and gradients, difference quotients, and what holds for missing streams. The
//! reference is made by `tests/golden/fusion.py`.

use burn::tensor::{DType, Tensor};
use recoup::base::{Problem, Problems};
use recoup::models::fusion::{Fusion, FusionConfig};
use recoup::models::{Context, LayoutBuilder};
use recoup::training::step::floats;
use serde::Deserialize;
use serde_json::{Value, json};

use super::support::{Weights, bits, largest_error};
use crate::gradients::{Noise, tensor};

const STREAMS: [&str; 3] = ["force", "stride", "clinical"];
const WIDTH: usize = 6;
const BATCH: usize = 6;
/// The fifth sample has nothing.
const PRESENCE: [[f32; 3]; BATCH] = [
    [1.0, 1.0, 1.0],
    [1.0, 0.0, 1.0],
    [0.0, 1.0, 0.0],
    [0.0, 1.0, 1.0],
    [0.0; 3],
    [1.0, 1.0, 0.0],
];
const NOTHING: usize = 4;

/// Every way to fuse.
fn kinds() -> [Value; 6] {
    [
        json!({ "kind": "concat" }),
        json!({ "kind": "attention", "hidden_size": 5 }),
        json!({ "kind": "attention", "hidden_size": 5, "combine": "concat" }),
        json!({ "kind": "gated", "hidden_size": 5 }),
        json!({ "kind": "cross-attention", "num_heads": 2, "num_layers": 2, "hidden_size": 7 }),
        json!({ "kind": "bottleneck", "num_tokens": 3, "num_heads": 2, "num_layers": 3, "hidden_size": 7 }),
    ]
}

/// A fusion with weights and a batch.
#[derive(Clone)]
struct Setup {
    fusion: Fusion,
    weights: Weights,
    /// Per stream, `[R, B, E]`.
    embeddings: Vec<Vec<f32>>,
    /// Per stream, `[R, B]`.
    present: Vec<Vec<f32>>,
}

/// Of one run: values, and gradients of the sum of all values times noise.
#[derive(Debug, PartialEq)]
struct Outcome {
    /// `[R, B, F]`.
    fused: Vec<f32>,
    /// `[R, B, M]`.
    weights: Vec<f32>,
    /// `[R, P]`.
    gradient: Vec<f32>,
    /// Per stream, `[R, B, E]`.
    embedding_gradients: Vec<Vec<f32>>,
}

impl Setup {
    fn new(config: &Value, streams: &[&str], num_replicas: usize) -> Self {
        let config: FusionConfig = serde_json::from_value(config.clone()).unwrap();
        assert_eq!(config.problems(WIDTH), Problems::default());
        let mut layout = LayoutBuilder::new();
        let fusion = Fusion::new(&mut layout, &config, streams, WIDTH);
        let mut noise = Noise(29);
        let embeddings = streams
            .iter()
            .map(|_| noise.values(num_replicas * BATCH * WIDTH))
            .collect();
        let present = |m: usize| PRESENCE.map(|row| row[m]).repeat(num_replicas);
        Self {
            fusion,
            weights: Weights::new(layout.finish(), num_replicas),
            embeddings,
            present: (0..streams.len()).map(present).collect(),
        }
    }

    fn batch(&self) -> usize {
        self.present[0].len() / self.weights.num_replicas()
    }

    fn inputs(&self) -> (Vec<Tensor<3>>, Vec<Tensor<3>>) {
        let shape = |width| [self.weights.num_replicas(), self.batch(), width];
        let cast = |t: Tensor<3>| match self.weights.dtype {
            Some(dtype) => t.cast(dtype),
            None => t,
        };
        let embeddings = self
            .embeddings
            .iter()
            .map(|z| tensor(z.clone(), shape(WIDTH)).autodiff().require_grad());
        let present = self
            .present
            .iter()
            .map(|p| cast(tensor(p.clone(), shape(1)).autodiff()));
        (embeddings.collect(), present.collect())
    }

    fn forward(&self, context: &Context) -> (Tensor<3>, Tensor<3>) {
        let (embeddings, present) = self.inputs();
        self.fusion.forward(&embeddings, &present, context)
    }

    /// Cotangents of the fused vector and of the weights; noise where none are given.
    fn run(&self, cotangents: Option<[Vec<f32>; 2]>) -> Outcome {
        let params = self.weights.params(&self.weights.values);
        let (embeddings, present) = self.inputs();
        let context = Context::new(&params, self.weights.training(self.batch()));
        let arguments: Vec<_> = match self.weights.dtype {
            Some(dtype) => embeddings.iter().map(|z| z.clone().cast(dtype)).collect(),
            None => embeddings.clone(),
        };
        let (fused, weights) = self.fusion.forward(&arguments, &present, &context);
        let (fused, weights) = (fused.cast(DType::F32), weights.cast(DType::F32));
        // The same noise for each replica, so that a replica's gradient does not depend on its place.
        let noise = |like: &Tensor<3>, seed| {
            let [num_replicas, batch, width] = like.dims();
            Noise(seed).values(batch * width).repeat(num_replicas)
        };
        let [for_fused, for_weights] = cotangents.unwrap_or_else(|| [noise(&fused, 5), noise(&weights, 6)]);
        let for_fused = tensor(for_fused, fused.dims()).autodiff();
        let for_weights = tensor(for_weights, weights.dims()).autodiff();
        let loss = (fused.clone() * for_fused).sum() + (weights.clone() * for_weights).sum();
        let mut gradients = loss.backward();
        Outcome {
            fused: floats(fused),
            weights: floats(weights),
            embedding_gradients: embeddings.iter().map(|z| floats(z.grad(&gradients).unwrap())).collect(),
            // A concatenation has no parameters.
            gradient: match self.weights.layout.num_params() {
                0 => Vec::new(),
                _ => floats(params.gradients(&mut gradients)),
            },
        }
    }
}

#[derive(Deserialize)]
struct Golden {
    streams: Vec<String>,
    embedding_size: usize,
    presence: Vec<Vec<f32>>,
    cases: Vec<GoldenCase>,
}

#[derive(Deserialize)]
struct GoldenCase {
    config: Value,
    replicas: Vec<GoldenReplica>,
}

#[derive(Deserialize)]
struct GoldenReplica {
    parameters: Vec<GoldenParameter>,
    /// `[M, B, E]`.
    embeddings: Vec<f32>,
    embedding_gradients: Vec<f32>,
    fused: Vec<f32>,
    weights: Vec<f32>,
    cotangents: [Vec<f32>; 2],
}

#[derive(Deserialize)]
struct GoldenParameter {
    path: String,
    shape: Vec<usize>,
    value: Vec<f32>,
    gradient: Vec<f32>,
}

#[test]
fn every_kind_agrees_with_pytorch() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/fusion.json");
    let golden: Golden = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(
        (golden.streams.as_slice(), golden.embedding_size),
        (STREAMS.map(String::from).as_slice(), WIDTH)
    );
    assert_eq!(golden.cases.len(), 5);
    for GoldenCase { config, replicas } in &golden.cases {
        let mut setup = Setup::new(config, &STREAMS, replicas.len());
        let here: Vec<_> = setup
            .weights
            .layout
            .params()
            .iter()
            .map(|spec| (&spec.path, &spec.shape))
            .collect();
        for replica in replicas {
            let there: Vec<_> = replica
                .parameters
                .iter()
                .map(|golden| (&golden.path, &golden.shape))
                .collect();
            assert_eq!(here, there);
        }
        let all = |values: &dyn Fn(&GoldenReplica) -> Vec<f32>| replicas.iter().flat_map(values).collect::<Vec<_>>();
        let of_parameters = |values: fn(&GoldenParameter) -> &Vec<f32>| {
            all(&|replica| replica.parameters.iter().flat_map(values).copied().collect())
        };
        let of_stream = |m: usize, values: fn(&GoldenReplica) -> &Vec<f32>| {
            all(&|replica| {
                values(replica)
                    .chunks(golden.presence.len() * WIDTH)
                    .nth(m)
                    .unwrap()
                    .to_vec()
            })
        };
        setup.weights.values = of_parameters(|parameter| &parameter.value);
        for m in 0..STREAMS.len() {
            setup.embeddings[m] = of_stream(m, |replica| &replica.embeddings);
            setup.present[m] = all(&|_| golden.presence.iter().map(|row| row[m]).collect());
        }

        let cotangents = [0, 1].map(|which| all(&|replica| replica.cotangents[which].clone()));
        let found = setup.run(Some(cotangents));
        let mut errors = vec![
            (
                "fused",
                largest_error(&found.fused, &all(&|replica| replica.fused.clone())),
            ),
            (
                "weights",
                largest_error(&found.weights, &all(&|replica| replica.weights.clone())),
            ),
            (
                "gradient",
                largest_error(&found.gradient, &of_parameters(|parameter| &parameter.gradient)),
            ),
        ];
        for (m, gradient) in found.embedding_gradients.iter().enumerate() {
            let expected = of_stream(m, |replica| &replica.embedding_gradients);
            errors.push((STREAMS[m], largest_error(gradient, &expected)));
        }
        println!("{config}: {errors:?}");
        for (what, error) in errors {
            assert!(error < 2e-6, "{config}, {what}: off by {error:e} of the largest value");
        }
    }
}

#[test]
fn gradients_agree_with_difference_quotients() {
    for config in &kinds()[1..] {
        let setup = Setup::new(config, &STREAMS, 2);
        let gradient = setup
            .weights
            .check_gradient(&config.to_string(), setup.weights.training(BATCH), |context| {
                let (fused, weights) = setup.forward(context);
                Tensor::cat(vec![fused, weights], 2)
            });
        assert!(gradient.iter().all(|value| value.is_finite()));
    }
}

#[test]
fn weights_sum_to_one_and_are_zero_for_missing_streams() {
    for config in &kinds() {
        let setup = Setup::new(config, &STREAMS, 2);
        let outcome = setup.run(None);
        let values = outcome
            .fused
            .iter()
            .chain(&outcome.gradient)
            .chain(outcome.embedding_gradients.iter().flatten());
        assert!(values.copied().all(f32::is_finite), "{config}");
        assert_eq!(outcome.fused.len(), 2 * BATCH * setup.fusion.output_size(3, WIDTH));
        for (sample, weights) in outcome.weights.chunks(3).enumerate() {
            let presence = PRESENCE[sample % BATCH];
            let sum: f32 = weights.iter().sum();
            assert_eq!(
                weights
                    .iter()
                    .map(|&weight| f32::from(weight > 0.0))
                    .collect::<Vec<_>>(),
                presence,
                "{config}"
            );
            match sample % BATCH {
                NOTHING => assert_eq!(weights, [0.0; 3]),
                _ => assert!((sum - 1.0).abs() < 1e-6, "{config}, sample {sample}: {weights:?}"),
            }
        }
        for (m, gradient) in outcome.embedding_gradients.iter().enumerate() {
            for (sample, gradient) in gradient.chunks(WIDTH).enumerate() {
                let reached = gradient.iter().any(|&value| value != 0.0);
                assert_eq!(
                    f32::from(reached),
                    PRESENCE[sample % BATCH][m],
                    "{config}, stream {m}, sample {sample}"
                );
            }
        }
    }
}

#[test]
fn what_a_missing_stream_holds_changes_no_bit() {
    for config in &kinds() {
        let mut setup = Setup::new(config, &STREAMS, 2);
        let before = setup.run(None);
        let mut noise = Noise(41);
        for (embeddings, present) in setup.embeddings.iter_mut().zip(&setup.present) {
            for (at, (z, present)) in embeddings.chunks_mut(WIDTH).zip(present).enumerate() {
                if *present == 0.0 {
                    z.fill_with(|| 1e3 * noise.next());
                    z[at % WIDTH] = f32::NAN;
                }
            }
        }
        let after = setup.run(None);
        assert_eq!(bits(&after.fused), bits(&before.fused), "{config}");
        assert_eq!(bits(&after.weights), bits(&before.weights), "{config}");
        assert_eq!(bits(&after.gradient), bits(&before.gradient), "{config}");
        assert_eq!(after.embedding_gradients, before.embedding_gradients, "{config}");
    }
}

#[test]
fn another_sample_changes_no_bit() {
    for config in &kinds() {
        let mut setup = Setup::new(config, &STREAMS, 2);
        let before = setup.run(None);
        setup
            .embeddings
            .iter_mut()
            .for_each(|z| z[..WIDTH].iter_mut().for_each(|value| *value += 1.0));
        let after = setup.run(None);
        let width = before.fused.len() / (2 * BATCH);
        assert_ne!(after.fused[..width], before.fused[..width], "{config}");
        assert_eq!(bits(&after.fused[width..]), bits(&before.fused[width..]), "{config}");
        assert_eq!(bits(&after.weights[3..]), bits(&before.weights[3..]), "{config}");
    }
}

#[test]
fn one_stream_alone_has_all_the_weight() {
    for config in &kinds() {
        let setup = Setup::new(config, &STREAMS[..1], 2);
        let outcome = setup.run(None);
        assert_eq!(outcome.weights, setup.present[0], "{config}");
        assert!(
            outcome
                .fused
                .iter()
                .chain(&outcome.gradient)
                .copied()
                .all(f32::is_finite),
            "{config}"
        );
    }
}

/// The rows of a gate's weights for streams in this order: the embeddings, then the presences.
fn gate_rows(order: &[usize]) -> Vec<usize> {
    let rows = order.iter().flat_map(|&m| m * WIDTH..(m + 1) * WIDTH);
    rows.chain(order.iter().map(|&m| order.len() * WIDTH + m)).collect()
}

#[test]
fn the_order_of_the_streams_does_not_matter() {
    const ORDER: [usize; 3] = [2, 0, 1];
    for config in kinds()
        .iter()
        .filter(|config| config["kind"] != "concat" && config["combine"] != "concat")
    {
        let setup = Setup::new(config, &STREAMS, 1);
        let mut permuted = Setup::new(config, &ORDER.map(|m| STREAMS[m]), 1);
        let there = setup.weights.places();
        for (path, places) in permuted.weights.places() {
            let mut values: Vec<f32> = there[&path].iter().map(|&at| setup.weights.values[at]).collect();
            if path.ends_with("gate.weight") {
                let hidden_size = values.len() / (3 * (WIDTH + 1));
                let row = |row: usize| values[row * hidden_size..(row + 1) * hidden_size].to_vec();
                values = gate_rows(&ORDER).into_iter().flat_map(row).collect();
            } else if !path.contains("norm.") {
                let found: Vec<f32> = places.iter().map(|&at| permuted.weights.values[at]).collect();
                assert_eq!(found, values, "{path}: first values do not depend on the order");
            }
            places
                .iter()
                .zip(values)
                .for_each(|(&at, value)| permuted.weights.values[at] = value);
        }
        permuted.embeddings = ORDER.map(|m| setup.embeddings[m].clone()).to_vec();
        permuted.present = ORDER.map(|m| setup.present[m].clone()).to_vec();

        let (expected, found) = (setup.run(None), permuted.run(None));
        assert!(largest_error(&found.fused, &expected.fused) < 1e-6, "{config}");
        for (weights, permuted) in expected.weights.chunks(3).zip(found.weights.chunks(3)) {
            let weights = ORDER.map(|m| weights[m]);
            assert!(
                largest_error(permuted, &weights) < 1e-6,
                "{config}: {weights:?} and {permuted:?}"
            );
        }
    }
}

#[test]
fn a_replica_alone_has_the_bits_it_has_among_five() {
    for config in &kinds() {
        let mut five = Setup::new(config, &STREAMS, 5);
        let without_dropout = five.run(None);
        five.weights.dropout = 0.3;
        let together = five.run(None);
        let has_hidden_layers = matches!(five.fusion, Fusion::CrossAttention(_) | Fusion::Bottleneck(_));
        assert_eq!(together != without_dropout, has_hidden_layers, "{config}");
        for replica in 0..5 {
            let own = |values: &[f32]| {
                let width = values.len() / 5;
                values[replica * width..(replica + 1) * width].to_vec()
            };
            let mut alone = five.clone();
            alone.weights = five.weights.only(replica);
            alone.embeddings = five.embeddings.iter().map(|z| own(z)).collect();
            alone.present = five.present.iter().map(|present| own(present)).collect();
            let alone = alone.run(None);
            let what = format!("{config}, replica {replica}");
            assert_eq!(bits(&alone.fused), bits(&own(&together.fused)), "{what}");
            assert_eq!(bits(&alone.weights), bits(&own(&together.weights)), "{what}");
            assert_eq!(bits(&alone.gradient), bits(&own(&together.gradient)), "{what}");
            for (alone, together) in alone.embedding_gradients.iter().zip(&together.embedding_gradients) {
                assert_eq!(bits(alone), bits(&own(together)), "{what}");
            }
        }
    }
}

#[test]
fn bf16_arithmetic_is_close_and_masks_as_f32_does() {
    for config in &kinds() {
        let full = Setup::new(config, &STREAMS, 2);
        let mut half = full.clone();
        half.weights.dtype = Some(DType::BF16);
        let (full, half) = (full.run(None), half.run(None));
        // A bf16 has 8 bits of mantissa: each rounding is off by up to 2^-9.
        assert!(largest_error(&half.fused, &full.fused) < 0.05, "{config}");
        assert!(largest_error(&half.gradient, &full.gradient) < 0.05, "{config}");
        let zeros = |weights: &[f32]| weights.iter().map(|&weight| weight == 0.0).collect::<Vec<_>>();
        assert_eq!(zeros(&half.weights), zeros(&full.weights), "{config}");
    }
}

#[test]
fn a_fusion_that_cannot_be_built_says_why() {
    let problems = |config: Value| {
        let config: FusionConfig = serde_json::from_value(config).unwrap();
        let text = |Problem { key, message }| format!("fusion.{key} {message}");
        config.problems(WIDTH).into_iter().map(text).collect::<Vec<_>>()
    };
    for kind in ["attention", "gated"] {
        assert_eq!(
            problems(json!({ "kind": kind, "hidden_size": 0 })),
            ["fusion.hidden_size must be at least 1"]
        );
    }
    assert_eq!(
        problems(json!({ "kind": "cross-attention", "hidden_size": 0, "num_layers": 0 })),
        [
            "fusion.hidden_size must be at least 1",
            "fusion.num_layers must be at least 1",
            "fusion.num_heads 4 heads do not divide an embedding_size of 6: use a divisor",
        ]
    );
    assert_eq!(
        problems(json!({ "kind": "bottleneck", "hidden_size": 8, "num_layers": 1, "num_tokens": 0, "num_heads": 0 })),
        [
            "fusion.num_tokens must be at least 1",
            "fusion.num_layers must be at least 2: in a first layer no stream has read anything of another yet",
            "fusion.num_heads 0 heads do not divide an embedding_size of 6: use a divisor",
        ]
    );
    for config in [
        json!({ "kind": "concat", "hidden_size": 4 }),
        json!({ "kind": "gated", "hidden_size": 4, "heads": 2 }),
    ] {
        let error = serde_json::from_value::<FusionConfig>(config).unwrap_err().to_string();
        assert!(error.starts_with("unknown field"), "{error}");
    }
}
