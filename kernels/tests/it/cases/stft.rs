use super::{Case, Path, flat, shaped};
use recoup_kernels::stft::reference;
use recoup_kernels::{
    Detrend, Filterbank, MelOptions, MelScale, StftOptions, StftOutput, StftPadding, Window, istft, stft, stft_complex,
};

fn stft_case([b, c, t]: [usize; 3], complex: bool, strided: bool, options: StftOptions) -> Case {
    Case {
        name: format!("stft B{b} C{c} T{t} complex={complex} strided={strided} {options:?}"),
        inputs: vec![b * c * t],
        apply: Box::new(move |inputs, _, path| {
            let x = shaped(&inputs[0], [0, b, c, t], strided);
            match (path, complex) {
                (Path::Public, true) => flat(stft_complex(x, &options)),
                (Path::Public, false) => flat(stft(x, &options)),
                (Path::Reference, true) => flat(reference::stft_complex(x, &options)),
                (Path::Reference, false) => flat(reference::stft(x, &options)),
            }
        }),
        terms: None,
    }
}

fn istft_case([b, frames]: [usize; 2], length: Option<usize>, options: StftOptions) -> Case {
    let bins = options.bins();
    Case {
        name: format!("istft B{b} frames {frames} length {length:?} {options:?}"),
        inputs: vec![b * bins * frames * 2],
        apply: Box::new(move |inputs, _, path| {
            let spectrum = shaped(&inputs[0], [0, b, 1, bins, frames, 2], false);
            flat(match path {
                Path::Public => istft(spectrum, &options, length),
                Path::Reference => reference::istft(spectrum, &options, length),
            })
        }),
        terms: None,
    }
}

fn options(n_fft: usize, hop: usize, output: StftOutput) -> StftOptions {
    StftOptions {
        n_fft,
        hop,
        output,
        ..StftOptions::default()
    }
}

fn mel(n_fft: usize) -> Filterbank {
    let options = MelOptions {
        filters: 5,
        sample_rate_hz: 8000.0,
        n_fft,
        min_hz: 100.0,
        max_hz: 3900.0,
        scale: MelScale::Slaney,
        unit_area: false,
    };
    Filterbank::mel(&options).unwrap()
}

pub fn cases() -> Vec<Case> {
    let rect = |options| StftOptions {
        window: Window::Rect,
        ..options
    };
    let zero = |options| StftOptions {
        padding: StftPadding::Zero,
        ..options
    };
    let inside = |options| StftOptions {
        center: false,
        ..options
    };
    let hamming = |options| StftOptions {
        window: Window::Hamming,
        ..options
    };
    let detrended = |detrend, options| StftOptions { detrend, ..options };
    let (power, magnitude) = (StftOutput::Power, StftOutput::Magnitude);
    let logarithm = StftOutput::LogPower { floor: 1e-3 };
    let short = Window::Custom(Window::Hann.weights(9).into());
    vec![
        stft_case([2, 3, 50], true, false, options(16, 4, power.clone())),
        stft_case([2, 3, 50], false, true, options(16, 4, power.clone())),
        // A prime of its own radix, and larger ones.
        stft_case(
            [2, 1, 31],
            false,
            false,
            zero(hamming(options(13, 5, magnitude.clone()))),
        ),
        stft_case([1, 1, 40], true, false, options(17, 6, power.clone())),
        stft_case([1, 1, 200], false, false, options(97, 40, power.clone())),
        stft_case([1, 1, 90], false, false, options(34, 11, power.clone())),
        // Longer hops than frames, and hops of one.
        stft_case([1, 2, 40], false, false, inside(rect(options(6, 9, logarithm)))),
        stft_case([1, 1, 40], false, false, options(12, 1, power.clone())),
        // The shortest frames.
        stft_case([1, 2, 5], true, false, rect(options(1, 2, power.clone()))),
        stft_case([1, 2, 5], true, false, rect(options(2, 1, power.clone()))),
        stft_case([1, 2, 9], false, false, hamming(options(7, 3, power.clone()))),
        // One frame, and more frames than go side by side.
        stft_case([1, 1, 60], true, false, inside(options(60, 7, power.clone()))),
        stft_case([1, 1, 700], false, false, options(24, 7, power.clone())),
        // Long frames.
        stft_case([1, 1, 500], false, false, options(256, 64, power.clone())),
        stft_case([1, 1, 450], false, false, options(200, 50, magnitude)),
        stft_case([1, 1, 450], true, false, options(400, 160, power.clone())),
        // Trends, short windows, reductions.
        stft_case(
            [1, 1, 90],
            false,
            false,
            detrended(Detrend::Constant, options(20, 6, power.clone())),
        ),
        stft_case(
            [1, 2, 90],
            true,
            false,
            detrended(Detrend::Linear, options(15, 6, power.clone())),
        ),
        stft_case(
            [1, 1, 70],
            false,
            false,
            StftOptions {
                window: short,
                ..options(16, 4, power)
            },
        ),
        // A floor well above the rounding of the spectrum, which the logarithm would enlarge.
        stft_case(
            [1, 1, 150],
            false,
            false,
            options(40, 13, StftOutput::Decibels { floor: 0.1 }),
        ),
        stft_case(
            [1, 1, 150],
            false,
            false,
            options(64, 16, StftOutput::Mel { filters: mel(64) }),
        ),
        stft_case(
            [1, 1, 150],
            false,
            false,
            options(
                64,
                16,
                StftOutput::LogMel {
                    filters: mel(64),
                    floor: 1e-2,
                },
            ),
        ),
        istft_case([2, 7], None, hamming(options(16, 4, StftOutput::Power))),
        istft_case([1, 5], Some(25), hamming(options(15, 6, StftOutput::Power))),
        istft_case([1, 3], Some(90), inside(rect(options(20, 20, StftOutput::Power)))),
    ]
}
