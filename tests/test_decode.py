"""bytes → grey pixels: every format and mode that is read, and every way a file can be wrong."""

import contextlib
import resource
import struct
import sys
import time
import zlib
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.errors import BloatedPicture, DamagedPicture, EmptyPicture, TooManyPixels, UnknownFormat, WrongSize
from app.images.decode import decode as decode_picture
from app.images.decode import is_small
from app.images.essentials import PNG_ADAM7, PNG_SIGNATURE
from tests.support import SEVEN, chunk, encode, png

LIMIT = 1_000_000
GREY = np.random.default_rng(7).integers(0, 256, (28, 28), np.uint8)
PICTURE = Image.fromarray(GREY)


def decode(data: bytes, max_pixels: int, **options: Any) -> NDArray[np.uint8]:
    return decode_picture(data, max_pixels, **options).grey


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "TIFF"])
def test_a_lossless_format_gives_the_very_pixels(kind: str) -> None:
    assert (decode(encode(PICTURE, kind), LIMIT) == GREY).all()


def test_lossless_webp_gives_the_very_pixels() -> None:
    assert (decode(encode(PICTURE.convert("RGB"), "WEBP", lossless=True), LIMIT) == GREY).all()


def test_jpeg_gives_nearly_the_same_pixels() -> None:
    smooth = np.linspace(0, 255, 784).reshape(28, 28).astype(np.uint8)
    decoded = decode(encode(smooth, "JPEG", quality=95), LIMIT).astype(int)
    assert np.abs(decoded - smooth).max() < 10


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P"])
def test_every_mode_becomes_the_same_grey(mode: str) -> None:
    assert (decode(encode(PICTURE.convert(mode)), LIMIT) == GREY).all()


def test_one_bit_a_pixel_becomes_black_and_white() -> None:
    bits = Image.fromarray(GREY).point(lambda value: 255 if value > 127 else 0).convert("1")
    assert (decode(encode(bits), LIMIT) == np.where(GREY > 127, 255, 0)).all()


@pytest.mark.parametrize("factor", [256, 257])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bits_are_scaled_not_clipped(kind: str, factor: int) -> None:
    assert (decode(encode(GREY.astype(np.uint16) * factor, kind), LIMIT) == GREY).all()


def test_floats_from_0_to_1_are_scaled() -> None:
    floats = Image.fromarray(GREY.astype(np.float32) / 255)
    assert (decode(encode(floats, "TIFF"), LIMIT) == GREY).all()


def test_a_float_that_is_no_number_is_damage() -> None:
    floats = np.full((28, 28), np.nan, np.float32)
    with pytest.raises(DamagedPicture):
        decode(encode(Image.fromarray(floats), "TIFF"), LIMIT)


def test_cmyk_is_read() -> None:
    smooth = Image.fromarray(np.linspace(0, 255, 784).reshape(28, 28).astype(np.uint8))
    decoded = decode(encode(smooth.convert("RGB").convert("CMYK"), "TIFF"), LIMIT)
    assert np.abs(decoded.astype(int) - np.asarray(smooth)).max() <= 1


def test_ink_of_one_colour_on_nothing_is_read_by_its_opacity() -> None:
    for colour in (0, 255):
        rgba = np.dstack([np.full((28, 28, 3), colour, np.uint8), GREY])
        assert (decode(encode(rgba), LIMIT) == GREY).all()


def test_a_coloured_picture_on_nothing_is_laid_on_white_paper() -> None:
    rgba = np.zeros((28, 28, 4), np.uint8)
    rgba[10:14] = (0, 0, 0, 255)
    rgba[14:18] = (255, 255, 255, 255)
    decoded = decode(encode(rgba), LIMIT)
    assert decoded[0, 0] == 255
    assert decoded[11, 0] == 0


def test_palette_transparency_is_seen() -> None:
    rgba = np.zeros((28, 28, 4), np.uint8)
    rgba[10:14] = (200, 0, 0, 255)
    rgba[20:24] = (0, 0, 200, 255)
    decoded = decode(encode(Image.fromarray(rgba).quantize(8)), LIMIT)
    assert decoded[0, 0] == 255
    assert decoded[11, 0] < 100


def test_the_first_frame_of_an_animation_is_read() -> None:
    frames = [Image.fromarray(np.full((28, 28), value, np.uint8)) for value in (10, 200)]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert (decode(data, LIMIT) == 10).all()


def test_nothing_is_an_empty_picture() -> None:
    with pytest.raises(EmptyPicture, match="0 bytes"):
        decode(b"", LIMIT)


