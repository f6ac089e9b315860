"""Reference values for the evaluation tests, from scikit-learn, SciPy, statsmodels and NumPy.

Run `python evaluation.py` beside `evaluation.json`; needs scikit-learn 1.9.1, scipy 1.17.1, statsmodels 0.15.0.
"""

import json
import pathlib
import warnings

import numpy as np
import scipy
import sklearn
import statsmodels
from scipy import stats
from scipy.stats._resampling import _bca_interval
from sklearn import metrics as sk
from statsmodels.stats.multitest import multipletests

SEED = 20240607
rng = np.random.default_rng(SEED)
warnings.filterwarnings("ignore")


def softmax(logits):
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def ece_equal_width(confidence, correct, bins=15):
    index = np.digitize(confidence, np.arange(1, bins) / bins, right=True)
    gaps = [abs(correct[index == b].mean() - confidence[index == b].mean()) * (index == b).sum() for b in set(index)]
    return sum(gaps) / len(confidence)


def ece_equal_mass(confidence, correct, bins=15):
    shared = np.array([correct[confidence == value].mean() for value in confidence])
    parts = np.array_split(np.argsort(confidence), bins)
    gaps = [abs(shared[p].mean() - confidence[p].mean()) * len(p) for p in parts if len(p)]
    return sum(gaps) / len(confidence)


def metric_values(y, p):
    k = p.shape[1]
    labels = list(range(k))
    predicted = p.argmax(axis=1)
    present = [c for c in labels if (y == c).any()]
    tables = sk.multilabel_confusion_matrix(y, predicted, labels=labels)
    specificity = np.array([t[0, 0] / t[0].sum() if t[0].sum() else 0.0 for t in tables])
    support = np.array([(y == c).sum() for c in labels])
    out = {
        "accuracy": sk.accuracy_score(y, predicted),
        "balanced_accuracy": sk.recall_score(y, predicted, labels=present, average="macro", zero_division=0),
        "macro_specificity": specificity.mean(),
        "weighted_specificity": (specificity * support).sum() / support.sum(),
        "log_loss": sk.log_loss(y, p, labels=labels),
        "brier": sk.brier_score_loss(y, p, labels=labels, scale_by_half=False),
        "ece_equal_width": ece_equal_width(p.max(axis=1), (predicted == y).astype(float)),
        "ece_equal_mass": ece_equal_mass(p.max(axis=1), (predicted == y).astype(float)),
        "specificity": specificity[1] if k == 2 else None,
        "brier_binary": sk.brier_score_loss(y, p[:, 1], pos_label=1, labels=[0, 1]) if k == 2 else None,
    }
    scores = [("precision", sk.precision_score), ("recall", sk.recall_score), ("f1", sk.f1_score)]
    for name, score in scores:
        for average in ["macro", "weighted"]:
            out[f"{average}_{name}"] = score(y, predicted, labels=labels, average=average, zero_division=0)
        out[name] = score(y, predicted, labels=[1], average="macro", zero_division=0) if k == 2 else None
    full = len(present) == k
    if k == 2:
        out["auc_roc"] = sk.roc_auc_score(y, p[:, 1]) if full else None
        out["auc_pr"] = sk.average_precision_score(y, p[:, 1]) if full else None
    else:
        out["auc_roc"] = np.mean([sk.roc_auc_score(y == c, p[:, c]) for c in labels]) if full else None
        out["auc_pr"] = np.mean([sk.average_precision_score(y == c, p[:, c]) for c in labels]) if full else None
    return {name: None if value is None else float(value) for name, value in out.items()}


def metric_cases():
    cases = []
    for k in [2, 2, 3, 4]:
        for count in [1, 2, 3, 7, 20, 50]:
            for kind in ["plain", "ties", "extreme", "one_class", "missing_class"]:
                if kind == "missing_class" and k == 2:
                    continue
                y = rng.integers(0, k, count)
                if kind == "one_class":
                    y[:] = k - 1
                if kind == "missing_class":
                    y = rng.integers(0, k - 1, count)
                logits = rng.normal(size=(count, k)) + 1.2 * np.eye(k)[y]
                if kind == "extreme":
                    logits *= 40
                p = softmax(logits)
                if kind == "ties":
                    table = softmax(rng.normal(size=(4, k)))
                    p = table[rng.integers(0, 4, count)]
                cases.append({"kind": kind, "targets": y.tolist(), "probabilities": p.tolist(),
                              "expected": metric_values(y, p)})
    return cases


def moments(values):
    return np.mean(values), np.var(values, ddof=1)


def corrected_p(values, ratio):
    mean, variance = moments(values)
    return 2 * stats.t.sf(abs(mean) / np.sqrt((1 / len(values) + ratio) * variance), len(values) - 1)


def interval_cases():
    cases = []
    for count in [2, 3, 5, 10, 25, 50]:
        for level in [0.9, 0.95, 0.99]:
            values = rng.normal(0.1, 0.2, count)
            ratio = float(rng.uniform(0.05, 0.6))
            mean, variance = moments(values)
            plain = stats.t.interval(level, count - 1, mean, stats.sem(values))
            corrected = stats.t.interval(level, count - 1, mean, np.sqrt((1 / count + ratio) * variance))
            cases.append({"values": values.tolist(), "level": level, "ratio": ratio, "mean": mean,
                          "plain": list(plain), "corrected": list(corrected), "p": corrected_p(values, ratio)})
    return cases


