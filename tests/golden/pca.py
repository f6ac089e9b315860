"""Reference for src/features/table/pca.rs: `python3 pca.py > pca.json`. scikit-learn's PCA by full SVD."""

import importlib.metadata
import json
import sys

import numpy
from sklearn.decomposition import PCA

SEED = 45
draws = numpy.random.default_rng(SEED)
tables = {
    "tall": draws.normal(size=(40, 6)) @ draws.normal(size=(6, 6)) + 3.0,
    "wide": draws.normal(size=(7, 15)) * numpy.linspace(0.2, 4, 15) - 2.0,
    "square": draws.normal(size=(9, 9)) * 1e-9,
    "rank": draws.normal(size=(30, 3)) @ draws.normal(size=(3, 8)) + 100.0,
    "wide-rank": draws.normal(size=(6, 2)) @ draws.normal(size=(2, 10)),
}
cases = []
for name, table in tables.items():
    rank = numpy.linalg.matrix_rank(table - table.mean(0))
    pca = PCA(svd_solver="full").fit(table)
    share = PCA(n_components=0.8, svd_solver="full").fit(table)
    cases.append({
        "name": name, "table": table.tolist(), "rank": int(rank), "mean": pca.mean_.tolist(),
        "components": pca.components_[:rank].tolist(), "variance": pca.explained_variance_[:rank].tolist(),
        "ratio": pca.explained_variance_ratio_[:rank].tolist(), "scores": pca.transform(table)[:, :rank].tolist(),
        "num_for_80_percent": int(share.n_components_),
    })
versions = {name: importlib.metadata.version(name) for name in ["scikit-learn", "numpy"]}
json.dump({"versions": versions, "seed": SEED, "cases": cases}, sys.stdout)
