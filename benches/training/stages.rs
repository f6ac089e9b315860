//! Where the time of a training step goes. Each part is run alone, forward and backward, at the shapes that it has in
//! the step: what is left of the whole step is fusion, head, loss and everything in between.

use std::collections::BTreeMap;
use std::time::Instant;

use burn::tensor::{Bool, Tensor, TensorData, activation};
use recoup::models::{Context, Draw, FusionConfig, HeadConfig, Mode, Model, ModelConfig, Params, StreamInput, matrix};
use recoup::training::Replica;
use recoup::training::optimizer::{OptimizerStep, ReplicaStep};
use recoup::training::step::{Group, floats};

use super::work::Work;

/// Milliseconds of each part, `repeats` timings each. The parts take turns, so that a disturbance of the machine falls
/// on all alike.
pub fn time(work: &Work, num_replicas: usize, repeats: usize) -> BTreeMap<String, Vec<f64>> {
    let batch = Batch::first(work, num_replicas);
    let mut parts: Vec<(String, Box<dyn Fn() + '_>)> = vec![
        ("step".into(), Box::new(|| batch.whole_step())),
        ("inputs".into(), Box::new(|| batch.inputs())),
    ];
    for (index, stream) in work.model_config.stream.iter().enumerate() {
        let (model, input) = batch.alone(index);
        let batch = &batch;
        parts.push((
            format!("stream {}", stream.name),
            Box::new(move || batch.pass(&model, &input)),
        ));
    }
    parts.push(("optimizer".into(), Box::new(|| batch.optimizer_step())));
    let mut millis: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for repeat in 0..=repeats {
        for (name, run) in &parts {
            let start = Instant::now();
            run();
            // The first turn warms up.
            if repeat > 0 {
                millis
                    .entry(name.clone())
                    .or_default()
                    .push(start.elapsed().as_secs_f64() * 1e3);
            }
        }
    }
    millis
}

/// The first batch of some replicas.
struct Batch<'a> {
    work: &'a Work,
    group: Group<'a>,
    window_indices: Vec<Vec<Option<u32>>>,
    weights: Tensor<2>,
}

impl<'a> Batch<'a> {
    fn first(work: &'a Work, num_replicas: usize) -> Self {
        let replicas: Vec<&Replica> = work.replicas.iter().take(num_replicas).collect();
        let pick = |replica: &&Replica| {
            let order = replica.epoch_order(0, work.training.sampling());
            (0..work.training.batch_size).map(|at| order.get(at).copied()).collect()
        };
        let seeds: Vec<u64> = replicas.iter().map(|replica| replica.seed).collect();
        let weights = work.model.layout().init_params(&seeds);
        Self {
            work,
            window_indices: replicas.iter().map(pick).collect(),
            weights: matrix(weights, seeds.len(), work.data.device()),
            group: Group::new(&work.model, &work.data, replicas, &work.training),
        }
    }

    fn buffers(&self, model: &Model) -> Tensor<2> {
        let seeds: Vec<u64> = self.group.replicas.iter().map(|replica| replica.seed).collect();
        matrix(
            model.layout().init_buffers(&seeds),
            seeds.len(),
            self.work.data.device(),
        )
    }

    fn whole_step(&self) {
        let steps = vec![0; self.window_indices.len()];
        let buffers = self.buffers(&self.work.model);
        let made = self.group.gradients(
            &self.weights,
            &buffers,
            &steps,
            std::slice::from_ref(&self.window_indices),
        );
        self.update(made.gradient);
    }

    fn inputs(&self) {
        std::hint::black_box(self.work.data.inputs(&self.window_indices, &self.group.scalers));
    }

    fn optimizer_step(&self) {
        self.update(self.weights.clone());
    }

    fn update(&self, gradient: Tensor<2>) {
        let training = &self.work.training;
        let part = ReplicaStep {
            step: 0,
            learning_rate: training.optimizer.learning_rate(),
            weight_decay: training.optimizer.weight_decay(),
            active: true,
        };
        let num_replicas = self.window_indices.len();
        let trusted = TensorData::new(vec![true; num_replicas], [num_replicas, 1]);
        let stepped = training.optimizer.step(OptimizerStep {
            replicas: &vec![part; num_replicas],
            max_norm: training.gradient_clip_norm,
            trusted: &Tensor::<2, Bool>::from_data(trusted, &self.weights.device()),
            factors: None,
            weights: self.weights.clone(),
            gradient,
            slots: training.optimizer.fresh_slots(&self.weights),
        });
        std::hint::black_box(floats(stepped.weights));
    }

    /// One stream with its embedding, straight into a classifier; and its input in this batch.
    fn alone(&self, index: usize) -> (Model, StreamInput) {
        let config = ModelConfig {
            fusion: FusionConfig::Concat {},
            head: HeadConfig::default(),
            stream: vec![self.work.model_config.stream[index].clone()],
            ..self.work.model_config.clone()
        };
        let model = Model::new(&config, &[self.work.sources[index].shape], self.work.num_classes);
        (
            model,
            self.work
                .data
                .inputs(&self.window_indices, &self.group.scalers)
                .swap_remove(index),
        )
    }

    /// Forward and backward of a model with one stream.
    fn pass(&self, model: &Model, input: &StreamInput) {
        let num_replicas = self.window_indices.len();
        let weights = self.weights.clone().narrow(1, 0, model.layout().num_params());
        let params = Params::cut(model.layout(), &weights, &self.buffers(model), true, None);
        let draw = |replica: &&Replica| Draw {
            seed: replica.seed,
            step: 0,
            dropout: replica.hyper.dropout,
        };
        let mode = Mode::Train {
            draws: self.group.replicas.iter().map(draw).collect(),
            sample_mask: Tensor::ones([num_replicas, self.work.training.batch_size], self.work.data.device()),
        };
        let context = Context::new(&params, mode);
        let logits = model.forward(&[input.clone().on_tape()], &context).logits;
        let mut gradients = activation::log_softmax(logits, 2).sum_dim(2).sum_dim(1).backward();
        std::hint::black_box(params.gradients(&mut gradients));
    }
}
