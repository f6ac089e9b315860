//! The random numbers: distribution, independence, and the law.

use crate::cases::to_vec;
use crate::devices::devices;
use burn::tensor::{DType, Device, Tensor};
use recoup_kernels::dropout::{self, dropout_mask};
use recoup_kernels::random::*;

fn key(seed: u64, step: u64) -> Key {
    Key {
        seed,
        purpose: Purpose::Dropout,
        step,
        path: path_hash("encoder.dropout"),
    }
}

#[test]
fn path_hash_is_fnv1a() {
    assert_eq!(path_hash(""), 0xcbf2_9ce4_8422_2325);
    assert_eq!(path_hash("a"), 0xaf63_dc4c_8601_ec8c);
    assert_eq!(path_hash("foobar"), 0x8594_4171_f739_67e8);
}

/// A change of any part of the key changes the draws, and filling equals single draws.
#[test]
fn keys_separate_streams() {
    let base = key(1, 2);
    let others = [
        key(2, 2),
        key(1, 3),
        key(1 | 1 << 40, 2),
        Key {
            purpose: Purpose::Shuffle,
            ..base
        },
        Key {
            path: path_hash("decoder.dropout"),
            ..base
        },
    ];
    let mut first = vec![0.0; 9001];
    fill_uniform(base, &mut first);
    for (index, &value) in first.iter().enumerate() {
        assert_eq!(value, base.stream().uniform(index as u64));
    }
    for other in others {
        let mut second = vec![0.0; 9001];
        fill_uniform(other, &mut second);
        assert!(first.iter().zip(&second).filter(|(a, b)| a == b).count() < 5);
        let products = first.iter().zip(&second).map(|(a, b)| (a - 0.5) * (b - 0.5));
        // Standard error of a correlation: 1 / sqrt(9001).
        assert!((products.sum::<f32>() / 9001.0 * 12.0).abs() < 4.0 / 95.0);
    }
}

#[test]
fn moments_of_the_draws() {
    let len = 1 << 18;
    let mut values = vec![0.0f32; len];
    let moment = |values: &[f32], power: i32| {
        let sum: f64 = values.iter().map(|&x| f64::from(x).powi(power)).sum();
        sum / len as f64
    };
    fill_uniform(key(5, 0), &mut values);
    assert!(values.iter().all(|x| (0.0..1.0).contains(x)));
    // Four standard errors each.
    assert!((moment(&values, 1) - 0.5).abs() < 4.0 * 0.289 / 512.0);
    assert!((moment(&values, 2) - 1.0 / 3.0).abs() < 4.0 * 0.298 / 512.0);
    fill_normal(key(5, 0), &mut values);
    assert!(moment(&values, 1).abs() < 4.0 / 512.0);
    assert!((moment(&values, 2) - 1.0).abs() < 4.0 * 1.414 / 512.0);
    assert!((moment(&values, 4) - 3.0).abs() < 4.0 * 9.8 / 512.0);
    assert_eq!(values[4321], key(5, 0).stream().normal(4321));
}

#[test]
fn permutations_are_uniform() {
    assert_eq!(permutation(key(0, 0), 0), Vec::<usize>::new());
    assert_eq!(permutation(key(0, 0), 1), vec![0]);
    let mut counts = [[0u32; 5]; 5];
    for step in 0..5000 {
        let order = permutation(key(0, step), 5);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, [0, 1, 2, 3, 4]);
        for (place, value) in order.into_iter().enumerate() {
            counts[place][value] += 1;
        }
    }
    // 1000 expected, standard deviation 28.
    assert!(counts.iter().flatten().all(|count| count.abs_diff(1000) < 130));
}

/// Known answers of Philox reach every device: the host's numbers, bit by bit, in all lengths and under all keys.
#[test]
fn uniform_numbers_have_the_same_bits_on_every_device() {
    let keys = [key(0, 0), key(u64::MAX, u64::MAX), key(1 << 40, 1 << 33), key(7, 3)];
    for device in devices() {
        for len in [1, 2, 3, 4, 5, 1023, 4096, 4100, 9001] {
            let values = to_vec(uniform(&keys, [keys.len(), len], &device));
            for (values, key) in values.chunks(len).zip(keys) {
                let mut expected = vec![0.0; len];
                fill_uniform(key, &mut expected);
                assert!(
                    values.iter().zip(expected).all(|(a, b)| *a == f64::from(b)),
                    "{len} on {device:?}"
                );
            }
        }
        assert_eq!(to_vec(uniform(&keys[..1], [1, 3], &device.clone().autodiff())).len(), 3);
        assert_eq!(uniform(&keys, [4, 0, 3], &device).dims(), [4, 0, 3]);
    }
    let error = crate::errors::message(|| uniform(&keys, [3, 2], &Device::flex()));
    assert_eq!(
        error,
        "uniform: keys = 4 entries, expected one for each replica of the shape [3, 2]"
    );
}

