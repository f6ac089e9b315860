//! [`dropout`](super::dropout) with a mask made on the host, draw by draw.

use crate::random::Key;
use burn::tensor::{Device, Tensor, TensorData};

/// The product of checked arguments.
pub fn dropout<const D: usize>(x: Tensor<D>, keys: &[Key], rates: &[f32]) -> Tensor<D> {
    let mask = mask(keys, rates, x.dims(), &x.device()).cast(x.dtype());
    x * mask
}

/// The mask of checked arguments.
pub fn mask<const D: usize>(keys: &[Key], rates: &[f32], shape: [usize; D], device: &Device) -> Tensor<D> {
    let len = shape[1..].iter().product::<usize>() as u64;
    let of_replica = |(key, &rate): (&Key, &f32)| {
        let (stream, kept) = (key.stream(), 1.0 / (1.0 - rate));
        (0..len).map(move |index| if stream.uniform(index) < rate { 0.0 } else { kept })
    };
    let mask: Vec<f32> = keys.iter().zip(rates).flat_map(of_replica).collect();
    Tensor::from_data(TensorData::new(mask, shape), device)
}
