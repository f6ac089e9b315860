"""Reference for src/data/formats/dicom: `python3 dicom_readings.py [FOLDER OF SAMPLE DATA] > dicom_readings.json`.

What pydicom reads, put into the layout [frame, plane, line, column]: SHA-256 of all values as little-endian f32 after slope and
intercept in f64 (colours as shares of the largest value, palettes applied, doses scaled), and some values spread over the image,
which lossy JPEG is compared by. Affines are nibabel's in RAS+, with its first two columns swapped (its arrays are
[line, column]) and its third turned (it goes against the normal of the slice). `refused` is what the reader's message must hold where the file has nothing that it reads. `deidentified` is what pydicom
finds in the file that `deidentify` wrote, and every text of the original.
"""

import gzip
import hashlib
import importlib.metadata
import io
import json
import pathlib
import sys
import warnings

import nibabel.nicom.dicomwrappers
import numpy
import pydicom
import pydicom.pixels
import pydicom.waveforms

warnings.simplefilter("ignore")
FIXTURES = pathlib.Path(__file__).parent.parent / "fixtures" / "data" / "dicom"
RAS = numpy.diag([-1, -1, 1, 1])
# Samples that pydicom reads as other things than they say, or not at all.
BY_HAND = {
    "badVR.dcm": "NumberOfFrames", "MR_truncated.dcm": "8130 bytes", "rtplan_truncated.dcm": "damaged or cut off",
    "JPEG-lossy.dcm": "SamplePrecision(12)", "JPGExtended.dcm": "SamplePrecision(12)",
    "meta_missing_tsyntax.dcm": "the first element of a data set", "nested_priv_SQ.dcm": "BitsAllocated",
    "no_meta.dcm": "the first element of a data set",
}
PACKED = {".4.80": "JPEG-LS Lossless", ".4.81": "JPEG-LS Near-Lossless", ".4.90": "JPEG 2000 Lossless", ".4.91": "JPEG 2000"}


def digest(values):
    values = numpy.ascontiguousarray(values, "<f4")
    flat = values.ravel()
    at = numpy.linspace(0, flat.size - 1, min(flat.size, 60)).astype(int)
    # As text with the nine digits that tell every f32 apart.
    return {"sha256": hashlib.sha256(values.tobytes()).hexdigest(), "at": at.tolist(), "values": [float(f"{v:.9g}") for v in flat[at]]}


def in_space(ds, pixels):
    """The frames in ascending order along the normal of their slices; all at one time."""
    groups = ds.get("PerFrameFunctionalGroupsSequence", [])
    if len(pixels) > 1 and "GridFrameOffsetVector" in ds:
        heights = numpy.array(ds.GridFrameOffsetVector, "f8")
    elif len(pixels) > 1 and groups and "PlanePositionSequence" in groups[0]:
        places = [groups[0], ds.SharedFunctionalGroupsSequence[0]]
        directions = [p.PlaneOrientationSequence[0].ImageOrientationPatient for p in places if "PlaneOrientationSequence" in p]
        normal = numpy.cross(*numpy.array(directions[0], "f8").reshape(2, 3))
        heights = numpy.array([g.PlanePositionSequence[0].ImagePositionPatient for g in groups], "f8") @ normal
    else:
        return pixels
    return pixels[numpy.argsort(heights, kind="stable")]


def image(ds):
    syntax = ds.file_meta.TransferSyntaxUID
    pixels = pydicom.pixels.pixel_array(ds)
    if not ds.get("NumberOfFrames") or ds.NumberOfFrames == 1:
        pixels = pixels.reshape(ds.Rows, ds.Columns, -1)[None]
    pixels = pixels.reshape(len(pixels), ds.Rows, ds.Columns, -1)
    if ds.PhotometricInterpretation == "PALETTE COLOR":
        pixels = pydicom.pixels.apply_color_lut(pixels[..., 0], ds) / 65535
    elif ds.SamplesPerPixel == 3:
        pixels = pixels.astype("f8") / (2**ds.BitsStored - 1)
    elif "ModalityLUTSequence" in ds:
        pixels = pydicom.pixels.apply_modality_lut(pixels, ds)
    else:
        pixels = pixels.astype("f8")
        for index, frame in enumerate(pixels):
            place = ds
            if "PerFrameFunctionalGroupsSequence" in ds and "PixelValueTransformationSequence" in ds.PerFrameFunctionalGroupsSequence[index]:
                place = ds.PerFrameFunctionalGroupsSequence[index].PixelValueTransformationSequence[0]
            slope, intercept = float(place.get("RescaleSlope", 1)), float(place.get("RescaleIntercept", 0))
            if "DoseGridScaling" in ds:
                slope, intercept = float(ds.DoseGridScaling), 0
            frame[:] = frame * slope + intercept
    pixels = in_space(ds, pixels)
    out = {"shape": list(pixels.transpose(0, 3, 1, 2).shape), "lossy": syntax.name.startswith("JPEG Baseline")}
    out.update(digest(pixels.transpose(0, 3, 1, 2)))
    if len(pixels) == 1:
        try:
            wrapper = nibabel.nicom.dicomwrappers.wrapper_from_data(ds)
            if not wrapper.is_mosaic:
                out["affine"] = (RAS @ wrapper.affine * [1, 1, -1, 1])[:3, [1, 0, 2, 3]].tolist()
        except (nibabel.nicom.dicomwrappers.WrapperError, AttributeError, TypeError, KeyError):
            pass
    return out


