"""Reference for src/data/formats/c3d: `python3 c3d.py [FOLDER OF SAMPLES] > c3d.json`.

What the `ezc3d` package of PyPI reads from the fixtures under tests/fixtures/data/motion (all values), and from the samples of c3d.org
(per file: sums, sums of absolute values, number of missing values, a few values).

Three things in which ezc3d is not followed: it does not read SGI files, for which the PC file of the same trial stands; it takes points whose
fourth number is 65535 (a negative word) for seen, at (0, 0, 0); and for force plates of type 3 with a positive z of the origin it
turns x and y round as well, which mirrors the centre of pressure away from the feet, so that here z is negated before it computes.
"""

import importlib.metadata
import json
import pathlib
import struct
import sys
import tempfile

# This file could have the name of a package, and Python looks in a script's own folder first.
sys.path.pop(0)
import ezc3d
import numpy

FIXTURES = pathlib.Path(__file__).parent.parent / "fixtures" / "data" / "motion"


def rounded(x):
    """Ten digits, more than f32 has."""
    return None if numpy.isnan(x) else float(f"{x:.10g}")


def load(path):
    file = ezc3d.c3d(str(path))
    platform = file["parameters"].get("FORCE_PLATFORM", {})
    if "USED" not in platform or not platform["USED"]["value"][0]:
        return file, []
    data = pathlib.Path(path).read_bytes()
    for kind, origin in zip(platform["TYPE"]["value"], platform["ORIGIN"]["value"].T):
        if kind == 3 and origin[2] > 0:
            turned = struct.pack("<3f", *(origin * [1, 1, -1]))
            data = data.replace(struct.pack("<3f", *origin), turned)
    with tempfile.NamedTemporaryFile(suffix=".c3d") as copy:
        pathlib.Path(copy.name).write_bytes(data)
        return file, ezc3d.c3d(copy.name, extract_forceplat_data=True)["data"]["platform"]


def arrays(path):
    file, plates = load(path)
    points = file["data"]["points"][:3].transpose(2, 1, 0).copy()
    points[(points == 0).all(axis=2)] = numpy.nan
    channels = [numpy.concatenate([plate["force"], plate["moment"], plate["center_of_pressure"]]) for plate in plates]
    plates = numpy.concatenate(channels) if channels else numpy.zeros((0, 0))
    plates[~numpy.isfinite(plates)] = numpy.nan
    return file, points, file["data"]["analogs"][0], plates


def strings(file, group, name):
    parameters = file["parameters"][group]
    out = list(parameters[name]["value"])
    number = 2
    while f"{name}{number}" in parameters:
        out += list(parameters[f"{name}{number}"]["value"])
        number += 1
    return [text.strip() for text in out]


def head(path):
    file, points, analog, plates = arrays(path)
    used = len(analog)
    return points, analog, plates, {
        "rate_hz": file["header"]["points"]["frame_rate"],
        "points": strings(file, "POINT", "LABELS")[:points.shape[1]],
        "channels": strings(file, "ANALOG", "LABELS")[:used],
        "units": strings(file, "ANALOG", "UNITS")[:used],
        "analog_hz": file["header"]["analogs"]["frame_rate"],
    }


def full(path):
    points, analog, plates, out = head(path)
    values = lambda array: [rounded(x) for x in array.ravel()]
    return out | {
        "frames": len(points), "positions": values(points), "analog": values(analog),
        "plates": values(plates),
    }


def short(path):
    points, analog, plates, out = head(path)

    def sums(array):
        return {
            "num_missing": int(numpy.isnan(array).sum()), "sum": rounded(numpy.nansum(array)),
            "absolute": rounded(numpy.nansum(numpy.abs(array))),
            "some": [rounded(x) for x in array[:: max(1, array.size // 3)]],
        }

    return out | {
        "frames": len(points), "positions": [sums(points[:, :, axis].ravel()) for axis in range(3)],
        "analog": [sums(row) for row in analog], "plates": [sums(row) for row in plates],
    }


fixtures = {name: full(FIXTURES / f"{name}.c3d") for name in ["eb015pr", "plates", "many", "written"]}
samples = {}
if len(sys.argv) > 1:
    root = pathlib.Path(sys.argv[1])
    for path in sorted(root.glob("*/*.c3d")):
        twin = str(path).replace("015s", "015p").replace("sgi_", "pc_")
        samples[str(path.relative_to(root))] = short(twin)
versions = {name: importlib.metadata.version(name) for name in ["ezc3d", "numpy"]}
json.dump({"versions": versions, "fixtures": fixtures, "samples": samples}, sys.stdout, separators=(",", ":"))
