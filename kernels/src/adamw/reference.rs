//! [`adamw`](super::adamw) in plain tensor operations.

use super::{AdamwOptions, AdamwOutput, AdamwState, AdamwStep, UpdateMask};
use burn::tensor::{Bool, Tensor, TensorData};

/// The step of checked arguments.
pub fn adamw(
    state: AdamwState,
    gradient: Tensor<2>,
    steps: &[AdamwStep],
    mask: UpdateMask,
    options: &AdamwOptions,
) -> AdamwOutput {
    let AdamwState { weights, first, second } = state;
    let AdamwOptions {
        beta1,
        beta2,
        epsilon,
        max_norm,
    } = *options;
    let (device, shape) = (weights.device(), weights.dims());
    let column = |value: &dyn Fn(&AdamwStep) -> f64| {
        let values: Vec<f64> = steps.iter().map(value).collect();
        Tensor::<2>::from_data(TensorData::new(values, [steps.len(), 1]), (&device, weights.dtype()))
    };
    let scaled = |rates: Tensor<2>| match mask.factors {
        Some(factors) => rates * factors.clone(),
        None => rates,
    };
    let gradient = match mask.factors {
        Some(factors) => gradient.mask_fill(factors.clone().lower_equal_elem(0.0), 0.0),
        None => gradient,
    };
    let norm = gradient.clone().square().sum_dim(1).sqrt();
    let gradient = match max_norm {
        Some(max_norm) => gradient * ((norm.clone() + 1e-6).recip() * max_norm).clamp_max(1.0),
        None => gradient,
    };

    let active: Vec<bool> = steps.iter().map(|step| step.active).collect();
    let active = Tensor::<2, Bool>::from_data(TensorData::new(active, [steps.len(), 1]), &device);
    let mut updated = active.bool_and(norm.clone().is_finite());
    if let Some(replicas) = mask.replicas {
        updated = updated.bool_and(replicas.clone());
    }
    let mut updated = updated.expand(shape);
    if let Some(factors) = mask.factors {
        updated = updated.bool_and(factors.clone().greater_elem(0.0));
    }

    let decay = match mask.factors {
        None => column(&|of| 1.0 - of.learning_rate * of.weight_decay),
        Some(_) => scaled(column(&|of| of.learning_rate * of.weight_decay)).neg() + 1.0,
    };
    let step_size = scaled(column(&|of| {
        of.learning_rate / (1.0 - beta1.powf(of.step as f64 + 1.0))
    }));
    let correction = column(&|of| (1.0 - beta2.powf(of.step as f64 + 1.0)).sqrt());
    let new_first = first.clone() * beta1 + gradient.clone() * (1.0 - beta1);
    let new_second = second.clone() * beta2 + gradient.square() * (1.0 - beta2);
    let denominator = new_second.clone().sqrt() / correction + epsilon;
    let new_weights = weights.clone() * decay - new_first.clone() / denominator * step_size;

    let select = |new: Tensor<2>, old: Tensor<2>| old.mask_where(updated.clone(), new);
    let state = AdamwState {
        weights: select(new_weights, weights),
        first: select(new_first, first),
        second: select(new_second, second),
    };
    AdamwOutput { state, norm }
}
