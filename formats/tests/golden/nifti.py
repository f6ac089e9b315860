"""Reference for src/data/formats/nifti: `python3 nifti.py [FOLDER OF SAMPLES] > nifti.json`; writes ../fixtures/data/nifti.

nibabel writes and reads every type in both byte orders and both versions, affines by sform, qform and sizes alone, scaled
values, films, pairs and compressed files; turns volumes (`as_closest_canonical`), resamples them (`resample_to_output` of
order 1, on data of type f64) and names axes. Points of a resampled grid that lie within 1e-6 voxels of the border of the
old one, where rounding decides, are null. Of the samples (images that nibabel's own tests use) only hashes are kept:
SHA-256 of all values as little-endian f32, columns first. Seed 19.
"""

import gzip
import hashlib
import itertools
import json
import pathlib
import sys

import nibabel
import nibabel.processing
import numpy
import scipy

FIXTURES = pathlib.Path(__file__).parent.parent / "fixtures" / "data" / "nifti"
FIXTURES.mkdir(parents=True, exist_ok=True)
TYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"]
random = numpy.random.default_rng(19)


def rotation(a, b, c):
    out = numpy.eye(3)
    for axis, angle in [(0, a), (1, b), (2, c)]:
        i, j = [k for k in range(3) if k != axis]
        m = numpy.eye(3)
        m[i, i] = m[j, j] = numpy.cos(angle)
        m[i, j], m[j, i] = -numpy.sin(angle), numpy.sin(angle)
        out = out @ m
    return out


def draw(dtype, shape):
    if dtype[0] == "f":
        return random.normal(0, 100, shape).astype(dtype)
    info = numpy.iinfo(dtype)
    data = random.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)
    data.flat[:2] = info.min, info.max
    return data


def flat(array):
    """Columns first."""
    return array.ravel(order="F")


def describe(image, values):
    out = {"shape": list(image.shape), "affine": image.affine[:3].tolist(),
           "axes": "".join(nibabel.aff2axcodes(image.affine))}
    if values:
        out["values"] = [float(numpy.float32(v)) for v in flat(image.get_fdata(dtype=numpy.float64))]
    else:
        out["sha256"] = hashlib.sha256(flat(image.get_fdata()).astype("<f4").tobytes()).hexdigest()
    return out


def write(name, data, order="<", version=1, affine=None, form="sform", slope=None, inter=0, zooms=None, units=("mm", "sec"), qfac=None):
    kind = {1: nibabel.Nifti1Image, 2: nibabel.Nifti2Image}[version]
    header = kind.header_class(endianness=order)
    header.set_data_dtype(data.dtype)
    header.set_data_shape(data.shape)
    header.set_xyzt_units(*units)
    if affine is not None:
        header.set_zooms(list(numpy.sqrt((affine[:3, :3] ** 2).sum(0))) + [1] * (data.ndim - 3))
    if form in ("sform", "both"):
        header.set_sform(affine, 2)
    if form in ("qform", "both"):
        header.set_qform(affine if form == "qform" else numpy.diag([7, 7, 7, 1]), 1)
    if form == "none":
        header["qform_code"] = header["sform_code"] = 0
    if zooms:
        header.set_zooms(zooms)
    if qfac is not None:
        header["pixdim"][0] = qfac
    if slope is not None:
        header["scl_slope"], header["scl_inter"] = slope, inter
    header["vox_offset"] = header.single_vox_offset
    body = data.astype(data.dtype.newbyteorder(order)) if data.dtype.names is None else data
    block = header.binaryblock + b"\0\0\0\0" + flat(body).tobytes()
    if name.endswith("gz"):
        block = gzip.compress(block, mtime=0)
    (FIXTURES / name).write_bytes(block)
    fixtures[name] = None


fixtures = {}
oblique = numpy.eye(4)
oblique[:3, :3] = rotation(0.3, -0.2, 2.5) @ numpy.diag([2, 1.5, 3])
oblique[:3, 3] = -11.5, 20.25, 3
mirrored = oblique.copy()
mirrored[:, 0] *= -1
for index, (dtype, order) in enumerate(itertools.product(TYPES, "<>")):
    scaled = {"slope": 0.25, "inter": -3.5} if index % 3 == 1 else {}
    affine = [oblique, mirrored][index % 2]
    write(f"{dtype}{'le' if order == '<' else 'be'}.nii", draw(dtype, (4, 3, 2)), order, 1, affine,
          ["sform", "qform", "both", "none"][index % 4], **scaled)
