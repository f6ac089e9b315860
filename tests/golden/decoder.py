"""Principal components of a small table by eigen-decomposition of its covariance.

Writes decoder.json beside this script. Run with NumPy 1.24. Values are multiples of 1/1024, which f32 holds exactly.
"""

import json
import pathlib

import numpy as np

SEED, SAMPLES, FEATURES, LATENT = 20260413, 40, 12, 3
rng = np.random.default_rng(SEED)
axes, _ = np.linalg.qr(rng.standard_normal((FEATURES, FEATURES)))
deviations = np.array([2.0, 1.5, 1.2] + [0.3] * (FEATURES - LATENT))
rows = rng.standard_normal((SAMPLES, FEATURES)) * deviations @ axes.T + 0.5
rows = np.round(rows * 1024) / 1024

centred = rows - rows.mean(0)
values, vectors = np.linalg.eigh(centred.T @ centred / SAMPLES)
golden = {
    "numpy": np.__version__,
    "seed": SEED,
    "rows": rows.tolist(),
    # By falling eigenvalue, one component per row.
    "components": vectors.T[::-1][:LATENT].tolist(),
    # Mean squared error per value of the best reconstruction from so many numbers.
    "least_error": float(values[: FEATURES - LATENT].sum() / FEATURES),
}
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(golden) + "\n")
print(values[::-1], golden["least_error"])
