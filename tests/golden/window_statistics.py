"""Reference for src/features/statistics: `python3 window_statistics.py > window_statistics.json`. NumPy, SciPy and statsmodels; Hjorth's
parameters in plain NumPy."""

import importlib.metadata
import json
import sys

import numpy
from scipy import stats
from statsmodels.tsa.stattools import acf

SEED = 20261125
RATE = 100.0
rng = numpy.random.default_rng(SEED)


def features(x, ddof):
    d, dd = numpy.diff(x), numpy.diff(x, 2)
    mobility = numpy.sqrt(d.var() / x.var())
    r = acf(x, nlags=12, fft=False)
    return [
        x.mean(), x.var(ddof=ddof), x.std(ddof=ddof), stats.skew(x), stats.kurtosis(x), x.min(), x.max(), numpy.ptp(x),
        numpy.median(x), *numpy.quantile(x, [0.05, 0.25, 0.75, 0.95]), numpy.sqrt((x**2).mean()), numpy.abs(d).sum(),
        mobility, numpy.sqrt(dd.var() / d.var()) / mobility, r[0], r[1], r[12],
    ]


cases = []
for count, ddof, offset in [(101, 0, 0.0), (100, 1, 1e4), (257, 1, -3.0)]:
    x = offset + rng.exponential(size=count) + numpy.sin(numpy.arange(count) / 5)
    cases.append({"ddof": ddof, "samples": x.tolist(), "features": [float(v) for v in features(x, ddof)]})
versions = {name: importlib.metadata.version(name) for name in ["numpy", "scipy", "statsmodels"]}
json.dump({"versions": versions, "seed": SEED, "rate_hz": RATE, "cases": cases}, sys.stdout)
