"""How a picture must be turned to stand upright: EXIF's tag 274, for a telephone stores the pixels as its sensor lies.

Only this one tag is looked for, in a number of steps that is bounded whatever the file holds. EXIF is a note beside
the picture: where it is missing, damaged or says something that there isn't, the picture stays as it is.
"""

import struct
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from app.images.headers import Size, jpeg_segments

AS_STORED = 1
QUARTER_TURNS = (5, 6, 7, 8)  # the orientations in which width and height change places
ORIENTATION_TAG = 0x0112
NUMBERS = {3: "H", 4: "I"}  # the types it may have: 16 bits (the standard), 32 bits (as some software writes it)
MAX_TAGS = 256  # looked at; a camera writes a dozen into this directory
MAX_CHUNKS = 4096  # of a PNG or WebP, looked at; an animation has some for each frame
EXIF_PREFIX = b"Exif\0\0"
JPEG_EXIF = 0xE1


def orientation_of(name: str, data: bytes) -> int:
    """EXIF's orientation, 1 to 8, of the file `data` of the format `name`; 1, as it is stored, if there is none."""
    try:
        return next((_orientation_in(exif) for exif in EXIF[name](data)), AS_STORED) if name in EXIF else AS_STORED
    except (struct.error, IndexError, ValueError):
        return AS_STORED


def turned(size: Size, orientation: int) -> Size:
    """The (width, height) that a picture stored as `size` has when it stands upright."""
    return size[::-1] if orientation in QUARTER_TURNS else size


def upright(grey: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Turns and mirrors pixels, uint8 (height, width), as EXIF's orientation asks.

    The answer's rows lie in memory one behind the other, as OpenCV wants them.
    """
    if orientation in QUARTER_TURNS:
        grey = grey.T
    rows = slice(None, None, -1 if orientation in (3, 4, 7, 8) else 1)
    columns = slice(None, None, -1 if orientation in (2, 3, 6, 7) else 1)
    return np.ascontiguousarray(grey[rows, columns])


def _orientation_in(exif: memoryview) -> int:
    """The tag in the first directory of a TIFF's structure (TIFF 6.0, section 2; EXIF 2.3, section 4.6.4)."""
    if exif[:6] == EXIF_PREFIX:  # JPEG's way to begin it; elsewhere it doesn't belong, and is met all the same
        exif = exif[6:]
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(exif[:4]))
    if order is None:
        return AS_STORED
    (start,) = struct.unpack_from(order + "I", exif, 4)
    (count,) = struct.unpack_from(order + "H", exif, start)
    for entry in range(start + 2, start + 2 + 12 * min(count, MAX_TAGS), 12):
        tag, kind, number = struct.unpack_from(order + "HHI", exif, entry)
        if tag == ORIENTATION_TAG:
            if number != 1 or kind not in NUMBERS:
                return AS_STORED
            (orientation,) = struct.unpack_from(order + NUMBERS[kind], exif, entry + 8)
            return orientation if 1 <= orientation <= 8 else AS_STORED
    return AS_STORED


def _jpeg_exif(data: bytes) -> Iterator[memoryview]:
    for marker, start, end in jpeg_segments(data):
        if marker == JPEG_EXIF and data.startswith(EXIF_PREFIX, start + 4):
            yield memoryview(data)[start + 4 : end]


def _png_exif(data: bytes) -> Iterator[memoryview]:
    start = 8
    for _ in range(MAX_CHUNKS):
        length, kind = struct.unpack_from(">I4s", data, start)
        if kind == b"eXIf":
            yield memoryview(data)[start + 8 : start + 8 + length]
        start += 12 + length


def _webp_exif(data: bytes) -> Iterator[memoryview]:
    if data[12:16] != b"VP8X":
        return
    start = 12
    for _ in range(MAX_CHUNKS):
        kind, length = struct.unpack_from("<4sI", data, start)
        if kind == b"EXIF":
            yield memoryview(data)[start + 8 : start + 8 + length]
        start += 8 + length + length % 2


def _tiff_exif(data: bytes) -> Iterator[memoryview]:
    yield memoryview(data)


EXIF: dict[str, Callable[[bytes], Iterator[memoryview]]] = {
    "PNG": _png_exif,
    "JPEG": _jpeg_exif,
    "WebP": _webp_exif,
    "TIFF": _tiff_exif,
}
