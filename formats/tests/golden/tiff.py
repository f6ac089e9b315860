"""Reference for src/data/formats/image/tiff.rs: `python3 tiff.py > tiff.json`; writes ../fixtures/data/tiff.

Arrays are written by tifffile, or by Pillow (libtiff) with LZW, PackBits and predictors, and kept as tifffile or Pillow
reads them back, which must be what was written. Seed 21.
"""

import json
import pathlib
import sys

import numpy
import PIL
import tifffile
from PIL import Image, ImageOps, features

FIXTURES = pathlib.Path(__file__).parent.parent / "fixtures" / "data" / "tiff"
FIXTURES.mkdir(parents=True, exist_ok=True)
random = numpy.random.default_rng(21)
cases = {}


def smooth(high, shape=(7, 9)):
    """Counts as of a camera: a slope with some noise."""
    slope = numpy.add.outer(numpy.arange(shape[0]) * 3.0, numpy.arange(shape[1]) * 5.0)
    return (slope / slope.max() * 0.8 + random.uniform(0, 0.2, shape)) * high


def keep(name, pages, unit_max):
    """`pages` is [pages, planes, lines, columns]."""
    pages = numpy.asarray(pages)
    assert pages.ndim == 4
    cases[name] = {"shape": list(pages.shape), "raw": [float(v) for v in pages.ravel()], "largest": unit_max}


def by_tifffile(name, array, unit_max, planes=None, **options):
    path = FIXTURES / name
    tifffile.imwrite(path, array, metadata=None, software=None, **options)
    assert numpy.array_equal(tifffile.imread(path), array)
    keep(name, planes(array) if planes else array[None, None], unit_max)


def by_pillow(name, array, unit_max, compression, predictor=None):
    path = FIXTURES / name
    info = {317: predictor} if predictor else {}
    Image.fromarray(array).save(path, compression=compression, tiffinfo=info)
    assert numpy.array_equal(numpy.asarray(Image.open(path)), array)
    with tifffile.TiffFile(path) as file:
        assert file.pages[0].predictor == (predictor or 1), name
    keep(name, array[None, None] if array.ndim == 2 else numpy.moveaxis(array, 2, 0)[None], unit_max)


by_tifffile("u8.tif", smooth(255).astype("u1"), 255, photometric="minisblack")
by_tifffile("u16.tif", smooth(65535).astype("u2"), 65535, photometric="minisblack")
by_tifffile("u16be.tif", smooth(65535).astype("u2"), 65535, byteorder=">", photometric="minisblack", rowsperstrip=2)
by_tifffile("u32.tif", smooth(2**32 - 1).astype("u4"), 2**32 - 1, photometric="minisblack")
by_tifffile("i16.tif", (smooth(60000) - 30000).astype("i2"), 1, photometric="minisblack")
by_tifffile("f16.tif", smooth(100).astype("f2"), 1, photometric="minisblack")
by_tifffile("f32.tif", smooth(40).astype("f4"), 1, photometric="minisblack")
by_tifffile("f64be.tif", smooth(40).astype("f8"), 1, byteorder=">", photometric="minisblack")
by_tifffile("bits.tif", smooth(255) > 127, 255, lambda a: a[None, None] * 255, photometric="minisblack")
by_tifffile("tiles.tif", smooth(65535, (35, 21)).astype("u2"), 65535, tile=(16, 16), photometric="minisblack")
by_tifffile("big.tif", smooth(65535).astype("u2"), 65535, bigtiff=True, photometric="minisblack")
by_tifffile("deflate.tif", smooth(65535, (20, 15)).astype("u2"), 65535, compression="zlib", photometric="minisblack")
film = numpy.stack([smooth(65535, (6, 5)).astype("u2") for _ in range(4)])
by_tifffile("pages.tif", film, 65535, lambda a: a[:, None], photometric="minisblack", subfiletype=0)
colours = numpy.stack([smooth(255, (5, 6)).astype("u1") for _ in range(3)])
by_tifffile("planar.tif", colours, 255, lambda a: a[None], photometric="rgb", planarconfig="separate")
rgb = numpy.ascontiguousarray(numpy.moveaxis(colours, 0, 2))
by_tifffile("rgb.tif", rgb, 255, lambda a: numpy.moveaxis(a, 2, 0)[None], photometric="rgb")
rgba = numpy.concatenate([rgb, numpy.full(rgb.shape[:2] + (1,), 255, "u1")], axis=2)
by_tifffile("opaque.tif", rgba, 255, lambda a: numpy.moveaxis(a[:, :, :3], 2, 0)[None], photometric="rgb",
            extrasamples=["unassalpha"])
rgba[2, 3, 3] = 254
tifffile.imwrite(FIXTURES / "transparent.tif", rgba, metadata=None, software=None, photometric="rgb", extrasamples=["unassalpha"])
bands = numpy.stack([smooth(65535, (4, 5)).astype("u2") for _ in range(5)], axis=2)
by_tifffile("bands.tif", bands, 65535, lambda a: numpy.moveaxis(a, 2, 0)[None], photometric="minisblack", planarconfig="contig")
by_pillow("lzw.tif", smooth(65535, (20, 15)).astype("u2"), 65535, "tiff_lzw")
by_pillow("lzw-difference.tif", smooth(255, (20, 15)).astype("u1"), 255, "tiff_lzw", 2)
by_pillow("packbits.tif", numpy.repeat(smooth(255, (12, 3)).astype("u1"), 5, axis=1), 255, "packbits")
by_pillow("deflate-float.tif", smooth(40, (20, 15)).astype("f4"), 1, "tiff_adobe_deflate", 3)
by_pillow("rgb-lzw.tif", rgb, 255, "tiff_lzw", 2)
# The eight orientations, as Pillow's exif_transpose turns an image in memory (Pillow 13.0 itself fails to read 5 to 8).
array = smooth(255, (3, 4)).astype("u1")
for orientation in range(1, 9):
    name = f"turned{orientation}.tif"
    Image.fromarray(array).save(FIXTURES / name, tiffinfo={274: orientation})
    image = Image.fromarray(array)
    image.getexif()[274] = orientation
    keep(name, numpy.asarray(ImageOps.exif_transpose(image))[None, None], 255)
versions = {"tifffile": tifffile.__version__, "pillow": PIL.__version__, "libtiff": features.version("libtiff"), "numpy": numpy.__version__}
json.dump({"versions": versions, "seed": 21, "cases": cases}, sys.stdout, separators=(",", ":"))
