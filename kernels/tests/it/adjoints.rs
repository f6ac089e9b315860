//! The adjoints called without the tape give what the tape gives, bit by bit.

use crate::cases::{noise, to_vec};
use burn::backend::Dispatch;
use burn::tensor::{DType, Device, Tensor, TensorData};
use recoup_kernels::conv::{Geometry, native::ConvOps};
use recoup_kernels::group_norm::tape::{GroupNormOps, Norm};
use recoup_kernels::{Conv2dOptions, conv2d, group_norm};

fn leaf<const D: usize>(salt: u64, dims: [usize; D]) -> Tensor<D> {
    let data = TensorData::new(noise(salt, dims.iter().product()), dims);
    Tensor::from_data(data, (&Device::flex().autodiff(), DType::F32)).require_grad()
}

#[test]
fn convolution() {
    let options = Conv2dOptions { stride: [2, 1], padding: [(1, 0), (2, 2)], groups: 2, ..Conv2dOptions::default() };
    let (x, w, bias) = (leaf(1, [3, 5, 4, 6, 7]), leaf(2, [3, 6, 2, 3, 2]), leaf(3, [3, 6]));
    let y = conv2d(x.clone(), w.clone(), Some(bias.clone()), &options);
    let dy = leaf(4, y.dims()).inner();
    let geometry = Geometry::new("conv2d", x.dims(), w.dims(), Some(bias.dims()), &options);
    let geometry = geometry.unwrap();
    let gradients = (y * Tensor::from_inner(dy.clone())).sum().backward();
    let dy = dy.into_dispatch();
    let (px, pw) = (x.clone().inner(), w.clone().inner());

    let dx = Dispatch::replica_conv2d_input_gradient(pw.into_dispatch(), dy.clone(), geometry);
    let dw = Dispatch::replica_conv2d_weight_gradient(px.into_dispatch(), dy.clone(), geometry);
    let db = Dispatch::replica_conv2d_bias_gradient(dy, geometry);
    let tape = [
        to_vec(x.grad(&gradients).unwrap()),
        to_vec(w.grad(&gradients).unwrap()),
        to_vec(bias.grad(&gradients).unwrap()),
    ];
    let direct = [
        to_vec(Tensor::<5>::from_dispatch(dx)),
        to_vec(Tensor::<5>::from_dispatch(dw)),
        to_vec(Tensor::<2>::from_dispatch(db)),
    ];
    assert!(direct == tape);
}

#[test]
fn normalisation() {
    let (x, gamma, beta) = (leaf(1, [3, 5, 4, 6]), leaf(2, [3, 4]), leaf(3, [3, 4]));
    let y = group_norm(x.clone(), gamma.clone(), beta.clone(), 2, 1e-5);
    let dy = leaf(4, y.dims()).inner();
    let gradients = (y * Tensor::from_inner(dy.clone())).sum().backward();
    let norm = Norm { groups: 2, eps: 1e-5 };
    let (dx, d_gamma, d_beta) = Dispatch::replica_group_norm_backward(
        x.clone().inner().into_dispatch(),
        gamma.clone().inner().into_dispatch(),
        dy.into_dispatch(),
        norm,
    );
    assert!(to_vec(Tensor::<4>::from_dispatch(dx)) == to_vec(x.grad(&gradients).unwrap()));
    let d_gamma = to_vec(Tensor::<2>::from_dispatch(d_gamma));
    assert!(d_gamma == to_vec(gamma.grad(&gradients).unwrap()));
    let d_beta = to_vec(Tensor::<2>::from_dispatch(d_beta));
    assert!(d_beta == to_vec(beta.grad(&gradients).unwrap()));
}
