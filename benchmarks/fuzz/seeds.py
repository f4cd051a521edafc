"""What the fuzzers begin with: real files of each format in all their kinds, forms, and requests. All made here."""

import struct
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.images.essentials import PNG_ADAM7, PNG_CHANNELS, PNG_SIGNATURE
from app.images.normalize import SIDE
from benchmarks.exchanges import FORM, form, load_images, png
from benchmarks.photos import paper_with

Grey = NDArray[np.uint8]
ORIENTATION = 0x0112
PNG_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}  # by colour type


@cache
def pictures() -> dict[str, Image.Image]:
    """A digit of MNIST's, a photograph of it, one in colours, and one with opacity. All are small."""
    digit = load_images()[0]
    photo = paper_with(digit, 60, 50, np.random.default_rng(0), noise=4)
    colours = np.dstack([photo, photo // 2 + 90, 255 - photo])
    opacity = np.dstack([np.zeros((28, 28, 3), np.uint8), digit])
    return {
        "digit": Image.fromarray(digit),
        "photo": Image.fromarray(photo),
        "colours": Image.fromarray(colours),
        "opacity": Image.fromarray(opacity, "RGBA"),
    }


def encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    """A picture as the bytes of a file."""
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """With its length and checksum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _png_by_hand(depth: int, colour: int, interlaced: bool, side: int = 11) -> bytes:
    """Of any kind there is; Pillow writes but a few."""
    bits = depth * PNG_CHANNELS[colour]
    rows = b""
    for x, y, across, down in PNG_ADAM7 if interlaced else ((0, 0, 1, 1),):
        columns, lines = -(-(side - x) // across), -(-(side - y) // down)
        rows += b"".join(
            bytes([line % 5]) + bytes([37 * line % 256]) * -(-columns * bits // 8) for line in range(lines)
        )
    header = struct.pack(">IIBBBBB", side, side, depth, colour, 0, 0, interlaced)
    palette = png_chunk(b"PLTE", bytes(range(3 * 2**depth)) if depth < 8 else bytes(768)) if colour == 3 else b""
    transparent = {0: b"\0\1", 2: b"\0\1" * 3, 3: b"\0\x80"}.get(colour)
    more = png_chunk(b"tRNS", transparent) if transparent else b""
    pixels = png_chunk(b"IDAT", zlib.compress(rows))
    return PNG_SIGNATURE + png_chunk(b"IHDR", header) + palette + more + pixels + png_chunk(b"IEND", b"")


def _exif(orientation: int = 6) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


def png_files() -> Iterator[bytes]:
    """Every colour type, depth and interlacing; cut into parts, with notes, turned, animated."""
    for colour, depths in PNG_DEPTHS.items():
        for depth in depths:
            yield from (_png_by_hand(depth, colour, interlaced) for interlaced in (False, True))
    every = pictures()
    yield from (encode(image, "PNG") for image in every.values())
    yield encode(every["photo"], "PNG", exif=_exif(), dpi=(72, 72))
    yield encode(every["digit"], "PNG", save_all=True, append_images=[every["digit"]])
    whole = encode(every["digit"], "PNG")
    at, length = whole.index(b"IDAT") - 4, int.from_bytes(whole[whole.index(b"IDAT") - 4 :][:4], "big")
    pixels = whole[at + 8 : at + 8 + length]
    yield whole[:at] + png_chunk(b"IDAT", pixels[:9]) + png_chunk(b"IDAT", pixels[9:]) + whole[at + 12 + length :]


def jpeg_files() -> Iterator[bytes]:
    """Baseline and progressive, grey, colours and CMYK, sampled in three ways, with restarts, notes and a turn."""
    every = pictures()
    for image in (every["digit"], every["photo"], every["colours"], every["colours"].convert("CMYK")):
        yield from (encode(image, "JPEG", progressive=progressive) for progressive in (False, True))
    yield from (encode(every["colours"], "JPEG", subsampling=sampling) for sampling in ("4:4:4", "4:2:2"))
    yield encode(every["colours"], "JPEG", restart_marker_rows=1, optimize=True)
    yield encode(every["photo"], "JPEG", exif=_exif(), comment=b"a note", quality=30)
    yield encode(every["photo"], "JPEG", icc_profile=bytes(200))


def webp_files() -> Iterator[bytes]:
    """Lossy, lossless, with opacity, animated, turned."""
    every = pictures()
    for image in every.values():
        yield from (encode(image, "WEBP", lossless=lossless) for lossless in (False, True))
    yield encode(every["photo"], "WEBP", exif=_exif())
    yield encode(every["opacity"], "WEBP", save_all=True, append_images=[every["digit"].convert("RGBA")])


def gif_files() -> Iterator[bytes]:
    """Grey, of a palette, transparent, interlaced, animated."""
    every = pictures()
    yield from (encode(image, "GIF") for image in every.values())
    yield encode(every["photo"], "GIF", interlace=True, comment=b"a note")
    yield encode(every["digit"], "GIF", save_all=True, append_images=[every["digit"].rotate(90)], loop=0)


def bmp_by_hand(width: int, height: int, bits: int, compression: int, pixels: bytes) -> bytes:
    """With a grey palette for up to 8 bits a pixel. Compression 1: RLE8, 2: RLE4. Pillow writes neither."""
    levels = 2**bits if bits <= 8 else 0
    palette = b"".join(bytes([level * 255 // (levels - 1)] * 3 + [0]) for level in range(levels))
    start = 14 + 40 + len(palette)
    head = b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start)
    sizes = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(pixels), 0, 0, 0, 0)
    return head + sizes + palette + pixels


def bmp_files() -> Iterator[bytes]:
    """Of each depth, from the bottom and from the top, in run-length coding, of OS/2."""
    every = pictures()
    yield from (encode(every["photo"].convert(mode), "BMP") for mode in ("1", "L", "P", "RGB", "RGBA"))
    runs = b"\x08\x07\x00\x03\x01\x02\x03\x00\x05\x01\x00\x00"  # eight alike, three as they are, five alike; the end
    for bits, compression in ((8, 1), (4, 2)):
        yield bmp_by_hand(16, 9, bits, compression, runs * 4 + b"\0\2\3\1" + runs * 4 + b"\0\1")
    yield bmp_by_hand(16, -4, 8, 0, bytes(range(64)))
    yield bmp_by_hand(16, 4, 16, 0, bytes(range(128)))
    yield b"BM" + struct.pack("<IHHIIHHHH", 26 + 768 + 64, 0, 0, 26 + 768, 12, 8, 8, 1, 8) + bytes(768) + bytes(64)


TIFF_COMPRESSIONS = ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "lzma", "zstd")


def tiff_by_hand(*tags: tuple[int, int, int, int], order: str = "<", tail: bytes = b"") -> bytes:
    """A TIFF with these tags (number, type, count, value), in their order, and `tail` behind them."""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    entries = b"".join(struct.pack(order + "HHII", *tag) for tag in sorted(tags))
    return head + struct.pack(order + "H", len(tags)) + entries + struct.pack(order + "I", 0) + tail


def _tiled_tiff() -> bytes:
    """32x32 in four tiles, whose offsets and lengths stand behind the tags, and the tiles behind them."""
    sizes = ((256, 4, 1, 32), (257, 4, 1, 32), (258, 3, 1, 8), (262, 3, 1, 1), (277, 3, 1, 1))
    at = 8 + 2 + 9 * 12 + 4
    tiles = ((322, 4, 1, 16), (323, 4, 1, 16), (324, 4, 4, at), (325, 4, 4, at + 16))
    offsets = struct.pack("<8I", *(at + 32 + 256 * each for each in range(4)), *[256] * 4)
    return tiff_by_hand(*sizes, *tiles, tail=offsets + bytes(range(256)) * 4)


def tiff_files() -> Iterator[bytes]:
    """Each compression and sample, of both byte orders, tiled, turned, of two pages."""
    every = pictures()
    yield from (encode(every["photo"], "TIFF", compression=each) for each in TIFF_COMPRESSIONS)
    yield from (encode(every["digit"].convert("1"), "TIFF", compression=each) for each in ("group3", "group4", "raw"))
    yield from (encode(every["colours"].convert(mode), "TIFF") for mode in ("RGB", "RGBA", "CMYK", "LAB", "P", "YCbCr"))
    yield from (encode(every["digit"].convert(mode), "TIFF", compression="tiff_lzw") for mode in ("I", "F", "LA"))
    deep = np.asarray(every["digit"]).astype(np.uint16) * 257
    yield from (encode(Image.fromarray(deep), "TIFF", big_endian=big) for big in (False, True))
    yield encode(every["photo"], "TIFF", exif=_exif())
    yield encode(every["digit"], "TIFF", save_all=True, append_images=[every["photo"]])
    yield _tiled_tiff()


def heic_files() -> Iterator[bytes]:
    """Grey, colours, with opacity, of tiles, turned, of two pictures."""
    from pillow_heif import register_heif_opener

    register_heif_opener()
    every = pictures()
    yield from (encode(image, "HEIF", quality=40) for image in every.values())
    yield encode(every["colours"].resize((96, 70)), "HEIF", tile_size=64)
    yield encode(every["photo"], "HEIF", exif=_exif())
    yield encode(every["digit"], "HEIF", save_all=True, append_images=[every["digit"]])


FILES: dict[str, Callable[[], Iterator[bytes]]] = {
    "PNG": png_files,
    "JPEG": jpeg_files,
    "WebP": webp_files,
    "GIF": gif_files,
    "BMP": bmp_files,
    "TIFF": tiff_files,
    "HEIC": heic_files,
}


@cache
def every_file() -> tuple[bytes, ...]:
    """Of all formats, and what is none."""
    return (*(data for files in FILES.values() for data in files()), b"", b"hello", b"%PDF-1.7", bytes(100))


def rows_of_digits() -> Iterator[bytes]:
    """Several digits beside each other, as for /read."""
    images = load_images()
    for start, inverted in ((0, 0), (6, 255)):
        yield png(_beside(images[start : start + 6]) ^ np.uint8(inverted))
    yield png(np.vstack([_beside(images[:4]), _beside(images[4:8])]))
    yield encode(Image.fromarray(255 - _beside(images[:5])), "JPEG")


def _beside(images: Grey) -> Grey:
    """uint8 (N, 28, 28) → (28, N * 28)."""
    return images.transpose(1, 0, 2).reshape(SIDE, -1)


def arrays() -> Iterator[bytes]:
    """What `targets.fit` makes an array of: its height, width and a mode, then its pixels."""
    photo = np.asarray(pictures()["photo"])
    for height, width, pixels in ((28, 28, load_images()[0].tobytes()), (*photo.shape, photo.tobytes())):
        yield bytes([height, width, 0]) + pixels
        yield bytes([height, width, 1]) + pixels[:200]
    yield bytes([255, 1, 0]) + bytes(range(256))


def forms() -> Iterator[bytes]:
    """A Content-Type, a line break, a body."""
    picture = png(load_images()[0])
    kind = FORM["Content-Type"].encode()
    for body in (form("file", [picture]), form("files", [picture, b"hello"]), form("file", [])):
        yield kind + b"\n" + body
    plain = b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n7\r\n--x--\r\n'
    yield b"multipart/form-data; boundary=x\n" + plain
    yield b'Multipart/Form-Data;charset="utf-8"; boundary="x"\n' + b"preamble\r\n" + plain + b"epilogue"
    yield b"multipart/form-data; boundary*=utf-8''x; boundary*0=x\n" + plain.replace(b"name=", b"name*=utf-8''")
    yield b"image/png\n" + picture


def texts() -> Iterator[bytes]:
    """What stands in one field of a request's head."""
    yield b"108a53f28d250289"
    yield b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    yield b'multipart/form-data; boundary=x; filename*=utf-8\'\'%e2%82%ac; name="a\\"b"'
    yield b"/predict?fit=auto&preview=true"
    yield '/größe\n\t\x7f\\"'.encode()


PATHS = ("/predict", "/predict/batch", "/read", "/explain", "/model", "/model/report", "/metrics", "/livez", "/readyz")
MORE_PATHS = ("/", "/docs", "/openapi.json", "/health", "/page/style.css", "/page/../x", "/nowhere", "/predict/")


def requests() -> Iterator[bytes]:
    """Requests as they are on the wire, but for their Content-Length, which `application.ask` adds."""
    picture = png(load_images()[0])
    kind = FORM["Content-Type"].encode()
    for path in (*PATHS, *MORE_PATHS):
        yield b"GET %b HTTP/1.1\r\nHost: x\r\nX-Request-ID: abc\r\n\r\n" % path.encode()
    head = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Type: %b\r\n\r\n%b"
    yield head % (b"/predict/batch", kind, form("files", [picture, b"hello", picture]))
    yield head % (b"/predict/batch", b"application/octet-stream\r\nAccept: application/octet-stream", bytes(2 * 784))
    for way in (b"/predict", b"/predict?fit=never&preview=true", b"/read", b"/explain?fit=auto"):
        yield head % (way, kind, form("file", [picture]))
        yield head % (way, b"image/png", picture)
    yield head % (b"/read", b"image/png", next(rows_of_digits()))
    for files in FILES.values():
        yield head % (b"/predict", b"application/octet-stream", next(files()))
    yield head % (b"/predict", b"application/x-www-form-urlencoded", b"file=7")
