//! Long short-term memory over whole, possibly ragged, sequences.

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
use burn::tensor::Tensor;

/// Parameters of one LSTM direction; the gates lie side by side in the order input, forget, cell,
/// output (PyTorch's), and PyTorch's two biases are one.
#[derive(Debug, Clone)]
pub struct LstmWeights {
    /// From the input: `[R, I, 4H]`.
    pub input: Tensor<3>,
    /// From the hidden state: `[R, H, 4H]`.
    pub hidden: Tensor<3>,
    /// `[R, 4H]`.
    pub bias: Tensor<2>,
}

/// The states of an LSTM.
#[derive(Debug, Clone)]
pub struct LstmOutput {
    /// The hidden state after each step, zero past a sample's end: `[R, B, T, H]`.
    pub sequence: Tensor<4>,
    /// The hidden state after a sample's last step in the direction of time: `[R, B, H]`.
    pub last_hidden: Tensor<3>,
    /// The cell state after the same step: `[R, B, H]`.
    pub last_cell: Tensor<3>,
}

/// One LSTM layer in one direction, from a zero state (Hochreiter and Schmidhuber 1997, with the
/// forget gate of Gers et al. 2000).
///
/// With `i, f, o = σ(.)` and `g = tanh(.)` of `x_t W + h U + b`: `c = f c + i g`, `h = o tanh(c)`.
/// The semantics are those of PyTorch's packed sequences: a sample's state stops at its own
/// length, `reverse` starts at its own end, and length 0 leaves the zero state.
///
/// - **Shapes**: `x: [R, B, T, I]`, or `[1, B, T, I]` shared by all replicas; `lengths`: R x B
///   entries, replica by replica, at most T each (`None`: all T); see [`LstmWeights`] and
///   [`LstmOutput`].
/// - **Precision**: f32 products and sums; other dtypes as burn's product.
/// - **Kernels**: the input is projected as one [`matmul`](crate::matmul()), then one launch runs the
///   whole sequence with the recurrent weights on chip (on a GPU; where they are too many, one
///   launch per step), and the gradient of the recurrent weights is one product again.
/// - **Gradient**: of `x` and all weights, from all three outputs. Steps past a sample's end get
///   and give none, whatever `x` holds there, as long as it is finite (a NaN there reaches the
///   gradient of `input` through the product).
/// - **Falls back** to [`mod@reference`] for other dtypes and devices, and on GPUs for what needs more than 32-bit
///   indices or a larger grid (saved gates of `R B T 5H` values).
///
/// # Panics
/// When the shapes do not fit; the message names both.
pub fn lstm(x: Tensor<4>, lengths: Option<&[usize]>, weights: &LstmWeights, reverse: bool) -> LstmOutput {
    or_panic(check(&x, lengths, weights));
    let ([_, batch, steps, _], [replicas, units, _]) = (x.dims(), weights.hidden.dims());
    if steps == 0 {
        let options = (&x.device(), x.dtype());
        return LstmOutput {
            sequence: Tensor::zeros([replicas, batch, 0, units], options),
            last_hidden: Tensor::zeros([replicas, batch, units], options),
            last_cell: Tensor::zeros([replicas, batch, units], options),
        };
    }
    #[cfg(any(feature = "cpu", feature = "cube"))]
    {
        let problem = LstmProblem {
            replicas,
            batch,
            steps,
            units,
        };
        if crate::dispatch::has_kernels(&x, &problem) {
            return autodiff::apply(x, lengths, weights, reverse);
        }
    }
    reference::lstm(x, lengths, weights, reverse)
}

/// The sizes of one recurrence.
#[cfg(any(feature = "cpu", feature = "cube"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LstmProblem {
    /// R.
    pub replicas: usize,
    /// B.
    pub batch: usize,
    /// T.
    pub steps: usize,
    /// H.
    pub units: usize,
}

#[cfg(any(feature = "cpu", feature = "cube"))]
impl LstmProblem {
    fn is_empty(self) -> bool {
        self.replicas * self.batch * self.steps * self.units == 0
    }
}

fn check(x: &Tensor<4>, lengths: Option<&[usize]>, weights: &LstmWeights) -> Result<(), KernelError> {
    let (xs, input) = (x.dims(), weights.input.dims());
    let (hidden, bias) = (weights.hidden.dims(), weights.bias.dims());
    let (replicas, batch, steps, units) = (input[0], xs[1], xs[2], hidden[1]);
    check_shapes(
        "lstm",
        (xs[0] == replicas || xs[0] == 1) && input[1] == xs[3],
        ("x", &xs),
        ("weights.input", &input),
        "expected [R, B, T, I] (or [1, B, T, I], shared) and [R, I, 4H]",
    )?;
    check_shapes(
        "lstm",
        hidden == [replicas, units, input[2]] && input[2] == 4 * units,
        ("weights.hidden", &hidden),
        ("weights.input", &input),
        "expected [R, H, 4H] and [R, I, 4H]",
    )?;
    check_shapes(
        "lstm",
        bias == [replicas, input[2]],
        ("weights.bias", &bias),
        ("weights.input", &input),
        "expected [R, 4H] and [R, I, 4H]",
    )?;
    let Some(lengths) = lengths else {
        return Ok(());
    };
    if lengths.len() != replicas * batch {
        let problem = format!("entries, expected one for each of {replicas} x {batch} samples");
        return Err(KernelError::option("lstm", "lengths", lengths.len(), problem));
    }
    match lengths.iter().find(|&&length| length > steps) {
        Some(length) => {
            let problem = format!("is longer than the {steps} steps of x");
            Err(KernelError::option("lstm", "lengths", length, problem))
        }
        None => Ok(()),
    }
}
