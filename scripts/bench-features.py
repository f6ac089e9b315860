#!/usr/bin/env python3
"""Times every kind of signal feature on the force recordings of gaitndd against SciPy and PyWavelets, in one run.

    python3 scripts/bench-features.py [--recoup target/release/recoup] [--rounds 5] [--out FILE.json]

Needs numpy, scipy, PyWavelets and pyarrow (tests/golden/requirements.txt), and the data: `recoup data fetch gaitndd`.
Both sides read the same prepared table, use two processes or threads, are timed without reading and writing, and take
turns; the peer works on all windows of a recording at once, as one would in NumPy. What both compute is compared first.
"""

import argparse
import json
import multiprocessing
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"  # two processes are the two threads

import numpy as np
import pyarrow.parquet
import pywt
import scipy
from scipy import signal

ROOT = pathlib.Path(__file__).resolve().parent.parent
EXPERIMENT = ROOT / "benches/features/gaitndd.toml"
RATE, WINDOW, STRIDE = 100.0, 1000, 500
THRESHOLD = 1.0
BANDS = {"fast": (10.0, 40.0), "middle": (3.0, 10.0), "slow": (0.5, 3.0)}
STFT_BANDS = {"fast": (10.0, 40.0), "slow": (1.0, 3.0)}
FILTER = signal.butter(4, (0.5, 45.0), "bandpass", fs=RATE, output="sos")
ENVELOPE = signal.butter(4, 6.0, "low", fs=RATE, output="sos")


def trapezoid(density, frequencies, band):
    inside = (frequencies >= band[0]) & (frequencies <= band[1])
    return np.trapezoid(density[..., inside], frequencies[inside], axis=-1)


def statistics_of(x):
    mean = x.mean(-1)
    centred = x - mean[..., None]
    second = (centred**2).mean(-1)
    dx, ddx = np.diff(x), np.diff(x, 2)
    mobility = np.sqrt(dx.var(-1) / second)
    quantiles = np.quantile(x, [0, 1, 0.5, 0.05, 0.25, 0.75, 0.95], axis=-1)
    low, high, median = quantiles[:3]
    return [mean, second, np.sqrt(second), (centred**3).mean(-1) / second**1.5, (centred**4).mean(-1) / second**2 - 3,
            low, high, high - low, median, *quantiles[3:], np.sqrt((x**2).mean(-1)), np.abs(dx).sum(-1), mobility,
            np.sqrt(ddx.var(-1) / dx.var(-1)) / mobility]


def emg_of(x):
    dx = np.diff(x)
    before, after = x[..., 1:-1] - x[..., :-2], x[..., 1:-1] - x[..., 2:]
    envelope = signal.sosfiltfilt(ENVELOPE, np.abs(x))
    f, density = signal.welch(x, RATE, nperseg=200)
    inside = (f >= 1.0) & (f <= 45.0)
    f, density = f[inside], density[..., inside]
    total = density.sum(-1)
    half = (density.cumsum(-1) >= 0.5 * total[..., None]).argmax(-1)
    return [np.sqrt((x**2).mean(-1)), np.abs(x).mean(-1), np.abs(x).sum(-1) / RATE, x.var(-1, ddof=1), np.abs(dx).sum(-1),
            ((x[..., 1:] * x[..., :-1] < 0) & (np.abs(dx) >= THRESHOLD)).sum(-1),
            ((before * after > 0) & ((np.abs(before) >= THRESHOLD) | (np.abs(after) >= THRESHOLD))).sum(-1),
            (np.abs(dx) >= THRESHOLD).sum(-1), envelope.mean(-1), envelope.max(-1), (density * f).sum(-1) / total, f[half],
            f[density.argmax(-1)]]


def welch_of(x):
    f, density = signal.welch(x, RATE, nperseg=200)
    total = np.trapezoid(density, f, axis=-1)
    powers = [trapezoid(density, f, BANDS[name]) for name in sorted(BANDS)]
    out = [value for power in powers for value in (power, power / total)]
    f, density = f[1:], density[..., 1:]
    shares = density / density.sum(-1, keepdims=True)
    edges = [f[(shares.cumsum(-1) >= share).argmax(-1)] for share in (0.5, 0.95)]
    entropy = -(shares * np.log(shares)).sum(-1) / np.log(f.size)
    return [*out, f[density.argmax(-1)], (shares * f).sum(-1), *edges, entropy]


