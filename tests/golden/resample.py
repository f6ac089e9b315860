"""Reference for src/data/resample.rs: `python3 resample.py > resample.json`.

scipy.signal.resample_poly with padtype "edge", on numbers of a linear congruential generator.
"""

import json
import sys

import numpy
import scipy
from scipy.signal import resample_poly

state, numbers = 7, []
for _ in range(400):
    state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
    numbers.append(((state >> 40) - 2**23) / 2**23)
signal = numpy.array(numbers, dtype=numpy.float32).astype(float)

cases = []
for source_hz, target_hz, up, down, length in [
    (300, 100, 1, 3, 400), (360, 250, 25, 36, 400), (100, 300, 3, 1, 50), (250, 125, 1, 2, 97), (128, 100, 25, 32, 3),
]:
    out = resample_poly(signal[:length], up, down, padtype="edge")
    cases.append({"source_hz": source_hz, "target_hz": target_hz, "length": length, "resampled": out.tolist()})
json.dump({"versions": {"scipy": scipy.__version__, "numpy": numpy.__version__}, "signal": signal.tolist(), "cases": cases}, sys.stdout)
