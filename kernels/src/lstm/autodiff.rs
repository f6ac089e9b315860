//! The recurrence as a backend operation, with its gradient.

use super::{LstmOutput, LstmWeights};
use crate::autodiff::record;
use burn::backend::{
    Autodiff, Backend, Dispatch, autodiff::checkpoint::strategy::CheckpointStrategy, backend_extension,
    tensor::FloatTensor,
};
use burn::tensor::Tensor;
use std::sync::Arc;

/// The order in which each sample is read.
#[derive(Debug, Clone)]
pub struct Route {
    /// Steps of each sample, R x B entries; `None`: all of them.
    pub lengths: Option<Arc<[usize]>>,
    /// From each sample's own end to its start.
    pub reverse: bool,
}

/// The recurrence, after the projection of the input.
///
/// `states: [R, B, T + 2, H]` holds the hidden state after each of the T steps (zero past the
/// end), then the last hidden state, then the last cell state.
#[backend_extension(Cube: cfg(feature = "cube"), Flex: cfg(feature = "cpu"), Autodiff)]
pub trait LstmOps: Backend {
    /// `projected: [R, B, T, 4H]`, `hidden: [R, H, 4H]`, `bias: [R, 4H]` to `states`.
    fn replica_lstm(
        projected: FloatTensor<Self>,
        hidden: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        route: Route,
    ) -> FloatTensor<Self>;
}

/// The forward pass of training and the adjoint of [`LstmOps`], to be called with or without a tape.
///
/// `saved: [R, B, T, 5H]` holds the four activated gates and the cell state of each step, and is undefined past a
/// sample's end.
#[backend_extension(Cube: cfg(feature = "cube"), Flex: cfg(feature = "cpu"))]
pub trait LstmAdjoint: Backend {
    /// The recurrence to `(states, saved)`.
    fn replica_lstm_saving(
        projected: FloatTensor<Self>,
        hidden: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        route: Route,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);

    /// Gradients of `(projected, hidden, bias)` from what the forward pass left and the gradient
    /// of `states`.
    fn replica_lstm_backward(
        hidden: FloatTensor<Self>,
        states: FloatTensor<Self>,
        saved: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        route: Route,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

pub(super) fn apply(x: Tensor<4>, lengths: Option<&[usize]>, weights: &LstmWeights, reverse: bool) -> LstmOutput {
    let [shared, batch, steps, inputs] = x.dims();
    let [replicas, units, _] = weights.hidden.dims();
    let projected = crate::matmul::matmul(x.reshape([shared, batch * steps, inputs]), weights.input.clone());
    let states = Tensor::<4>::from_dispatch(<Dispatch as LstmOps>::replica_lstm(
        projected.reshape([replicas, batch, steps, 4 * units]).into_dispatch(),
        weights.hidden.clone().into_dispatch(),
        weights.bias.clone().into_dispatch(),
        Route {
            lengths: lengths.map(Arc::from),
            reverse,
        },
    ));
    let last = |i: usize| {
        states
            .clone()
            .slice_dim(2, steps + i..steps + i + 1)
            .reshape([replicas, batch, units])
    };
    LstmOutput {
        last_hidden: last(0),
        last_cell: last(1),
        sequence: states.slice_dim(2, 0..steps),
    }
}

impl<B: Backend + LstmOps + LstmAdjoint, C: CheckpointStrategy> LstmOps for Autodiff<B, C> {
    fn replica_lstm(
        projected: FloatTensor<Self>,
        hidden: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        route: Route,
    ) -> FloatTensor<Self> {
        record::<B, C, _, _>(
            [projected, hidden, bias],
            |[projected, hidden, bias], tracked| {
                if !tracked {
                    return (B::replica_lstm(projected, hidden, bias, route), None);
                }
                let (states, saved) = B::replica_lstm_saving(projected, hidden.clone(), bias, route.clone());
                (states.clone(), Some((hidden, states, saved, route)))
            },
            |(hidden, states, saved, route), grad, _| {
                let (d_projected, d_hidden, d_bias) = B::replica_lstm_backward(hidden, states, saved, grad, route);
                [Some(d_projected), Some(d_hidden), Some(d_bias)]
            },
        )
    }
}
