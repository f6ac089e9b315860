"""What the libraries of the formats read from the simulated cohort, by hand as

    recoup data simulate --out DIR --layout laboratory --set num_subjects=12
    python3 simulate_files.py DIR > simulate_files.json

Hashes are of the values as little-endian float32 (NaN as 7fc00000), patient after patient.
"""

import hashlib
import json
import pathlib
import sys

import ezc3d
import nibabel
import numpy
import pyarrow
import pyarrow.parquet
import pyedflib

raw = pathlib.Path(sys.argv[1]) / "raw"


def exact(values):
    """The values as float32, which must hold them exactly."""
    values = numpy.asarray(values, dtype=numpy.float64)
    single = values.astype("<f4")
    assert numpy.array_equal(single.astype(numpy.float64), values, equal_nan=True)
    single[numpy.isnan(single)] = numpy.float32("nan")
    return single


def reading(channels, units, rate_hz, values, files=None):
    return {
        "channels": channels,
        "units": units,
        "rate_hz": rate_hz,
        "patients": len(values),
        "values_sha256": hashlib.sha256(b"".join(value.tobytes() for value in values)).hexdigest(),
        "files_sha256": files and hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest(),
    }


def same(headers):
    assert all(header == headers[0] for header in headers), headers
    return headers[0]


def c3d(folder):
    files = sorted(folder.iterdir())
    opened = [ezc3d.c3d(str(path)) for path in files]
    analog = [file["parameters"]["ANALOG"] for file in opened]
    headers = [(a["LABELS"]["value"], a["UNITS"]["value"], float(a["RATE"]["value"][0])) for a in analog]
    for file in opened:
        assert file["header"]["points"]["size"] == 0 and file["header"]["analogs"]["size"] == 2
    values = [exact(file["data"]["analogs"][0].T) for file in opened]
    return reading(*same(headers), values, files)


def edf(folder):
    files, headers, values = sorted(folder.iterdir()), [], []
    for path in files:
        with pyedflib.EdfReader(str(path)) as file:
            signals = range(file.signals_in_file)
            units = [file.getPhysicalDimension(signal) for signal in signals]
            headers.append((file.getSignalLabels(), units, same([file.getSampleFrequency(s) for s in signals])))
            assert file.getPatientCode() == path.stem
            values.append(exact(numpy.stack([file.readSignal(signal) for signal in signals], axis=1)))
    return reading(*same(headers), values, files)


def nifti(folder):
    files, values = sorted(folder.iterdir()), []
    for path in files:
        file = nibabel.load(path)
        assert file.shape == (24, 24, 1) and file.get_data_dtype() == numpy.float32
        assert numpy.array_equal(file.affine, numpy.eye(4))
        # The first axis of NIfTI runs along a line.
        values.append(exact(file.get_fdata()[:, :, 0].T))
    return reading([], [], None, values, files)


def parquet(path):
    table = pyarrow.parquet.read_table(path)
    names = table.column_names[1:]
    assert table.column_names[0] == "patient" and table["patient"].to_pylist() == sorted(table["patient"].to_pylist())
    units = json.loads(table.schema.metadata[b"recoup.units"])
    values = list(exact(numpy.stack([table[name].to_numpy() for name in names], axis=1)))
    return reading(names, [units[name] for name in names], None, values)


modalities = {
    "clinical": parquet(raw / "clinical.parquet"),
    "scales": parquet(raw / "scales.parquet"),
    "emg": c3d(raw / "emg"),
    "force": edf(raw / "force"),
    "motion": nifti(raw / "motion"),
}
versions = {
    "ezc3d": ezc3d.__version__,
    "nibabel": nibabel.__version__,
    "numpy": numpy.__version__,
    "pyarrow": pyarrow.__version__,
    "pyedflib": pyedflib.__version__,
}
num_subjects = len((raw / "patients.csv").read_text().splitlines()) - 1
json.dump({"versions": versions, "num_subjects": num_subjects, "modalities": modalities}, sys.stdout, indent=1)
print()
