"""Reference for src/features/eeg.rs: `python3 eeg.py > eeg.json`.

SciPy's Welch with numpy's trapezoids, of five channels of tones and noise, against their average and as recorded.
"""

import json
import sys

import numpy
import scipy
from scipy.signal import welch

SEED = 5
RATE_HZ = 128
NAMES = ["C3", "C4", "O1", "O2", "Cz"]
PAIRS = [("C3", "C4"), ("O1", "O2")]
BANDS = [(1, 4), (4, 8), (8, 13), (13, 30), (30, 45)]

rng = numpy.random.default_rng(SEED)
t = numpy.arange(7 * RATE_HZ) / RATE_HZ
common = 10 * numpy.sin(2 * numpy.pi * 0.7 * t)
signals = []
for index in range(len(NAMES)):
    tones = sum(a * numpy.sin(2 * numpy.pi * f * t + rng.uniform(0, 6)) for a, f in
                [(12 - 2 * index, 2.3), (5, 6.1), (8 + 3 * index, 10.2), (3, 21.0), (1, 37.5)])
    signals.append((tones + common + rng.normal(0, 2, len(t))).round(2))
signals = numpy.array(signals)


def features(x):
    f, p = welch(x, RATE_HZ, "hann", 2 * RATE_HZ, RATE_HZ, detrend="constant")
    inside = [(f >= a) & (f <= b) for a, b in [*BANDS, (1, 45), (1, 25)]]
    *powers, total = [numpy.trapezoid(p[:, i], f[i], axis=1) for i in inside[:-1]]
    delta, theta, alpha, beta, _ = powers
    rows = numpy.array([*powers, *[power / total for power in powers], delta / alpha, (delta + theta) / (alpha + beta)]).T
    pairs = [(p[NAMES.index(a)][inside[-1]], p[NAMES.index(b)][inside[-1]]) for a, b in PAIRS]
    symmetry = [(numpy.abs(a - b) / (a + b)).mean() for a, b in pairs]
    return [*rows.ravel().tolist(), *symmetry, float(numpy.mean(symmetry))]


json.dump({
    "versions": {"numpy": numpy.__version__, "scipy": scipy.__version__}, "seed": SEED, "rate_hz": RATE_HZ, "names": NAMES,
    "signals": signals.tolist(), "average": features(signals - signals.mean(axis=0)), "recorded": features(signals),
}, sys.stdout)
