"""Logistic regression on stride statistics: what any deep model of gaitndd has to beat, on the very same splits.

Per subject: mean, standard deviation and coefficient of variation of each stride column, the asymmetry of the left and
right means, and the clinical row (age, height, weight, gender, gait speed). Neither the severity, nor the group, nor
an indicator of missing values: each is the diagnosis in disguise. Imputation by the mean, scaling and the penalty see
training and validation subjects only. The penalty is the most accurate one in an inner cross-validation: five folds,
five times, as a single draw of 50 subjects chooses badly, and the log loss chooses a penalty that costs accuracy.

    pip install scikit-learn==1.9.1
    python scripts/baseline_logistic.py runs/my-run/split.json --out baseline.jsonl
    python scripts/baseline_logistic.py runs/my-run/split.json --compare runs/my-run/metrics.json

Classes are those of split.json. Where these are not the task's, `--classes` gives them by the prefixes of the ids:
`--classes "control=control;patient=hunt,park,als"`, in the order of the run's metrics.json.
"""

import argparse
import json
import pathlib
import re
import warnings

import numpy as np
from scipy import stats
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, RepeatedStratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

TABLE_COLUMNS = ["subject", "group", "age", "height", "weight", "gender", "gait_speed", "duration_or_severity"]
CLINICAL = ["age", "height", "weight", "gender", "gait_speed"]
# Columns of a .ts file behind the elapsed time; a left one stands before its right one.
LEFT_COLUMNS = [0, 2, 4, 6, 8]
NUM_STRIDE_COLUMNS = 12
PENALTIES = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0]


def clinical_rows(raw):
    """Subject -> clinical values, NaN where missing. A line of the file breaks before its last value."""
    path = raw / "subject-description.txt"
    fields = path.read_text().split("\n", 1)[1].split()
    if len(fields) % len(TABLE_COLUMNS):
        raise SystemExit(f"{path}: {len(fields)} values, expected a multiple of {len(TABLE_COLUMNS)}")
    number = {"MISSING": np.nan, "f": 0.0, "m": 1.0}
    rows = {}
    for values in np.reshape(fields, (-1, len(TABLE_COLUMNS))):
        row = dict(zip(TABLE_COLUMNS, values))
        rows[row["subject"]] = [number[row[name]] if row[name] in number else float(row[name]) for name in CLINICAL]
    return rows


def stride_statistics(path):
    strides = np.loadtxt(path, ndmin=2)[:, 1:]
    if strides.shape[1] != NUM_STRIDE_COLUMNS:
        raise SystemExit(f"{path}: {strides.shape[1] + 1} columns, expected {NUM_STRIDE_COLUMNS + 1}")
    mean, deviation = strides.mean(0), strides.std(0, ddof=1)
    left, right = mean[LEFT_COLUMNS], mean[[column + 1 for column in LEFT_COLUMNS]]
    return np.concatenate([mean, deviation, deviation / mean, 2 * abs(left - right) / (left + right)])


def targets_by_prefix(classes, subjects):
    """`name=prefix,prefix;...` -> names, and the class index of each subject."""
    names, index_of = [], {}
    for index, group in enumerate(classes.split(";")):
        name, _, prefixes = group.partition("=")
        names.append(name.strip())
        index_of.update((prefix.strip(), index) for prefix in prefixes.split(","))
    prefix = lambda subject: re.match(r"\D*", subject).group()
    unknown = sorted({prefix(subject) for subject in subjects} - set(index_of))
    if unknown:
        raise SystemExit(f"--classes: no class for the subjects called {', '.join(unknown)}")
    return names, {subject: index_of[prefix(subject)] for subject in subjects}


def fit(features, targets):
    model = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression(max_iter=10_000))
    inner = RepeatedStratifiedKFold(n_splits=5, n_repeats=5, random_state=0)
    grid = {"logisticregression__C": PENALTIES}
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        return GridSearchCV(model, grid, cv=inner, scoring="accuracy").fit(features, targets)


def corrected_interval(differences, test_to_train, level=0.95):
    """Mean and t interval corrected for training data that folds share (Nadeau and Bengio 2003)."""
    count = len(differences)
    mean, variance = np.mean(differences), np.var(differences, ddof=1)
    half = stats.t.ppf(0.5 + level / 2, count - 1) * np.sqrt((1 / count + test_to_train) * variance)
    return mean, mean - half, mean + half


