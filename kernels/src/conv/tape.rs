//! The convolution as a backend operation, and its place on the tape.

use super::{Activation, Geometry};
use burn::backend::{
    Autodiff, Backend, Dispatch, TensorMetadata,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    backend_extension,
    tensor::FloatTensor,
};
use burn::tensor::{Shape, Slice, Tensor};

/// Convolution and its adjoints, on the shapes of [`conv2d`](super::conv2d).
#[backend_extension(Cube: cfg(feature = "cube"), Flex: cfg(feature = "cpu"), Autodiff)]
pub trait ConvOps: Backend {
    /// The convolution of `x` by `w` plus `bias: [R, O]`, under the activation.
    fn replica_conv2d(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        geometry: Geometry,
        activation: Activation,
    ) -> FloatTensor<Self>;

    /// The convolution, and mean and variance of each of its channels over batch and positions: `[R, 2, O]`.
    fn replica_conv2d_with_statistics(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        geometry: Geometry,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);

    /// Gradient of `x: [R, ...]`, from `w` and the gradient of the output.
    fn replica_conv2d_input_gradient(
        w: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        geometry: Geometry,
    ) -> FloatTensor<Self>;

    /// Gradient of `w`, from `x` and the gradient of the output.
    fn replica_conv2d_weight_gradient(
        x: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        geometry: Geometry,
    ) -> FloatTensor<Self>;

    /// Gradient of `bias`, from the gradient of the output.
    fn replica_conv2d_bias_gradient(dy: FloatTensor<Self>, geometry: Geometry) -> FloatTensor<Self>;

    /// `dy` times the slope of the activation, at its output or input as `saved` holds it.
    fn replica_activation_gradient(
        saved: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self>;
}

fn bias_or_zeros(x: &Tensor<5>, bias: Option<Tensor<2>>, g: &Geometry) -> Tensor<2> {
    bias.unwrap_or_else(|| Tensor::zeros([g.replicas, g.filters], &x.device()))
}

pub(super) fn call(
    x: Tensor<5>,
    w: Tensor<5>,
    bias: Option<Tensor<2>>,
    geometry: Geometry,
    activation: Activation,
) -> Tensor<5> {
    let bias = bias_or_zeros(&x, bias, &geometry);
    Tensor::from_dispatch(<Dispatch as ConvOps>::replica_conv2d(
        x.into_dispatch(),
        w.into_dispatch(),
        bias.into_dispatch(),
        geometry,
        activation,
    ))
}

pub(super) fn call_with_statistics(
    x: Tensor<5>,
    w: Tensor<5>,
    bias: Option<Tensor<2>>,
    geometry: Geometry,
) -> (Tensor<5>, Tensor<3>) {
    let bias = bias_or_zeros(&x, bias, &geometry);
    let (y, statistics) = <Dispatch as ConvOps>::replica_conv2d_with_statistics(
        x.into_dispatch(),
        w.into_dispatch(),
        bias.into_dispatch(),
        geometry,
    );
    (Tensor::from_dispatch(y), Tensor::from_dispatch(statistics))
}

#[derive(Debug)]
struct ConvBackward;

impl<B: Backend + ConvOps> Backward<B, 3> for ConvBackward {
    /// x, w, geometry
    type State = (FloatTensor<B>, FloatTensor<B>, Geometry);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [node_x, node_w, node_bias] = ops.parents;
        let dy = grads.consume::<B>(&ops.node);
        let (x, w, geometry) = ops.state;
        if let Some(node) = node_x {
            let shared = x.shape()[0] < geometry.replicas;
            let dx = B::replica_conv2d_input_gradient(w, dy.clone(), geometry);
            grads.register::<B>(node.id, if shared { B::float_sum_dim(dx, 0) } else { dx });
        }
        if let Some(node) = node_w {
            grads.register::<B>(node.id, B::replica_conv2d_weight_gradient(x, dy.clone(), geometry));
        }
        if let Some(node) = node_bias {
            grads.register::<B>(node.id, B::replica_conv2d_bias_gradient(dy, geometry));
        }
    }
}

#[derive(Debug)]
struct ActivationBackward;

impl<B: Backend + ConvOps> Backward<B, 1> for ActivationBackward {
    /// The output or the input of the activation.
    type State = (FloatTensor<B>, Activation);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [node] = ops.parents;
        let dy = grads.consume::<B>(&ops.node);
        let (saved, activation) = ops.state;
        if let Some(node) = node {
            grads.register::<B>(node.id, B::replica_activation_gradient(saved, dy, activation));
        }
    }
}

