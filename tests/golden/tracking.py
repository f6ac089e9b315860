"""Makes tracking.json: histograms by TensorBoard's own summary function, PR curves by their definition.

(TensorBoard's function for PR curves needs TensorFlow. As there, score and threshold are compared after multiplying by
num_thresholds - 1 in float32, so that a score of 0.7 reaches the threshold 7/10.)

usage: python tracking.py > tracking.json      (needs tests/python/requirements.txt)
"""

import json
from importlib.metadata import version

import numpy as np
from tensorboard.plugins.histogram import summary_v2 as histogram_summary
from tensorboard.util import tensor_util

SEED = 7


def tensor(summary):
    return tensor_util.make_ndarray(summary.value[0].tensor).astype(float).tolist()


def histogram(values, buckets):
    return {
        "values": values.astype(float).tolist(),
        "buckets": buckets,
        "expected": tensor(histogram_summary.histogram_pb("h", values, buckets=buckets)),
    }


def pr_curve(labels, scores, num_thresholds):
    scaled = scores * np.float32(num_thresholds - 1)
    rows = []
    for threshold in range(num_thresholds):
        predicted = scaled >= threshold
        hits, false_alarms = np.sum(predicted & labels), np.sum(predicted & ~labels)
        misses, rejections = np.sum(~predicted & labels), np.sum(~predicted & ~labels)
        precision = hits / max(1e-7, hits + false_alarms)
        recall = hits / max(1e-7, hits + misses)
        rows.append([hits, false_alarms, rejections, misses, precision, recall])
    return {
        "labels": labels.tolist(),
        "scores": scores.astype(float).tolist(),
        "num_thresholds": num_thresholds,
        "expected": np.array(rows, dtype=np.float32).T.astype(float).tolist(),
    }


random = np.random.default_rng(SEED)
print(
    json.dumps(
        {
            "versions": {name: version(name) for name in ("tensorboard", "numpy")},
            "seed": SEED,
            "histograms": [
                histogram(random.normal(size=60).astype(np.float32), 30),
                histogram(random.integers(-5, 6, size=50).astype(np.float32), 10),
                histogram(np.full(7, 2.5, dtype=np.float32), 30),
            ],
            "pr_curves": [
                pr_curve(random.random(80) < 0.3, random.random(80).astype(np.float32), 31),
                pr_curve(random.random(40) < 0.5, (random.integers(0, 11, size=40) / 10).astype(np.float32), 11),
                pr_curve(np.zeros(5, dtype=bool), np.array([0, 0.25, 0.5, 0.75, 1], dtype=np.float32), 5),
            ],
        }
    )
)
