use super::{Case, Path, Replica, flat, shaped};
use recoup_kernels::dropout::{dropout, reference};
use recoup_kernels::random::{Key, Purpose, path_hash};

/// A replica's key; a seed and a step beyond 32 bits among them.
fn key(id: Replica) -> Key {
    let (seed, step) = ((id as u64) << 31, (id as u64 + 1) << 30);
    Key {
        seed,
        purpose: Purpose::Dropout,
        step,
        path: path_hash("case.dropout"),
    }
}

/// Rates from none to nearly all.
fn rate(id: Replica) -> f32 {
    [0.0, 0.5, 0.1, 0.95, 0.3][id % 5]
}

fn dropout_case([b, c, s]: [usize; 3], strided: bool) -> Case {
    Case {
        name: format!("dropout {b}x{c}x{s} strided={strided}"),
        inputs: vec![b * c * s],
        apply: Box::new(move |inputs, replicas, path| {
            let x = shaped(&inputs[0], [0, b, c, s], strided);
            let keys: Vec<Key> = replicas.iter().map(|&id| key(id)).collect();
            let rates: Vec<f32> = replicas.iter().map(|&id| rate(id)).collect();
            flat(match path {
                Path::Public => dropout(x, &keys, &rates),
                Path::Reference => reference::dropout(x, &keys, &rates),
            })
        }),
        terms: None,
    }
}

pub fn cases() -> Vec<Case> {
    vec![
        dropout_case([1, 1, 1], false),
        dropout_case([2, 3, 7], true),
        dropout_case([5, 3, 12], false),
        dropout_case([1, 1, 8197], false),
    ]
}