write("v2.nii", draw("i2", (4, 3, 2)), "<", 2, mirrored, "qform", slope=1e-3, inter=1e6)
write("v2be.nii.gz", draw("f8", (3, 2, 2, 3)), ">", 2, oblique, "sform", zooms=(2, 1.5, 3, 1.25))
write("film.nii.gz", draw("u2", (5, 4, 3, 2)), "<", 1, oblique, "qform", zooms=(2, 1.5, 3, 2500), units=("mm", "msec"))
write("slice.nii", draw("i2", (6, 5)), "<", 1, None, "none", zooms=(0.5, 0.75))
write("qfac.nii", draw("u1", (3, 3, 3)), "<", 1, oblique, "qform", qfac=0)
write("slope-nan.nii", draw("i2", (3, 2, 2)), ">", 1, oblique, "sform", slope=numpy.nan, inter=5)
# A half turn: the quaternion has no first part.
turn = numpy.diag([-2.0, -2.0, 2.0, 1.0])
write("half-turn.nii", draw("u1", (3, 2, 2)), "<", 1, turn, "qform")
write("colour.nii", numpy.array([tuple(random.integers(0, 256, 3)) for _ in range(24)],
                                dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")]).reshape((4, 3, 2), order="F"), "<", 1, oblique)

pair = nibabel.Nifti1Pair(draw("i2", (4, 3, 2)), oblique)
pair.to_filename(FIXTURES / "pair.hdr")

for name in fixtures:
    image = nibabel.load(FIXTURES / name)
    if name == "colour.nii":
        data = flat(numpy.asanyarray(image.dataobj))
        fixtures[name] = {"shape": list(image.shape), "affine": image.affine[:3].tolist(),
                          "axes": "".join(nibabel.aff2axcodes(image.affine)),
                          "values": [float(v) for v in data.view("u1").reshape(-1, 3).ravel()]}
    else:
        fixtures[name] = describe(image, True)
fixtures["pair.hdr"] = describe(nibabel.load(FIXTURES / "pair.hdr"), True)

# What write_nifti must produce, byte for byte: header fields set one by one, and read again.
values = random.normal(0, 1, (4, 3, 2, 2)).astype("<f4")
values.flat[:5] = numpy.frombuffer(b"\x01\0\0\0" b"\xff\xff\x7f\x7f" b"\0\0\x80\xff" b"\0\0\0\x80" b"\0\0\xc0\x7f", "<f4")
header = nibabel.Nifti1Header(endianness="<")
header.set_data_dtype("f4")
header.set_data_shape(values.shape)
header["pixdim"][0] = 1
header.set_zooms(list(numpy.sqrt((oblique[:3, :3] ** 2).sum(0))) + [1.25])
header.set_sform(oblique, 1)
header["qform_code"] = 0
header.set_xyzt_units("mm", "sec")
header["vox_offset"], header["scl_slope"], header["scl_inter"] = 352, 1, 0
# nibabel's own default, `r`, belongs to ANALYZE.
header["regular"] = b""
(FIXTURES / "written.nii").write_bytes(header.binaryblock + b"\0\0\0\0" + flat(values).tobytes())
written = nibabel.load(FIXTURES / "written.nii")
assert flat(numpy.asanyarray(written.dataobj)).tobytes() == flat(values).tobytes()
assert numpy.array_equal(written.affine, oblique.astype("f4"))
assert written.header.get_zooms()[3] == 1.25 and nibabel.Nifti1Header(header.binaryblock, check=True)

# Turned and resampled.
turned, resampled = [], []
for trial in range(24):
    shape = tuple(random.integers(4, 7, 3) if trial % 6 == 0 else random.integers(2, 5, 3))
    affine = numpy.eye(4)
    axes = random.permutation(3)
    affine[:3, :3] = (rotation(*random.uniform(-0.7, 0.7, 3)) @ numpy.diag(random.uniform(0.5, 3, 3)))[axes] * random.choice([-1, 1], 3)
    affine[:3, :3] += random.normal(0, 0.05, (3, 3))
    affine[:3, 3] = random.uniform(-50, 50, 3)
    data = random.integers(-100, 100, shape).astype("f8")
    image = nibabel.Nifti1Image(data, affine)
    canonical = nibabel.as_closest_canonical(image)
    turned.append({"shape": [int(s) for s in shape], "affine": affine[:3].tolist(), "values": flat(data).tolist(),
                   "axes": "".join(nibabel.aff2axcodes(affine)), "new_shape": list(canonical.shape),
                   "new_affine": canonical.affine[:3].tolist(), "new_values": flat(canonical.get_fdata()).tolist()})
    if trial % 6 == 0:
        sizes = [1.0, 1.0, 1.0] if trial % 12 == 0 else [1.5, 0.75, 2.0]
        new = nibabel.processing.resample_to_output(image, sizes, order=1)
        points = numpy.array(list(itertools.product(*[range(s) for s in new.shape])))
        at = nibabel.affines.apply_affine(numpy.linalg.inv(affine) @ new.affine, points)
        last = numpy.array(shape) - 1
        edge = (numpy.minimum(abs(at), abs(at - last)) < 1e-5).any(axis=1).reshape(new.shape)
        numbers = [None if e else float(v) for e, v in zip(flat(edge), flat(new.get_fdata()))]
        resampled.append({"shape": [int(s) for s in shape], "affine": affine[:3].tolist(), "values": flat(data).tolist(),
                          "voxel_mm": sizes, "new_shape": list(new.shape), "new_affine": new.affine[:3].tolist(),
                          "new_values": numbers})

samples = {}
if len(sys.argv) > 1:
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*.nii*")):
        image = nibabel.load(path)
        if not isinstance(image, nibabel.Cifti2Image):
            samples[path.name] = describe(image, False)
versions = {"nibabel": nibabel.__version__, "numpy": numpy.__version__, "scipy": scipy.__version__}
out = {"versions": versions, "seed": 19, "fixtures": fixtures, "turned": turned, "resampled": resampled, "samples": samples}
json.dump(out, sys.stdout, separators=(",", ":"))
