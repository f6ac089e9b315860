"""Reference for src/data/align.rs: `python3 align.py > align.json`.

scipy.signal.correlate of two signals without their means, by their energies.
"""

import json
import sys

import numpy
import scipy
from scipy.signal import correlate, correlation_lags

SEED = 3
rng = numpy.random.default_rng(SEED)
cases = []
for num_x, num_y, lag, most, rate_hz in [(300, 300, 17, 60, 50), (257, 400, 90, 120, 128), (400, 211, -70, 100, 30)]:
    source = numpy.convolve(rng.normal(0, 1, 1000), numpy.hanning(9), "same")
    x = (source[300:300 + num_x] + rng.normal(0, 0.2, num_x) + 5).astype(numpy.float32)
    y = (source[300 - lag:300 - lag + num_y] + rng.normal(0, 0.2, num_y) - 2).astype(numpy.float32)
    a, b = x.astype(float) - x.astype(float).mean(), y.astype(float) - y.astype(float).mean()
    r = correlate(b, a, "full") / numpy.sqrt((a ** 2).sum() * (b ** 2).sum())
    lags = correlation_lags(num_y, num_x, "full")
    inside = numpy.abs(lags) <= most
    r, lags = r[inside], lags[inside]
    best = int(r.argmax())
    before, peak, after = r[best - 1:best + 2]
    cases.append({
        "rate_hz": rate_hz, "max_lag_secs": most / rate_hz, "planted": lag, "x": x.tolist(), "y": y.tolist(),
        "lag_secs": (lags[best] + 0.5 * (before - after) / (before - 2 * peak + after)) / rate_hz, "correlation": peak,
    })
versions = {"numpy": numpy.__version__, "scipy": scipy.__version__}
json.dump({"versions": versions, "seed": SEED, "cases": cases}, sys.stdout, default=float)
