//! CPU path of [`adamw`](super::adamw): the norm in tasks, then one pass that updates in place.

use super::autodiff::{AdamwOps, ReplicaUpdate, Update};
use crate::cpu::{FlexTensor, contiguous, dims, sum_of, tensor, values};
use crate::simd::vectorised;
use burn::backend::{Flex, TensorMetadata};
use rayon::prelude::*;

/// Parameters of one task.
const PARAMETERS_PER_TASK: usize = 1 << 14;

/// The tensor with memory of its own and nothing else in it, to be written to.
fn owned(x: FlexTensor) -> FlexTensor {
    let x = contiguous(x);
    match x.storage::<f32>().len() == x.shape().num_elements() {
        true => x,
        false => tensor(values(&x).to_vec(), x.shape()),
    }
}

/// The norm of each replica's gradient: sums of tasks in f32, added in f64, in order.
fn norms(gradient: &[f32], factors: Option<&[f32]>, len: usize) -> Vec<f32> {
    let of_replica = |(replica, gradient): (usize, &[f32])| {
        let parts: Vec<f32> = gradient
            .par_chunks(PARAMETERS_PER_TASK)
            .enumerate()
            .map(|(task, gradient)| match factors {
                None => vectorised(|| sum_of(gradient, gradient, |g, _| g * g)),
                Some(factors) => {
                    let factors = &factors[replica * len + task * PARAMETERS_PER_TASK..][..gradient.len()];
                    vectorised(|| sum_of(gradient, factors, |g, factor| if factor > 0.0 { g * g } else { 0.0 }))
                }
            })
            .collect();
        (parts.iter().map(|&part| f64::from(part)).sum::<f64>() as f32).sqrt()
    };
    gradient.par_chunks(len).enumerate().map(of_replica).collect()
}

/// One task's arrays.
struct Chunk<'a> {
    weights: &'a mut [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
    gradient: &'a [f32],
    factors: Option<&'a [f32]>,
}

impl Chunk<'_> {
    #[inline(always)]
    fn update(self, update: &Update, of: ReplicaUpdate, clip: f32) {
        let ([b1, n1], [b2, n2], epsilon) = (update.beta1, update.beta2, update.epsilon);
        let moments = |first: f32, second: f32, gradient: f32| {
            let gradient = gradient * clip;
            (first * b1 + gradient * n1, second * b2 + gradient * gradient * n2)
        };
        let direction = |first: f32, second: f32| first / (second.sqrt() / of.correction + epsilon);
        let state = self
            .weights
            .iter_mut()
            .zip(self.first)
            .zip(self.second)
            .zip(self.gradient);
        match self.factors {
            None => {
                for (((w, m), v), g) in state {
                    (*m, *v) = moments(*m, *v, *g);
                    *w = *w * of.kept - direction(*m, *v) * of.step_size;
                }
            }
            Some(factors) => {
                for ((((w, m), v), g), &factor) in state.zip(factors) {
                    let (first, second) = moments(*m, *v, *g);
                    let kept = 1.0 - of.decay * factor;
                    let moved = *w * kept - direction(first, second) * (of.step_size * factor);
                    let is_updated = factor > 0.0;
                    *w = if is_updated { moved } else { *w };
                    *m = if is_updated { first } else { *m };
                    *v = if is_updated { second } else { *v };
                }
            }
        }
    }
}

impl AdamwOps for Flex {
    fn replica_adamw(
        weights: FlexTensor,
        gradient: FlexTensor,
        first: FlexTensor,
        second: FlexTensor,
        mask: FlexTensor,
        factors: FlexTensor,
        update: Update,
    ) -> (FlexTensor, FlexTensor, FlexTensor, FlexTensor) {
        let [replicas, len] = dims(&weights);
        if replicas * len == 0 {
            return (weights, first, second, tensor(vec![0.0; replicas], [replicas, 1]));
        }
        let (mut weights, mut first, mut second) = (owned(weights), owned(first), owned(second));
        let [gradient, mask, factors] = [gradient, mask, factors].map(contiguous);
        let (gradient, factors) = (values(&gradient), update.has_factors.then(|| values(&factors)));
        let norms = norms(gradient, factors, len);
        let is_updated = |replica: usize| {
            let allowed = !update.has_mask || values(&mask)[replica] != 0.0;
            update.replicas[replica].active && allowed && norms[replica].is_finite()
        };
        let state = weights.storage_mut::<f32>().par_chunks_mut(len);
        let state = state.zip(first.storage_mut::<f32>().par_chunks_mut(len));
        let state = state.zip(second.storage_mut::<f32>().par_chunks_mut(len));
        let updated = state.enumerate().filter(|(replica, _)| is_updated(*replica));
        updated.for_each(|(replica, ((weights, first), second))| {
            let (of, clip) = (update.replicas[replica], update.clip(norms[replica]));
            let row = replica * len..(replica + 1) * len;
            let (gradient, factors) = (&gradient[row.clone()], factors.map(|factors| &factors[row]));
            let tasks = weights.par_chunks_mut(PARAMETERS_PER_TASK);
            let tasks = tasks.zip(first.par_chunks_mut(PARAMETERS_PER_TASK));
            let tasks = tasks.zip(second.par_chunks_mut(PARAMETERS_PER_TASK));
            let tasks = tasks.zip(gradient.par_chunks(PARAMETERS_PER_TASK));
            tasks
                .enumerate()
                .for_each(|(task, (((weights, first), second), gradient))| {
                    let from = task * PARAMETERS_PER_TASK;
                    let factors = factors.map(|factors| &factors[from..from + gradient.len()]);
                    let chunk = Chunk {
                        weights,
                        first,
                        second,
                        gradient,
                        factors,
                    };
                    vectorised(|| chunk.update(&update, of, clip));
                });
        });
        (weights, first, second, tensor(norms, [replicas, 1]))
    }
}
