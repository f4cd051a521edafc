"""Large pictures at a reduced scale: as small as will do, no smaller, and the same picture."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from app.errors import WrongSize
from app.images.decode import decode
from tests.support import encode

LIMIT = 64_000_000


def drawing(width: int, height: int) -> Image.Image:
    """A dark stroke on light paper."""
    image = Image.new("L", (width, height), 220)
    ends = [(width // 4, height // 4), (width * 3 // 4, height // 4), (width // 2, height * 7 // 8)]
    ImageDraw.Draw(image).line(ends, fill=30, width=min(width, height) // 10)
    return image


@pytest.mark.parametrize(
    ("enough", "expected"),
    [(None, 1600), (10_000, 1600), (1600, 1600), (801, 1600), (800, 800), (512, 800), (400, 400), (201, 400), (1, 200)],
)
def test_a_jpeg_is_decoded_at_the_smallest_scale_that_is_enough(enough: int | None, expected: int) -> None:
    picture = decode(encode(drawing(1200, 1600), "JPEG"), LIMIT, enough=enough)
    assert picture.grey.shape == (expected, expected * 3 // 4)
    assert (picture.width, picture.height) == (1200, 1600)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_jpeg_at_a_reduced_scale_is_the_same_picture(mode: str) -> None:
    image = drawing(1600, 1200)
    small = decode(encode(image.convert(mode), "JPEG", quality=95), LIMIT, enough=400).grey
    assert np.abs(small.astype(int) - np.asarray(image.reduce(4))).mean() < 2


@pytest.mark.parametrize("size", [(1001, 777), (4000, 3), (9, 2000), (1, 1), (15, 9)])
def test_a_jpeg_of_any_size_keeps_what_is_enough(size: tuple[int, int]) -> None:
    picture = decode(encode(drawing(*size), "JPEG"), LIMIT, enough=100)
    assert (picture.width, picture.height) == size
    assert max(picture.grey.shape) >= min(100, max(size))


def test_a_required_size_is_that_of_the_picture_as_it_was_sent() -> None:
    data = encode(drawing(1600, 1200), "JPEG")
    assert decode(data, LIMIT, required_size=(1600, 1200), enough=200).grey.shape == (150, 200)
    with pytest.raises(WrongSize, match="received one of 1600x1200"):
        decode(data, LIMIT, required_size=(200, 150), enough=200)