def waveform(ds):
    channels = []
    for index, group in enumerate(ds.WaveformSequence):
        physical = pydicom.waveforms.multiplex_array(ds, index, as_raw=False)
        raw = pydicom.waveforms.multiplex_array(ds, index, as_raw=True)
        if "WaveformPaddingValue" in group:
            physical[raw == numpy.frombuffer(group.WaveformPaddingValue, "<i2")[0]] = numpy.nan
        for channel, values in zip(group.ChannelDefinitionSequence, physical.T):
            values = values[~numpy.isnan(values)]
            units = channel.ChannelSensitivityUnitsSequence[0].CodeValue if "ChannelSensitivity" in channel else "1"
            name = channel.get("ChannelLabel") or channel.ChannelSourceSequence[0].CodeMeaning
            channels.append({"name": name if index == 0 else f"{group.MultiplexGroupLabel}: {name}", "unit": units,
                             "rate_hz": float(group.SamplingFrequency), "num_values": len(values), **digest(values)})
    return channels


def describe(path):
    data = path.read_bytes()
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    if path.name in BY_HAND:
        return {"refused": BY_HAND[path.name]}
    ds = pydicom.dcmread(io.BytesIO(data), force=True)
    syntax = str(ds.file_meta.get("TransferSyntaxUID", ""))
    if "WaveformSequence" in ds:
        return {"waveform": waveform(ds)}
    if "PixelData" not in ds:
        return {"refused": "neither"}
    packed = PACKED.get(syntax.removeprefix("1.2.840.10008.1.2"))
    if packed:
        return {"refused": f"transfer syntax: found {packed} ({syntax})"}
    try:
        return {"image": image(ds)}
    except RuntimeError:
        # JPEG lossless, which pydicom needs a plugin for.
        return {"unread": syntax}


def texts(ds):
    """Every text of a data set that could tell who it is from; times of day stay with shifted dates."""
    out = set()
    for element in ds.iterall():
        if element.VR in ("SQ", "OB", "OW", "US", "SS"):
            continue
        values = element.value if isinstance(element.value, (list, pydicom.multival.MultiValue)) else [element.value]
        keep = element.tag in (0x00080060, 0x00080070, 0x00280004, 0x00280100) or element.VR in ("CS", "DS", "IS", "AS", "TM")
        standard = element.VR == "UI" and str(element.value).startswith("1.2.840.10008.")
        if not keep and not standard:
            out.update(value.decode("latin-1") if isinstance(value, bytes) else str(value) for value in values)
    return sorted(text for text in out if len(text) > 3)


def deidentified():
    path = FIXTURES / "deidentified.dcm"
    if not path.exists():
        return {}
    ds, original = pydicom.dcmread(path), pydicom.dcmread(FIXTURES / "patient.dcm")
    identical = numpy.array_equal(ds.pixel_array, original.pixel_array)
    errors = [str(e.tag) for e in ds.iterall() if e.VR == "UN"]
    read = {e.keyword: str(e.value) for e in ds if e.VR != "SQ" and e.keyword != "PixelData"}
    meta = {e.keyword: str(e.value) for e in ds.file_meta if e.VR == "UI"}
    days = lambda ds: [(pydicom.valuerep.DA(ds.ContentDate) - pydicom.valuerep.DA(ds.StudyDate)).days,
                       (pydicom.valuerep.DA(ds.SeriesDate) - pydicom.valuerep.DA(ds.StudyDate)).days,
                       (pydicom.valuerep.DA(ds.SourceImageSequence[0].ContentDate) - pydicom.valuerep.DA(ds.StudyDate)).days]
    return {"pixels_identical": identical, "unknown": errors, "read": read, "meta": meta, "days": days(ds),
            "original_days": days(original), "texts": texts(original)}


versions = {name: importlib.metadata.version(name) for name in ["pydicom", "nibabel", "numpy", "pillow"]}
fixtures = {path.name: describe(path) for path in sorted(FIXTURES.glob("*.dcm")) if path.name != "deidentified.dcm"}
samples = {}
if len(sys.argv) > 1:
    root = pathlib.Path(sys.argv[1]) / "dicom"
    paths = sorted(path for path in root.rglob("*") if ".dcm" in path.name)
    samples = {str(path.relative_to(root)): describe(path) for path in paths}
json.dump({"versions": versions, "fixtures": fixtures, "samples": samples, "deidentified": deidentified()}, sys.stdout)
