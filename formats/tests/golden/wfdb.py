"""Reference for src/data/formats/wfdb.rs: `python3 wfdb.py [FOLDER OF SAMPLE RECORDS] > wfdb.json`.

What the `wfdb` package of PyPI (by the publishers of the format) reads from the records under tests/fixtures/data and, if
given, from the sample-data folder of its own repository (MIT-LCP/wfdb-python, commit 6850ad1a), of which only hashes are
kept: SHA-256 of all digital values as little-endian i32 and of all physical ones as f32 with NaN as 0x7fc00000, signal by signal.
"""

import hashlib
import importlib.metadata
import json
import pathlib
import sys

# This file has the package's name, and Python looks in a script's own folder first.
sys.path.pop(0)
import numpy
import wfdb

FIXTURES = pathlib.Path(__file__).parent.parent / "fixtures" / "data"
SAMPLES = [
    "100", "100_3chan", "3000003_0003", "100-no-len", "s0010_re", "test01_00s",
    "multi-segment/fixed1/v102s_1", "multi-segment/p000878/3269321_0001", "multi-segment/s25047/3234460_0014",
]


def digest(array, dtype):
    return hashlib.sha256(numpy.ascontiguousarray(array.T.astype(dtype)).tobytes()).hexdigest()


def describe(path, full):
    digital, physical = wfdb.rdrecord(path, physical=False), wfdb.rdrecord(path, physical=True)
    values = physical.p_signal.astype("<f4")
    values[numpy.isnan(values)] = numpy.frombuffer(b"\0\0\xc0\x7f", "<f4")[0]
    out = {
        "rate_hz": digital.fs, "names": digital.sig_name, "units": digital.units, "formats": digital.fmt,
        "num_samples": digital.sig_len, "num_missing": int(numpy.isnan(values).sum()),
        "digital_sha256": digest(digital.d_signal, "<i4"), "physical_sha256": digest(values, "<f4"),
    }
    if full:
        out["digital"] = digital.d_signal.T.tolist()
        out["physical"] = [[None if numpy.isnan(v) else v for v in s] for s in physical.p_signal.T.tolist()]
    return out


versions = {name: importlib.metadata.version(name) for name in ["wfdb", "numpy"]}
fixtures = {f"formats/f{fmt}": describe(str(FIXTURES / "formats" / f"f{fmt}"), True) for fmt in [16, 24, 32, 80, 212]}
samples = {}
if len(sys.argv) > 1:
    root = pathlib.Path(sys.argv[1])
    samples = {name: describe(str(root / name), False) for name in SAMPLES}
json.dump({"versions": versions, "fixtures": fixtures, "samples": samples}, sys.stdout, indent=1)