/// The mask of the reference in every path, and its product, whoever else reads `x`.
#[test]
fn dropout_has_the_same_bits_on_every_device() {
    let keys: Vec<Key> = (0..5).map(|seed| key(seed, 3)).collect();
    // The least rate above 0, and the greatest below 1.
    let rates = [0.0, f32::MIN_POSITIVE, 0.1, 0.7, 1.0 - f32::EPSILON / 2.0];
    for shape in [[5, 1, 1], [5, 3, 7], [5, 17, 512]] {
        let mask = recoup_kernels::dropout::reference::mask(&keys, &rates, shape, &Device::flex());
        let mask = to_vec(mask);
        let x: Vec<f64> = crate::cases::noise(1, mask.len())
            .into_iter()
            .map(|x| f64::from(x as f32))
            .collect();
        let product: Vec<f64> = x
            .iter()
            .zip(&mask)
            .map(|(x, mask)| f64::from(*x as f32 * *mask as f32))
            .collect();
        for device in devices() {
            assert!(
                to_vec(dropout_mask(&keys, &rates, shape, &device)) == mask,
                "{shape:?} on {device:?}"
            );
            let data = burn::tensor::TensorData::new(x.clone(), shape);
            let input = Tensor::<3>::from_data(data, (&device, DType::F32));
            assert!(
                to_vec(dropout::dropout(input.clone(), &keys, &rates)) == product,
                "{shape:?} on {device:?}"
            );
            assert!(to_vec(input.clone()) == x, "x is shared and must stay");
            assert!(
                to_vec(dropout::dropout(input, &keys, &rates)) == product,
                "{shape:?} on {device:?}"
            );
        }
    }
}

#[test]
fn dropout_masks_keep_the_law() {
    let device = Device::flex();
    let keys: Vec<Key> = (0..25).map(|seed| key(seed, 3)).collect();
    let rates: Vec<f32> = (0..25).map(|i| i as f32 * 0.03).collect();
    let mask =
        |keys: &[Key], rates: &[f32]| crate::cases::to_vec(dropout_mask(keys, rates, [keys.len(), 17, 331], &device));
    let together = mask(&keys, &rates);
    for index in [0, 1, 24] {
        let alone = mask(&keys[index..=index], &rates[index..=index]);
        assert_eq!(together[index * 17 * 331..(index + 1) * 17 * 331], alone);
        let rate = f64::from(rates[index]);
        let dropped = alone.iter().filter(|&&x| x == 0.0).count() as f64 / alone.len() as f64;
        let std = (rate * (1.0 - rate) / alone.len() as f64).sqrt();
        assert!((dropped - rate).abs() <= 4.0 * std);
        let kept = f64::from(1.0 / (1.0 - rates[index]));
        assert!(alone.iter().all(|&x| x == 0.0 || x == kept));
    }
    assert!(together[..17 * 331].iter().all(|&x| x == 1.0));
}

#[test]
fn dropout_refuses_bad_rates() {
    let device = Device::flex();
    let message = |rates: &[f32]| crate::errors::message(|| dropout_mask(&[key(0, 0)], rates, [1, 2], &device));
    assert_eq!(message(&[1.0]), "dropout_mask: rate = 1.0 is outside [0, 1)");
    assert_eq!(message(&[f32::NAN]), "dropout_mask: rate = NaN is outside [0, 1)");
    assert_eq!(
        message(&[0.1, 0.2]),
        "dropout_mask: (keys, rates) = (1, 2) do not both match the 1 replicas of the shape [1, 2]"
    );
    let x = Tensor::<2>::ones([1, 2], &device);
    let error = crate::errors::message(|| dropout::dropout(x, &[key(0, 0)], &[-0.1]));
    assert_eq!(error, "dropout: rate = -0.1 is outside [0, 1)");
}

/// Draws numbers and masks.
#[cfg(feature = "cube")]
pub fn draw(device: &Device) {
    uniform(&[key(0, 0), key(1, 0)], [2, 7], device);
    dropout_mask(&[key(0, 0), key(1, 0)], &[0.5, 0.1], [2, 7], device);
}