@pytest.mark.parametrize(
    "data",
    [
        b"hello, no picture",
        b"%PDF-1.7",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\0" * 100,
        b"BMW is a car maker",
        b"I",
    ],
    ids=["text", "pdf", "svg", "zeros", "text like a bmp", "text like a tiff"],
)
def test_what_is_no_picture_is_an_unknown_format(data: bytes) -> None:
    with pytest.raises(UnknownFormat, match="PNG, JPEG, WebP, GIF, BMP, TIFF or HEIC"):
        decode(data, LIMIT)


@pytest.mark.parametrize("kind", ["PPM", "ICO", "TGA", "SGI", "PCX"])
def test_other_formats_that_pillow_could_read_are_refused(kind: str) -> None:
    with pytest.raises(UnknownFormat):
        decode(encode(PICTURE, kind), LIMIT)


def test_a_png_cut_off_anywhere_is_damaged() -> None:
    data = SEVEN.read_bytes()
    for length in range(1, len(data)):
        with pytest.raises(DamagedPicture):
            decode(data[:length], LIMIT)
    assert decode(data, LIMIT).shape == (28, 28)


@pytest.mark.parametrize("kind", ["JPEG", "BMP", "TIFF", "WEBP", "GIF"])
def test_half_a_file_is_damaged(kind: str) -> None:
    data = encode(PICTURE.convert("RGB"), kind)
    for length in (len(data) // 4, len(data) // 2, len(data) - len(data) // 10):
        with pytest.raises(DamagedPicture):
            decode(data[:length], LIMIT)


def test_a_flipped_bit_in_a_png_is_damage() -> None:
    data = bytearray(SEVEN.read_bytes())
    for position in range(len(PNG_SIGNATURE), len(data)):
        data[position] ^= 4
        with pytest.raises((DamagedPicture, TooManyPixels)):
            decode(bytes(data), LIMIT)
        data[position] ^= 4


def test_pixels_are_counted_in_the_header_before_anything_is_decoded() -> None:
    with pytest.raises(TooManyPixels, match="30000x30000 = 900000000"):
        decode(png(30000, 30000, chunk(b"IDAT", b"never looked at")), LIMIT)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_the_limit_of_pixels_holds_for_every_format(kind: str) -> None:
    data = encode(Image.new("RGB", (100, 30)), kind)
    assert decode(data, 3000).shape == (30, 100)
    with pytest.raises(TooManyPixels, match="at most 2999 pixels; received 100x30"):
        decode(data, 2999)


def test_a_required_size_names_both_sizes() -> None:
    with pytest.raises(WrongSize, match="28x28 pixels; received one of 100x30"):
        decode(encode(Image.new("L", (100, 30))), LIMIT, required_size=(28, 28))


def idat(rows: int = 28, row: bytes = b"\0" * 29) -> bytes:
    return chunk(b"IDAT", zlib.compress(row * rows))


def test_a_png_without_all_of_its_rows_is_damaged() -> None:
    assert decode(png(28, 28, idat()), LIMIT).shape == (28, 28)
    assert decode(png(28, 28, idat(29)), LIMIT).shape == (28, 28)  # surplus is harmless
    for rows in (14, 27):
        with pytest.raises(DamagedPicture, match="fewer pixels"):
            decode(png(28, 28, idat(rows)), LIMIT)


def test_a_png_whose_pixels_lack_their_checksum_is_damaged() -> None:
    with pytest.raises(DamagedPicture):
        decode(png(28, 28, chunk(b"IDAT", zlib.compress(b"\0" * 29 * 28)[:-4])), LIMIT)


def test_a_png_with_a_part_that_must_be_understood_and_is_not_is_damaged() -> None:
    with pytest.raises(DamagedPicture, match="unknown kind"):
        decode(png(28, 28, chunk(b"ABCD", b""), idat()), LIMIT)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "I;16"])