def stft_of(x):
    frames = np.lib.stride_tricks.sliding_window_view(x, 100, -1)[..., ::50, :]
    window = signal.get_window("hann", 100)
    power = np.abs(np.fft.rfft(frames * window)) ** 2 / (RATE * (window**2).sum())
    power[..., 1:-1] *= 2
    f = np.fft.rfftfreq(100, 1 / RATE)
    out = []
    for name in sorted(STFT_BANDS):
        course = 10 * np.log10(np.maximum(trapezoid(power, f, STFT_BANDS[name]), 1e-20))
        t = np.arange(course.shape[-1]) * 0.5
        t = t - t.mean()
        out += [course.mean(-1), course.std(-1), (course * t).sum(-1) / (t**2).sum()]
    return out


def wavelet_of(x):
    approximation, *details = pywt.wavedec(x, "db4", "symmetric", level=5)
    bands = [*details[::-1], approximation]
    energies = np.stack([(band**2).sum(-1) for band in bands])
    shares = energies / energies.sum(0)
    out = []
    for band, energy, share in zip(bands, energies, shares):
        p = band**2 / energy[..., None]
        out += [energy, share, -np.where(p > 0, p * np.log(np.where(p > 0, p, 1)), 0).sum(-1), np.abs(band).mean(-1), band.std(-1)]
    return [*out, -(shares * np.log(shares)).sum(0)]


def features_of(recording):
    """`[windows, channels * features]` in the order of recoup's columns: by kind, then channel, then feature."""
    filtered = signal.sosfiltfilt(FILTER, recording.astype(np.float64).T)
    windows = np.lib.stride_tricks.sliding_window_view(filtered, WINDOW, -1)[:, ::STRIDE]
    kinds = [np.stack(kind(windows), -1) for kind in (statistics_of, emg_of, welch_of, stft_of, wavelet_of)]
    return np.concatenate([np.concatenate(list(kind), -1) for kind in kinds], -1)


def recordings():
    """The force recordings as recoup prepared them: memory-mapped `[samples, 2]`, in the order of the table's rows."""
    for index in (ROOT / "datasets/gaitndd/prepared").glob("*/index.json"):
        prepared = json.loads(index.read_text())
        modality = [spec["name"] for spec in prepared["modalities"]].index("force")
        table = np.memmap(index.parent / f"{modality}.f32", "<f4", "r").reshape(-1, 2)
        rows = [session["rows"][modality] for subject in prepared["subjects"] for session in subject["sessions"]]
        return [np.array(table[r["start"]:r["start"] + r["count"]]) for r in rows]
    sys.exit("no prepared data: run `recoup data fetch gaitndd` and `recoup data prepare gaitndd`")


def run_recoup(binary, out):
    command = [binary, "features", "--quiet", str(EXPERIMENT), "--out", str(out)]
    text = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return float(re.search(r"computed in ([0-9.]+) s", text)[1])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--recoup", default=str(ROOT / "target/release/recoup"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=pathlib.Path)
    options = parser.parse_args()
    times = {"recoup": [], "peer": []}
    with tempfile.TemporaryDirectory() as folder, multiprocessing.Pool(2) as pool:
        out = pathlib.Path(folder) / "features.parquet"
        run_recoup(options.recoup, out)
        data = recordings()
        peer = np.concatenate(pool.map(features_of, data, chunksize=4))
        table = pyarrow.parquet.read_table(out)
        columns = table.column_names[3:]
        ours = np.stack([table[name].to_numpy() for name in columns], -1)
        if ours.shape != peer.shape:
            sys.exit(f"recoup has {ours.shape}, the peer {peer.shape}")
        scale = np.maximum(np.abs(peer).max(0), 1e-300)
        difference = np.abs(ours - peer).max(0) / scale
        worst = int(difference.argmax())
        print(f"{ours.shape[0]} windows, {ours.shape[1]} features; largest difference {difference[worst]:.1e} of the largest "
              f"value, in {columns[worst]}")
        if not difference[worst] < 1e-6:
            sys.exit("the two do not compute the same: " + ", ".join(np.array(columns)[~(difference < 1e-6)]))
        for _ in range(options.rounds):
            times["recoup"].append(run_recoup(options.recoup, out))
            start = time.perf_counter()
            pool.map(features_of, data, chunksize=4)
            times["peer"].append(time.perf_counter() - start)
    best = {name: min(values) for name, values in times.items()}
    ratio = statistics.median(b / a for a, b in zip(times["recoup"], times["peer"]))
    print(f"recoup {best['recoup']:.2f} s, NumPy/SciPy/PyWavelets {best['peer']:.2f} s: {ratio:.1f} times (median of "
          f"{options.rounds} rounds in turns)")
    if options.out:
        versions = {"numpy": np.__version__, "scipy": scipy.__version__, "PyWavelets": pywt.__version__}
        document = {"seconds": times, "median_ratio": ratio, "largest_relative_difference": difference[worst],
                    "windows": ours.shape[0], "features": ours.shape[1], "versions": versions,
                    "load_before": os.getloadavg()[0], "cores": os.cpu_count()}
        options.out.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
