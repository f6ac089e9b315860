"""Reference for src/clinical: `python3 clinical.py > clinical.json`. Visits by pandas.merge_asof, slopes by
numpy.polyfit. NaN is null."""

import importlib.metadata
import json
import sys

import numpy
import pandas

SEED = 8
draws = numpy.random.default_rng(SEED)
WEEKS = [0, 2, 4, 6, 8, 10, 12]
START = pandas.Timestamp("2021-03-01")


def plain(values):
    return [None if numpy.isnan(x) else float(x) for x in values]


rows, visits = [], []
for patient in range(12):
    days = numpy.unique(draws.integers(-9, 100, size=9))
    if patient == 0:
        days = numpy.array([0, 7, 21, 35, 50, 76, 84])
    scores = draws.integers(0, 67, size=len(days))
    start = START + pandas.Timedelta(days=int(draws.integers(0, 400)))
    rows += [[f"p{patient}", str((start + pandas.Timedelta(days=int(day))).date()), str(start.date()), "FMA-UE", int(score)]
             for day, score in zip(days, scores)]
    left = pandas.DataFrame({"day": [7 * week for week in WEEKS]})
    right = pandas.DataFrame({"day": days, "score": scores.astype(float)})
    merged = pandas.merge_asof(left, right, on="day", direction="nearest", tolerance=7)["score"].to_numpy()
    seen = ~numpy.isnan(merged)
    slope = numpy.polyfit(numpy.array(WEEKS)[seen], merged[seen], 1)[0] if seen.sum() > 1 else numpy.nan
    visits.append({"patient": f"p{patient}", "scores": plain(merged), "delta": plain([merged[-1] - merged[0]])[0],
                   "slope": plain([slope])[0]})
order = draws.permutation(len(rows))
versions = {name: importlib.metadata.version(name) for name in ["pandas", "numpy"]}
json.dump({"versions": versions, "seed": SEED, "rows": [rows[index] for index in order], "visits": visits},
          sys.stdout)
