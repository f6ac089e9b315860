"""Reference for src/features/table/lasso.rs: `python3 lasso.py > lasso.json`. scikit-learn's Lasso, to the end, over a grid
of penalties, and LassoCV over given folds."""

import importlib.metadata
import json
import sys

import numpy
from sklearn.linear_model import Lasso, LassoCV
from sklearn.model_selection import PredefinedSplit

SEED = 46
draws = numpy.random.default_rng(SEED)


def target(table, noise=0.5):
    b = numpy.zeros(table.shape[1])
    b[:3] = [2.0, -1.5, 0.7]
    return table @ b + 4.0 + noise * draws.normal(size=len(table))


tables = {
    "uncentred": draws.normal(size=(40, 6)) * [1, 2, 0.5, 1, 3, 1] + [5, -3, 10, 0, 2, 100],
    "wide": draws.normal(size=(20, 30)) + 2.0,
}
base = draws.normal(size=(50, 5))
tables["collinear"] = numpy.hstack([base, base[:, :2] + 0.05 * draws.normal(size=(50, 2))]) + 1.0
cases = []
for name, table in tables.items():
    y = target(table)
    folds = numpy.arange(len(y)) % 5
    cv = LassoCV(eps=1e-3, alphas=20, cv=PredefinedSplit(folds), precompute=False, tol=1e-13, max_iter=1_000_000).fit(table, y)
    path = []
    for alpha in cv.alphas_[[0, 3, 7, 11, 15, 19]]:
        model = Lasso(alpha=alpha, tol=1e-15, max_iter=5_000_000).fit(table, y)
        path.append({"alpha": alpha, "coefficients": model.coef_.tolist(), "intercept": float(model.intercept_)})
    cases.append({
        "name": name, "table": table.tolist(), "target": y.tolist(), "path": path, "alphas": cv.alphas_.tolist(),
        "folds": folds.tolist(), "errors": cv.mse_path_.mean(axis=1).tolist(), "alpha": float(cv.alpha_),
    })
versions = {name: importlib.metadata.version(name) for name in ["scikit-learn", "numpy"]}
json.dump({"versions": versions, "seed": SEED, "cases": cases}, sys.stdout)
