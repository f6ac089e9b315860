use super::{Case, Path, Replica, flat, noise, shaped};
use burn::tensor::{Tensor, TensorData};
use recoup_kernels::{LstmWeights, lstm};

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

/// One size, and how the sequences are read.
#[derive(Clone, Copy, Default)]
struct Size {
    batch: usize,
    steps: usize,
    inputs: usize,
    units: usize,
    ragged: bool,
    reverse: bool,
    strided: bool,
    /// All replicas read the input of the first.
    shared: bool,
}

impl Size {
    fn new([batch, steps, inputs, units]: [usize; 4]) -> Self {
        Self {
            batch,
            steps,
            inputs,
            units,
            ..Self::default()
        }
    }

    fn case(self) -> Case {
        let Self {
            batch: b,
            steps: t,
            inputs: i,
            units: h,
            ragged,
            reverse,
            strided,
            shared,
        } = self;
        let name =
            format!("lstm B{b} T{t} I{i} H{h} ragged={ragged} reverse={reverse} strided={strided} shared={shared}");
        let fixed = noise(5, b * t * i);
        let weights = vec![i * 4 * h, h * 4 * h, 4 * h];
        let inputs = if shared {
            weights
        } else {
            [vec![b * t * i], weights].concat()
        };
        let apply = move |inputs: &[Tensor<2>], replicas: &[Replica], path: Path| {
            let (x, weights) = if shared {
                let x = TensorData::new(fixed.clone(), [1, b, t, i]);
                (Tensor::from_data(x, (&inputs[0].device(), inputs[0].dtype())), inputs)
            } else {
                (shaped(&inputs[0], [0, b, t, i], strided), &inputs[1..])
            };
            let weights = LstmWeights {
                input: shaped(&weights[0], [0, i, 4 * h], strided),
                hidden: shaped(&weights[1], [0, h, 4 * h], strided),
                bias: weights[2].clone(),
            };
            let lengths = ragged.then(|| lengths(replicas, b, t));
            let lengths = lengths.as_deref();
            let out = match path {
                Path::Public => lstm(x, lengths, &weights, reverse),
                Path::Reference => recoup_kernels::lstm::reference::lstm(x, lengths, &weights, reverse),
            };
            let parts = vec![flat(out.sequence), flat(out.last_hidden), flat(out.last_cell)];
            Tensor::cat(parts, 1)
        };
        Case {
            name,
            inputs,
            apply: Box::new(apply),
            terms: None,
        }
    }
}

pub fn cases() -> Vec<Case> {
    let mut sizes = Vec::new();
    for (ragged, reverse) in [(false, false), (false, true), (true, false), (true, true)] {
        sizes.push(Size {
            ragged,
            reverse,
            ..Size::new([1, 1, 1, 1])
        });
        sizes.push(Size {
            ragged,
            reverse,
            strided: true,
            ..Size::new([5, 7, 3, 4])
        });
        sizes.push(Size {
            ragged,
            reverse,
            ..Size::new([19, 11, 5, 13])
        });
        sizes.push(Size {
            ragged,
            reverse,
            ..Size::new([5, 3, 2, 130])
        });
    }
    // Two samples to a cube of a GPU, and four; whole vectors; a launch for each step.
    sizes.push(Size {
        ragged: true,
        ..Size::new([67, 3, 2, 3])
    });
    sizes.push(Size {
        ragged: true,
        reverse: true,
        ..Size::new([131, 2, 1, 3])
    });
    sizes.push(Size::new([4, 3, 2, 32]));
    sizes.push(Size {
        ragged: true,
        ..Size::new([3, 3, 2, 64])
    });
    sizes.push(Size {
        reverse: true,
        ..Size::new([3, 3, 2, 65])
    });
    sizes.push(Size {
        ragged: true,
        shared: true,
        ..Size::new([3, 4, 2, 5])
    });
    sizes.push(Size {
        ragged: true,
        ..Size::new([5, 3, 2, 260])
    });
    sizes.push(Size {
        reverse: true,
        ragged: true,
        ..Size::new([5, 3, 2, 260])
    });
    sizes.into_iter().map(Size::case).collect()
}
