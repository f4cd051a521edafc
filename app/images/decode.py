"""The bytes of a picture file → grey pixels, within limits."""

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

# Each plugin that is used is imported by name: Pillow would otherwise load all of its some forty when it meets
# the first WebP or TIFF.
from PIL import (
    BmpImagePlugin,  # noqa: F401
    GifImagePlugin,  # noqa: F401
    Image,
    JpegImagePlugin,  # noqa: F401
    PngImagePlugin,  # noqa: F401
    TiffImagePlugin,  # noqa: F401
    WebPImagePlugin,  # noqa: F401
)

from app.errors import DamagedPicture, EmptyPicture, TooManyPixels, UnknownFormat, WrongSize

Grey = NDArray[np.uint8]

# Pillow only warns at 89 million pixels and raises at twice that; `decode` has a limit of its own, checked as soon
# as the header is read.
Image.MAX_IMAGE_PIXELS = None

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
SIGNATURES = (  # how a file of each format begins; None stands for any byte
    ("PNG", tuple(PNG_SIGNATURE)),
    ("JPEG", (0xFF, 0xD8, 0xFF)),
    ("WebP", (*b"RIFF", None, None, None, None, *b"WEBP")),
    ("GIF", tuple(b"GIF87a")),
    ("GIF", tuple(b"GIF89a")),
    ("BMP", tuple(b"BM")),
    ("TIFF", tuple(b"II*\0")),
    ("TIFF", tuple(b"MM\0*")),
    ("TIFF", tuple(b"II+\0")),  # BigTIFF
    ("TIFF", tuple(b"MM\0+")),
)
FORMATS = tuple(dict.fromkeys(name for name, _ in SIGNATURES))

# At 8 KiB a chunk, as libpng writes, this is 128 MiB; a file of millions of empty chunks would keep Pillow busy
# for seconds.
MAX_PNG_CHUNKS = 16_384
PNG_CHUNK_FRAME = 12  # bytes: length, kind, and the checksum at the end


def decode(data: bytes, max_pixels: int, required_size: tuple[int, int] | None = None) -> Grey:
    """Reads a PNG, JPEG, WebP, GIF, BMP or TIFF (the first frame) as grey pixels: uint8 (height, width), 0..255.

    Colour becomes luma (ITU-R BT.601), samples of 16 bits or floats are scaled to 8 bits. A picture with
    transparency is laid on white paper; when all that is visible has one colour, its opacity is the ink instead
    (255 = opaque), because such a drawing may be black on nothing or white on nothing.

    `max_pixels` bounds width x height, `required_size` is (width, height) where only one will do; both are checked
    in the header, before anything is decoded.

    Raises: EmptyPicture, UnknownFormat, DamagedPicture, TooManyPixels, WrongSize.
    """
    name = _format_of(data)
    chunks = list(_png_chunks(data)) if name == "PNG" else []
    # Pillow raises almost anything on a hostile file (OSError, SyntaxError, ValueError, struct.error, KeyError,
    # MemoryError, ...), and inside these two blocks there is nothing but Pillow at work on a client's bytes.
    try:
        image = Image.open(BytesIO(data), formats=[name])
    except Exception as error:
        raise _damaged(name, data) from error
    with image:
        _check_size(image.size, max_pixels, required_size)
        _check_png_sums(data, chunks)
        try:
            image.load()
            return _to_grey(image)
        except Exception as error:
            raise _damaged(name, data) from error


def _format_of(data: bytes) -> str:
    if not data:
        raise EmptyPicture()
    for name, signature in SIGNATURES:
        # a file cut off inside its signature still counts as that format: it is damaged, not unknown
        if all(want is None or got == want for got, want in zip(data, signature, strict=False)):
            return name
    raise UnknownFormat(
        f"Expected a {', '.join(FORMATS[:-1])} or {FORMATS[-1]}; "
        f"received {len(data)} bytes that begin with {data[:12]!r}."
    )


def _damaged(name: str, data: bytes, reason: str = "it is damaged or cut off") -> DamagedPicture:
    return DamagedPicture(f"Expected a whole {name}; received {len(data)} bytes that can't be decoded: {reason}.")


def _check_size(size: tuple[int, int], max_pixels: int, required_size: tuple[int, int] | None) -> None:
    width, height = size
    if width * height > max_pixels:
        raise TooManyPixels(
            f"Expected a picture of at most {max_pixels} pixels; received {width}x{height} = {width * height}."
        )
    if required_size and size != required_size:
        raise WrongSize(
            f"Expected a picture of {required_size[0]}x{required_size[1]} pixels; received one of {width}x{height}."
        )


def _png_chunks(data: bytes) -> Iterator[tuple[int, int]]:
    """The start and end of each chunk, up to the end mark (W3C PNG 5.3).

    Pillow takes a PNG whose last bytes are missing for whole, and so would answer for half a picture.
    """
    start = len(PNG_SIGNATURE)
    for _ in range(MAX_PNG_CHUNKS):
        if len(data) < start + PNG_CHUNK_FRAME:
            raise _damaged("PNG", data, "it ends before its end mark")
        length, kind = struct.unpack_from(">I4s", data, start)
        end = start + PNG_CHUNK_FRAME + length
        if len(data) < end:
            raise _damaged("PNG", data, "it ends before its end mark")
        yield start, end
        if kind == b"IEND":
            return
        start = end
    raise _damaged("PNG", data, f"it has more than {MAX_PNG_CHUNKS} chunks")


def _check_png_sums(data: bytes, chunks: list[tuple[int, int]]) -> None:
    """Each chunk ends with the CRC-32 of its kind and content. Pillow doesn't look at those of the pixels."""
    view = memoryview(data)
    for start, end in chunks:
        if zlib.crc32(view[start + 4 : end - 4]) != int.from_bytes(view[end - 4 : end], "big"):
            raise _damaged("PNG", data, "a checksum in it is wrong")


def _to_grey(image: Image.Image) -> Grey:
    if image.mode == "F" or image.mode.startswith("I"):
        return _scale(np.asarray(image))
    if image.has_transparency_data:
        return _flatten(np.asarray(image.convert("RGBA")))
    if image.mode == "L":
        return np.asarray(image)
    if image.mode in ("P", "CMYK", "LAB", "HSV", "YCbCr"):  # these reach grey by way of RGB
        image = image.convert("RGB")
    return np.asarray(image.convert("L"))


def _scale(samples: NDArray[np.generic]) -> Grey:
    """Samples of more than 8 bits → uint8. White is the least usual white level that none of them exceeds."""
    values = samples.astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("a sample is not a finite number")
    levels = [255.0, 65535.0, 4294967295.0]
    if samples.dtype.kind == "f":
        levels = [1.0, *levels, np.finfo(np.float64).max]
    white = next(level for level in levels if values.max() <= level)
    if white == 65535:
        # the high byte: exact whether 8 bits were widened as v * 257 or as v * 256
        return (np.clip(values, 0, white).astype(np.uint16) >> 8).astype(np.uint8)
    return np.rint(np.clip(values, 0, white) * (255 / white)).astype(np.uint8)


def _flatten(rgba: NDArray[np.uint8]) -> Grey:
    """Pixels with opacity, uint8 (height, width, 4) → grey, uint8 (height, width)."""
    opacity = rgba[..., 3]
    visible = rgba[opacity > 0][:, :3]
    if len(visible) and opacity.min() < 255 and (visible == visible[0]).all():
        return opacity.copy()
    paper = Image.new("RGBA", (rgba.shape[1], rgba.shape[0]), "white")
    return np.asarray(Image.alpha_composite(paper, Image.fromarray(rgba, "RGBA")).convert("L"))
