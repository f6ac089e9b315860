use super::{Case, Path, flat, shaped};
use recoup_kernels::stft::reference;
use recoup_kernels::{StftOptions, StftOutput, StftPadding, Window, stft, stft_complex};

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
    }
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let options = StftOptions {
        n_fft: 16,
        hop: 4,
        window: Window::Hann,
        center: true,
        padding: StftPadding::Reflect,
        output: StftOutput::Power,
    };
    cases.push(stft_case([2, 3, 50], true, false, options));
    cases.push(stft_case([2, 3, 50], false, true, options));
    let prime = StftOptions {
        n_fft: 13,
        hop: 5,
        window: Window::Hamming,
        padding: StftPadding::Zero,
        output: StftOutput::Magnitude,
        ..options
    };
    cases.push(stft_case([2, 1, 31], false, false, prime));
    let gaps = StftOptions {
        n_fft: 6,
        hop: 9,
        window: Window::Rect,
        center: false,
        output: StftOutput::LogPower { floor: 1e-3 },
        ..options
    };
    cases.push(stft_case([1, 2, 40], false, false, gaps));
    cases
}
