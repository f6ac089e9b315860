//! The operations under test, each as a function of flat inputs with one row per replica.

mod conv;
mod dropout;
mod group_norm;
mod lstm;
mod matmul;
mod stft;

use burn::tensor::{DType, Device, Tensor, TensorData};

/// A replica of a test: its data are a function of its id, wherever it stands in a batch.
pub type Replica = usize;

/// Which implementation runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// The public function.
    Public,
    /// `reference.rs`.
    Reference,
}

type Apply = dyn Fn(&[Tensor<2>], &[Replica], Path) -> Tensor<2> + Sync;

/// The largest term of the sums that make the gradient of each input, from the inputs and the gradient of the output.
type Terms = dyn Fn(&[Vec<f64>], &[f64]) -> Vec<f64> + Sync;

/// One operation at one size.
pub struct Case {
    pub name: String,
    /// Values per replica of each input.
    pub inputs: Vec<usize>,
    /// `[R, values]` of each input to `[R, values]`.
    pub apply: Box<Apply>,
    /// Given where sums cancel: a rounding error is then a share of the terms and not of what is left of them.
    pub terms: Option<Box<Terms>>,
}

/// A value and the gradients of all inputs, each `[R, values]` in row-major order.
pub struct Outcome {
    pub value: Vec<f64>,
    pub gradients: Vec<Vec<f64>>,
}

/// Noise in [-1, 1) that depends on the salt and the position only.
pub fn noise(salt: u64, len: usize) -> Vec<f64> {
    let mut state = salt.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5851_F42D_4C95_7F2D;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) as f64) / f64::from(1u32 << 30) - 1.0
    };
    (0..len + 8).map(|_| next()).skip(8).collect()
}

impl Case {
    /// Input values, rounded to f32, of the given replicas.
    pub fn data(&self, replicas: &[Replica]) -> Vec<Vec<f64>> {
        let rows = |input: usize, len: usize| {
            replicas
                .iter()
                .flat_map(move |&id| noise((id * 31 + input + 1) as u64, len))
                .map(|value| f64::from(value as f32))
                .collect()
        };
        let inputs = self.inputs.iter().enumerate();
        inputs.map(|(input, &len)| rows(input, len)).collect()
    }

    /// Runs forward, and backward from a fixed gradient of the output.
    pub fn run(&self, data: &[Vec<f64>], replicas: &[Replica], path: Path, device: &Device, dtype: DType) -> Outcome {
        let device = device.clone().autodiff();
        let leaves: Vec<Tensor<2>> = (data.iter().zip(&self.inputs))
            .map(|(values, &len)| {
                let data = TensorData::new(values.clone(), [replicas.len(), len]);
                Tensor::from_data(data, (&device, dtype)).require_grad()
            })
            .collect();
        let value = (self.apply)(&leaves, replicas, path);
        let [_, len] = value.dims();
        let seed = TensorData::new(output_gradient(replicas, len), value.dims());
        let seed = Tensor::from_data(seed, (&device, dtype));
        let gradients = (value.clone() * seed).sum().backward();
        let gradients = leaves
            .iter()
            .map(|leaf| leaf.grad(&gradients).map_or_else(Vec::new, to_vec))
            .collect();
        Outcome {
            value: to_vec(value),
            gradients,
        }
    }
}

/// The gradient of the output from which [`Case::run`] goes back, `[R, len]`.
pub fn output_gradient(replicas: &[Replica], len: usize) -> Vec<f64> {
    replicas.iter().flat_map(|&id| noise(id as u64 + 7777, len)).collect()
}

pub fn to_vec<const D: usize>(x: Tensor<D>) -> Vec<f64> {
    let data = x.into_data().convert::<f64>();
    data.try_into_vec::<f64>().unwrap()
}

/// Reshapes `[R, values]`; `strided` gives a view whose last two axes are swapped in memory.
pub fn shaped<const D: usize>(x: &Tensor<2>, mut dims: [usize; D], strided: bool) -> Tensor<D> {
    dims[0] = x.dims()[0];
    if !strided {
        return x.clone().reshape(dims);
    }
    dims.swap(D - 2, D - 1);
    x.clone().reshape(dims).swap_dims(D - 2, D - 1)
}

pub fn flat<const D: usize>(y: Tensor<D>) -> Tensor<2> {
    let replicas = y.dims()[0];
    let len = y.dims()[1..].iter().product::<usize>();
    y.reshape([replicas, len])
}

/// Every operation at tiny, prime, strided and multi-task sizes.
pub fn cases() -> Vec<Case> {
    [
        matmul::cases(),
        conv::cases(),
        lstm::cases(),
        group_norm::cases(),
        stft::cases(),
        dropout::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
