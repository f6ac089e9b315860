"""Reference for src/features/heart/ppg.rs: `python3 ppg.py > ppg.json`.

A pulse wave in red and infrared light with a planted ratio, breathing and noise. Peaks: NeuroKit2's detector of Elgendi, on the
signal through SciPy's filter. Ratio: SciPy's filter, root mean square and mean in numpy.
"""

import json
import sys

import neurokit2
import numpy
import scipy
from scipy.signal import butter, sosfiltfilt

SEED = 11
RATE_HZ = 100
RATIO = 0.52

rng = numpy.random.default_rng(SEED)
t = numpy.arange(18 * RATE_HZ) / RATE_HZ
beats = 0.35 + numpy.cumsum(0.82 + 0.05 * numpy.sin(numpy.arange(22) / 2) + rng.normal(0, 0.01, 22)) - 0.82
wave = sum(
    numpy.exp(-0.5 * ((t - at) / 0.09) ** 2) + 0.35 * numpy.exp(-0.5 * ((t - at - 0.27) / 0.1) ** 2) for at in beats
)
breathing = 0.004 * numpy.sin(2 * numpy.pi * 0.22 * t)
infrared = (80000 * (1 + 0.02 * wave + breathing) + rng.normal(0, 8, len(t))).round(1)
red = (60000 * (1 + 0.02 * RATIO * wave + RATIO * breathing) + rng.normal(0, 3, len(t))).round(1)


def band(x, high):
    return sosfiltfilt(butter(2, [0.5, high], "bandpass", fs=RATE_HZ, output="sos"), x - x[0])


def relative(x):
    return numpy.sqrt((band(x, 5) ** 2).mean()) / x.mean()


peaks = neurokit2.ppg_findpeaks(band(infrared, 8), sampling_rate=RATE_HZ, method="elgendi")["PPG_Peaks"]
json.dump({
    "versions": {"numpy": numpy.__version__, "scipy": scipy.__version__, "neurokit2": neurokit2.__version__}, "seed": SEED,
    "rate_hz": RATE_HZ, "planted_ratio": RATIO, "beat_secs": beats[beats < t[-1]].tolist(), "red": red.tolist(), "infrared": infrared.tolist(),
    "ratio": relative(red) / relative(infrared), "peaks": peaks.tolist(),
}, sys.stdout)
