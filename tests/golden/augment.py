"""Quantiles of Beta(alpha, alpha) by SciPy, for mixup: `python3 augment.py > augment.json`."""

import json

import scipy
from scipy.stats import beta

ALPHAS = [0.01, 0.1, 0.2, 0.4, 1.0, 2.0, 32.0, 1000.0]
PROBABILITIES = [2.0**-33, 1e-6, 0.001, 0.05, 0.3, 0.4999, 0.5, 0.5001, 0.7, 0.95, 0.999, 1 - 1e-6, 1 - 2.0**-33]

cases = [
    {"alpha": alpha, "quantiles": [[p, float(beta.ppf(p, alpha, alpha))] for p in PROBABILITIES]} for alpha in ALPHAS
]
print(json.dumps({"scipy": scipy.__version__, "cases": cases}, indent=1))
