"""Reference for src/features/stride: `python3 stride.py [FOLDER OF GAITNDD] > stride.json`.

Statistics and scaling exponents in plain numpy. `excerpt` has 40 seconds of both feet of record control1 of the database
gaitndd of PhysioNet (Hausdorff et al. 2000; ODC-BY 1.0), every third sample of its 300 per second, and the strides of the
left foot that its table publishes for that time; without a folder the excerpt of the present stride.json is kept.
"""

import json
import pathlib
import sys

import numpy

SEED = 7


def dfa(x, sizes):
    profile = numpy.cumsum(x - x.mean())
    fluctuation = []
    for size in sizes:
        boxes = profile[:len(profile) // size * size].reshape(-1, size)
        t = numpy.arange(size)
        lines = [numpy.polyval(numpy.polyfit(t, box, 1), t) for box in boxes]
        fluctuation.append(numpy.sqrt(((boxes - lines) ** 2).mean()))
    return numpy.polyfit(numpy.log(sizes), numpy.log(fluctuation), 1)[0]


def statistics(x, sizes):
    centred = x - x.mean()
    lag1 = (centred[1:] * centred[:-1]).sum() / (centred ** 2).sum()
    return [x.mean(), x.std(ddof=1), 100 * x.std(ddof=1) / x.mean(), lag1, dfa(x, sizes)]


def read_212(path):
    b = numpy.frombuffer(path.read_bytes(), dtype=numpy.uint8).reshape(-1, 3).astype(int)
    pairs = numpy.stack([b[:, 0] | (b[:, 1] & 15) << 8, b[:, 2] | b[:, 1] >> 4 << 8], axis=1).ravel()
    return numpy.where(pairs > 2047, pairs - 4096, pairs)


def excerpt(folder):
    start, end = 60, 100
    feet = [read_212(folder / f"control1.{side}")[start * 300:end * 300:3] for side in ["let", "rit"]]
    table = numpy.loadtxt(folder / "control1.ts")
    rows = table[(table[:, 0] > start + 3) & (table[:, 0] < end - 3)]
    return {
        "rate_hz": 100, "left": feet[0].tolist(), "right": feet[1].tolist(),
        "end_secs": (rows[:, 0] - start).round(4).tolist(), "left_stride_secs": rows[:, 1].tolist(),
    }


if len(sys.argv) > 1:
    published = excerpt(pathlib.Path(sys.argv[1]))
else:
    published = json.loads(pathlib.Path(__file__).with_suffix(".json").read_text())["excerpt"]

rng = numpy.random.default_rng(SEED)
cases = []
for count, sizes in [(100, (10, 20)), (61, (10, 20)), (200, (16, 22)), (40, (4, 16))]:
    x = 1.1 + numpy.cumsum(rng.normal(0, 0.003, count)) + rng.normal(0, 0.02, count)
    cases.append({"values": x.tolist(), "sizes": sizes, "statistics": statistics(x, numpy.arange(sizes[0], sizes[1] + 1))})
json.dump({"versions": {"numpy": numpy.__version__}, "seed": SEED, "cases": cases, "excerpt": published}, sys.stdout)