#[derive(Debug)]
struct StatisticsBackward;

impl<B: Backend + ConvOps> Backward<B, 1> for StatisticsBackward {
    /// y, statistics, geometry
    type State = (FloatTensor<B>, FloatTensor<B>, Geometry);

    /// `d mean / N + 2 d variance (y - mean) / N` for every value of a channel.
    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [node] = ops.parents;
        let gradient = grads.consume::<B>(&ops.node);
        let (y, statistics, g) = ops.state;
        let Some(node) = node else { return };
        let half = |x: FloatTensor<B>, index: isize| {
            let slices = [Slice::full(), Slice::new(index, Some(index + 1), 1), Slice::full()];
            B::float_reshape(
                B::float_slice(x, &slices),
                Shape::from([g.replicas, 1, g.filters, 1, 1]),
            )
        };
        let count = (g.batch * g.output[0] * g.output[1]).max(1) as f64;
        let d_mean = B::float_mul_scalar(half(gradient.clone(), 0), (1.0 / count).into());
        let d_variance = B::float_mul_scalar(half(gradient, 1), (2.0 / count).into());
        let deviation = B::float_sub(y, half(statistics, 0));
        let dy = B::float_add(B::float_mul(deviation, d_variance), d_mean);
        grads.register::<B>(node.id, dy);
    }
}

impl<B: Backend + ConvOps, C: CheckpointStrategy> ConvOps for Autodiff<B, C> {
    fn replica_conv2d(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        geometry: Geometry,
        activation: Activation,
    ) -> FloatTensor<Self> {
        let nodes = [x.node(), w.node(), bias.node()];
        let (x, w, bias) = (x.into_primitive(), w.into_primitive(), bias.into_primitive());
        let prep = match ConvBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep,
            OpsKind::UnTracked(prep) => return prep.finish(B::replica_conv2d(x, w, bias, geometry, activation)),
        };
        if activation == Activation::None {
            let y = B::replica_conv2d(x.clone(), w.clone(), bias, geometry, activation);
            return prep.finish((x, w, geometry), y);
        }
        // Two nodes. The first stands for the values before the activation, which are computed on their own only where
        // the slope needs them.
        let y = B::replica_conv2d(x.clone(), w.clone(), bias.clone(), geometry, activation);
        let saved = if activation.slope_from_output() {
            y.clone()
        } else {
            B::replica_conv2d(x.clone(), w.clone(), bias, geometry, Activation::None)
        };
        let before = prep.finish((x, w, geometry), saved.clone());
        match ActivationBackward
            .prepare::<C>([before.node()])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prep) => prep.finish((saved, activation), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }

    fn replica_conv2d_with_statistics(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        geometry: Geometry,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let nodes = [x.node(), w.node(), bias.node()];
        let (x, w, bias) = (x.into_primitive(), w.into_primitive(), bias.into_primitive());
        let (values, statistics) = B::replica_conv2d_with_statistics(x.clone(), w.clone(), bias, geometry);
        let y = match ConvBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((x, w, geometry), values.clone()),
            OpsKind::UnTracked(prep) => prep.finish(values.clone()),
        };
        let statistics = match StatisticsBackward.prepare::<C>([y.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((values, statistics.clone(), geometry), statistics),
            OpsKind::UnTracked(prep) => prep.finish(statistics),
        };
        (y, statistics)
    }

    fn replica_conv2d_input_gradient(_: FloatTensor<Self>, _: FloatTensor<Self>, _: Geometry) -> FloatTensor<Self> {
        unimplemented!("second-order gradients")
    }

    fn replica_conv2d_weight_gradient(_: FloatTensor<Self>, _: FloatTensor<Self>, _: Geometry) -> FloatTensor<Self> {
        unimplemented!("second-order gradients")
    }

    fn replica_conv2d_bias_gradient(_: FloatTensor<Self>, _: Geometry) -> FloatTensor<Self> {
        unimplemented!("second-order gradients")
    }

    fn replica_activation_gradient(_: FloatTensor<Self>, _: FloatTensor<Self>, _: Activation) -> FloatTensor<Self> {
        unimplemented!("second-order gradients")
    }
}
