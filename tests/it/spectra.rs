//! The device's short-time Fourier transform in 32 bits against that of the features in 64 bits.

use burn::tensor::{Device, Tensor, TensorData};
use recoup::features::signals::Scratch;
use recoup::features::signals::spectrum::{Detrend, Edges, Frames, Taper};
use recoup_kernels::stft::{self, StftOptions, StftOutput, Window};

#[test]
fn the_operation_and_the_feature_transform_alike() {
    let device = Device::flex();
    for (len, hop, window, taper) in [
        (256, 128, Window::Hann, Taper::Hann),
        (100, 37, Window::Hamming, Taper::Hamming),
        (97, 50, Window::Rect, Taper::Boxcar),
    ] {
        // Tones, a trend and something of all frequencies.
        let sample = |n: usize| {
            let t = n as f32 / 200.0;
            (40.0 * t).sin() + 0.5 * (310.0 * t).cos() + 0.3 * t + ((n * 7919 % 211) as f32 / 211.0 - 0.5)
        };
        let signal: Vec<f32> = (0..1500).map(sample).collect();
        let options = StftOptions {
            n_fft: len,
            hop,
            window,
            center: false,
            detrend: stft::Detrend::None,
            output: StftOutput::Power,
            ..StftOptions::default()
        };
        let data = TensorData::new(signal.clone(), [1, 1, 1, signal.len()]);
        let power = stft::stft(Tensor::<4>::from_data(data, &device), &options);
        let [_, _, _, bins, frames] = power.dims();
        let power: Vec<f32> = power.into_data().try_to_vec().unwrap();

        let samples: Vec<f64> = signal.iter().map(|&x| f64::from(x)).collect();
        let mut expected: Vec<Vec<f64>> = Vec::new();
        let cut = Frames {
            len,
            hop,
            taper,
            detrend: Detrend::None,
            edges: Edges::Inside,
        };
        cut.transform(&samples, &mut Scratch::default(), |transform| {
            expected.push(transform.iter().map(|x| x.norm_sqr()).collect());
        });
        assert_eq!((bins, frames), (expected[0].len(), expected.len()), "frames of {len}");
        let largest = expected.iter().flatten().fold(0.0f64, |largest, &x| largest.max(x));
        for (frame, expected) in expected.iter().enumerate() {
            for (bin, &expected) in expected.iter().enumerate() {
                let found = f64::from(power[bin * frames + frame]);
                assert!(
                    (found - expected).abs() <= 1e-5 * largest,
                    "frame {frame}, bin {bin}: {found}, {expected}"
                );
            }
        }
    }
}