@pytest.mark.parametrize("size", [(28, 28), (3, 5), (1, 1), (33, 9)])
def test_an_interlaced_png_is_read_like_another(mode: str, size: tuple[int, int]) -> None:
    # Pillow writes no interlaced ones, so the sizes of the seven passes are held to the total of the pixels
    width, height = size
    passes = [(-(-(width - x) // dx), -(-(height - y) // dy)) for x, y, dx, dy in PNG_ADAM7]
    assert sum(columns * rows for columns, rows in passes if columns > 0 and rows > 0) == width * height
    depth, colour = {
        "1": (1, 0),
        "L": (8, 0),
        "P": (8, 3),
        "RGB": (8, 2),
        "RGBA": (8, 6),
        "LA": (8, 4),
        "I;16": (16, 0),
    }[mode]
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    rows = b"".join(
        (b"\0" + b"\xff" * -(-columns * bits // 8)) * count for columns, count in passes if columns > 0 and count > 0
    )
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 1)
    palette = chunk(b"PLTE", b"\xff" * 768) if colour == 3 else b""
    data = PNG_SIGNATURE + chunk(b"IHDR", header) + palette + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    assert (decode(data, LIMIT) == np.full((height, width), 255)).all()


@pytest.mark.parametrize("depth", [2, 4, 8, 16])
def test_a_transparent_grey_is_laid_on_white_paper_at_every_depth(depth: int) -> None:
    # two samples: 1, which is transparent, and black
    bits = format(1, f"0{depth}b") * 14 + "0" * depth * 14
    row = b"\0" + int(bits, 2).to_bytes(28 * depth // 8, "big")
    data = png(28, 28, chunk(b"tRNS", struct.pack(">H", 1)), idat(28, row), depth=depth)
    # all that is visible is black, so its opacity is the ink
    assert (decode(data, LIMIT) == np.repeat([0, 255], 14)).all()


BOMB_GIF = bytes.fromhex("474946383961 1c001c00000000 21f9040800000000 2c 00000000ffffffff00 02 00 3b")


def tiff(*tags: tuple[int, int, int, int], tail: bytes = b"") -> bytes:
    """A TIFF of 28x28 bytes with further tags: number, type, count, value."""
    every = sorted([(256, 4, 1, 28), (257, 4, 1, 28), (258, 3, 1, 8), (262, 3, 1, 1), (277, 3, 1, 1), *tags])
    head = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(every))
    return head + b"".join(struct.pack("<HHII", *tag) for tag in every) + struct.pack("<I", 0) + tail


BOMBS = {
    # each was found by attack; before, it took seconds, gigabytes or both
    "gif of 65535x65535 in 34 bytes": (BOMB_GIF, TooManyPixels),
    "gif of comments of one byte": (
        BOMB_GIF[:13] + b"\x21\xfe" + b"\1x" * 900_000 + b"\0" + BOMB_GIF[21:],
        DamagedPicture,
    ),
    "gif of empty comments": (BOMB_GIF[:13] + b"\x21\xfe\0" * 600_000 + BOMB_GIF[21:], DamagedPicture),
    "tiff with a tile of 1 GB": (
        tiff((322, 4, 1, 32768), (323, 4, 1, 32768), (324, 4, 1, 8), (325, 4, 1, 8)),
        DamagedPicture,
    ),
    "tiff of a million strips": (tiff((273, 4, 400_000, 8), tail=b"\0" * 900_000), DamagedPicture),
    "tiff whose tags share their bytes": (
        tiff(*((60000 + k, 1, 900_000, 0) for k in range(200)), tail=b"\0" * 900_000),
        DamagedPicture,
    ),
    "tiff of 2 MB for 784 pixels": (tiff(tail=b"\0" * 2_000_000), BloatedPicture),
    "bmp of 2 MB for 784 pixels": (encode(PICTURE, "BMP") + b"\0" * 2_000_000, BloatedPicture),
    "gif of comments of comments": (
        BOMB_GIF[:13] + (b"\x21\xfe" + b"\1x" * 400 + b"\0") * 2000 + BOMB_GIF[21:],
        DamagedPicture,
    ),
    "tiff with a tile in 64 bits": (tiff((322, 16, 1, 16), (323, 4, 1, 16), tail=b"\0" * 99), DamagedPicture),
    "tiff with two tile widths": (
        tiff((322, 4, 1, 20000), (322, 4, 1, 16), (323, 4, 1, 16), tail=b"\0" * 99),
        DamagedPicture,
    ),
    "png whose header is not its first part": (
        PNG_SIGNATURE + chunk(b"prVt", png(28, 28)[16:29]) + png(20000, 20000, idat(row=b"\0" * 4_000_000))[8:],
        DamagedPicture,
    ),
    "png with two headers": (png(28, 28, png(20000, 20000)[8:33], idat(row=b"\0" * 4_000_000)), DamagedPicture),
    "jpeg of 40,000 tables": (
        b"\xff\xd8" + (b"\xff\xdb\xff\xf2" + b"\0" * 65520) * 40 + encode(PICTURE, "JPEG")[2:],
        BloatedPicture,
    ),
    "jpeg of empty segments": (b"\xff\xd8" + b"\xff\xe1\0\2" * 500_000 + encode(PICTURE, "JPEG")[2:], DamagedPicture),
    "png of empty chunks": (png(28, 28, chunk(b"IDAT", b"") * 100_000, idat()), DamagedPicture),
    "png that unpacks to 100 MB, but for which only the first rows count": (
        png(28, 28, idat(row=b"\0" * 4_000_000)),
        None,
    ),
}


@pytest.mark.alone
@pytest.mark.parametrize("name", BOMBS)
def test_a_file_made_to_be_expensive_is_cheap(name: str) -> None:
    data, error = BOMBS[name]
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with pytest.raises(error) if error else contextlib.nullcontext():
        decode(data, 64_000_000)
    assert time.process_time() - started < 0.5
    kilobyte = 1024 if sys.platform == "darwin" else 1  # what it is counted in
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000 * kilobyte


def test_small_parts_padding_and_stray_bytes_are_read_as_elsewhere() -> None:
    pixels = zlib.compress(b"\0" * 29 * 28)
    assert decode(png(28, 28, *(chunk(b"IDAT", bytes([each])) for each in pixels)), LIMIT).shape == (28, 28)
    jpeg = encode(PICTURE, "JPEG")
    for stray in (b"\xff" * 2_000_000, b"\0" * 2_000_000, b"\xff\xd0", b"\xff\x00"):
        assert (decode(jpeg[:20] + stray + jpeg[20:], LIMIT) == decode(jpeg, LIMIT)).all()
    gif = encode(PICTURE, "GIF")
    frame = 13 + 768
    assert (decode(gif[:frame] + b"\0\0" + gif[frame:], LIMIT) == GREY).all()


def test_notes_profiles_and_thumbnails_change_nothing_and_cost_nothing() -> None:
    profile = chunk(b"iCCP", b"x\0\0" + zlib.compress(b"\0" * 1_000_000))
    assert decode(png(28, 28, *[profile] * 60, idat()), LIMIT).shape == (28, 28)
    jpeg = encode(PICTURE, "JPEG")
    noted = jpeg[:2] + b"\xff\xfe\0\7hello" + b"\xff\xe2\0\6MPF\0" + jpeg[2:]
    assert (decode(noted, LIMIT) == decode(jpeg, LIMIT)).all()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_mutated_files_are_answered_or_refused_and_never_anything_else(kind: str) -> None:
    data = encode(PICTURE.convert("RGB"), kind)
    random = np.random.default_rng(5)
    for _ in range(300):
        mutated = bytearray(data)
        for position in random.integers(0, min(len(data), 200), random.integers(1, 4)):
            mutated[position] = random.integers(0, 256)
        with contextlib.suppress(DamagedPicture, UnknownFormat, TooManyPixels, BloatedPicture):
            assert decode(bytes(mutated), LIMIT).dtype == np.uint8


def test_errors_say_nothing_of_pillow_or_of_memory_addresses() -> None:
    with pytest.raises(DamagedPicture) as caught:
        decode(png(28, 28, chunk(b"IDAT", b"no deflate")), LIMIT)
    assert "0x" not in caught.value.detail
    assert "that can't be decoded" in caught.value.detail


@pytest.mark.parametrize(
    ("data", "small"),
    [
        (encode(np.zeros((28, 28), np.uint8)), True),
        (encode(np.zeros((200, 200), np.uint8)), True),
        (encode(np.zeros((200, 201), np.uint8)), False),
        (encode(np.zeros((64, 64), np.uint8), "JPEG"), True),
        (encode(np.zeros((64, 65), np.uint8), "JPEG"), False),
        (encode(np.zeros((64, 65), np.uint8), "TIFF"), False),
        (b"no picture at all", True),
        (b"", True),
        (encode(np.zeros((28, 28), np.uint8))[:30], True),
        (encode(np.zeros((28, 28), np.uint8)) + bytes(16_384), False),
        (encode(np.zeros((1000, 1000), np.uint8)), False),
        (encode(np.zeros((1000, 1001), np.uint8)), True),  # for it is refused unread
        (encode(np.zeros((1000, 1001), np.uint8)) + bytes(16_384), True),
        (encode(np.zeros((1000, 1001), np.uint8), "JPEG") + bytes(16_384), False),
    ],
)
def test_what_is_read_in_no_time_is_told_from_the_rest(data: bytes, small: bool) -> None:
    assert is_small(data, 1000 * 1000) is small
