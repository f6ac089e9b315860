//! The operations under test, each as a function of flat inputs with one row per replica.

use burn::tensor::{DType, Device, Tensor, TensorData};
use recoup_kernels::*;

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

/// One operation at one size.
pub struct Case {
    pub name: String,
    /// Values per replica of each input.
    pub inputs: Vec<usize>,
    /// `[R, values]` of each input to `[R, values]`.
    pub apply: Box<Apply>,
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
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
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
        let seed = replicas.iter().flat_map(|&id| noise(id as u64 + 7777, len));
        let seed = TensorData::new(seed.collect::<Vec<f64>>(), value.dims());
        let seed = Tensor::from_data(seed, (&device, dtype));
        let gradients = (value.clone() * seed).sum().backward();
        let gradients = leaves.iter().map(|leaf| leaf.grad(&gradients).map_or_else(Vec::new, to_vec)).collect();
        Outcome { value: to_vec(value), gradients }
    }
}

pub fn to_vec<const D: usize>(x: Tensor<D>) -> Vec<f64> {
    let data = x.into_data().convert::<f64>();
    data.try_into_vec::<f64>().unwrap()
}

/// Reshapes `[R, values]`; `strided` gives a view whose last two axes are swapped in memory.
fn shaped<const D: usize>(x: &Tensor<2>, mut dims: [usize; D], strided: bool) -> Tensor<D> {
    dims[0] = x.dims()[0];
    if !strided {
        return x.clone().reshape(dims);
    }
    dims.swap(D - 2, D - 1);
    x.clone().reshape(dims).swap_dims(D - 2, D - 1)
}

fn flat<const D: usize>(y: Tensor<D>) -> Tensor<2> {
    let replicas = y.dims()[0];
    let len = y.dims()[1..].iter().product::<usize>();
    y.reshape([replicas, len])
}

fn matmul_case(rows: usize, inner: usize, cols: usize, strided: bool) -> Case {
    Case {
        name: format!("matmul {rows}x{inner}x{cols} strided={strided}"),
        inputs: vec![rows * inner, inner * cols],
        apply: Box::new(move |inputs, _, path| {
            let x = shaped(&inputs[0], [0, rows, inner], strided);
            let w = shaped(&inputs[1], [0, inner, cols], strided);
            flat(match path {
                Path::Public => matmul(x, w),
                Path::Reference => recoup_kernels::matmul::reference::matmul(x, w),
            })
        }),
    }
}

/// `x: [B, C, H, W]`, `w: [O, KH, KW]` over `C / groups` channels.
fn conv_case(x: [usize; 4], w: [usize; 3], bias: bool, strided: bool, o: Conv2dOptions) -> Case {
    let ([b, c, h, width], [filters, kh, kw]) = (x, w);
    let per_group = c / o.groups;
    Case {
        name: format!("conv2d {x:?} {w:?} bias={bias} strided={strided} {o:?}"),
        inputs: vec![b * c * h * width, filters * per_group * kh * kw, filters],
        apply: Box::new(move |inputs, _, path| {
            let x = shaped(&inputs[0], [0, b, c, h, width], strided);
            let w = shaped(&inputs[1], [0, filters, per_group, kh, kw], strided);
            let bias = bias.then(|| inputs[2].clone());
            flat(match path {
                Path::Public => conv2d(x, w, bias, &o),
                Path::Reference => {
                    let shape = bias.as_ref().map(|bias| bias.dims());
                    let geometry = recoup_kernels::conv::Geometry::new("conv2d", x.dims(), w.dims(), shape, &o);
                    recoup_kernels::conv::reference::conv2d(x, w, bias, &geometry.unwrap())
                }
            })
        }),
    }
}

/// Lengths of a replica's samples: full, empty, one and others.
fn lengths(replicas: &[Replica], batch: usize, steps: usize) -> Vec<usize> {
    let of = |id: usize, sample: usize| match sample % 4 {
        0 => steps,
        1 => (id * 5 + sample) % (steps + 1),
        2 => 0,
        _ => 1.min(steps),
    };
    let samples = |&id| (0..batch).map(move |sample| of(id, sample));
    replicas.iter().flat_map(samples).collect()
}

fn lstm_case([b, t, i, h]: [usize; 4], ragged: bool, reverse: bool, strided: bool) -> Case {
    Case {
        name: format!("lstm B{b} T{t} I{i} H{h} ragged={ragged} reverse={reverse} strided={strided}"),
        inputs: vec![b * t * i, i * 4 * h, h * 4 * h, 4 * h],
        apply: Box::new(move |inputs, replicas, path| {
            let x = shaped(&inputs[0], [0, b, t, i], strided);
            let weights = LstmWeights {
                input: shaped(&inputs[1], [0, i, 4 * h], strided),
                hidden: shaped(&inputs[2], [0, h, 4 * h], strided),
                bias: inputs[3].clone(),
            };
            let lengths = ragged.then(|| lengths(replicas, b, t));
            let lengths = lengths.as_deref();
            let out = match path {
                Path::Public => lstm(x, lengths, &weights, reverse),
                Path::Reference => recoup_kernels::lstm::reference::lstm(x, lengths, &weights, reverse),
            };
            let parts = vec![flat(out.sequence), flat(out.last_hidden), flat(out.last_cell)];
            Tensor::cat(parts, 1)
        }),
    }
}

