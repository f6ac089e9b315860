"""Reference for src/features/image: `python3 image_features.py > image_features.json`.

numpy (mean, std, histogram of values clipped to the range), scipy.stats (skew, kurtosis), scipy.ndimage (sobel, mode
"reflect"). Images hold 8-bit and 16-bit counts as shares, and normal values, all as f32. Seed 23.
"""

import json
import sys

import numpy
import scipy
from scipy import ndimage, stats

random = numpy.random.default_rng(23)


def films():
    yield "8-bit", [0, 1], 0.3, (random.integers(0, 256, (3, 12, 17)) / 255).astype("f4")
    yield "16-bit", [0.1, 0.8], 0.5, (random.integers(0, 65536, (2, 9, 8)) / 65535).astype("f4")
    yield "normal", [-20, 70], 40.0, random.normal(30, 12, (4, 7, 10)).astype("f4")
    yield "column", [0, 1], 0.2, random.uniform(0, 1, (2, 11, 1)).astype("f4")
    yield "line", [0, 1], 0.2, random.uniform(0, 1, (2, 1, 6)).astype("f4")
    smooth = numpy.add.outer(numpy.arange(16), numpy.arange(20)) * 1000 + random.integers(0, 800, (5, 16, 20))
    yield "thermal", [15, 45], 0.6, (smooth * 0.0008 + 12).astype("f4")


def entropy(image, bins, range):
    counts, _ = numpy.histogram(numpy.clip(image.astype("f8"), *range), bins=bins, range=range)
    share = counts[counts > 0] / counts.sum()
    return float(0 - (share * numpy.log2(share)).sum())


cases = []
for name, range_, threshold, film in films():
    frames = film.astype("f8")
    case = {"name": name, "shape": list(film.shape), "values": [float(v) for v in film.ravel()],
            "range": range_, "threshold": threshold, "images": []}
    for image in frames:
        gx, gy = ndimage.sobel(image, axis=1, mode="reflect"), ndimage.sobel(image, axis=0, mode="reflect")
        magnitude = numpy.hypot(gx, gy)
        case["images"].append({
            "histogram": [image.mean(), image.std(), stats.skew(image, axis=None), stats.kurtosis(image, axis=None), entropy(image, 256, range_)],
            "entropy_10": entropy(image, 10, range_),
            "sobel": [magnitude.mean(), magnitude.std(), magnitude.max(), (magnitude > threshold).mean()],
            "magnitude": magnitude.ravel().tolist(),
        })
    case["energy"] = [float(abs(b - a).mean()) for a, b in zip(frames, frames[1:])]
    energy = numpy.array(case["energy"])
    case["motion_energy"] = [energy.mean(), energy.max(), energy.std()]
    half = frames.shape[2] // 2
    if half:
        difference = frames[:, :, :half] - frames[:, :, ::-1][:, :, :half]
        case["asymmetry"] = [abs(difference).mean(), difference.mean()]
    if frames.shape[1] > 6 and frames.shape[2] > 6:
        part = frames[:, 2:6, 1:5]
        case["region"] = [part.mean(), part.max(axis=(1, 2)).mean()]
    cases.append(case)
versions = {"numpy": numpy.__version__, "scipy": scipy.__version__}
json.dump({"versions": versions, "seed": 23, "cases": cases}, sys.stdout, separators=(",", ":"))
