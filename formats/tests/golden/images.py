"""Reference for src/data/formats/image.rs: `python3 images.py > images.json`; also writes ../fixtures/data/images.

Pillow reads what it wrote (the 16-bit colour PNG is written here, as Pillow reads such files with 8 bits), resizes
planes of mode "F" with BILINEAR, and turns what EXIF says is turned. Pixels of a linear congruential generator, smoothed
for JPEG.
"""

import json
import pathlib
import struct
import sys
import zlib

import numpy
import PIL
from PIL import Image, ImageOps

folder = pathlib.Path(__file__).parent.parent / "fixtures" / "data" / "images"
folder.mkdir(parents=True, exist_ok=True)
state = 5


def draw(*shape, high=256):
    global state
    numbers = []
    for _ in range(int(numpy.prod(shape))):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        numbers.append((state >> 33) * high >> 31)
    return numpy.array(numbers).reshape(shape)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def write_rgb16(path, pixels):
    height, width, _ = pixels.shape
    lines = b"".join(b"\0" + line.astype(">u2").tobytes() for line in pixels)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b""))


def digits(value):
    return float(f"{value:.9g}")


def resized(planes, height, width):
    out = [Image.fromarray(p.astype(numpy.float32), "F").resize((width, height), Image.BILINEAR) for p in planes]
    return [digits(v) for p in out for v in numpy.asarray(p).ravel()]


cases = {}


def case(name, planes, sizes=((3, 4), (13, 5), (20, 21))):
    planes = [numpy.asarray(p, dtype=numpy.float64) for p in planes]
    cases[name] = {
        "height": planes[0].shape[0], "width": planes[0].shape[1],
        "values": [digits(v) for p in planes for v in p.ravel()],
        "resized": [{"height": h, "width": w, "values": resized(planes, h, w)} for h, w in sizes],
    }


Image.fromarray(draw(7, 9).astype(numpy.uint8), "L").save(folder / "gray8.png")
case("gray8.png", [numpy.asarray(Image.open(folder / "gray8.png")) / 255])
Image.fromarray(draw(6, 5, 3).astype(numpy.uint8), "RGB").save(folder / "rgb8.png")
case("rgb8.png", numpy.moveaxis(numpy.asarray(Image.open(folder / "rgb8.png")) / 255, 2, 0))
Image.fromarray(draw(5, 8, high=65536).astype(numpy.uint16)).save(folder / "gray16.png")
case("gray16.png", [numpy.asarray(Image.open(folder / "gray16.png")) / 65535])
pixels = draw(4, 6, 3, high=65536)
write_rgb16(folder / "rgb16.png", pixels)
case("rgb16.png", numpy.moveaxis(pixels / 65535, 2, 0))
Image.fromarray((draw(5, 7) > 127)).convert("1").save(folder / "bits.png")
case("bits.png", [numpy.asarray(Image.open(folder / "bits.png").convert("L")) / 255])
Image.fromarray(draw(6, 6, 3).astype(numpy.uint8), "RGB").quantize(16).save(folder / "palette.png")
case("palette.png", numpy.moveaxis(numpy.asarray(Image.open(folder / "palette.png").convert("RGB")) / 255, 2, 0))
opaque = draw(4, 5, 4)
opaque[:, :, 3] = 255
Image.fromarray(opaque.astype(numpy.uint8), "RGBA").save(folder / "opaque.png")
case("opaque.png", numpy.moveaxis(opaque[:, :, :3] / 255, 2, 0))
opaque[2, 3, 3] = 254
Image.fromarray(opaque.astype(numpy.uint8), "RGBA").save(folder / "transparent.png")

smooth = numpy.add.outer(numpy.arange(16) * 6, numpy.arange(24) * 4)
gray = (smooth + draw(16, 24, high=16)).clip(0, 255).astype(numpy.uint8)
Image.fromarray(gray, "L").save(folder / "gray.jpg", quality=95)
case("gray.jpg", [numpy.asarray(Image.open(folder / "gray.jpg")) / 255])
colour = numpy.stack([gray, gray[::-1], gray[:, ::-1]], axis=2)
Image.fromarray(colour, "RGB").save(folder / "rgb.jpg", quality=95, subsampling=0)
case("rgb.jpg", numpy.moveaxis(numpy.asarray(Image.open(folder / "rgb.jpg")) / 255, 2, 0))
exif = Image.Exif()
exif[0x0112] = 6
Image.fromarray(gray, "L").save(folder / "turned.jpg", quality=95, exif=exif)
case("turned.jpg", [numpy.asarray(ImageOps.exif_transpose(Image.open(folder / "turned.jpg"))) / 255])
json.dump({"versions": {"pillow": PIL.__version__, "numpy": numpy.__version__}, "cases": cases}, sys.stdout)
