use super::{Case, Path, flat, shaped};
use recoup_kernels::group_norm;

const EPS: f32 = 1e-3;

fn norm_case([b, c, s]: [usize; 3], groups: usize, strided: bool) -> Case {
    Case {
        name: format!("group_norm B{b} C{c} S{s} groups={groups} strided={strided}"),
        inputs: vec![b * c * s, c, c],
        apply: Box::new(move |inputs, _, path| {
            let x = shaped(&inputs[0], [0, b, c, s], strided);
            let (gamma, beta) = (inputs[1].clone(), inputs[2].clone());
            flat(match path {
                Path::Public => group_norm(x, gamma, beta, groups, EPS),
                Path::Reference => recoup_kernels::group_norm::reference::group_norm(x, gamma, beta, groups, EPS),
            })
        }),
        terms: Some(Box::new(move |data, dy| largest_terms([b, c, s], groups, data, dy))),
    }
}

/// `gamma dy / sqrt(var + eps)`, the first of the three terms of `dx`; the parameters' gradients do not cancel.
fn largest_terms([b, c, s]: [usize; 3], groups: usize, data: &[Vec<f64>], dy: &[f64]) -> Vec<f64> {
    let (x, gamma, channels) = (&data[0], &data[1], c / groups);
    let mut largest: f64 = 0.0;
    for (group, (x, dy)) in x.chunks(channels * s).zip(dy.chunks(channels * s)).enumerate() {
        let mean = x.iter().sum::<f64>() / x.len() as f64;
        let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / x.len() as f64;
        let (replica, first) = (group / (b * groups), group % groups * channels);
        for (at, dy) in dy.iter().enumerate() {
            let gamma = gamma[replica * c + first + at / s];
            largest = largest.max((gamma * dy).abs() / (variance + f64::from(EPS)).sqrt());
        }
    }
    vec![largest, 0.0, 0.0]
}

pub fn cases() -> Vec<Case> {
    vec![
        // A group of one has no gradient; in a group of two it is what rounding leaves.
        norm_case([2, 2, 1], 2, false),
        norm_case([1, 1, 3], 1, false),
        norm_case([5, 6, 7], 3, true),
        norm_case([3, 8, 129], 2, false),
        norm_case([3, 5, 17], 5, false),
        // Dense layers; more channels than units; reductions that are not full.
        norm_case([4, 24, 1], 3, false),
        norm_case([2, 300, 3], 1, false),
        norm_case([2, 66, 40], 2, false),
        // Longer than what is kept in shared memory, and than the units reach at once.
        norm_case([2, 3, 4099], 1, false),
    ]
}