def sign_flip_cases():
    cases = []
    for count in [2, 3, 5, 6, 8, 10]:
        for values in [rng.normal(0.3, 0.5, count), rng.integers(-3, 4, count) / 8]:
            result = stats.permutation_test((values,), np.mean, permutation_type="samples", n_resamples=np.inf)
            cases.append({"values": values.tolist(), "p": float(result.pvalue)})
    return cases


MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15


def mix(z):
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def resample(sizes, seed, replicate):
    key = mix((seed + GOLDEN * (replicate + 1)) & MASK)
    slots = np.repeat(sizes, sizes)
    draws = [(mix((key + GOLDEN * (i + 1)) & MASK) * int(n)) >> 64 for i, n in enumerate(slots)]
    return np.split(np.array(draws), np.cumsum(sizes)[:-1])


def pair_auc(negative, positive, axis=-1):
    """Mann-Whitney over the last axis, for batches."""
    negative, positive = negative[..., None, :], positive[..., :, None]
    return ((positive > negative) + 0.5 * (positive == negative)).mean(axis=(-1, -2))


def joint_mean(negative, positive, axis=-1):
    count = negative.shape[-1] + positive.shape[-1]
    return (negative.sum(axis=-1) + positive.sum(axis=-1)) / count


def bootstrap_cases():
    cases = []
    # Values are multiples of 1/8, so sums are exact and ties do not depend on the order of summation.
    for sizes, replicates in [((6, 9), 500), ((20, 12), 2000), ((4, 5), 200)]:
        seed = int(rng.integers(0, 1 << 62))
        data = [np.round(8 * rng.normal(0.5 * c, 1.5, n)) / 8 for c, n in enumerate(sizes)]
        drawn = [resample(sizes, seed, b) for b in range(replicates)]
        case = {"strata": np.repeat([0, 1], sizes).tolist(), "values": np.concatenate(data).tolist(), "seed": seed,
                "replicates": replicates, "level": 0.95}
        for name, statistic in [("auc", pair_auc), ("mean", joint_mean)]:
            theta = np.array([statistic(*[x[i] for x, i in zip(data, index)]) for index in drawn])
            low, high, _ = (np.asarray(x).item() for x in _bca_interval(data, statistic, -1, 0.025, theta, None, np))
            case[name] = {"estimate": float(statistic(*data)),
                          "percentile": np.percentile(theta, [2.5, 97.5]).tolist(),
                          "bca": np.quantile(theta, [low, high]).tolist()}
        cases.append(case)
    return cases


def pipeline():
    """Two repeats of three folds, two seeds: per-fold metrics by hand, means and corrected intervals."""
    repeats, folds, seeds, subjects = 2, 3, [1, 2], 12
    rows, expected, subject_values = [], [], {}
    for repeat in range(repeats):
        order = rng.permutation(subjects)
        for fold in range(folds):
            for seed in seeds:
                test = sorted(int(s) for s in order[fold::folds])
                window_y, window_logits, mean_p, softmax_mean = [], [], [], []
                for subject in test:
                    count = 1 + subject % 4
                    logits = np.round((rng.normal(size=(count, 2)) * 2 + np.eye(2)[subject % 2]) * 64) / 64
                    for window, row in enumerate(logits):
                        rows.append([repeat, fold, seed, f"s{subject:02}", window * 2.5, subject % 2, *row.tolist()])
                    window_y += [subject % 2] * count
                    window_logits.append(logits)
                    mean_p.append(softmax(logits).mean(axis=0))
                    softmax_mean.append(softmax(logits.mean(axis=0, keepdims=True))[0])
                y = np.array(test) % 2
                values = {"window": metric_values(np.array(window_y), softmax(np.concatenate(window_logits))),
                          "subject": metric_values(y, np.array(mean_p)),
                          "subject_mean_logits": metric_values(y, np.array(softmax_mean))}
                expected.append({"repeat": repeat, "fold": fold, "seed": seed, **values})
                subject_values.setdefault((repeat, fold), []).append(values["subject"]["brier"])
    brier = np.array([np.mean(v) for _, v in sorted(subject_values.items())])
    ratio = 1 / (folds - 1)
    mean, variance = moments(brier)
    corrected = stats.t.interval(0.95, len(brier) - 1, mean, np.sqrt((1 / len(brier) + ratio) * variance))
    return {"rows": rows, "folds": expected, "brier_mean": mean, "brier_interval": list(corrected)}


def main():
    p_values = [rng.uniform(0, 0.2, n).tolist() for n in [1, 2, 5, 9]] + [[0.03, 0.03, 0.9, 0.001]]
    golden = {
        "versions": {"scikit-learn": sklearn.__version__, "scipy": scipy.__version__,
                     "statsmodels": statsmodels.__version__, "numpy": np.__version__},
        "seed": SEED,
        "metrics": metric_cases(),
        "intervals": interval_cases(),
        "sign_flip": sign_flip_cases(),
        "holm": [{"p": p, "adjusted": multipletests(p, method="holm")[1].tolist()} for p in p_values],
        "t": [[t, df, float(2 * stats.t.sf(t, df)), q, float(stats.t.ppf(q, df))]
              for df in [1, 2, 4, 9, 24, 49] for t, q in [(1e-3, 0.6), (0.3, 0.9), (1.7, 0.975), (8.0, 0.9995)]],
        "normal": [[z, float(stats.norm.cdf(z))] for z in [-8.0, -3.1, -1.96, -0.2, 0.0, 1e-9, 0.7, 1.96, 5.0]],
        "bootstrap": bootstrap_cases(),
        "pipeline": pipeline(),
    }
    path = pathlib.Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(golden, separators=(",", ":")).replace(',{"', ',\n{"') + "\n")


main()