fn norm_case([b, c, s]: [usize; 3], groups: usize, strided: bool) -> Case {
    Case {
        name: format!("group_norm B{b} C{c} S{s} groups={groups} strided={strided}"),
        inputs: vec![b * c * s, c, c],
        apply: Box::new(move |inputs, _, path| {
            let x = shaped(&inputs[0], [0, b, c, s], strided);
            let (gamma, beta) = (inputs[1].clone(), inputs[2].clone());
            flat(match path {
                Path::Public => group_norm(x, gamma, beta, groups, 1e-3),
                Path::Reference => recoup_kernels::group_norm::reference::group_norm(x, gamma, beta, groups, 1e-3),
            })
        }),
    }
}

fn stft_case([b, c, t]: [usize; 3], complex: bool, strided: bool, options: StftOptions) -> Case {
    Case {
        name: format!("stft B{b} C{c} T{t} complex={complex} strided={strided} {options:?}"),
        inputs: vec![b * c * t],
        apply: Box::new(move |inputs, _, _| {
            let x = shaped(&inputs[0], [0, b, c, t], strided);
            if complex { flat(stft_complex(x, &options)) } else { flat(stft(x, &options)) }
        }),
    }
}

fn conv_cases(cases: &mut Vec<Case>) {
    let plain = Conv2dOptions::default();
    cases.push(conv_case([3, 2, 5, 7], [4, 3, 3], true, false, plain));
    cases.push(conv_case([3, 2, 5, 7], [4, 3, 3], false, true, plain));
    cases.push(conv_case([1, 1, 1, 1], [1, 1, 1], true, false, plain));
    let odd = Conv2dOptions { stride: [2, 3], padding: [(2, 1), (0, 4)], dilation: [3, 2], groups: 1 };
    cases.push(conv_case([5, 3, 7, 11], [5, 3, 2], true, true, odd));
    let grouped = Conv2dOptions { groups: 3, padding: [(1, 1), (1, 1)], ..plain };
    cases.push(conv_case([2, 6, 5, 5], [9, 3, 3], true, false, grouped));
    let depthwise = Conv2dOptions { stride: [1, 2], padding: [(0, 0), (3, 3)], groups: 7, ..plain };
    cases.push(conv_case([6, 7, 1, 29], [7, 1, 7], true, false, depthwise));
    cases.push(conv_case([6, 7, 2, 29], [14, 2, 5], true, false, depthwise));
    // Long enough for several tiles and several partial sums.
    let long = Conv2dOptions { padding: [(0, 0), (31, 32)], ..plain };
    cases.push(conv_case([9, 2, 1, 1021], [3, 1, 64], true, false, long));
    // A filter that never touches the input with some taps.
    let far = Conv2dOptions { padding: [(0, 0), (9, 9)], ..plain };
    cases.push(conv_case([2, 2, 1, 3], [2, 1, 5], true, false, far));
}

/// Every operation at tiny, prime, strided and multi-task sizes.
pub fn cases() -> Vec<Case> {
    let mut cases = vec![
        matmul_case(1, 1, 1, false),
        matmul_case(7, 13, 5, false),
        matmul_case(7, 13, 5, true),
        matmul_case(131, 64, 37, false),
        matmul_case(3, 4099, 2, false),
        matmul_case(4099, 3, 2, false),
    ];
    conv_cases(&mut cases);
    for (ragged, reverse) in [(false, false), (false, true), (true, false), (true, true)] {
        cases.push(lstm_case([1, 1, 1, 1], ragged, reverse, false));
        cases.push(lstm_case([5, 7, 3, 4], ragged, reverse, true));
        cases.push(lstm_case([19, 11, 5, 13], ragged, reverse, false));
    }
    // A group of one has no gradient; in a group of two it is what rounding leaves.
    cases.push(norm_case([2, 2, 1], 2, false));
    cases.push(norm_case([1, 1, 3], 1, false));
    cases.push(norm_case([5, 6, 7], 3, true));
    cases.push(norm_case([3, 8, 129], 2, false));
    cases.push(norm_case([3, 5, 17], 5, false));
    let options = StftOptions {
        n_fft: 16,
        hop: 4,
        window: Window::Hann,
        center: true,
        padding: StftPadding::Reflect,
        output: StftOutput::Power,
    };
    cases.push(stft_case([2, 3, 50], true, false, options));
    cases.push(stft_case([2, 3, 50], false, true, options));
    let prime = StftOptions {
        n_fft: 13,
        hop: 5,
        window: Window::Hamming,
        padding: StftPadding::Zero,
        output: StftOutput::Magnitude,
        ..options
    };
    cases.push(stft_case([2, 1, 31], false, false, prime));
    let gaps = StftOptions {
        n_fft: 6,
        hop: 9,
        window: Window::Rect,
        center: false,
        output: StftOutput::LogPower { floor: 1e-3 },
        ..options
    };
    cases.push(stft_case([1, 2, 40], false, false, gaps));
    cases
}
