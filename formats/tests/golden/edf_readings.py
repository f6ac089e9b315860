"""Reference for src/data/formats/edf: `python3 edf_readings.py [FOLDER OF SAMPLE DATA] > edf_readings.json`.

What pyedflib (EDFlib) reads: SHA-256 of each signal's physical values as little-endian f32, its first values in f64, and the
first and last annotations. Where it refuses a file, `refused` holds its message, and the values come from a few lines of numpy.
"""

import hashlib
import importlib.metadata
import json
import pathlib
import sys

import numpy
import pyedflib

FIXTURES = pathlib.Path(__file__).parent.parent / "fixtures" / "data" / "edf"


def digest(values):
    sha256 = hashlib.sha256(values.astype("<f4").tobytes()).hexdigest()
    return {"num_samples": len(values), "first": values[:4].tolist(), "sha256": sha256}


def plain(data):
    """The 16-bit signals of a file, its records one after the other; the formula is EDFlib's."""
    count, records, secs = int(data[252:256]), int(data[236:244]), float(data[244:252])
    columns, at = [], 256
    for width in [16, 80, 8, 8, 8, 8, 8, 80, 8, 32]:
        columns.append([data[at + width * i:at + width * (i + 1)].decode("latin-1").strip() for i in range(count)])
        at += width * count
    names, _, units, *limits, _, lengths, _ = columns
    lengths = [int(length) for length in lengths]
    body = numpy.frombuffer(data[at:], "<i2")[:records * sum(lengths)].reshape(records, -1)
    signals, start = [], 0
    for index, length in enumerate(lengths):
        physical_min, physical_max, digital_min, digital_max = (float(column[index]) for column in limits)
        digital = body[:, start:start + length].ravel().astype("f8")
        start += length
        if "Annotations" in names[index]:
            continue
        if physical_min == physical_max or digital_min >= digital_max:
            values, unit = digital, "1"
        else:
            gain = (physical_max - physical_min) / (digital_max - digital_min)
            values, unit = gain * (physical_max / gain - digital_max + digital), units[index] or "1"
        signals.append({"name": names[index], "unit": unit, "rate_hz": length / secs, **digest(values)})
    return signals


def describe(path):
    try:
        file = pyedflib.EdfReader(str(path))
    except OSError as error:
        return {"refused": str(error).split(": ", 1)[1], "signals": plain(path.read_bytes())}
    signals = []
    for index in range(file.signals_in_file):
        values = file.readSignal(index)
        signals.append({
            "name": file.getLabel(index), "unit": file.getPhysicalDimension(index) or "1",
            "rate_hz": file.getSampleFrequency(index), **digest(values),
        })
    onsets, durations, texts = file.readAnnotations()
    marks = [[float(o), None if d < 0 else float(d), str(t)] for o, d, t in zip(onsets, durations, texts)]
    start = file.getStartdatetime().isoformat()
    # Annotations of files that do not call themselves EDF+, which pyedflib takes for samples.
    if any(signal["name"] == "EDF Annotations" for signal in signals):
        signals = [signal for signal in signals if signal["name"] != "EDF Annotations"]
        return {"signals": signals, "num_annotations": None, "annotations": [], "start": start, "record_secs": file.datarecord_duration}
    return {"signals": signals, "num_annotations": len(marks), "annotations": marks[:5] + marks[-5:], "start": start, "record_secs": file.datarecord_duration}


versions = {name: importlib.metadata.version(name) for name in ["pyEDFlib", "numpy"]}
fixtures = {path.name: describe(path) for path in sorted(FIXTURES.glob("*.[eb]df"))}
samples = {}
if len(sys.argv) > 1:
    root = pathlib.Path(sys.argv[1])
    paths = sorted(path for path in root.rglob("*") if path.suffix.lower() in (".edf", ".bdf"))
    samples = {str(path.relative_to(root)): describe(path) for path in paths}
json.dump({"versions": versions, "fixtures": fixtures, "samples": samples}, sys.stdout, indent=1)