def run_accuracies(path, variant, names, tested):
    """(repeat, fold) -> subject accuracy of a run, the mean over its seeds."""
    metrics = json.loads(path.read_text())
    if names and metrics["classes"] != names:
        raise SystemExit(f"{path}: classes are {metrics['classes']}, --classes has {names}")
    known = [entry["variant"] for entry in metrics["variants"]]
    chosen = variant or (known[0] if len(known) == 1 else None)
    if chosen not in known:
        raise SystemExit(f"{path}: choose one of its variants with --variant: {', '.join(known)}")
    by_fold = {}
    for fold in metrics["variants"][known.index(chosen)]["folds"]:
        key = fold["repeat"], fold["fold"]
        if set(fold["subjects"]) != tested.get(key):
            raise SystemExit(f"{path}: repeat {key[0]} fold {key[1]} was not tested on the subjects of the split")
        by_fold.setdefault(key, []).append(fold["metrics"]["subject"]["accuracy"])
    return chosen, {key: np.mean(values) for key, values in by_fold.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("split", type=pathlib.Path, help="split.json of a run")
    parser.add_argument("--raw", type=pathlib.Path, default=pathlib.Path("datasets/gaitndd/raw"))
    parser.add_argument("--classes", help='by id prefix: "control=control;patient=hunt,park,als"')
    parser.add_argument("--out", type=pathlib.Path, help="predictions, one JSON object per line")
    parser.add_argument("--compare", type=pathlib.Path, help="metrics.json of a run on the same split")
    parser.add_argument("--variant", help="variant of that run, where it has several")
    options = parser.parse_args()

    content = json.loads(options.split.read_text())["content"]
    subjects = [subject["id"] for subject in content["subjects"]]
    names, target_of = None, {subject["id"]: subject["class"] for subject in content["subjects"]}
    if options.classes:
        names, target_of = targets_by_prefix(options.classes, subjects)
    clinical = clinical_rows(options.raw)
    features = {
        subject: np.concatenate([stride_statistics(options.raw / f"{subject}.ts"), clinical[subject]])
        for subject in subjects
    }

    # Inner folds share their test subjects, and train and valid together: one fit serves them all.
    splits = {(split["repeat"], split["fold"]): split for split in content["splits"]}
    if options.compare:
        tested = {key: set(split["test"]) for key, split in splits.items()}
        variant, run = run_accuracies(options.compare, options.variant, names, tested)
    accuracy, ratios, lines = {}, [], []
    for (repeat, fold), split in sorted(splits.items()):
        rows = lambda ids: (np.array([features[i] for i in ids]), np.array([target_of[i] for i in ids]))
        model = fit(*rows(split["train"] + split["valid"]))
        test, targets = rows(split["test"])
        probabilities = model.predict_proba(test)
        predicted = model.classes_[probabilities.argmax(1)]
        accuracy[repeat, fold] = np.mean(predicted == targets)
        # As the deep model has it, which learns from the training part only; the interval is the wider for it.
        ratios.append(len(test) / len(split["train"]))
        penalty = model.best_params_["logisticregression__C"]
        print(f"repeat {repeat} fold {fold}: accuracy {accuracy[repeat, fold]:.3f} of {len(test)} subjects, C = {penalty}")
        for subject, target, row in zip(split["test"], targets, probabilities):
            lines.append({"repeat": repeat, "fold": fold, "part": "test", "subject": subject, "target": int(target)})
            lines[-1]["probabilities"] = row.tolist()
    if options.out:
        options.out.write_text("".join(json.dumps(line) + "\n" for line in lines))

    repeats = sorted({repeat for repeat, _ in accuracy})
    means = [np.mean([value for key, value in accuracy.items() if key[0] == repeat]) for repeat in repeats]
    deviation = f" +- {np.std(means, ddof=1):.3f} (standard deviation over {len(means)} repeats)" if means[1:] else ""
    print(f"baseline subject accuracy, mean over folds: {np.mean(means):.3f}{deviation}")

    if options.compare:
        keys = sorted(run)
        for key in keys:
            difference = run[key] - accuracy[key]
            print(f"repeat {key[0]} fold {key[1]}: {variant} {run[key]:.3f}, baseline {accuracy[key]:.3f}, {difference:+.3f}")
        differences = [run[key] - accuracy[key] for key in keys]
        if len(keys) < 2:
            raise SystemExit("one fold has no interval")
        mean, low, high = corrected_interval(differences, np.mean(ratios))
        print(
            f"{variant} minus baseline: {mean:+.3f} (95 % {low:+.3f} to {high:+.3f}), corrected t over {len(keys)} folds, "
            f"n_test/n_train = {np.mean(ratios):.3f}"
        )


if __name__ == "__main__":
    main()
