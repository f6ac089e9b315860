//! The adjoints called without the tape give what the tape gives, bit by bit.

use crate::cases::{noise, to_vec};
use crate::devices::devices;
use burn::backend::Dispatch;
use burn::tensor::{DType, Device, Tensor, TensorData};
use recoup_kernels::conv::{ConvProblem, autodiff::ConvAdjoint};
use recoup_kernels::group_norm::{GroupNormProblem, autodiff::GroupNormAdjoint};
use recoup_kernels::{Conv2dOptions, conv2d, group_norm};

fn leaf<const D: usize>(salt: u64, dims: [usize; D]) -> Tensor<D> {
    let data = TensorData::new(noise(salt, dims.iter().product()), dims);
    Tensor::from_data(data, (&Device::flex().autodiff(), DType::F32)).require_grad()
}

#[test]
fn convolution() {
    let options = Conv2dOptions {
        stride: [2, 1],
        padding: [(1, 0), (2, 2)],
        groups: 2,
        ..Conv2dOptions::default()
    };
    let (x, w, bias) = (leaf(1, [3, 5, 4, 6, 7]), leaf(2, [3, 6, 2, 3, 2]), leaf(3, [3, 6]));
    let y = conv2d(x.clone(), w.clone(), Some(bias.clone()), &options);
    let dy = leaf(4, y.dims()).inner();
    let problem = ConvProblem::new(x.dims(), w.dims(), Some(bias.dims()), &options);
    let problem = problem.unwrap();
    let gradients = (y * Tensor::from_inner(dy.clone())).sum().backward();
    let dy = dy.into_dispatch();
    let (px, pw) = (x.clone().inner(), w.clone().inner());

    let dx = Dispatch::replica_conv2d_input_gradient(pw.into_dispatch(), dy.clone(), problem);
    let dw = Dispatch::replica_conv2d_weight_gradient(px.into_dispatch(), dy.clone(), problem);
    let db = Dispatch::replica_conv2d_bias_gradient(dy, problem);
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

fn pair(x: Tensor<5>, y: Tensor<5>) -> f64 {
    to_vec(x).iter().zip(to_vec(y)).map(|(x, y)| x * y).sum()
}

/// `<A x, y> = <x, A' y>` for the convolution as a function of `x` and as one of `w`, at 1 and at other strides.
#[test]
fn convolution_adjoints_are_transposes() {
    let plain = Conv2dOptions::default();
    let odd = Conv2dOptions {
        stride: [2, 3],
        padding: [(3, 0), (1, 5)],
        dilation: [2, 1],
        groups: 2,
    };
    for device in devices() {
        for options in [plain, plain.same([3, 4]), Conv2dOptions { groups: 4, ..plain }, odd] {
            let on = |salt: u64, dims: [usize; 5]| -> Tensor<5> {
                let data = TensorData::new(noise(salt, dims.iter().product()), dims);
                Tensor::from_data(data, (&device, DType::F32))
            };
            let (x, w) = (on(1, [2, 3, 4, 9, 37]), on(2, [2, 8, 4 / options.groups, 3, 4]));
            let y = conv2d(x.clone(), w.clone(), None, &options);
            let dy = on(3, y.dims());
            let problem = ConvProblem::new(x.dims(), w.dims(), None, &options).unwrap();
            let product = pair(y.clone(), dy.clone());
            let size = (pair(y.clone(), y) * pair(dy.clone(), dy.clone())).sqrt();
            let gradient = dy.into_dispatch();
            let dx = Dispatch::replica_conv2d_input_gradient(w.clone().into_dispatch(), gradient.clone(), problem);
            let dw = Dispatch::replica_conv2d_weight_gradient(x.clone().into_dispatch(), gradient, problem);
            for transposed in [pair(x, Tensor::from_dispatch(dx)), pair(w, Tensor::from_dispatch(dw))] {
                let error = (product - transposed).abs() / size;
                assert!(error < 1e-6, "{options:?} on {device:?}: {product} {transposed}");
            }
        }
    }
}

/// An input with one replica is what every replica would hold, bit by bit; its gradient is the sum over replicas.
#[test]
fn convolution_of_a_shared_input() {
    for device in devices() {
        let device = device.autodiff();
        for groups in [1, 4] {
            let leaf = |salt: u64, dims: [usize; 5]| -> Tensor<5> {
                let data = TensorData::new(noise(salt, dims.iter().product()), dims);
                Tensor::from_data(data, (&device, DType::F32)).require_grad()
            };
            let options = Conv2dOptions {
                groups,
                ..Conv2dOptions::default().same([1, 5])
            };
            let (x, w) = (leaf(1, [1, 5, 4, 2, 67]), leaf(2, [3, 8, 4 / groups, 1, 5]));
            let (copies, other_w) = (leaf(1, [1, 5, 4, 2, 67]), leaf(2, [3, 8, 4 / groups, 1, 5]));
            let y = conv2d(x.clone(), w.clone(), None, &options);
            let expected = conv2d(copies.clone().repeat_dim(0, 3), other_w.clone(), None, &options);
            let seed = leaf(3, y.dims()).detach();
            let gradients = (y.clone() * seed.clone()).sum().backward();
            let expected_gradients = (expected.clone() * seed).sum().backward();
            assert!(to_vec(y) == to_vec(expected));
            assert!(to_vec(w.grad(&gradients).unwrap()) == to_vec(other_w.grad(&expected_gradients).unwrap()));
            let dx = to_vec(x.grad(&gradients).unwrap());
            let expected = to_vec(copies.grad(&expected_gradients).unwrap());
            let largest = expected.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
            for (dx, expected) in dx.iter().zip(&expected) {
                assert!((dx - expected).abs() <= 2.4e-7 * largest, "{dx} {expected}");
            }
        }
    }
}

/// No samples, on every device: empty values, zero gradients.
#[test]
fn convolution_of_an_empty_batch() {
    for device in devices() {
        let device = device.autodiff();
        let w = Tensor::<5>::ones([2, 3, 1, 1, 2], &device).require_grad();
        let bias = Tensor::<2>::ones([2, 3], &device).require_grad();
        let x = Tensor::<5>::zeros([2, 0, 1, 1, 5], &device).require_grad();
        let y = conv2d(x, w.clone(), Some(bias.clone()), &Conv2dOptions::default());
        assert_eq!(y.dims(), [2, 0, 3, 1, 4]);
        let gradients = y.sum().backward();
        assert_eq!(to_vec(w.grad(&gradients).unwrap()), vec![0.0; 12]);
        assert_eq!(to_vec(bias.grad(&gradients).unwrap()), vec![0.0; 6]);

        // Without channels only the bias is left.
        let x = Tensor::<5>::zeros([2, 1, 0, 1, 3], &device);
        let y = conv2d(
            x,
            Tensor::zeros([2, 3, 0, 1, 2], &device),
            Some(bias),
            &Conv2dOptions::default(),
        );
        assert_eq!(to_vec(y), vec![1.0; 12]);
    }
}

#[test]
fn normalisation() {
    let (x, gamma, beta) = (leaf(1, [3, 5, 4, 6]), leaf(2, [3, 4]), leaf(3, [3, 4]));
    let y = group_norm(x.clone(), gamma.clone(), beta.clone(), 2, 1e-5);
    let dy = leaf(4, y.dims()).inner();
    let gradients = (y * Tensor::from_inner(dy.clone())).sum().backward();
    let problem = GroupNormProblem {
        shape: x.dims(),
        groups: 2,
        eps: 1e-5,
    };
    let (dx, d_gamma, d_beta) = Dispatch::replica_group_norm_backward(
        x.clone().inner().into_dispatch(),
        gamma.clone().inner().into_dispatch(),
        dy.into_dispatch(),
        problem,
    );
    assert!(to_vec(Tensor::<4>::from_dispatch(dx)) == to_vec(x.grad(&gradients).unwrap()));
    let d_gamma = to_vec(Tensor::<2>::from_dispatch(d_gamma));
    assert!(d_gamma == to_vec(gamma.grad(&gradients).unwrap()));
    let d_beta = to_vec(Tensor::<2>::from_dispatch(d_beta));
    assert!(d_beta == to_vec(beta.grad(&gradients).unwrap()));
}
