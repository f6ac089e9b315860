//! The place of an operation on the autodiff tape.

use burn::backend::{
    Autodiff, Backend,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    tensor::FloatTensor,
};
use std::fmt::{Debug, Formatter};

/// Gradients of the `N` inputs of an operation, from what its forward pass saved and the gradient of its output. Only
/// inputs marked in the last argument are tracked; the others may be left out.
type Rule<B, S, const N: usize> = fn(S, FloatTensor<B>, [bool; N]) -> [Option<FloatTensor<B>>; N];

struct Step<B: Backend, S, const N: usize>(Rule<B, S, N>);

impl<B: Backend, S, const N: usize> Debug for Step<B, S, N> {
    fn fmt(&self, formatter: &mut Formatter) -> std::fmt::Result {
        formatter.write_str("Step")
    }
}

impl<B: Backend, S: Clone + Debug + Send + 'static, const N: usize> Backward<B, N> for Step<B, S, N> {
    type State = S;

    fn backward(self, ops: Ops<S, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let tracked = ops.parents.each_ref().map(Option::is_some);
        let gradients = (self.0)(ops.state, gradient, tracked);
        for (node, gradient) in ops.parents.into_iter().zip(gradients) {
            if let (Some(node), Some(gradient)) = (node, gradient) {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

/// Runs `forward` on the inputs and, where one of them is tracked, records `backward` with what `forward` saved.
/// `forward` is told whether anything is tracked; it must save then.
pub(crate) fn record<B: Backend, C: CheckpointStrategy, S: Clone + Debug + Send + 'static, const N: usize>(
    inputs: [FloatTensor<Autodiff<B, C>>; N],
    forward: impl FnOnce([FloatTensor<B>; N], bool) -> (FloatTensor<B>, Option<S>),
    backward: Rule<B, S, N>,
) -> FloatTensor<Autodiff<B, C>> {
    let mut nodes = Vec::with_capacity(N);
    let inputs = inputs.map(|input| {
        let (input, node) = input.into_parts();
        nodes.push(node);
        input
    });
    let nodes = nodes
        .try_into()
        .unwrap_or_else(|_| unreachable!("one node for each input"));
    match Step(backward).prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prep) => {
            let (output, saved) = forward(inputs, true);
            prep.finish(saved.expect("`forward` saves when it is tracked"), output)
        }
        OpsKind::UnTracked(prep) => prep.finish(forward(inputs, false).0),
    }
}
