"""Reference for src/data/clinical: `python3 clinical.py > clinical.json`. Visits by pandas.merge_asof, slopes by
numpy.polyfit, random-intercept slopes by statsmodels.MixedLM (REML). NaN is null."""

import importlib.metadata
import json
import sys

import numpy
import pandas
import statsmodels.formula.api

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

mixed = []
for spread, noise, drop in [(8.0, 3.0, 0.0), (5.0, 5.0, 0.3), (0.0, 4.0, 0.1)]:
    table = [(patient, week, 30 + 1.5 * week + offset + noise * draws.normal())
             for patient, offset in enumerate(spread * draws.normal(size=25)) for week in WEEKS if draws.random() >= drop]
    frame = pandas.DataFrame(table, columns=["patient", "week", "score"])
    fit = statsmodels.formula.api.mixedlm("score ~ week", frame, groups="patient").fit(reml=True)
    between, within = float(fit.cov_re.iloc[0, 0]), fit.scale
    beta = fit.fe_params[["Intercept", "week"]].to_numpy()
    if spread == 0:
        # At the edge, where there is no variance between patients and REML is least squares, MixedLM does not converge.
        fit = statsmodels.formula.api.ols("score ~ week", frame).fit()
        between, within, beta = 0.0, fit.mse_resid, fit.params[["Intercept", "week"]].to_numpy()
    # The standard error of generalised least squares; MixedLM's own is of the observed information of all parameters.
    information = numpy.zeros((2, 2))
    for _, rows_of_one in frame.groupby("patient"):
        x = numpy.column_stack([numpy.ones(len(rows_of_one)), rows_of_one["week"]])
        information += x.T @ numpy.linalg.solve(within * numpy.eye(len(x)) + between, x)
    mixed.append({"table": table, "intercept": beta[0], "slope": beta[1],
                  "slope_error": numpy.sqrt(numpy.linalg.inv(information)[1, 1]), "patient_variance": between,
                  "residual_variance": within})
versions = {name: importlib.metadata.version(name) for name in ["pandas", "numpy", "statsmodels"]}
json.dump({"versions": versions, "seed": SEED, "rows": [rows[index] for index in order], "visits": visits, "mixed": mixed},
          sys.stdout)
