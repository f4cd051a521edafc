"""Samples of every kind → grey: what is white, what is black, what is ink."""

import struct
import zlib
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from app.errors import DamagedPicture
from app.images.decode import decode
from tests.support import chunk, encode, png

LIMIT = 1_000_000
GREY = np.random.default_rng(7).integers(0, 256, (28, 28), np.uint8)
GREY[0, :2] = 0, 255
RAMP = np.linspace(0, 255, 784).reshape(28, 28).astype(np.uint8)
NEUTRAL = np.full((28, 28), 128, np.uint8)


def grey(data: bytes) -> NDArray[np.int64]:
    return decode(data, LIMIT).grey.astype(int)


def tiff(samples: NDArray[Any], photometric: int = 1) -> bytes:
    """A TIFF of 28x28 samples of the array's own type, in the array's own order of bytes; Pillow writes only some."""
    order = ">" if samples.dtype.str[0] == ">" else "<"
    kind = {"u": 1, "i": 2, "f": 3}[samples.dtype.kind]
    numbers = [(256, 28), (257, 28), (258, 8 * samples.dtype.itemsize), (259, 1), (262, photometric)]
    numbers += [(273, 8 + 2 + 9 * 12 + 4), (277, 1), (279, samples.nbytes), (339, kind)]
    tags = b"".join(struct.pack(order + "HHII", tag, 4, 1, value) for tag, value in numbers)
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, len(numbers))
    return start + tags + struct.pack(order + "I", 0) + samples.tobytes()


def big_endian_png(samples: NDArray[Any], colour: int) -> bytes:
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    return png(28, 28, chunk(b"IDAT", zlib.compress(rows)), depth=16, colour=colour)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_samples_of_fewer_bits_in_16_are_scaled_to_their_own_white(bits: int, kind: str) -> None:
    samples = np.rint(GREY * ((2**bits - 1) / 255)).astype(np.uint16)
    assert np.abs(grey(encode(samples, kind)) - GREY).max() <= 1


@pytest.mark.parametrize(
    ("samples", "tolerance"),
    [
        ((GREY * 257.0).astype(">u2"), 0),
        ((GREY * 128.0).astype("<i2"), 1),
        ((GREY * 128.0).astype(">i2"), 1),
        ((GREY * 16843009.0).astype("<u4"), 0),
        ((GREY * 1.0).astype("<u4"), 0),
        ((GREY * 8421504.0).astype("<i4"), 0),
        ((GREY / 255).astype("<f4"), 0),
        ((GREY / 255).astype(">f4"), 0),
        ((GREY * 1.0).astype("<f4"), 0),
        ((GREY * 257.0).astype("<f4"), 0),
        ((GREY * 0.01).astype("<f4"), 1),
        ((GREY * 1e36).astype("<f4"), 1),
        ((GREY / 127.5 - 1).astype("<f4"), 1),
        ((GREY * 128.0 - 16320).astype("<i2"), 1),
    ],
    ids=lambda value: f"{value.dtype.str} {value.min():.4g}..{value.max():.4g}" if hasattr(value, "dtype") else "",
)
def test_samples_of_every_type_are_scaled(samples: NDArray[Any], tolerance: int) -> None:
    assert np.abs(grey(tiff(samples)) - GREY).max() <= tolerance


def test_floats_a_little_outside_are_clipped_and_do_not_darken_the_rest() -> None:
    floats = (GREY / 255).astype("<f4")
    floats[0, 0], floats[0, 1] = -0.1, 1.2
    assert (grey(tiff(floats)) == GREY).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_sample_that_is_no_number_is_damage(value: float) -> None:
    with pytest.raises(DamagedPicture):
        decode(tiff(np.full((28, 28), value, "<f4")), LIMIT)


def test_a_black_picture_of_any_type_is_black() -> None:
    for kind in ("<u2", "<i2", "<u4", "<f4"):
        assert (grey(tiff(np.zeros((28, 28), kind))) == 0).all()


@pytest.mark.parametrize("kind", ["u1", "<u2"])
def test_a_tiff_in_which_zero_is_white_is_inverted(kind: str) -> None:
    samples = GREY.astype(kind) * (257 if kind == "<u2" else 1)
    assert (grey(tiff(samples, photometric=0)) == 255 - GREY).all()


