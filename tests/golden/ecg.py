"""Reference for src/features/heart/ecg.rs: `python3 ecg.py FOLDER > ecg.json`, with the folder of record 100.

Record 100 of the MIT-BIH Arrhythmia Database (Moody and Mark 2001; PhysioNet, ODC-BY 1.0), from the sample-data folder of
MIT-LCP/wfdb-python: the first minute of its first lead, as differences of digital values, and the beats that its annotators
marked, as read by the `wfdb` package, as differences of sample numbers.
"""

import importlib.metadata
import json
import pathlib
import sys

# A script of this folder has the package's name, and Python looks in a script's own folder first.
sys.path.pop(0)
import numpy
import wfdb

BEATS = set("NLRBAaJSVrFejnE/fQ?")
path = str(pathlib.Path(sys.argv[1]) / "100")
record = wfdb.rdrecord(path, physical=False)
annotation = wfdb.rdann(path, "atr")
beats = numpy.array([at for at, symbol in zip(annotation.sample, annotation.symbol) if symbol in BEATS])
lead = record.d_signal[:60 * record.fs, 0]
json.dump({
    "versions": {name: importlib.metadata.version(name) for name in ["wfdb", "numpy"]},
    "rate_hz": record.fs,
    "lead_differences": numpy.diff(lead, prepend=0).tolist(),
    "beat_differences": numpy.diff(beats, prepend=0).tolist(),
}, sys.stdout, separators=(",", ":"))
