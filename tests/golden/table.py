"""Reference for src/features/table: `python3 table.py > table.json`. scikit-learn's scaler, imputers and encoders, fitted on
the first rows of seeded tables and applied to all of them. NaN is null."""

import importlib.metadata
import json
import sys

import numpy
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler

SEED = 20261125
draws = numpy.random.default_rng(SEED)
NUM_TRAIN = 24


def plain(array):
    return [[None if numpy.isnan(x) else x for x in row] for row in numpy.asarray(array, dtype=float).tolist()]


def holes(table, share):
    table = table.copy()
    table[draws.random(table.shape) < share] = numpy.nan
    return table


def distance(x, y, *, missing_values=numpy.nan):
    """nan_euclidean without the expansion of the square, which costs scikit-learn's own half of the digits for near rows."""
    both = ~(numpy.isnan(x) | numpy.isnan(y))
    return numpy.sqrt(len(x) / both.sum() * ((x - y)[both] ** 2).sum()) if both.any() else numpy.nan


scale = numpy.array([1.0, 1e-6, 3e4, 12.0, 1.0])
full = draws.normal(size=(36, 5)) * scale + numpy.array([0.0, 5e-6, 1e6, 0.0, 0.1])
full[:, 4] = 0.1
cases = []
for name, share in [("full", 0.0), ("some", 0.15), ("many", 0.5)]:
    table = holes(full, share)
    table[0, :4] = full[0, :4]
    train = table[:NUM_TRAIN]
    case = {"name": name, "table": plain(table)}
    case["z_score"] = plain(StandardScaler().fit(train).transform(table))
    case["range"] = plain(MinMaxScaler((-1, 2), clip=True).fit(train).transform(table))
    imputer = SimpleImputer(add_indicator=False).fit(train)
    case["mean"] = plain(imputer.transform(table))
    case["indicator"] = plain(numpy.isnan(table))
    # Without the constant column, which has rows at the same distance.
    scaled = StandardScaler().fit(train[:, :4]).transform(table[:, :4])
    case["knn"] = [
        {"neighbors": k, "weights": weights,
         "values": plain(KNNImputer(n_neighbors=k, weights=weights, metric=metric).fit(scaled[:NUM_TRAIN]).transform(scaled))}
        for k in range(1, 6) for weights, metric in [("uniform", "nan_euclidean"), ("distance", distance)]
    ]
    cases.append(case)

empty = holes(draws.normal(size=(12, 3)), 0.2)
empty[:8, 1] = numpy.nan
knn = KNNImputer(n_neighbors=2, keep_empty_features=True).fit(empty[:8]).transform(empty)
codes = draws.integers(1, 6, size=(20, 3)).astype(float)
known = [1.0, 2.0, 4.0]
hot = OneHotEncoder(categories=[known, known], handle_unknown="ignore", sparse_output=False).fit(
    numpy.array([known, known]).T).transform(codes[:, :2])
declared = OrdinalEncoder(categories=[known], handle_unknown="use_encoded_value", unknown_value=numpy.nan).fit(
    numpy.array([known]).T).transform(codes[:, 2:])
found = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=numpy.nan).fit(codes[:3, 2:]).transform(codes[:, 2:])
versions = {name: importlib.metadata.version(name) for name in ["scikit-learn", "numpy"]}
json.dump({
    "versions": versions, "seed": SEED, "num_train": NUM_TRAIN, "cases": cases,
    "empty": {"table": plain(empty), "num_train": 8, "knn": plain(knn)},
    "encoders": {"table": plain(codes), "known": known, "one_hot": plain(hot), "declared": plain(declared),
                 "num_train": 3, "found": plain(found)},
}, sys.stdout)
