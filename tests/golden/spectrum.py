"""Reference for src/features/spectrum: `python3 spectrum.py > spectrum.json`. Spectra of SciPy, and what is read off them
in plain NumPy."""

import importlib.metadata
import json
import sys

import numpy
from scipy import integrate, signal

SEED = 20261125
RATE = 250.0
rng = numpy.random.default_rng(SEED)
time = numpy.arange(600) / RATE
noise = 2 + time + rng.standard_normal(600) + 3 * numpy.sin(2 * numpy.pi * 11.3 * time)

TAPERS = ["hann", "hamming", "blackman", "boxcar"]
welch = []
for taper in TAPERS:
    for detrend in ["none", "constant", "linear"]:
        for scaling in ["density", "spectrum"]:
            for segment, overlap in [(32, 16), (31, 10)]:
                power = signal.welch(noise, RATE, taper, segment, overlap, detrend=detrend != "none" and detrend, scaling=scaling)[1]
                welch.append({"taper": taper, "detrend": detrend, "scaling": scaling, "segment": segment, "overlap": overlap,
                              "power": power.tolist()})
for segment, overlap in [(600, 0), (599, 598), (1, 0), (2, 1)]:
    power = signal.welch(noise, RATE, "hann", segment, overlap)[1]
    welch.append({"taper": "hann", "detrend": "constant", "scaling": "density", "segment": segment, "overlap": overlap,
                  "power": power.tolist()})

transforms = []
for taper, length, hop, samples in [("hann", 32, 8, 100), ("hamming", 31, 12, 90), ("blackman", 16, 16, 64), ("boxcar", 20, 7, 61),
                                    ("hann", 25, 3, 40), ("hann", 16, 5, 51)]:
    plan = signal.ShortTimeFFT(signal.get_window(taper, length), hop, RATE, phase_shift=None)
    x = noise[:samples]
    both = {"zero": plan.stft(x), "inside": plan.stft(x, p0=0, p1=(samples - length) // hop + 1, k_offset=length // 2)}
    for edges, frames in both.items():
        transforms.append({"taper": taper, "len": length, "hop": hop, "samples": samples, "edges": edges,
                           "frames": [[[c.real, c.imag] for c in frame] for frame in frames.T]})

BANDS = {"alpha": [8, 13], "beta": [13, 30], "delta": [1, 4]}
frequency, power = signal.welch(noise, RATE, "hann", 250, 125)
step = frequency[1]


def pick(low, high):
    return power[(frequency >= low) & (frequency <= high)]


bands = {
    rule: {name: function(pick(low, high), dx=step) for name, (low, high) in
           {**BANDS, "even": [3, 10], "two": [3, 4], "all": [0, 125]}.items()}
    for rule, function in [("trapezoid", integrate.trapezoid), ("simpson", integrate.simpson)]
}
f, p = frequency[1:], power[1:]
share = p / p.sum()
total = integrate.trapezoid(power, dx=step)
features = [v for name in sorted(BANDS) for v in [bands["trapezoid"][name], bands["trapezoid"][name] / total]] + [
    f[p.argmax()], (f * share).sum(), f[numpy.searchsorted(p.cumsum(), p.sum() / 2)],
    f[numpy.searchsorted(p.cumsum(), 0.95 * p.sum())], -(share * numpy.log2(share)).sum() / numpy.log2(len(share)),
]

weights = signal.get_window("hann", 50)
count = (len(noise) - 50) // 25 + 1
course = numpy.array([
    [integrate.trapezoid(signal.periodogram(noise[k * 25:k * 25 + 50], RATE, "hann", detrend=False)[1][low // 5:high // 5 + 1], dx=5)
     for low, high in [(5, 15), (20, 60)]] for k in range(count)
])
course = 10 * numpy.log10(course).T
times = numpy.arange(count) * 25 / RATE
stft_features = [v for c in course for v in [c.mean(), c.std(), numpy.polyfit(times, c, 1)[0]]]

amplitude = [
    {"taper": taper, "samples": n, "amplitude": (numpy.abs(numpy.fft.rfft(noise[:n] * signal.get_window(taper, n)))
        * numpy.array([1 if k == 0 or 2 * k == n else 2 for k in range(n // 2 + 1)]) / signal.get_window(taper, n).sum()).tolist()}
    for taper in TAPERS for n in [30, 37]
]

versions = {name: importlib.metadata.version(name) for name in ["scipy", "numpy"]}
json.dump({
    "versions": versions, "seed": SEED, "rate_hz": RATE, "noise": noise.tolist(), "welch": welch, "transforms": transforms,
    "bands": bands, "features": [float(v) for v in features], "stft_features": [float(v) for v in stft_features],
    "amplitude": amplitude,
}, sys.stdout)
