"""Reference for src/features/heart/{intervals,variability}.rs: `python3 hrv.py > hrv.json`.

Time domain and Poincare plot by NeuroKit2; its sample entropy too, with the tolerance given. Spectrum (natural cubic spline at 4 Hz,
SciPy's Welch), scaling exponent and the rule for outliers in plain numpy and SciPy, as the docs of the module say.
"""

import json
import sys

import neurokit2
import numpy
import scipy
from scipy.interpolate import CubicSpline
from scipy.signal import welch

SEED = 20


def series(rng):
    """Beat times in seconds: five kinds of heart."""
    def beats(rr):
        return numpy.concatenate([[0.31], 0.31 + numpy.cumsum(rr)])

    count = numpy.arange(400)
    walk = numpy.cumsum(rng.normal(0, 0.004, 400))
    resting = 0.85 + 0.04 * numpy.sin(2 * numpy.pi * 0.21 * count) + 0.03 * numpy.sin(2 * numpy.pi * 0.08 * count)
    resting = resting + rng.normal(0, 0.015, 400) + walk - walk.mean()
    exercise = 0.9 - 0.4 * count[:300] / 300 + rng.normal(0, 0.006, 300)
    ectopic = 0.8 + rng.normal(0, 0.02, 200)
    for at in [5, 60, 61, 140, 198]:
        ectopic[at] *= 0.6
        ectopic[at + 1] *= 1.4
    ectopic[100] *= 2.0
    sampled = numpy.round(beats(0.72 + rng.normal(0, 0.03, 150)) * 360) / 360
    return {
        "resting": beats(resting), "exercise": beats(exercise), "ectopic": beats(ectopic), "sampled": sampled,
        "short": beats(0.7 + rng.normal(0, 0.05, 34)),
    }


def local_median(rr, share):
    return numpy.array([
        abs(x - numpy.median(rr[max(0, i - 5):i + 6])) <= share * numpy.median(rr[max(0, i - 5):i + 6])
        for i, x in enumerate(rr)
    ])


def sample_entropy(x, m, r):
    counts = []
    for width in [m, m + 1]:
        rows = numpy.array([x[i:i + width] for i in range(len(x) - m)])
        near = (numpy.abs(rows[:, None] - rows[None]).max(axis=2) <= r).sum() - len(rows)
        counts.append(near)
    return -numpy.log(counts[1] / counts[0])


def dfa(x, sizes):
    profile = numpy.cumsum(x - x.mean())
    fluctuation = []
    for size in sizes:
        boxes = profile[:len(profile) // size * size].reshape(-1, size)
        t = numpy.arange(size)
        lines = [numpy.polyval(numpy.polyfit(t, box, 1), t) for box in boxes]
        fluctuation.append(numpy.sqrt(((boxes - lines) ** 2).mean()))
    return numpy.polyfit(numpy.log(sizes), numpy.log(fluctuation), 1)[0]


def spectral(ends, rr, segment_secs):
    grid = ends[0] + numpy.arange(int(numpy.floor((ends[-1] - ends[0]) * 4 + 1e-9)) + 1) / 4
    x = CubicSpline(ends, rr, bc_type="natural")(grid)
    length = min(len(x), round(segment_secs * 4))
    f, p = welch(x, 4, "hann", length, length // 2, detrend="constant")
    inside = [(f >= a - 1e-9) & (f <= b + 1e-9) for a, b in [(0.0033, 0.04), (0.04, 0.15), (0.15, 0.4)]]
    vlf, lf, hf = [numpy.trapezoid(p[i], f[i]) if i.sum() > 1 else None for i in inside]
    return [vlf, lf, hf, lf / hf, 100 * lf / (lf + hf), 100 * hf / (lf + hf)], x


out = {}
for name, beats in series(numpy.random.default_rng(SEED)).items():
    rr = numpy.diff(beats) * 1000
    time = neurokit2.hrv_time({"RRI": rr, "RRI_Time": beats[1:]}).iloc[0]
    poincare = neurokit2.hrv_nonlinear({"RRI": rr, "RRI_Time": beats[1:]}).iloc[0]
    tolerance = 0.2 * rr.std(ddof=1)
    entropy = sample_entropy(rr, 2, tolerance)
    if numpy.isinf(entropy):  # No stretches of three are alike.
        entropy = None
    assert entropy is None or abs(entropy - neurokit2.entropy_sample(rr, dimension=2, tolerance=tolerance)[0]) < 1e-9
    bands, resampled = spectral(beats[1:], rr, 120)
    kept = local_median(rr, 0.2)
    clean_bands, _ = spectral(beats[1:][kept], rr[kept], 120)
    pairs = kept[1:] & kept[:-1]
    differences = numpy.diff(rr)[pairs]
    out[name] = {
        "beat_secs": beats.tolist(),
        "time": [time[f"HRV_{key}"] for key in ["MeanNN", "SDNN", "RMSSD", "SDSD", "pNN50", "pNN20", "CVNN"]],
        "poincare": [poincare[f"HRV_{key}"] for key in ["SD1", "SD2", "SD1SD2"]],
        "sample_entropy": entropy,
        "dfa_alpha1": dfa(rr, numpy.arange(4, 17)),
        "spectral": bands,
        "resampled_head": resampled[:8].tolist(),
        "dropped": numpy.flatnonzero(~kept).tolist(),
        "clean_sdnn": rr[kept].std(ddof=1),
        "clean_rmssd": numpy.sqrt((differences ** 2).mean()),
        "clean_spectral": clean_bands,
    }
versions = {"numpy": numpy.__version__, "scipy": scipy.__version__, "neurokit2": neurokit2.__version__}
json.dump({"versions": versions, "seed": SEED, "series": out}, sys.stdout, default=float)
