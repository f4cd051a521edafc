"""What a picture file says of its own size, read before Pillow is let at it.

Pillow allocates by what a file claims, in some formats as soon as it is opened: a GIF of 34 bytes made it take 4 GB
and 8 seconds. So sizes are read here first, in a few steps whose number is bounded whatever the file holds.

Each function takes the whole file and gives (width, height) in pixels. Raises: ValueError, with the reason, and
struct.error or IndexError where the file ends early.
"""

import re
import struct
from collections.abc import Callable, Iterator

Size = tuple[int, int]

MAX_BLOCKS = 4096  # of a GIF before its first frame, of any kind; XMP takes some hundred
MAX_SEGMENTS = 512  # of a JPEG before its pixels; a profile of 550 KB takes nine
MAX_TAGS = 256  # of a TIFF
MAX_TILE_PIXELS = 1024 * 1024  # of a TIFF's tile that is larger than the picture; libtiff allocates it whole
MAX_STRIPS = 65_536  # or tiles, of a TIFF: Pillow goes through them in Python, 100,000 in half a second
# A BMP in run-length coding is unpacked by Pillow in Python, byte by byte: 2 million pixels in 0.2 s, 64 million, which
# 33 KB can hold, in 7. Who packs it well needs no more bytes than two for each pixel.
MAX_RUN_PIXELS = 2 * 1024 * 1024

JPEG_MARKER = re.compile(rb"\xff[^\x00\xff]")
JPEG_BARE_MARKERS = {0x01, *range(0xD0, 0xD8)}  # no length and no content follow these
TIFF_SIZES = (256, 257, 322, 323)  # the tags of width and height, of the picture and of its tiles
TIFF_STRIP_OFFSETS, TIFF_TILE_OFFSETS = 273, 324
BMP_RUNS = (1, 2)  # compressions: RLE8, RLE4
BMP_BESIDE_PIXELS = 4096  # bytes: headers, a palette
TIFF_SHORT, TIFF_LONG = 3, 4
TIFF_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}


def _png_size(data: bytes) -> Size:
    # Pillow takes the size from the header wherever it stands; only in its place is it the one that is checked
    length, kind, width, height = struct.unpack_from(">I4sII", data, 8)
    if (length, kind) != (13, b"IHDR"):
        raise ValueError("it doesn't begin with its header")
    return width, height


def jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """The marker, start and end of each segment of a JPEG, up to and with the start of its pixels (ITU-T T.81 B.1).

    Padding, and bytes that belong to nothing, are passed over, as libjpeg does.
    """
    start = 2
    for _ in range(MAX_SEGMENTS):
        found = JPEG_MARKER.search(data, start)
        if not found:
            raise IndexError
        marker, start = data[found.end() - 1], found.end() - 2
        end = start + 2
        if marker not in JPEG_BARE_MARKERS:
            end += struct.unpack_from(">H", data, end)[0]
            yield marker, start, end
        if marker == 0xDA:
            return
        start = end
    raise ValueError(f"it has more than {MAX_SEGMENTS} segments before its pixels")


def _jpeg_size(data: bytes) -> Size:
    for marker, start, _ in jpeg_segments(data):
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # these three are no frame headers
            height, width = struct.unpack_from(">HH", data, start + 5)
            return width, height
    raise ValueError("it has no frame header")


def _webp_size(data: bytes) -> Size:
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack_from("<HH", data, 26)
    return width & 0x3FFF, height & 0x3FFF


def _gif_size(data: bytes) -> Size:
    """The screen, or more where the first frame reaches beyond it (GIF89a, sections 18 to 20)."""
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    colours = 2 << (flags & 7) if flags & 0x80 else 0
    start = 13 + 3 * colours
    in_extension = False
    for _ in range(MAX_BLOCKS):
        kind = data[start]
        if in_extension:  # its data blocks: a length and so many bytes; the last is empty
            start += 1 + kind
            in_extension = kind > 0
        elif kind == 0x21:  # an extension begins, with its label
            start += 2
            in_extension = True
        elif kind == 0x2C:  # a frame
            left, top, frame_width, frame_height = struct.unpack_from("<4H", data, start + 1)
            return max(width, left + frame_width), max(height, top + frame_height)
        elif kind == 0:  # padding
            start += 1
        else:
            raise ValueError("it has no frame")
    raise ValueError(f"it has more than {MAX_BLOCKS} blocks before its first frame")


def _bmp_size(data: bytes) -> Size:
    (header,) = struct.unpack_from("<I", data, 14)
    width, height = struct.unpack_from("<HH" if header == 12 else "<ii", data, 18)
    if header > 12 and struct.unpack_from("<I", data, 30)[0] in BMP_RUNS:
        pixels = width * abs(height)
        if pixels > MAX_RUN_PIXELS or len(data) > 2 * pixels + BMP_BESIDE_PIXELS:
            raise ValueError(f"in run-length coding it may have {MAX_RUN_PIXELS} pixels, and 2 bytes for each")
    return width, abs(height)  # a negative height: rows from the top


def _tiff_size(data: bytes) -> Size:
    """From the tags of the first picture (TIFF 6.0, section 2), which may not claim more than there is."""
    order = "<" if data[:2] == b"II" else ">"
    (start,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, start)
    if count > MAX_TAGS:
        raise ValueError(f"it has more than {MAX_TAGS} tags")
    values: dict[int, int] = {}
    claimed = strips = 0
    for entry in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind, number = struct.unpack_from(order + "HHI", data, entry)
        claimed += number * TIFF_TYPE_BYTES.get(kind, 8)
        if tag == TIFF_STRIP_OFFSETS:
            strips = number
        if tag in (TIFF_STRIP_OFFSETS, TIFF_TILE_OFFSETS) and number > MAX_STRIPS:
            raise ValueError(f"it has more than {MAX_STRIPS} strips or tiles")
        if tag in TIFF_SIZES:
            # one number in the entry itself, and once: else libtiff and we might each read another
            if kind not in (TIFF_SHORT, TIFF_LONG) or number != 1 or tag in values:
                raise ValueError("its size isn't said clearly")
            (values[tag],) = struct.unpack_from(order + ("H" if kind == TIFF_SHORT else "I"), data, entry + 8)
    width, height, tile_width, tile_height = (values.get(tag, 0) for tag in TIFF_SIZES)
    if claimed > len(data) or strips > 4 * height:
        raise ValueError("its tags claim more than it holds")
    if tile_width * tile_height > max(width * height, MAX_TILE_PIXELS):
        raise ValueError(f"its tiles have more than {MAX_TILE_PIXELS} pixels")
    return width, height


SIZES: dict[str, Callable[[bytes], Size]] = {
    "PNG": _png_size,
    "JPEG": _jpeg_size,
    "WebP": _webp_size,
    "GIF": _gif_size,
    "BMP": _bmp_size,
    "TIFF": _tiff_size,
}
