//! Refused arguments, by their exact messages, and sizes of zero.

use burn::tensor::{Device, Tensor};
use recoup_kernels::*;

fn zeros<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    Tensor::zeros(shape, &Device::flex())
}

/// The message with which a call panics.
#[track_caller]
pub fn message<T>(call: impl FnOnce() -> T) -> String {
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call));
    let payload = outcome.err().expect("the call is refused");
    *payload.downcast::<String>().expect("a message with sizes")
}

#[track_caller]
fn refused<T>(call: impl FnOnce() -> T, expected: &str) {
    assert_eq!(message(call), expected);
}

const STFT: StftOptions = StftOptions {
    n_fft: 16,
    hop: 4,
    window: Window::Hann,
    center: true,
    padding: StftPadding::Reflect,
    detrend: Detrend::None,
    output: StftOutput::Power,
};

#[test]
fn shapes_are_named() {
    refused(
        || matmul(zeros([2, 3, 4]), zeros([2, 5, 6])),
        "matmul: x [2, 3, 4] does not fit w [2, 5, 6]: expected [R, M, K] (or [1, M, K], shared) and [R, K, N]",
    );
    refused(
        || {
            conv2d(
                zeros([2, 1, 4, 1, 9]),
                zeros([2, 3, 2, 1, 3]),
                None,
                &Conv2dOptions::default(),
            )
        },
        "conv2d: x [2, 1, 4, 1, 9] does not fit w [2, 3, 2, 1, 3]: \
         expected [R, B, C, ...] (or [1, B, C, ...], shared) and [R, O, C/groups, ...]",
    );
    refused(
        || {
            conv2d(
                zeros([1, 1, 1, 2, 9]),
                zeros([1, 1, 1, 3, 3]),
                None,
                &Conv2dOptions::default(),
            )
        },
        "conv2d: x [1, 1, 1, 2, 9] does not fit w [1, 1, 1, 3, 3]: \
         the padded input is shorter than the dilated filter",
    );
    refused(
        || {
            conv2d(
                zeros([1, 1, 1, 3, 9]),
                zeros([1, 4, 1, 3, 3]),
                Some(zeros([1, 3])),
                &Conv2dOptions::default(),
            )
        },
        "conv2d: bias [1, 3] does not fit w [1, 4, 1, 3, 3]: expected bias [R, O]",
    );
    refused(
        || group_norm(zeros([1, 2, 3, 4]), zeros([1, 3]), zeros([1, 4]), 1, 1e-5),
        "group_norm: x [1, 2, 3, 4] does not fit beta [1, 4]: expected [R, B, C, S] and [R, C]",
    );
}

#[test]
fn options_are_named() {
    let grouped = Conv2dOptions {
        groups: 3,
        ..Conv2dOptions::default()
    };
    refused(
        || conv2d(zeros([1, 1, 4, 1, 9]), zeros([1, 3, 1, 1, 3]), None, &grouped),
        "conv2d: groups = 3 does not divide 4 channels and 3 filters",
    );
    let still = Conv2dOptions {
        stride: [1, 0],
        ..Conv2dOptions::default()
    };
    refused(
        || conv2d(zeros([1, 1, 4, 1, 9]), zeros([1, 3, 4, 1, 3]), None, &still),
        "conv2d: stride = 0 must be at least 1",
    );
    refused(
        || group_norm(zeros([1, 2, 3, 4]), zeros([1, 3]), zeros([1, 3]), 2, 1e-5),
        "group_norm: groups = 2 does not divide 3 channels",
    );
    refused(
        || stft(zeros([1, 1, 1, 8]), &STFT),
        "stft: n_fft = 16 mirrors 8 samples at each end, but x [1, 1, 1, 8] has only 8",
    );
    refused(
        || stft(zeros([1, 1, 1, 8]), &StftOptions { center: false, ..STFT }),
        "stft: n_fft = 16 is longer than the 8 padded samples of x [1, 1, 1, 8]",
    );
    refused(
        || stft_complex(zeros([1, 1, 1, 8]), &StftOptions { hop: 0, ..STFT }),
        "stft_complex: hop = 0 must be at least 1",
    );
}

fn weights(inputs: usize, units: usize) -> LstmWeights {
    LstmWeights {
        input: zeros([2, inputs, 4 * units]),
        hidden: zeros([2, units, 4 * units]),
        bias: zeros([2, 4 * units]),
    }
}

#[test]
fn lengths_are_checked() {
    refused(
        || lstm(zeros([2, 3, 4, 5]), Some(&[1, 2]), &weights(5, 6), false),
        "lstm: lengths = 2 entries, expected one for each of 2 x 3 samples",
    );
    refused(
        || lstm(zeros([2, 1, 4, 5]), Some(&[4, 9]), &weights(5, 6), false),
        "lstm: lengths = 9 is longer than the 4 steps of x",
    );
    refused(
        || lstm(zeros([2, 1, 4, 3]), None, &weights(5, 6), false),
        "lstm: x [2, 1, 4, 3] does not fit weights.input [2, 5, 24]: \
         expected [R, B, T, I] (or [1, B, T, I], shared) and [R, I, 4H]",
    );
}

/// An empty batch gives empty results and zero gradients of the parameters.
#[test]
fn empty_batches_are_allowed() {
    let device = Device::flex().autodiff();
    let y = matmul(zeros([2, 0, 3]), zeros([2, 3, 4]));
    assert_eq!(y.dims(), [2, 0, 4]);
    let w = Tensor::<5>::ones([2, 3, 1, 1, 2], &device).require_grad();
    let x = Tensor::<5>::zeros([2, 0, 1, 1, 5], &device);
    let y = conv2d(x, w.clone(), None, &Conv2dOptions::default());
    assert_eq!(y.dims(), [2, 0, 3, 1, 4]);
    let gradient = w.grad(&y.sum().backward()).unwrap();
    assert_eq!(crate::cases::to_vec(gradient), vec![0.0; 12]);
    let y = group_norm(zeros([2, 0, 3, 4]), zeros([2, 3]), zeros([2, 3]), 1, 1e-5);
    assert_eq!(y.dims(), [2, 0, 3, 4]);
    let out = lstm(zeros([2, 0, 4, 5]), Some(&[]), &weights(5, 6), true);
    assert_eq!(out.sequence.dims(), [2, 0, 4, 6]);
    assert_eq!(out.last_cell.dims(), [2, 0, 6]);
    assert_eq!(stft(zeros([2, 0, 3, 32]), &STFT).dims(), [2, 0, 3, 9, 9]);
}

#[test]
fn no_steps_leave_the_zero_state() {
    let out = lstm(zeros([2, 3, 0, 5]), None, &weights(5, 6), false);
    assert_eq!(out.sequence.dims(), [2, 3, 0, 6]);
    assert_eq!(crate::cases::to_vec(out.last_hidden), vec![0.0; 36]);
}
