//! AdamW over all parameters of all replicas, with clipping by each replica's norm.

#[cfg(any(feature = "cpu", feature = "cube"))]
pub mod autodiff;
#[cfg(feature = "cpu")]
mod cpu;
#[cfg(feature = "cube")]
mod kernel;
#[cfg(feature = "cube")]
mod launch;
pub mod reference;

use crate::error::{KernelError, check_shapes, or_panic};
use burn::tensor::{Bool, Tensor};

/// Options that all replicas of a step share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamwOptions {
    /// Memory of the gradient's mean.
    pub beta1: f64,
    /// Memory of the gradient's square.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// A replica's gradient is scaled down to this norm.
    pub max_norm: Option<f64>,
}

impl Default for AdamwOptions {
    fn default() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            max_norm: None,
        }
    }
}

/// One replica's part in a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamwStep {
    /// Steps this replica has made before this one.
    pub step: u64,
    /// Learning rate of this step.
    pub learning_rate: f64,
    /// Decoupled weight decay, times the learning rate.
    pub weight_decay: f64,
    /// Whether the replica takes the step.
    pub active: bool,
}

/// Weights and moments of all replicas, each `[R, P]`.
#[derive(Debug, Clone)]
pub struct AdamwState {
    /// The parameters.
    pub weights: Tensor<2>,
    /// Mean of the gradient.
    pub first: Tensor<2>,
    /// Mean of the squared gradient.
    pub second: Tensor<2>,
}

/// Mask of the update, besides [`AdamwStep::active`]; by default everything is updated.
#[derive(Debug, Clone, Copy, Default)]
pub struct UpdateMask<'a> {
    /// `[R, 1]`: whether a replica is updated, where only the device knows it (a loss that is not finite).
    pub replicas: Option<&'a Tensor<2, Bool>>,
    /// `[R, P]`: multiples of the learning rate. Where not above 0 a parameter is frozen: it is not updated and has no
    /// part in the norm.
    pub factors: Option<&'a Tensor<2>>,
}

/// A step's results.
#[derive(Debug, Clone)]
pub struct AdamwOutput {
    /// The state after the step.
    pub state: AdamwState,
    /// `[R, 1]`: the norm of each replica's gradient before clipping.
    pub norm: Tensor<2>,
}

/// One step of all replicas (Loshchilov and Hutter 2019), in the order of operations of PyTorch's `AdamW` and
/// `clip_grad_norm_`. With `t = step + 1`:
///
/// ```text
/// norm     = |gradient[r]|                        gradient *= min(1, max_norm / (norm + 1e-6))
/// first    = beta1 first + (1 - beta1) gradient   second    = beta2 second + (1 - beta2) gradient^2
/// weights  = weights (1 - learning_rate weight_decay)
///            - learning_rate / (1 - beta1^t) first / (sqrt(second) / sqrt(1 - beta2^t) + epsilon)
/// ```
///
/// - **Mask**: replicas that are not active, not in `mask` or whose norm is not finite, and parameters whose factor is
///   not above 0, keep every bit of weights and moments, by selection: `0 * NaN` would not.
/// - **Shapes**: state and gradient `[R, P]`, one of `steps` per replica.
/// - **Precision**: f32; per-replica numbers are computed in f64. The norm is summed in an order fixed by P.
/// - **Gradient**: none, the results are off the tape.
/// - **Cost**: one pass for the norm and one for the rest, 32 bytes per parameter. On the CPU the state is updated in
///   place when no other tensor shares its memory.
/// - **Falls back** to [`mod@reference`] for other dtypes and devices, and on GPUs for more than 65535 replicas or more
///   parameters than 32-bit indices reach.
///
/// # Panics
/// When shapes or counts do not fit; the message names them.
pub fn adamw(
    state: AdamwState,
    gradient: Tensor<2>,
    steps: &[AdamwStep],
    mask: UpdateMask,
    options: &AdamwOptions,
) -> AdamwOutput {
    or_panic(check(&state, &gradient, steps.len(), mask));
    #[cfg(any(feature = "cpu", feature = "cube"))]
    {
        let [replicas, params] = state.weights.dims();
        if crate::dispatch::has_kernels(&state.weights, &AdamwProblem { replicas, params }) {
            return autodiff::apply(state, gradient, steps, mask, options);
        }
    }
    reference::adamw(state, gradient, steps, mask, options)
}

/// The sizes of one step.
#[cfg(any(feature = "cpu", feature = "cube"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(feature = "cube"), allow(dead_code))]
pub(crate) struct AdamwProblem {
    /// R.
    pub replicas: usize,
    /// P.
    pub params: usize,
}

fn check(state: &AdamwState, gradient: &Tensor<2>, steps: usize, mask: UpdateMask) -> Result<(), KernelError> {
    let shape = state.weights.dims();
    let [replicas, _] = shape;
    let others = [
        ("gradient", gradient.dims()),
        ("first", state.first.dims()),
        ("second", state.second.dims()),
    ];
    let factors = mask.factors.map(|factors| ("factors", factors.dims()));
    for (name, other) in others.into_iter().chain(factors) {
        check_shapes(
            "adamw",
            other == shape,
            ("weights", &shape),
            (name, &other),
            "expected [R, P] both",
        )?;
    }
    if let Some(mask) = mask.replicas.map(Tensor::dims) {
        check_shapes(
            "adamw",
            mask == [replicas, 1],
            ("weights", &shape),
            ("mask.replicas", &mask),
            "expected [R, P] and [R, 1]",
        )?;
    }
    if steps != replicas {
        let problem = format!("entries, expected one for each of {replicas} replicas");
        return Err(KernelError::option("adamw", "steps", steps, problem));
    }
    Ok(())
}
