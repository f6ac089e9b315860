"""Reference for src/signal/filter: `python3 filter.py > filter.json`. Sections and filtered noise of SciPy."""

import importlib.metadata
import json
import sys

import numpy
from scipy import signal

SEED = 20261125
rng = numpy.random.default_rng(SEED)

BANDS = {"low": "lowpass", "high": "highpass", "band-pass": "bandpass", "band-stop": "bandstop"}
# Rate, lower and upper cut-off: the bands of EEG, ECG, EMG, PPG and motion.
RATES = [(100, 0.5, 6), (250, 0.5, 40), (500, 0.05, 150), (1000, 20, 450), (2000, 20, 450)]


def design(band, order, rate, low, high):
    cut = {"low": high, "high": low}.get(band, [low, high])
    return signal.butter(order, cut, BANDS[band], output="sos", fs=rate)


def config(band, order, low, high):
    out = {"kind": "butterworth", "band": band, "order": order}
    if band != "low":
        out["low_hz"] = low
    if band != "high":
        out["high_hz"] = high
    return out


def notch(frequency, quality, harmonics, rate):
    return numpy.array([numpy.concatenate(signal.iirnotch(frequency * k, quality, rate)) for k in range(1, harmonics + 1)])


designs = [
    {"config": config(band, order, low, high), "rate_hz": rate, "sos": design(band, order, rate, low, high).tolist()}
    for rate, low, high in RATES for band in BANDS for order in range(1, 9)
]
notches = [
    {"config": {"kind": "notch", "frequency_hz": f, "quality": q, "harmonics": h}, "rate_hz": rate,
     "sos": notch(f, q, h, rate).tolist()}
    for f in [50, 60] for q in [10, 30, 50] for h, rate in [(1, 250), (3, 1000), (8, 2000)]
]

noise = 3 + rng.standard_normal(500) + numpy.sin(numpy.arange(500) / 7)
runs = []
for rate, cfg, sos in [
    (1000, config("band-pass", 4, 20, 450), design("band-pass", 4, 1000, 20, 450)),
    (2000, config("band-pass", 4, 20, 450), design("band-pass", 4, 2000, 20, 450)),
    (250, config("high", 2, 0.5, None), design("high", 2, 250, 0.5, None)),
    (100, config("low", 5, None, 6), design("low", 5, 100, None, 6)),
    (250, config("band-pass", 3, 0.5, 40), design("band-pass", 3, 250, 0.5, 40)),
    (1000, {"kind": "notch", "frequency_hz": 50, "harmonics": 3}, notch(50, 30, 3, 1000)),
]:
    ntaps = 2 * len(sos) + 1 - min((sos[:, 2] == 0).sum(), (sos[:, 5] == 0).sum())
    for length in [3 * ntaps + 1, 3 * ntaps + 2, 200]:
        x = noise[:length]
        zi = signal.sosfilt_zi(sos)
        run = {"rate_hz": rate, "config": cfg, "length": int(length), "zero": signal.sosfiltfilt(sos, x).tolist()}
        if length == 200:
            run["causal"] = signal.sosfilt(sos, x, zi=zi * x[0])[0].tolist()
        runs.append(run)

versions = {name: importlib.metadata.version(name) for name in ["scipy", "numpy"]}
json.dump({"versions": versions, "seed": SEED, "noise": noise.tolist(), "designs": designs + notches, "runs": runs}, sys.stdout)
