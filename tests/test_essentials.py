"""What of a file Pillow is given: less than there was, and the same pixels."""

import struct
import time
import zlib

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.errors import DamagedPicture
from app.images import essentials
from app.images.decode import decode
from app.images.essentials import PNG_ADAM7, PNG_SIGNATURE, jpeg_essentials
from tests.support import chunk, encode, png

LIMIT = 1_000_000
NOISE = np.random.default_rng(2).integers(0, 256, (310, 290, 4), np.uint8)  # more than one stored block


def interlaced(pixels: NDArray[np.uint8]) -> bytes:
    """A PNG in seven passes, without filters. Pillow writes none."""
    height, width, channels = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for x, y, step_x, step_y in PNG_ADAM7 for row in pixels[y::step_y, x::step_x])
    header = struct.pack(">IIBBBBB", width, height, 8, {1: 0, 3: 2, 4: 6}[channels], 0, 0, 1)
    return PNG_SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.fixture(params=[True, False], ids=["unpacked at once", "counted piece by piece"])
def _large(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if not request.param:
        monkeypatch.setattr(essentials, "UNPACKED_BYTES", 0)
        monkeypatch.setattr(essentials, "PIECE_BYTES", 1000)


@pytest.mark.usefixtures("_large")
class TestPng:
    @pytest.mark.parametrize("channels", [1, 3])
    def test_a_png_of_any_size_has_the_very_pixels(self, channels: int) -> None:
        image = Image.fromarray(NOISE[..., 0] if channels == 1 else NOISE[..., :3])
        expected = np.asarray(image.convert("L"))
        assert (decode(encode(image), LIMIT).grey == expected).all()
        assert (decode(interlaced(NOISE[..., :channels]), LIMIT).grey == expected).all()

    def test_opacity_and_palettes_go_the_same_way(self) -> None:
        image = Image.fromarray(NOISE[..., :3]).quantize(200)
        assert (decode(encode(image), LIMIT).grey == np.asarray(image.convert("L"))).all()
        paper = Image.alpha_composite(Image.new("RGBA", image.size, "white"), Image.fromarray(NOISE))
        assert (decode(encode(NOISE), LIMIT).grey == np.asarray(paper.convert("L"))).all()

    def test_a_png_without_all_of_its_pixels_is_damaged(self) -> None:
        rows = b"".join(b"\0" + row.tobytes() for row in NOISE[..., 0])
        for wrong in (zlib.compress(rows[:-1]), zlib.compress(rows)[:-1], zlib.compress(b""), b"", b"no zlib"):
            with pytest.raises(DamagedPicture):
                decode(png(290, 310, chunk(b"IDAT", wrong)), LIMIT)
        for right in (zlib.compress(rows), zlib.compress(rows, 0), zlib.compress(rows + b"surplus")):
            assert (decode(png(290, 310, chunk(b"IDAT", right)), LIMIT).grey == NOISE[..., 0]).all()


def test_a_jpeg_of_nothing_but_essentials_is_not_copied() -> None:
    data = encode(Image.fromarray(NOISE[..., :3]), "JPEG")
    assert jpeg_essentials(data) is data
    noted = data[:2] + b"\xff\xfe\0\7hello" + data[2:20] + b"\xff\xff" + data[20:]
    assert jpeg_essentials(noted) == data


@pytest.mark.alone
def test_the_essentials_of_a_large_jpeg_take_next_to_nothing() -> None:
    data = encode(Image.fromarray(NOISE[..., :3]), "JPEG")
    large = data[:2] + b"\xff\xfe\0\7hello" + data[2:] + b"\0" * 4_000_000
    started = time.process_time()
    for _ in range(10):
        jpeg_essentials(large)
    assert time.process_time() - started < 0.1
