"""Reference for src/data/formats/wfdb: `python3 wfdb_complete.py [FOLDER OF SAMPLE RECORDS] > wfdb_complete.json`.

What the `wfdb` package of PyPI reads from the records under tests/fixtures/data/wfdb and, if given, from the sample-data folder
of its own repository (MIT-LCP/wfdb-python, commit 6850ad1a). Per signal: name, unit, rate, and SHA-256 of the physical
values as little-endian f32 with NaN as 0x7fc00000; of the short fixtures of one segment also all digital values. Of annotation
files: times, symbols, subtypes, channels, numbers and texts, for samples as SHA-256 of one line each. A record
that the package cannot read has its error instead.
"""

import hashlib
import importlib.metadata
import json
import pathlib
import sys

# A file in this folder has the package's name, and Python looks in a script's own folder first.
sys.path.pop(0)
import numpy
import wfdb

FIXTURES = pathlib.Path(__file__).parent.parent / "fixtures" / "data" / "wfdb"
# The package looks for a native type of samples that are stored high byte first and does not find it.
convert_dtype = wfdb.Record.convert_dtype
wfdb.Record.convert_dtype = lambda self, physical, *rest: convert_dtype(self, physical, *rest) if physical else None


def digest(data):
    return hashlib.sha256(data).hexdigest()


def physical_bytes(values):
    values = values.astype("<f4")
    values[numpy.isnan(values)] = numpy.frombuffer(b"\0\0\xc0\x7f", "<f4")[0]
    return values.tobytes()


def describe(path, full):
    try:
        physical = wfdb.rdrecord(path, physical=True, smooth_frames=False)
    except Exception as error:
        return {"error": type(error).__name__}
    spf = physical.samps_per_frame
    out = {
        "rates_hz": [physical.fs * (n or 1) for n in spf], "names": physical.sig_name, "units": physical.units,
        "lengths": [len(s) for s in physical.e_p_signal],
        "num_missing": [int(numpy.isnan(s).sum()) for s in physical.e_p_signal],
        "sha256": [digest(physical_bytes(s)) for s in physical.e_p_signal], "comments": physical.comments,
    }
    if full:
        digital = wfdb.rdrecord(path, physical=False, smooth_frames=False)
        out["digital"] = [s.tolist() for s in digital.e_d_signal]
    return out


def annotations(path, full):
    record, extension = str(path.with_suffix("")), path.suffix[1:]
    try:
        found = wfdb.rdann(record, extension)
    except Exception as error:
        return {"error": type(error).__name__}
    rows = [
        [int(t), s, int(sub), int(c), int(n), a.rstrip("\0")]
        for t, s, sub, c, n, a in zip(found.sample, found.symbol, found.subtype, found.chan, found.num, found.aux_note)
    ]
    lines = "".join("\t".join(map(str, row)) + "\n" for row in rows)
    out = {"rate_hz": found.fs, "count": len(rows), "sha256": digest(lines.encode())}
    return out | ({"rows": rows} if full else {})


versions = {name: importlib.metadata.version(name) for name in ["wfdb", "numpy", "soundfile"]}
root = FIXTURES
records = {p.stem: describe(str(p.with_suffix("")), p.stem not in ("fixed", "variable", "flacmodes")) for p in sorted(root.glob("*.hea"))}
marks = {p.name: annotations(p, True) for p in [root / "frames.atr", root / "frames.own"]}
samples, sample_marks = {}, {}
if len(sys.argv) > 1:
    root = pathlib.Path(sys.argv[1])
    for path in sorted(root.rglob("*.hea")):
        name = str(path.with_suffix("").relative_to(root))
        samples[name] = describe(str(path.with_suffix("")), False)
    known = {".hea", ".dat", ".mat", ".edf", ".xyz"}
    for path in sorted(root.rglob("*.*")):
        if path.suffix not in known and not path.suffix[1:].startswith("d"):
            sample_marks[str(path.relative_to(root))] = annotations(path, False)
json.dump(
    {"versions": versions, "records": records, "marks": marks, "samples": samples, "sample_marks": sample_marks},
    sys.stdout, indent=1,
)
