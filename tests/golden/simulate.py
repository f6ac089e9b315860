"""Reference for src/data/simulate: `python3 simulate.py > simulate.json`.

The best AUC without missing values, by integration. With S the standardised E[Z | v], whose correlation with Z is
rho = sqrt(sum w_m^2 / (1 + noise_m^2)), and a patient responding when Z >= t:

    AUC = P(S1 > S0 | Z1 >= t, Z0 < t) = integral phi(s) P(Z >= t | s) P(S < s, Z < t) ds / (P(Z >= t) P(Z < t)),

where P(S < s, Z < t) is the bivariate normal distribution function. For t = 0 the answer is 1/2 + (2/pi) asin(rho/sqrt 2).
"""

import json
import math
import sys

import numpy
import scipy
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm

MODALITIES = ["clinical", "scales", "emg", "force", "motion"]
SHARES = [0.12, 0.22, 0.33, 0.0, 0.25]
NOISE = [0.6, 0.5, 0.45, 0.45, 0.5]


def auc(effect, mcid, kept):
    explained = sum(effect**2 * SHARES[m] / (1 + NOISE[m] ** 2) for m in kept)
    rho = math.sqrt(explained)
    t = (math.ceil(mcid) - 0.5 - 8.5) / 5
    if rho == 0:
        return 0.5
    both = multivariate_normal(mean=[0, 0], cov=[[1, rho], [rho, 1]])
    responds = lambda s: norm.cdf((rho * s - t) / math.sqrt(1 - rho**2))
    value, _ = quad(lambda s: norm.pdf(s) * responds(s) * both.cdf([s, t]), -9, 9, epsabs=1e-8)
    value /= norm.sf(t) * norm.cdf(t)
    if t == 0:
        assert abs(value - (0.5 + 2 / math.pi * math.asin(rho / math.sqrt(2)))) < 1e-6
    return value


cases = []
for effect, mcid in [(1.0, 9.0), (0.5, 9.0), (1.0, 12.0), (1.0, 5.25), (0.0, 9.0)]:
    everything = range(len(MODALITIES))
    cases.append(
        {
            "effect": effect,
            "mcid": mcid,
            "all": auc(effect, mcid, everything),
            "alone": [auc(effect, mcid, [m]) for m in everything],
            "without": [auc(effect, mcid, [k for k in everything if k != m]) for m in everything],
        }
    )
versions = {"python": sys.version.split()[0], "numpy": numpy.__version__, "scipy": scipy.__version__}
document = {"versions": versions, "modalities": MODALITIES, "shares": SHARES, "noise": NOISE, "cases": cases}
json.dump(document, sys.stdout, indent=1)
print()
