"""Reference for src/features/emg.rs: `python3 emg.py > emg.json`. The definitions in plain NumPy, filter and spectrum by SciPy."""

import importlib.metadata
import json
import sys

import numpy
from scipy import signal

SEED = 20261125
RATE = 1000.0
THRESHOLD = 0.05
rng = numpy.random.default_rng(SEED)


def muscle(seconds, start):
    x = rng.standard_normal(int(seconds * RATE))
    x = signal.sosfiltfilt(signal.butter(2, [30, 200], "bandpass", output="sos", fs=RATE), x)
    return x * numpy.where(numpy.arange(len(x)) < start * RATE, 0.02, 0.5)


def onset(envelope, baseline, deviations, least):
    above = envelope > envelope[:baseline].mean() + deviations * envelope[:baseline].std()
    for k in range(baseline, len(envelope) - least + 1):
        if above[k:k + least].all():
            return k / RATE
    return float("nan")


def features(x):
    step, size = numpy.diff(x), numpy.abs(x)
    left, right = x[1:-1] - x[:-2], x[1:-1] - x[2:]
    peak = ((left > 0) & (right > 0)) | ((left < 0) & (right < 0))
    envelope = signal.sosfiltfilt(signal.butter(4, 6, output="sos", fs=RATE), size)
    f, p = signal.welch(x, RATE, "hann", 250, 125)
    f, p = f[(f >= 20) & (f <= 450)], p[(f >= 20) & (f <= 450)]
    return [
        numpy.sqrt((x**2).mean()), size.mean(), size.sum() / RATE, x.var(ddof=1), numpy.abs(step).sum(),
        sum(a * b < 0 and abs(a - b) >= THRESHOLD for a, b in zip(x, x[1:])),
        (peak & ((numpy.abs(left) >= THRESHOLD) | (numpy.abs(right) >= THRESHOLD))).sum(),
        (numpy.abs(step) >= THRESHOLD).sum(),
        envelope.mean(), envelope.max(),
        (f * p).sum() / p.sum(), f[numpy.nonzero(p.cumsum() >= p.sum() / 2)[0][0]], f[p.argmax()],
        onset(envelope, 200, 3, 25),
    ]


cases = []
for seconds, start in [(1.0, 0.4), (0.7, 0.5), (0.613, 0.25)]:
    x = numpy.round(muscle(seconds, start), 6)
    cases.append({"samples": x.tolist(), "features": [float(v) for v in features(x)]})
versions = {name: importlib.metadata.version(name) for name in ["scipy", "numpy"]}
json.dump({"versions": versions, "seed": SEED, "rate_hz": RATE, "threshold": THRESHOLD, "cases": cases}, sys.stdout)
