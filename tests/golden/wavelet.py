"""Reference for src/features/signals/wavelet: `python3 wavelet.py > wavelet.json`. Filters and transforms of PyWavelets."""

import importlib.metadata
import json
import sys

import numpy
import pywt

SEED = 20261125
rng = numpy.random.default_rng(SEED)
noise = rng.standard_normal(101) + numpy.linspace(3, -1, 101)

NAMES = [f"db{n}" for n in range(1, 21)] + [f"sym{n}" for n in range(2, 21)] + [f"coif{n}" for n in range(1, 6)]
filters = {name: pywt.Wavelet(name).rec_lo for name in NAMES}

single = []
for name in ["db1", "db4", "sym5", "coif2"]:
    for mode in pywt.Modes.modes:
        # Shorter than the filter, so that the extension repeats; odd; even.
        for length in [2, 3, 19, 26]:
            low, high = pywt.dwt(noise[:length], name, mode)
            single.append({"wavelet": name, "padding": mode, "length": length, "low": low.tolist(), "high": high.tolist()})


def entropy(parts):
    share = parts / parts.sum()
    return -(share * numpy.log(share)).sum()


low, *details = pywt.wavedec(noise, "sym4", "symmetric", level=3)
bands = details[::-1] + [low]
energies = numpy.array([(band**2).sum() for band in bands])
features = [
    v for band, energy in zip(bands, energies)
    for v in [energy, energy / energies.sum(), entropy(band**2), numpy.abs(band).mean(), band.std()]
] + [entropy(energies)]

levels = [[n, name, pywt.dwt_max_level(n, name)] for n in [1, 2, 7, 13, 14, 100, 1000, 4096] for name in ["db1", "db4", "coif5"]]
versions = {name: importlib.metadata.version(name) for name in ["PyWavelets", "numpy"]}
json.dump({
    "versions": versions, "seed": SEED, "noise": noise.tolist(), "filters": filters, "dwt": single,
    "features": [float(v) for v in features], "max_level": levels,
}, sys.stdout)
