"""Values and gradients of PyTorch, SciPy and librosa for the short-time Fourier transform.

Writes stft.json beside this script. Everything is f64; the values are printed with 9 digits, which f32 does not resolve.
Run with PyTorch 2.15, SciPy 1.17, librosa 0.11 (the versions used are in the file).
"""

import json
import pathlib

import librosa
import numpy
import scipy
import torch

SEED = 20260102
torch.manual_seed(SEED)
torch.set_default_dtype(torch.float64)


def flat(x):
    return [float(f"{v:.9g}") for v in torch.as_tensor(numpy.asarray(x)).reshape(-1).tolist()]


def leaf(*shape):
    return torch.randn(*shape).mul(64).round().div(64).requires_grad_()


def record(kind, parameters, x, y):
    seed = torch.randn(y.shape).mul(64).round().div(64)
    (gradient,) = torch.autograd.grad((y * seed).sum(), x)
    return {
        "kind": kind,
        "parameters": parameters,
        "shape": list(x.shape),
        "x": flat(x.detach()),
        "y": flat(y.detach()),
        "seed": flat(seed),
        "gradient": flat(gradient),
    }


def window(name, length):
    return {"hann": torch.hann_window, "hamming": torch.hamming_window, "rect": torch.ones}[name](length)


def spectrum(x, n_fft, hop, name, length, center, padding):
    mode = {"reflect": "reflect", "zero": "constant"}[padding]
    return torch.stft(
        x, n_fft, hop, length, window(name, length), center=center, pad_mode=mode, return_complex=True
    )


def analysis(output, samples, n_fft, hop, name="hann", length=None, center=True, padding="reflect"):
    x = leaf(2 if n_fft < 97 else 1, samples)
    length = length or n_fft
    s = spectrum(x, n_fft, hop, name, length, center, padding)
    p = s.abs() ** 2
    y = {
        "complex": lambda: torch.view_as_real(s),
        "magnitude": lambda: s.abs(),
        "power": lambda: p,
        "log-power": lambda: p.clamp_min(1e-3).log(),
        "decibels": lambda: 10 * p.clamp_min(1e-3).log10(),
    }[output]()
    parameters = {"n_fft": n_fft, "hop": hop, "window": name, "window_length": length, "center": center}
    return record(output, {**parameters, "padding": padding}, x, y)


def inverse(frames, n_fft, hop, length, name="hann", center=True):
    x = leaf(2, n_fft // 2 + 1, frames, 2)
    s = torch.view_as_complex(x)
    y = torch.istft(s, n_fft, hop, window=window(name, n_fft), center=center, length=length)
    parameters = {"n_fft": n_fft, "hop": hop, "window": name, "window_length": n_fft, "center": center}
    return record("inverse", {**parameters, "padding": "zero", "length": length}, x, y)


def detrended(kind, samples, n_fft, hop):
    """SciPy's spectrogram of frames, unscaled; no gradient."""
    x = leaf(2, samples).detach() + torch.linspace(0, 3, samples)
    transform = scipy.signal.ShortTimeFFT(window("hann", n_fft).numpy(), hop, 1.0, mfft=n_fft, phase_shift=None)
    frames = (samples - n_fft) // hop + 1
    first = -(-(n_fft // 2) // hop)
    direct = numpy.stack(
        [
            numpy.fft.rfft(scipy.signal.detrend(x[:, i * hop : i * hop + n_fft].numpy(), type=kind) * transform.win)
            for i in range(frames)
        ],
        axis=-1,
    )
    # The same frame by ShortTimeFFT, where the grids of frames meet.
    if (n_fft // 2) % hop == 0:
        theirs = transform.stft_detrend(x.numpy(), kind, p0=first, p1=first + frames)
        assert numpy.abs(theirs - direct).max() < 1e-9
    y = numpy.stack([direct.real, direct.imag], axis=-1)
    parameters = {"n_fft": n_fft, "hop": hop, "window": "hann", "window_length": n_fft, "center": False}
    parameters = {**parameters, "padding": "zero", "detrend": kind}
    return {
        "kind": "complex", "parameters": parameters, "shape": [2, samples],
        "x": flat(x), "y": flat(y), "seed": [], "gradient": [],
    }


def mel(sample_rate, n_fft, filters, low, high, scale, unit_area):
    """librosa's matrix in f64 (torchaudio's functional.melscale_fbanks computes the same)."""
    matrix = librosa.filters.mel(
        sr=sample_rate, n_fft=n_fft, n_mels=filters, fmin=low, fmax=high, htk=scale == "htk",
        norm="slaney" if unit_area else None, dtype=numpy.float64,
    )
    return {
        "sample_rate_hz": sample_rate, "n_fft": n_fft, "filters": filters, "min_hz": low, "max_hz": high,
        "scale": scale, "unit_area": unit_area, "matrix": flat(matrix),
    }


def log_mel(samples, n_fft, hop, bank):
    x = leaf(2, samples)
    p = spectrum(x, n_fft, hop, "hann", n_fft, True, "reflect").abs() ** 2
    matrix = torch.tensor(bank["matrix"]).reshape(bank["filters"], -1)
    y = (matrix @ p).clamp_min(1e-2).log()
    parameters = {"n_fft": n_fft, "hop": hop, "window": "hann", "window_length": n_fft, "center": True}
    return record("log-mel", {**parameters, "padding": "reflect"}, x, y)


banks = [
    mel(8000.0, 64, 6, 100.0, 3900.0, "slaney", True),
    mel(16000.0, 400, 12, 0.0, 8000.0, "htk", False),
]
cases = [
    *(analysis("complex", 3 * n + 5, n, max(n // 3, 1), padding="zero") for n in (1, 2, 6, 7, 13, 16, 17, 60, 64, 97)),
    analysis("complex", 450, 200, 50),
    analysis("power", 600, 256, 64),
    analysis("power", 700, 400, 160),
    analysis("magnitude", 90, 20, 25, name="hamming"),
    analysis("log-power", 100, 30, 7, name="rect", center=False),
    analysis("decibels", 100, 32, 8, length=21),
    inverse(6, 16, 4, None),
    inverse(5, 15, 6, 26, name="hamming"),
    inverse(4, 20, 10, 60, name="rect", center=False),
    detrended("constant", 100, 32, 8),
    detrended("linear", 100, 25, 8),
    log_mel(300, 64, 16, banks[0]),
]
out = pathlib.Path(__file__).with_suffix(".json")
versions = {"torch": torch.__version__, "scipy": scipy.__version__, "librosa": librosa.__version__}
with out.open("w") as file:
    json.dump({"seed": SEED, "versions": versions, "cases": cases, "banks": banks}, file, separators=(",", ":"))
    file.write("\n")
