"""bytes → grey pixels: every format and mode that is read, and every way a file can be wrong."""

import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from app.errors import DamagedPicture, EmptyPicture, TooManyPixels, UnknownFormat, WrongSize
from app.images.decode import MAX_PNG_CHUNKS, PNG_SIGNATURE, decode
from tests.support import SEVEN, encode

LIMIT = 1_000_000
GREY = np.random.default_rng(7).integers(0, 256, (28, 28), np.uint8)
PICTURE = Image.fromarray(GREY)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, *more: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return PNG_SIGNATURE + chunk(b"IHDR", header) + b"".join(more) + chunk(b"IEND", b"")


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
    [b"hello, this is no picture", b"%PDF-1.7", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"\0" * 100],
    ids=["text", "pdf", "svg", "zeros"],
)
def test_what_is_no_picture_is_an_unknown_format(data: bytes) -> None:
    with pytest.raises(UnknownFormat, match="PNG, JPEG, WebP, GIF, BMP or TIFF"):
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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's "Truncated File Read"; what counts is the exception
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


def test_a_png_of_endless_chunks_is_refused() -> None:
    with pytest.raises(DamagedPicture, match="chunks"):
        decode(png(28, 28, chunk(b"tEXt", b"a\0b") * MAX_PNG_CHUNKS), LIMIT)


def test_errors_say_nothing_of_pillow_or_of_memory_addresses() -> None:
    with pytest.raises(DamagedPicture) as caught:
        decode(png(28, 28, chunk(b"IDAT", b"no deflate")), LIMIT)
    assert "0x" not in caught.value.detail
    assert "that can't be decoded" in caught.value.detail
