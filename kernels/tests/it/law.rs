//! The replica law: the bits of a replica do not depend on its company or on the threads.

use crate::cases::{Case, Outcome, Path, cases, noise, to_vec};
use crate::devices::devices;
use burn::tensor::{DType, Device, Tensor, TensorData};

fn run_on(device: &Device, case: &Case, replicas: &[usize]) -> Outcome {
    let data = case.data(replicas);
    case.run(&data, replicas, Path::Public, device, DType::F32)
}

fn run(case: &Case, replicas: &[usize]) -> Outcome {
    run_on(&Device::flex(), case, replicas)
}

/// The bits of one replica's rows of everything an outcome holds.
fn bits(outcome: &Outcome, index: usize, replicas: usize) -> Vec<Vec<u64>> {
    std::iter::once(&outcome.value)
        .chain(&outcome.gradients)
        .map(|values| {
            let len = values.len() / replicas;
            let row = &values[index * len..(index + 1) * len];
            row.iter().map(|value| value.to_bits()).collect()
        })
        .collect()
}

#[test]
fn bits_do_not_depend_on_the_number_of_replicas() {
    let all: Vec<usize> = (0..25).collect();
    for (device, case) in devices()
        .iter()
        .flat_map(|device| cases().into_iter().map(move |case| (device, case)))
    {
        let together = run_on(device, &case, &all);
        for index in [0, 7, 24] {
            let alone = run_on(device, &case, &[index]);
            assert!(
                bits(&together, index, 25) == bits(&alone, 0, 1),
                "{} on {device:?}: 25 and 1",
                case.name
            );
            let few = run_on(device, &case, &[11, 13, index, 2, 3]);
            assert!(
                bits(&few, 2, 5) == bits(&alone, 0, 1),
                "{} on {device:?}: 5 and 1",
                case.name
            );
        }
    }
}

/// A kernel that leaves a value unwritten shows what lay in the memory before: NaN, the second time.
#[test]
fn a_second_run_over_memory_full_of_nan_has_the_same_bits() {
    let replicas = [4, 1];
    for (device, case) in devices()
        .iter()
        .flat_map(|device| cases().into_iter().map(move |case| (device, case)))
    {
        let first = run_on(device, &case, &replicas);
        let lengths = std::iter::once(&first.value).chain(&first.gradients).map(Vec::len);
        let poison: Vec<Tensor<1>> = lengths
            .flat_map(|len| [len, 2 * len, 5 * len])
            .map(|len| Tensor::full([len.max(1)], f32::NAN, device))
            .collect();
        drop(poison);
        let second = run_on(device, &case, &replicas);
        assert!(bits(&first, 1, 2) == bits(&second, 1, 2), "{} on {device:?}", case.name);
    }
}

fn pool(threads: usize) -> rayon::ThreadPool {
    let builder = rayon::ThreadPoolBuilder::new().num_threads(threads);
    builder.build().unwrap()
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    let pools = [pool(1), pool(2), pool(5)];
    for case in cases() {
        for replicas in [&[4][..], &[4, 1, 2, 6]] {
            let [one, two, five] = pools
                .each_ref()
                .map(|pool| pool.install(|| bits(&run(&case, replicas), 0, replicas.len())));
            assert!(one == two && one == five, "{}", case.name);
        }
    }
}

#[test]
fn a_nan_stays_in_its_replica() {
    let replicas = [5, 6, 7];
    for case in cases() {
        let data = case.data(&replicas);
        let device = Device::flex();
        let clean = case.run(&data, &replicas, Path::Public, &device, DType::F32);
        for input in 0..data.len() {
            let mut data = data.clone();
            let len = data[input].len() / 3;
            data[input][len..2 * len].fill(f64::NAN);
            let outcome = case.run(&data, &replicas, Path::Public, &device, DType::F32);
            for index in [0, 2] {
                assert!(
                    bits(&outcome, index, 3) == bits(&clean, index, 3),
                    "{}: input {input}",
                    case.name
                );
            }
        }
    }
}

/// burn's sums along an axis, on which the models' other layers rest.
#[test]
fn burn_sum_dim_keeps_the_law() {
    let data = |replicas: &[usize], len: usize| -> Vec<f64> {
        let rows = replicas.iter().map(|&id| noise(id as u64, len));
        rows.flatten().collect()
    };
    let all: Vec<usize> = (0..25).collect();
    let (one, five) = (pool(1), pool(5));
    for [rows, cols] in [[3, 5], [64, 257], [4099, 33], [1, 70_001]] {
        let sums = |replicas: &[usize]| {
            let shape = [replicas.len(), rows, cols];
            let x = TensorData::new(data(replicas, rows * cols), shape);
            let x = Tensor::<3>::from_data(x, (&Device::flex(), DType::F32));
            [x.clone().sum_dim(1), x.sum_dim(2)].map(to_vec)
        };
        let together = five.install(|| sums(&all));
        let alone = one.install(|| sums(&[7]));
        for (together, alone) in together.iter().zip(&alone) {
            let len = alone.len();
            assert!(together[7 * len..8 * len] == alone[..], "{rows} x {cols}");
        }
    }
}
