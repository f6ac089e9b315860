"""Reference for src/data/split.rs: `python3 split.py > split.json`.

Two independent sources: the documented draw, written again with hashlib, down to the hash of the whole document; and
scikit-learn's StratifiedGroupKFold, whose class counts per fold ours must equal or better.
"""

import hashlib
import json
import math
import sys

import numpy
import sklearn
from sklearn.model_selection import StratifiedGroupKFold

SEED = 7
COHORTS = {  # subjects per class
    "gait": {"control": 16, "hunt": 20, "park": 15, "als": 13},
    "two": {"a": 7, "b": 23},
    "rare": {"x": 5, "y": 6, "z": 41},
}


def key(seed, repeat, purpose, subject):
    return hashlib.sha256(f"recoup-split-1\n{seed}\n{repeat}\n{purpose}\n{subject}".encode()).digest()


def classes(members, repeat, purpose):
    """Members of each class, in drawn order."""
    found = sorted({c for _, c in members})
    return [sorted((s for s, c in members if c == f), key=lambda s: key(SEED, repeat, purpose, s)) for f in found]


def deal(members, folds, repeat, purpose):
    order = sum(classes(members, repeat, purpose), [])
    return [order[fold::folds] for fold in range(folds)]


def hold_out(members, fraction, repeat, purpose):
    groups = classes(members, repeat, purpose)
    quotas = [fraction * len(g) for g in groups]
    counts = [math.floor(q) for q in quotas]
    rest = math.floor(fraction * len(members) + 0.5) - sum(counts)
    for c in sorted(range(len(groups)), key=lambda c: -(quotas[c] % 1))[: max(rest, 0)]:
        counts[c] += 1
    return sum((g[: min(max(n, 1), len(g) - 1)] for g, n in zip(groups, counts)), [])


def document(members, protocol, inner):
    splits = []
    for repeat in range(protocol["repeats"]):
        if protocol["kind"] == "hold-out":
            folds = [hold_out(members, protocol["test_fraction"], repeat, "outer")]
        else:
            folds = deal(members, protocol["folds"], repeat, "outer")
        for fold, test in enumerate(folds):
            rest = [(s, c) for s, c in members if s not in test]
            purpose = f"inner/{fold}"
            if inner["kind"] == "hold-out":
                valids = [(None, hold_out(rest, inner["valid_fraction"], repeat, purpose))]
            else:
                valids = list(enumerate(deal(rest, inner["folds"], repeat, purpose)))
            for number, valid in valids:
                train = sorted(s for s, _ in rest if s not in valid)
                splits.append(
                    dict(repeat=repeat, fold=fold, inner=number, train=train, valid=sorted(valid), test=sorted(test))
                )
    content = {
        "format": 1,
        "config": {"protocol": protocol, "inner": inner, "seed": SEED},
        "data_hash": "0123abcd",
        "subjects": [{"id": s, "class": c} for s, c in members],
        "splits": splits,
    }
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    return {
        "config": content["config"],
        "hash": hashlib.sha256(text.encode()).hexdigest(),
        "test": [s["test"] for s in splits],
        "valid": [s["valid"] for s in splits],
    }


def counts(members, folds):
    labels = numpy.array([c for _, c in members])
    groups = numpy.array([s for s, _ in members])
    splitter = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=SEED)
    found = splitter.split(numpy.zeros((len(labels), 1)), labels, groups)
    return [numpy.bincount(labels[test], minlength=labels.max() + 1).tolist() for _, test in found]


cases = []
for name, sizes in COHORTS.items():
    members = sorted((f"{p}{i + 1}", c) for c, (p, size) in enumerate(sizes.items()) for i in range(size))
    k_fold = {"kind": "stratified-group-k-fold", "folds": 5, "repeats": 2}
    cases.append(
        {
            "cohort": name,
            "subjects": [{"id": s, "class": c} for s, c in members],
            "sklearn_counts": counts(members, 5),
            "documents": [
                document(members, k_fold, {"kind": "hold-out", "valid_fraction": 0.2}),
                document(members, k_fold, {"kind": "nested", "folds": 3}),
                document(
                    members,
                    {"kind": "hold-out", "test_fraction": 0.25, "repeats": 3},
                    {"kind": "hold-out", "valid_fraction": 0.2},
                ),
            ],
        }
    )
versions = {"python": sys.version.split()[0], "numpy": numpy.__version__, "scikit-learn": sklearn.__version__}
json.dump({"versions": versions, "seed": SEED, "cases": cases}, sys.stdout, indent=1)
print()
