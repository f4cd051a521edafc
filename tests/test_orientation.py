"""EXIF's orientation: every one in every format, and every way a note of it can be wrong."""

import struct
import time
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps
from pillow_heif import register_heif_opener

from app.errors import WrongSize
from app.images.decode import decode
from app.images.essentials import PNG_SIGNATURE
from app.images.orientation import orientation_of
from tests.support import chunk, encode

LIMIT = 1_000_000
WIDTH, HEIGHT = 64, 32
# in each corner another grey, in areas so large that a JPEG keeps them
STORED = np.kron(np.array([[0, 80], [160, 240]], np.uint8), np.ones((HEIGHT // 2, WIDTH // 2), np.uint8))


def exif(orientation: int, order: str = "<", kind: int = 3, number: int = 1, tag: int = 0x0112) -> bytes:
    """A TIFF structure with one tag, as EXIF has it."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    value = struct.pack(order + {3: "HH", 4: "I"}.get(kind, "I"), orientation, *([0] if kind == 3 else []))
    entry = struct.pack(order + "HHI", tag, kind, number) + value
    return mark + struct.pack(order + "IH", 8, 1) + entry + struct.pack(order + "I", 0)


def jpeg(note: bytes) -> bytes:
    data = encode(STORED, "JPEG", quality=95)
    note = b"Exif\0\0" + note
    return data[:2] + b"\xff\xe1" + struct.pack(">H", 2 + len(note)) + note + data[2:]


def png_with(note: bytes) -> bytes:
    data = encode(STORED)
    behind_header = len(PNG_SIGNATURE) + 25
    return data[:behind_header] + chunk(b"eXIf", note) + data[behind_header:]


def png_with_note_at_the_end(note: bytes) -> bytes:
    data = encode(STORED)
    return data[:-12] + chunk(b"eXIf", note) + data[-12:]


def webp(note: bytes) -> bytes:
    return encode(Image.fromarray(STORED).convert("RGB"), "WEBP", lossless=True, exif=note)


def webp_with_prefix(note: bytes) -> bytes:
    return webp(b"Exif\0\0" + note)


FILES: list[Callable[[bytes], bytes]] = [jpeg, png_with, png_with_note_at_the_end, webp, webp_with_prefix]


def by_pillow(orientation: int) -> NDArray[np.uint8]:
    """What Pillow's own turning makes of the pixels: another's reading of the standard."""
    image = Image.fromarray(STORED)
    image.getexif()[0x0112] = orientation
    return np.asarray(ImageOps.exif_transpose(image))


def check(data: bytes, orientation: int) -> None:
    picture = decode(data, LIMIT)
    expected = by_pillow(orientation)
    assert picture.grey.flags.c_contiguous
    assert picture.grey.shape == expected.shape == (picture.height, picture.width)
    assert np.abs(picture.grey.astype(int) - expected).max() < 6


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file", FILES)
def test_every_orientation_in_every_format(file: Callable[[bytes], bytes], orientation: int, order: str) -> None:
    check(file(exif(orientation, order)), orientation)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_tiff_is_turned_and_only_once(orientation: int, compression: str) -> None:
    check(encode(STORED, "TIFF", tiffinfo={0x0112: orientation}, compression=compression), orientation)


def test_a_tiff_that_only_its_xmp_turns_has_the_size_that_it_is_turned_to() -> None:
    data = encode(STORED, "TIFF", tiffinfo={700: b'<x tiff:Orientation="6"/>'})
    assert b"tiff:Orientation" in data
    check(data, 6)
    with pytest.raises(WrongSize, match=f"received one of {HEIGHT}x{WIDTH}"):
        decode(data, LIMIT, required_size=(WIDTH, HEIGHT))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_heic_is_turned_and_only_once(orientation: int) -> None:
    register_heif_opener()
    data = encode(Image.fromarray(STORED).convert("RGB"), "HEIF", quality=95, exif=exif(orientation))
    assert data.count(b"irot") + data.count(b"imir") == {1: 0, 5: 2, 7: 2}.get(orientation, 1)
    assert b"Exif" in data  # which says the same once more
    check(data, orientation)


def test_a_phone_photo_held_upright_is_read_upright() -> None:
    # EXIF 6: the sensor's left column is the picture's top row, read from the right (EXIF 2.3, table of tag 274)
    picture = decode(jpeg(exif(6)), LIMIT)
    assert (picture.width, picture.height) == (HEIGHT, WIDTH)
    corners = picture.grey[[4, 4, -4, -4], [4, -4, 4, -4]]
    assert np.abs(corners.astype(int) - [160, 0, 240, 80]).max() < 6


@pytest.mark.parametrize("file", [*FILES, lambda note: encode(STORED, "TIFF", tiffinfo={0x0112: 6})])
def test_a_required_size_is_the_upright_one(file: Callable[[bytes], bytes]) -> None:
    assert decode(file(exif(6)), LIMIT, required_size=(HEIGHT, WIDTH)).width == HEIGHT
    with pytest.raises(WrongSize, match=f"received one of {HEIGHT}x{WIDTH}"):
        decode(file(exif(6)), LIMIT, required_size=(WIDTH, HEIGHT))


def test_an_orientation_in_32_bits_is_read_too() -> None:
    for order in "<>":
        check(jpeg(exif(6, order, kind=4)), 6)


HOSTILE = {
    "nothing": b"",
    "two bytes": b"II",
    "no tiff": b"hello, this is no tiff at all",
    "a directory beyond the end": b"II*\0\xff\xff\xff\xff",
    "a directory of 65535 tags": b"II*\0\x08\0\0\0\xff\xff" + exif(6)[10:22],
    "a tag cut off": exif(6)[:18],
    "orientation 0": exif(0),
    "orientation 9": exif(9),
    "orientation 65535": exif(65535),
    "an orientation of another type": exif(6, kind=2),
    "an array of orientations": exif(6, number=2),
    "no number": exif(6, number=0),
    "another tag": exif(6, tag=0x0110),
    "a directory in itself": b"II*\0\0\0\0\0" + exif(1)[8:],
}


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("name", HOSTILE)
def test_a_malformed_note_is_no_error_and_turns_nothing(name: str, file: Callable[[bytes], bytes]) -> None:
    orientation = 6 if name == "a directory of 65535 tags" else 1  # the one that is there is read
    check(file(HOSTILE[name]), orientation)


def test_random_notes_are_no_error() -> None:
    random = np.random.default_rng(3)
    for _ in range(300):
        note = bytearray(exif(6))
        for position in random.integers(0, len(note), 3):
            note[position] = random.integers(0, 256)
        for file in (jpeg, png_with):
            assert decode(file(bytes(note)), LIMIT).grey.size == STORED.size


@pytest.mark.alone
def test_looking_for_a_note_is_quick_whatever_the_file_holds() -> None:
    tags = b"II*\0\x08\0\0\0\xff\xff" + b"\0" * 12 * 65535
    started = time.process_time()
    orientation_of("PNG", PNG_SIGNATURE + b"\0\0\0\0none\0\0\0\0" * 1_000_000 + b"eXIf")
    orientation_of("WebP", b"RIFF\0\0\0\0WEBPVP8X" + b"\0" * 20_000_000)
    orientation_of("PNG", PNG_SIGNATURE + chunk(b"eXIf", tags))
    orientation_of("JPEG", b"\xff\xd8" + b"\xff\xe1\0\x08Exif\0\0" * 1_000_000)
    assert time.process_time() - started < 0.5
