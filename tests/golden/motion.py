"""Reference for src/features/motion: `python3 motion.py > motion.json`, with NumPy, SciPy and Pillow."""

import importlib.metadata
import json
import sys

import numpy
import scipy.signal
from PIL import Image

SEED, RATE = 11, 50.0
random = numpy.random.default_rng(SEED)


def plain(array):
    return [None if numpy.isnan(x) else float(x) for x in numpy.asarray(array, dtype=float).ravel()]


# Smooth paths of five points with gaps of 1, 5 (the limit of 0.1 s), 6 frames, one at the start, one in one coordinate only.
frames = 80
paths = scipy.signal.sosfiltfilt(scipy.signal.butter(2, 6, fs=RATE, output="sos"), random.normal(0, 40, (frames, 5, 3)), axis=0)
paths += [[0, 0, 900], [200, 0, 850], [220, 30, 450], [230, 20, 80], [0, 40, 1400]]
gaps = paths.copy()
for point, start, length in [(0, 10, 1), (1, 20, 5), (2, 30, 6), (3, 0, 3)]:
    gaps[start:start + length, point] = numpy.nan
gaps[50, 4, 1] = numpy.nan

filled = gaps.copy()
filled[numpy.isnan(filled).any(axis=2)] = numpy.nan
time = numpy.arange(frames)
for point in range(5):
    missing = numpy.isnan(filled[:, point, 0])
    edges = numpy.flatnonzero(numpy.diff(numpy.r_[False, missing, False].astype(int))).reshape(-1, 2)
    for start, stop in edges:
        if start > 0 and stop < frames and (stop - start) / RATE <= 0.1 + 1e-12:
            for axis in range(3):
                known = ~missing
                filled[start:stop, point, axis] = numpy.interp(time[start:stop], time[known], filled[known, point, axis])


def angle(a, vertex, c):
    u, v = paths[:, a] - paths[:, vertex], paths[:, c] - paths[:, vertex]
    dot = (u * v).sum(axis=1) / numpy.linalg.norm(u, axis=1) / numpy.linalg.norm(v, axis=1)
    return numpy.degrees(numpy.arccos(dot))


speed = numpy.linalg.norm(numpy.gradient(paths[:, 3], 1 / RATE, axis=0), axis=1)
jerk = numpy.diff(paths[:, 3], n=3, axis=0) * RATE**3
mean_squared = (jerk**2).sum(axis=1).mean()
duration = (frames - 1) / RATE
dimensionless = mean_squared * duration * duration**3 / speed.max() ** 2

root, top = paths[:, :2].mean(axis=1), paths[:, 4]
torso = numpy.median(numpy.linalg.norm(top - root, axis=1))
normalised = (paths - root[:, None]) / torso

low, high = -0.8, 0.9
image = []
for axis in range(3):
    plane = Image.fromarray(normalised[:, :, axis].T.astype(numpy.float32))
    resized = numpy.asarray(plane.resize((32, 7), Image.Resampling.BILINEAR), dtype=float)
    image.append(numpy.clip((resized - low) / (high - low), 0, 1))

# Walking along (3, 4) / 5: pelvis, heels and toes, with strides that wander, and noise below 6 Hz.
steps = 400
seconds = numpy.arange(steps) / RATE
phase = 2 * numpy.pi * (seconds / 1.12 + 0.03 * numpy.sin(0.9 * seconds))
along = {"pelvis": 1100 * seconds + 20 * numpy.sin(2 * phase)}
for index, side in enumerate(["left", "right"]):
    own = phase - index * (numpy.pi + 0.2)
    along[f"{side}_heel"] = along["pelvis"] + 320 * numpy.cos(own) + 60 * numpy.cos(2 * own + 0.4)
    along[f"{side}_toe"] = along["pelvis"] + 120 + 330 * numpy.cos(own - 0.5) + 70 * numpy.cos(2 * own + 1.0)
names = ["left_heel", "right_heel", "left_toe", "right_toe", "pelvis"]
noise = scipy.signal.sosfiltfilt(scipy.signal.butter(4, 6, fs=RATE, output="sos"), random.normal(0, 6, (steps, 5)), axis=0)
walk = numpy.zeros((steps, 5, 3))
for index, name in enumerate(names):
    walk[:, index, 0], walk[:, index, 1] = 0.6 * (along[name] + noise[:, index]), 0.8 * (along[name] + noise[:, index])
    walk[:, index, 2] = 50 + 10 * index + noise[:, index]
walk = numpy.round(walk, 3)
way = walk[-1, 4, :2] - walk[0, 4, :2]
forward = way / numpy.linalg.norm(way)
ahead = (walk[:, :4, :2] - walk[:, 4:, :2]) @ forward


def events(path):
    return scipy.signal.find_peaks(path, prominence=0.3 * (path.max() - path.min()))[0] / RATE


strikes, offs = [events(ahead[:, i]) for i in (0, 1)], [events(-ahead[:, i]) for i in (2, 3)]
stride = [numpy.diff(times).mean() for times in strikes]
marks = sorted([(t, side) for side in (0, 1) for t in strikes[side]])
step = [numpy.mean([b[0] - a[0] for a, b in zip(marks, marks[1:]) if b[1] == side and a[1] != side]) for side in (0, 1)]
stance = []
for side in (0, 1):
    shares = []
    for a, b in zip(strikes[side], strikes[side][1:]):
        inside = offs[side][(offs[side] > a) & (offs[side] < b)]
        if len(inside):
            shares.append(100 * (inside[0] - a) / (b - a))
    stance.append(numpy.mean(shares))
first, last = marks[0][0], marks[-1][0]
pelvis = walk[:, 4, :2] @ forward
pace = (pelvis[round(last * RATE)] - pelvis[round(first * RATE)]) / (last - first)
unequal = lambda pair: 2 * abs(pair[0] - pair[1]) / sum(pair)

json.dump({
    "versions": {name: importlib.metadata.version(name) for name in ["numpy", "scipy", "pillow"]}, "seed": SEED, "rate_hz": RATE,
    "paths": plain(paths), "gaps": plain(gaps), "filled": plain(filled),
    "angle": plain(angle(1, 2, 3)), "speed": plain(speed), "mean_squared_jerk": mean_squared,
    "log_dimensionless_jerk": -numpy.log(dimensionless), "normalised": plain(normalised),
    "image_range": [low, high], "image": plain(image),
    "walk": plain(walk), "strikes": [list(t) for t in strikes], "offs": [list(t) for t in offs],
    "gait": [*stride, *step, *stance, 120 / sum(step), pace, unequal(step), unequal(stance)],
}, sys.stdout, separators=(",", ":"))