@pytest.mark.parametrize("colour", [2, 4, 6])
def test_16_bits_of_colour_or_opacity_keep_their_high_byte(colour: int) -> None:
    channels = [GREY.astype(np.uint16) * 257] * (1 if colour == 4 else 3)
    opacity = [] if colour == 2 else [np.full((28, 28), 65535, np.uint16)]
    assert (grey(big_endian_png(np.dstack([*channels, *opacity]), colour)) == GREY).all()


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_is_read_the_right_way_round(kind: str) -> None:
    options = {"quality": 95} if kind == "JPEG" else {}
    data = encode(Image.fromarray(RAMP).convert("RGB").convert("CMYK"), kind, **options)
    assert (b"Adobe" in data) == (kind == "JPEG")  # which says that the inks are stored inverted
    assert np.abs(grey(data) - RAMP).max() <= 3


def test_cmyk_stored_as_luma_and_chroma_is_read() -> None:
    # in what Adobe calls YCCK, luma is that of the inks; here a ramp of it, no chroma and no black
    inverted = Image.merge(
        "CMYK", [Image.fromarray(channel) for channel in (255 - RAMP, NEUTRAL - 1, NEUTRAL - 1, 0 * RAMP)]
    )
    data = encode(inverted, "JPEG", quality=95, subsampling=0)
    transform = data.index(b"Adobe") + 11
    assert data[transform] == 0
    assert np.abs(grey(data[:transform] + b"\2" + data[transform + 1 :]) - (255 - RAMP.astype(int))).max() <= 4


def test_lab_is_read() -> None:
    lab = Image.merge("LAB", [Image.fromarray(RAMP), Image.new("L", (28, 28), 128), Image.new("L", (28, 28), 128)])
    read = grey(encode(lab, "TIFF")).ravel()
    assert (np.diff(read) >= 0).all()
    assert np.abs(read - RAMP.ravel()).max() < 12  # L* is no sRGB, but near it


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP"])
def test_a_palette_of_two_colours_is_read_by_its_colours(kind: str) -> None:
    image = Image.new("P", (28, 28), 0)
    image.putpalette([250, 240, 230, 10, 20, 30])
    image.paste(1, (5, 5, 9, 9))
    assert (grey(encode(image, kind)) == np.asarray(image.convert("RGB").convert("L"))).all()


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_ink_of_a_palette_on_nothing_is_read_by_its_opacity(kind: str) -> None:
    image = Image.new("P", (28, 28), 0)
    image.putpalette([255, 255, 255, 0, 0, 0])
    image.paste(1, (5, 5, 9, 9))
    read = grey(encode(image, kind, transparency=0))
    assert (read == np.asarray(image) * 255).all()


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF", "TIFF"])
def test_the_first_frame_of_an_animation_is_read(kind: str) -> None:
    frames = [Image.new("RGB", (28, 28), (value, value, value)) for value in (10, 200)]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encode(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert (grey(data) == 10).all()


def drawing_on_nothing(colour: tuple[int, int, int]) -> Image.Image:
    """An antialiased stroke: drawn four times as large and reduced."""
    canvas = Image.new("RGBA", (400, 400), (0, 0, 0, 0))
    ImageDraw.Draw(canvas).line([(80, 60), (300, 350)], (*colour, 255), 40)
    return canvas.resize((100, 100), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (200, 30, 90)])
def test_an_antialiased_drawing_on_nothing_is_read_by_its_opacity(colour: tuple[int, int, int]) -> None:
    image = drawing_on_nothing(colour)
    opacity = np.asarray(image)[..., 3]
    if colour == (200, 30, 90):  # at the edge, a colour has the precision that its opacity leaves
        assert len(np.unique(np.asarray(image)[opacity > 0][:, :3], axis=0)) > 1
    assert (grey(encode(image)) == opacity).all()
    if colour != (200, 30, 90):  # a lossy format keeps opacity, and of the colour little where it is hardly seen
        assert (grey(encode(image, "WEBP", quality=80)) == opacity).all()


def test_an_opaque_picture_of_one_colour_and_a_little_is_no_ink_on_nothing() -> None:
    opaque = np.dstack([np.full((28, 28, 3), 240, np.uint8), np.full((28, 28), 255, np.uint8)])
    assert (grey(encode(opaque)) == 240).all()


def test_a_picture_with_transparent_corners_is_laid_on_paper() -> None:
    rgba = np.dstack([np.full((28, 28, 3), 230, np.uint8), np.full((28, 28), 255, np.uint8)])
    rgba[10:18, 13:15, :3] = 20
    rgba[:2, :2, 3] = rgba[-2:, -2:, 3] = 0
    read = grey(encode(rgba))
    assert (read[0, 0], read[5, 5], read[12, 13]) == (255, 230, 20)


def test_what_is_transparent_altogether_is_white_paper() -> None:
    assert (grey(encode(np.zeros((28, 28, 4), np.uint8))) == 255).all()
