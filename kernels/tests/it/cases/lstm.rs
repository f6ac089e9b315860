use super::{Case, Path, Replica, flat, shaped};
use burn::tensor::Tensor;
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

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (ragged, reverse) in [(false, false), (false, true), (true, false), (true, true)] {
        cases.push(lstm_case([1, 1, 1, 1], ragged, reverse, false));
        cases.push(lstm_case([5, 7, 3, 4], ragged, reverse, true));
        cases.push(lstm_case([19, 11, 5, 13], ragged, reverse, false));
    }
    cases
}
