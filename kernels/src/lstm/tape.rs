//! The recurrence as a backend operation, and its place on the tape.

use super::{LstmOutput, LstmWeights};
use burn::backend::{
    Autodiff, Backend, Dispatch,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    backend_extension,
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

/// The recurrence and its adjoint, after the projection of the input.
///
/// `states: [R, B, T + 2, H]` holds the hidden state after each of the T steps (zero past the
/// end), then the last hidden state, then the last cell state. `saved: [R, B, T, 5H]` holds the
/// four activated gates and the cell state of each step, and is undefined past a sample's end.
#[backend_extension(Cube: cfg(feature = "cube"), Flex: cfg(feature = "cpu"), Autodiff)]
pub trait LstmOps: Backend {
    /// `projected: [R, B, T, 4H]`, `hidden: [R, H, 4H]`, `bias: [R, 4H]` to `states`.
    fn replica_lstm(
        projected: FloatTensor<Self>,
        hidden: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        route: Route,
    ) -> FloatTensor<Self>;

    /// The same, to `(states, saved)`: the forward pass of training.
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

pub(super) fn call(x: Tensor<4>, lengths: Option<&[usize]>, weights: &LstmWeights, reverse: bool) -> LstmOutput {
    let [shared, batch, steps, inputs] = x.dims();
    let [replicas, units, _] = weights.hidden.dims();
    let projected = crate::matmul(x.reshape([shared, batch * steps, inputs]), weights.input.clone());
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

impl<B: Backend + LstmOps, C: CheckpointStrategy> LstmOps for Autodiff<B, C> {
    fn replica_lstm(
        projected: FloatTensor<Self>,
        hidden: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        route: Route,
    ) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct LstmBackward;

        impl<B: Backend + LstmOps> Backward<B, 3> for LstmBackward {
            /// hidden, states, saved, route
            type State = (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>, Route);

            fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
                let grad = grads.consume::<B>(&ops.node);
                let (hidden, states, saved, route) = ops.state;
                let (d_projected, d_hidden, d_bias) = B::replica_lstm_backward(hidden, states, saved, grad, route);
                for (node, grad) in ops.parents.into_iter().zip([d_projected, d_hidden, d_bias]) {
                    if let Some(node) = node {
                        grads.register::<B>(node.id, grad);
                    }
                }
            }
        }

        let nodes = [projected.node(), hidden.node(), bias.node()];
        let (projected, hidden) = (projected.into_primitive(), hidden.into_primitive());
        let bias = bias.into_primitive();
        match LstmBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let (states, saved) = B::replica_lstm_saving(projected, hidden.clone(), bias, route.clone());
                prep.finish((hidden, states.clone(), saved, route), states)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::replica_lstm(projected, hidden, bias, route)),
        }
    }

    fn replica_lstm_saving(
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: Route,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        unimplemented!("the tape saves by itself")
    }

    fn replica_lstm_backward(
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: Route,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        unimplemented!("second-order gradients")
    }
}
