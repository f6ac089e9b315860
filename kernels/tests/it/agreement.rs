//! Values and gradients of the kernels of each device against the reference in f64, and of the reference
//! against finite differences.

use crate::cases::{Case, Path, cases, noise, output_gradient};
use crate::devices::devices;
use burn::tensor::{DType, Device};

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |largest, value| largest.max(value.abs()))
}

/// The largest error, relative to the largest value or, where sums cancel, to the largest of their terms.
fn relative_error(name: &str, values: &[f64], oracle: &[f64], terms: f64) -> f64 {
    assert_eq!(values.len(), oracle.len(), "{name}: length");
    let differences: Vec<f64> = values.iter().zip(oracle).map(|(a, b)| a - b).collect();
    assert!(differences.iter().all(|d| d.is_finite()), "{name}: not finite");
    largest(&differences) / largest(oracle).max(terms).max(1e-3)
}

/// The f32 path may err twice as much as the f32 reference, plus one rounding.
#[test]
fn kernels_match_the_f64_reference() {
    let (cpu, replicas) = (Device::flex(), [3, 0, 8]);
    for case in cases() {
        let data = case.data(&replicas);
        let oracle = case.run(&data, &replicas, Path::Reference, &cpu, DType::F64);
        let reference = case.run(&data, &replicas, Path::Reference, &cpu, DType::F32);
        let dy = output_gradient(&replicas, oracle.value.len() / replicas.len());
        let terms = case.terms.as_ref().map(|terms| terms(&data, &dy));
        for device in devices() {
            let public = case.run(&data, &replicas, Path::Public, &device, DType::F32);
            let compare = |what: String, [public, reference, oracle]: [&[f64]; 3], terms: f64| {
                let name = format!("{} on {device:?}: {what}", case.name);
                let allowed = 2.0 * relative_error(&name, reference, oracle, terms) + 2.4e-7;
                let error = relative_error(&name, public, oracle, terms);
                assert!(error <= allowed, "{name}: {error:e} above {allowed:e}");
            };
            compare("value".into(), [&public.value, &reference.value, &oracle.value], 0.0);
            for (input, oracle) in oracle.gradients.iter().enumerate() {
                let (public, reference) = (&public.gradients[input], &reference.gradients[input]);
                let terms = terms.as_ref().map_or(0.0, |terms| terms[input]);
                compare(format!("gradient {input}"), [public, reference, oracle], terms);
            }
        }
    }
}

/// `<gradient, direction>` of the f64 reference against a central difference.
#[test]
fn reference_gradients_match_finite_differences() {
    let (device, replicas) = (Device::flex(), [2, 5]);
    for case in cases() {
        let data = case.data(&replicas);
        let outcome = case.run(&data, &replicas, Path::Reference, &device, DType::F64);
        for (input, gradient) in outcome.gradients.iter().enumerate() {
            if gradient.is_empty() {
                continue;
            }
            let direction = noise(99 + input as u64, gradient.len());
            let slope: f64 = gradient.iter().zip(&direction).map(|(g, d)| g * d).sum();
            let step = 1e-6;
            let difference = (objective(&case, &data, input, &direction, step, &replicas)
                - objective(&case, &data, input, &direction, -step, &replicas))
                / (2.0 * step);
            let scale = largest(gradient) * (gradient.len() as f64).sqrt();
            let error = (slope - difference).abs() / scale.max(1e-3);
            assert!(error < 1e-6, "{}: input {input}: {slope} {difference}", case.name);
        }
    }
}

/// The scalar that [`Case::run`] differentiates, with one input moved.
fn objective(case: &Case, data: &[Vec<f64>], input: usize, direction: &[f64], step: f64, replicas: &[usize]) -> f64 {
    let mut data = data.to_vec();
    for (value, direction) in data[input].iter_mut().zip(direction) {
        *value += step * direction;
    }
    let outcome = case.run(&data, replicas, Path::Reference, &Device::flex(), DType::F64);
    let len = outcome.value.len() / replicas.len();
    let seed = output_gradient(replicas, len);
    outcome.value.iter().zip(seed).map(|(y, seed)| y * seed).sum()
}
